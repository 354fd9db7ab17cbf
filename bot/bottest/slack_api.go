package bottest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// This file holds what the fake Slack does with calls.

type answerOf map[string]any

func bad(name string) answerOf { return answerOf{"ok": false, "error": name} }

// api answers one call of the Web API.
func (f *Slack) api(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	form := url.Values{}
	body, _ := io.ReadAll(r.Body)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var in map[string]any
		_ = json.Unmarshal(body, &in)
		for k, v := range in {
			if s, ok := v.(string); ok {
				form.Set(k, s)
			} else {
				b, _ := json.Marshal(v)
				form.Set(k, string(b))
			}
		}
	} else {
		form, _ = url.ParseQuery(string(body))
	}
	if r.Method == http.MethodGet {
		form = r.URL.Query()
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = form.Get("token")
	}
	form.Set("token", "...")
	f.contract.call(method, form)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, SlackCall{method, form, time.Now()})
	granted := f.granted
	if granted == nil {
		granted = f.contract.scopes()
	}
	w.Header().Set("X-OAuth-Scopes", strings.Join(granted, ","))
	fault := ""
	if q := f.faults[method]; len(q) > 0 {
		fault, f.faults[method] = q[0], q[1:]
	}
	want := SlackBotToken
	if method == "apps.connections.open" {
		want = SlackAppToken
	}
	var a answerOf
	switch {
	case f.down || fault == "500":
		http.Error(w, "<html>it broke</html>", http.StatusServiceUnavailable)
		return
	case fault == "429" || f.over(method) || f.Limit && method == "chat.postMessage" && !f.allow(form.Get("channel")):
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"ok":false,"error":"ratelimited"}`)
		return
	case f.revoked:
		a = bad("token_revoked")
	case token != want:
		a = bad("invalid_auth")
	case f.missing[method]:
		a = answerOf{"ok": false, "error": "missing_scope", "needed": "some:scope", "provided": "others"}
	case fault != "" && fault != "lost":
		a = bad(fault)
	default:
		a = f.answer(method, form)
	}
	if fault == "lost" {
		http.Error(w, "<html>gateway timeout</html>", http.StatusGatewayTimeout)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
}

// allow is one message a second in a channel, three at once.
func (f *Slack) allow(channel string) bool {
	b := f.tokens[channel]
	now := time.Now()
	if b == nil {
		b = &bucket{n: 3, at: now}
		f.tokens[channel] = b
	}
	b.n = min(3, b.n+now.Sub(b.at).Seconds())
	b.at = now
	if b.n < 1-0.05 { // the network's own jitter
		return false
	}
	b.n--
	return true
}

func (f *Slack) answer(method string, form url.Values) answerOf {
	if a, ok := f.channelCall(method, form); ok {
		return a
	}
	c := f.channels[form.Get("channel")]
	ok := answerOf{"ok": true}
	if strings.HasPrefix(method, "views.") {
		return f.view(method, form)
	}
	switch method {
	case "auth.test":
		return answerOf{"ok": true, "user_id": "U0BOT", "user": "certmedic", "team": "Test", "team_id": "T0TEAM", "bot_id": "B0BOT", "url": "https://test.slack.com/"}
	case "apps.connections.open":
		return answerOf{"ok": true, "url": "ws" + strings.TrimPrefix(f.Server.URL, "http") + "/link?ticket=" + randomHex()}
	case "users.info":
		if u := f.users[form.Get("user")]; u != nil {
			return answerOf{"ok": true, "user": u}
		}
		return bad("user_not_found")
	case "files.getUploadURLExternal":
		id := f.id("F")
		f.files[id] = &SlackMessage{File: form.Get("filename")}
		return answerOf{"ok": true, "upload_url": f.Server.URL + "/upload/" + id, "file_id": id}
	case "files.completeUploadExternal":
		c = f.channels[form.Get("channel_id")]
		var files []struct{ ID, Title string }
		_ = json.Unmarshal([]byte(form.Get("files")), &files)
		if c == nil || len(files) != 1 || f.files[files[0].ID] == nil {
			return bad("invalid_arguments")
		}
		m := f.files[files[0].ID]
		m.TS, m.User, m.Text = f.ts(), "U0BOT", "file "+m.File
		c.Messages = append(c.Messages, m)
		return answerOf{"ok": true, "files": []any{map[string]any{"id": files[0].ID, "title": files[0].Title}}}
	}
	if user := form.Get("channel"); f.users[user] != nil {
		if method != "chat.postMessage" {
			return bad("channel_not_found") // only there a user's id stands for the conversation
		}
		if c == nil { // the person's own conversation with the bot
			c = &SlackChannel{ID: user, Name: "dm-" + user, Members: map[string]bool{"U0BOT": true}}
			f.channels[user] = c
		}
	}
	if user, dm := strings.CutPrefix(form.Get("channel"), "D"); dm {
		c = f.channels[user]
	}
	if c == nil || c.Private && !c.Members["U0BOT"] {
		return bad("channel_not_found")
	}
	if a := f.readMessages(method, c, form); a != nil {
		return a
	}
	if c.Archived && method != "conversations.info" && method != "conversations.history" {
		if method == "conversations.archive" {
			return bad("already_archived")
		}
		return bad("is_archived")
	}
	switch method {
	case "chat.postMessage":
		if !c.Members["U0BOT"] {
			return bad("not_in_channel")
		}
		m := &SlackMessage{TS: f.ts(), User: "U0BOT", Text: form.Get("text"), Blocks: f.blocks(form)}
		c.Messages = append(c.Messages, m)
		id := c.ID
		if f.users[id] != nil {
			id = "D" + id
		}
		return answerOf{"ok": true, "channel": id, "ts": m.TS}
	case "chat.update":
		for _, m := range c.Messages {
			if m.TS == form.Get("ts") && m.For == "" {
				m.Text, m.Blocks, m.Edits = form.Get("text"), f.blocks(form), m.Edits+1
				return answerOf{"ok": true, "channel": c.ID, "ts": m.TS}
			}
		}
		return bad("message_not_found")
	case "chat.postEphemeral":
		switch user := form.Get("user"); {
		case f.users[user] == nil:
			return bad("user_not_found")
		case !c.Members["U0BOT"]:
			return bad("not_in_channel")
		case c.Absent[user] || c.Private && !c.Members[user]:
			return bad("user_not_in_channel")
		}
		m := &SlackMessage{TS: f.ts(), User: "U0BOT", For: form.Get("user"), Text: form.Get("text"), Blocks: f.blocks(form)}
		c.Messages = append(c.Messages, m)
		return answerOf{"ok": true, "message_ts": m.TS}
	case "conversations.info":
		return answerOf{"ok": true, "channel": c.json()}
	case "conversations.setTopic":
		if len([]rune(form.Get("topic"))) > 250 {
			return bad("too_long")
		}
		c.Topic = form.Get("topic")
		return answerOf{"ok": true, "channel": c.json()}
	case "conversations.archive":
		c.Archived = true
		return ok
	case "pins.add":
		for _, p := range c.Pins {
			if p == form.Get("timestamp") {
				return bad("already_pinned")
			}
		}
		c.Pins = append(c.Pins, form.Get("timestamp"))
		return ok
	}
	f.t.Errorf("the fake Slack has no method %s", method)
	return bad("unknown_method")
}

func (c *SlackChannel) json() map[string]any {
	return map[string]any{"id": c.ID, "name": c.Name, "is_channel": !c.Private, "is_private": c.Private, "properties": map[string]any{"canvas": map[string]any{"file_id": c.CanvasID}}, "is_member": c.Members["U0BOT"], "is_archived": c.Archived, "creator": "U0BOT"}
}

func (f *Slack) blocks(form url.Values) []map[string]any {
	var b []map[string]any
	_ = json.Unmarshal([]byte(form.Get("blocks")), &b)
	return b
}

// hooked answers a response URL: five posts at most.
func (f *Slack) hooked(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Text            string           `json:"text"`
		Blocks          []map[string]any `json:"blocks"`
		ResponseType    string           `json:"response_type"`
		ReplaceOriginal bool             `json:"replace_original"`
		DeleteOriginal  bool             `json:"delete_original"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/hooks/")
	h := f.hooks[id]
	if h == nil || h.posts >= 5 {
		http.Error(w, "used_url", http.StatusNotFound)
		return
	}
	h.posts++
	c := f.channels[h.channel]
	// The original is the message whose button was pressed. A slash command has
	// none: replacing then posts one more message, and deleting does nothing
	// (slackapi/bolt-python#1268, slackapi/bolt-js#2287).
	at := slices.IndexFunc(c.Messages, func(m *SlackMessage) bool { return h.message != "" && m.TS == h.message })
	in.ReplaceOriginal = in.ReplaceOriginal && at >= 0
	switch {
	case at >= 0 && in.DeleteOriginal:
		c.Messages = append(c.Messages[:at:at], c.Messages[at+1:]...)
	case in.ReplaceOriginal:
		m := c.Messages[at]
		m.Text, m.Blocks, m.Edits = in.Text, in.Blocks, m.Edits+1
	}
	if !in.DeleteOriginal {
		if in.Text == "" || in.ResponseType != "ephemeral" && in.ResponseType != "in_channel" {
			f.t.Errorf("an answer without text, or neither ephemeral nor in the channel: %+v", in)
		}
		user := h.user
		if in.ResponseType == "in_channel" {
			if in.ReplaceOriginal {
				f.t.Errorf("an ephemeral message cannot become public: %+v", in)
			}
			h.user = ""
		}
		if b, err := json.Marshal(in.Blocks); err == nil {
			f.contract.blocks("response_url", string(b))
		}
		if !in.ReplaceOriginal {
			c.Messages = append(c.Messages, &SlackMessage{TS: f.ts(), User: "U0BOT", For: h.user, Text: in.Text, Blocks: in.Blocks, Hook: id})
			if in.ResponseType == "in_channel" {
				h.user = user
			}
		}
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "ok")
}

func (f *Slack) upload(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.files[strings.TrimPrefix(r.URL.Path, "/upload/")]
	if m == nil {
		http.Error(w, "no such upload", http.StatusNotFound)
		return
	}
	if file, _, err := r.FormFile("file"); err == nil {
		m.Data, _ = io.ReadAll(file)
	} else {
		m.Data, _ = io.ReadAll(r.Body)
	}
	_, _ = io.WriteString(w, "OK")
}

// Seen is what a user can read in a channel now, as text; Raw is what the
// fake was sent for it.
func (f *Slack) Seen(user, channel string) string { return f.read(user, channel, false) }

// Raw is Seen with Slack's escapes and markup.
func (f *Slack) Raw(user, channel string) string { return f.read(user, channel, true) }

func (f *Slack) read(user, channel string, raw bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, m := range f.channels[channel].Messages {
		if m.For != "" && m.For != SlackUser(user) {
			continue
		}
		if m.Typed {
			if !raw {
				b.WriteString(m.Text + "\n")
			}
			continue
		}
		if raw {
			b.WriteString(m.Text + "\n")
		}
		for _, k := range m.Blocks {
			texts(k, &b)
		}
		if len(m.Blocks) == 0 && !raw {
			b.WriteString(m.Text + "\n")
		}
	}
	s := b.String()
	if !raw {
		s = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "```", "").Replace(s)
	}
	return s
}

// texts writes every text of a block.
func texts(v any, b *strings.Builder) {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v["text"].(string); ok {
			b.WriteString(s + "\n")
		}
		for _, k := range []string{"text", "fields", "elements", "confirm", "title"} {
			if _, ok := v[k].(string); !ok {
				texts(v[k], b)
			}
		}
	case []any:
		for _, e := range v {
			texts(e, b)
		}
	}
}
