package bottest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is what people do with messages in the fake Slack: write, react,
// pin, edit, delete, "Add to timeline"; and how the bot reads them.

// SlackFile is a file attached to a message. URL "" is the fake's own, which
// wants the bot's token.
type SlackFile struct {
	Name, URL string
	Data      []byte
	Size      int // as Slack says it; 0: len(Data)
}

// Write says something as a user: in a channel, in the thread of a message
// (thread is its ts, or ""), with files. It returns the message's ts.
func (f *Slack) Write(user, channel, thread, text string, files ...SlackFile) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &SlackMessage{TS: f.ts(), User: SlackUser(user), Text: text, Thread: thread}
	for _, one := range files {
		if one.URL == "" {
			id := f.id("F")
			f.files[id] = &SlackMessage{Data: one.Data}
			one.URL = f.Server.URL + "/files/" + id
		}
		if one.Size == 0 {
			one.Size = len(one.Data)
		}
		m.Files = append(m.Files, one)
	}
	f.channels[channel].Messages = append(f.channels[channel].Messages, m)
	return m.TS
}

// find returns a message by ts. The fake is locked.
func (c *SlackChannel) find(ts string) *SlackMessage {
	for _, m := range c.Messages {
		if m.TS == ts && m.For == "" {
			return m
		}
	}
	return nil
}

// json is a message as Slack's API shows it.
func (m *SlackMessage) json() map[string]any {
	one := map[string]any{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text, "blocks": m.Blocks}
	if m.Blocks == nil {
		delete(one, "blocks")
	}
	if m.User == "U0BOT" {
		one["bot_id"] = "B0BOT"
	}
	if m.Thread != "" {
		one["thread_ts"] = m.Thread
	}
	var files []any
	if m.File != "" {
		files = append(files, map[string]any{"id": "F1", "name": m.File, "title": m.File})
	}
	for _, f := range m.Files {
		files = append(files, map[string]any{"id": "F2", "name": f.Name, "title": f.Name, "mimetype": "image/png", "size": f.Size, "url_private": f.URL})
	}
	if files != nil {
		one["files"] = files
	}
	var rs []any
	for name, users := range m.Reactions {
		if len(users) > 0 {
			rs = append(rs, map[string]any{"name": name, "count": len(users), "users": users})
		}
	}
	if rs != nil {
		one["reactions"] = rs
	}
	return one
}

// happen delivers an event.
func (f *Slack) happen(event map[string]any) bool {
	f.mu.Lock()
	id := f.id("Ev")
	event["event_ts"] = f.ts()
	f.mu.Unlock()
	_, ok := f.Deliver("events_api", map[string]any{"type": "event_callback", "event_id": id, "team_id": "T0TEAM", "api_app_id": "A0APP", "event_time": time.Now().Unix(), "event": event})
	return ok
}

// React puts an emoji on a message, or takes it off.
func (f *Slack) React(user, channel, ts, emoji string, on bool) bool {
	f.mu.Lock()
	m := f.channels[channel].find(ts)
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	name, _, _ := strings.Cut(emoji, "::")
	m.Reactions[name] = slices.DeleteFunc(m.Reactions[name], func(u string) bool { return u == SlackUser(user) })
	kind := "reaction_removed"
	if on {
		m.Reactions[name] = append(m.Reactions[name], SlackUser(user))
		kind = "reaction_added"
	}
	owner := m.User
	f.mu.Unlock()
	return f.happen(map[string]any{"type": kind, "user": SlackUser(user), "reaction": emoji, "item_user": owner, "item": map[string]any{"type": "message", "channel": channel, "ts": ts}})
}

// PinMessage pins a message the way Slack does, or takes the pin off.
func (f *Slack) PinMessage(user, channel, ts string, on bool) bool {
	f.mu.Lock()
	m := f.channels[channel].find(ts).json()
	f.mu.Unlock()
	kind := "pin_removed"
	if on {
		kind = "pin_added"
	}
	return f.happen(map[string]any{"type": kind, "user": SlackUser(user), "channel_id": channel, "item": map[string]any{"type": "message", "channel": channel, "created": time.Now().Unix(), "message": m}})
}

// EditMessage changes a message's text; DeleteMessage takes it away.
func (f *Slack) EditMessage(channel, ts, text string) bool {
	f.mu.Lock()
	m := f.channels[channel].find(ts)
	before := m.json()
	m.Text = text
	after := m.json()
	f.mu.Unlock()
	return f.happen(map[string]any{"type": "message", "subtype": "message_changed", "hidden": true, "channel": channel, "ts": ts, "message": after, "previous_message": before})
}

// DeleteMessage takes a message away.
func (f *Slack) DeleteMessage(channel, ts string) bool {
	f.mu.Lock()
	c := f.channels[channel]
	before := c.find(ts).json()
	c.Messages = slices.DeleteFunc(c.Messages, func(m *SlackMessage) bool { return m.TS == ts })
	f.mu.Unlock()
	return f.happen(map[string]any{"type": "message", "subtype": "message_deleted", "hidden": true, "channel": channel, "deleted_ts": ts, "previous_message": before})
}

// Said tells of a message, as the bot is told of every one in its channels.
func (f *Slack) Said(channel, ts string) bool {
	f.mu.Lock()
	m := f.channels[channel].find(ts).json()
	f.mu.Unlock()
	m["channel"] = channel
	return f.happen(m)
}

// Shortcut is the payload of "Add to timeline" on a message.
func (f *Slack) Shortcut(user, channel, ts string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[channel]
	return map[string]any{"type": "message_action", "callback_id": "timeline_add", "user": map[string]any{"id": SlackUser(user), "name": user, "username": user}, "channel": map[string]any{"id": channel, "name": c.Name},
		"message_ts": ts, "message": c.find(ts).json(), "trigger_id": f.trigger(SlackUser(user)), "response_url": f.hook(channel, SlackUser(user), ""), "action_ts": f.ts(), "team": map[string]any{"id": "T0TEAM"}}
}

// OpenHome opens a user's App Home.
func (f *Slack) OpenHome(user string) bool {
	return f.happen(map[string]any{"type": "app_home_opened", "user": SlackUser(user), "channel": "D0" + strings.ToUpper(user), "tab": "home"})
}

// PressView presses a button in a user's newest view of a type.
func (f *Slack) PressView(user, kind, label string) bool {
	f.mu.Lock()
	var p map[string]any
	for i := len(f.views) - 1; i >= 0 && p == nil; i-- {
		v := f.views[i]
		if v.User != SlackUser(user) || v.Type != kind {
			continue
		}
		for _, b := range v.Blocks {
			es, _ := b["elements"].([]any)
			for _, e := range es {
				e, _ := e.(map[string]any)
				if text, _ := e["text"].(map[string]any); b["type"] == "actions" && text["text"] == label && p == nil {
					p = map[string]any{"type": "block_actions", "user": map[string]any{"id": v.User, "username": user}, "container": map[string]any{"type": "view", "view_id": v.ID}, "trigger_id": f.trigger(v.User),
						"team": map[string]any{"id": "T0TEAM"}, "view": map[string]any{"id": v.ID, "type": v.Type, "hash": v.Hash, "callback_id": v.Callback},
						"actions": []any{map[string]any{"type": "button", "action_id": e["action_id"], "block_id": b["block_id"], "value": e["value"], "action_ts": f.ts()}}}
				}
			}
		}
	}
	f.mu.Unlock()
	if p == nil {
		return false
	}
	_, ok := f.Deliver("interactive", p)
	return ok
}

// readMessages does the methods that read messages; nil: it is another one.
func (f *Slack) readMessages(method string, c *SlackChannel, form url.Values) answerOf {
	limit, err := strconv.Atoi(form.Get("limit"))
	if err != nil {
		limit = 100
	}
	inclusive := form.Get("inclusive") == "1" || form.Get("inclusive") == "true"
	within := func(ts string) bool {
		latest, oldest := form.Get("latest"), form.Get("oldest")
		return (latest == "" || ts < latest || inclusive && ts == latest) && (ts > oldest || (inclusive || latest == "") && ts == oldest)
	}
	switch method {
	case "conversations.history": // the newest first; replies stand in their threads alone
		if !c.Members["U0BOT"] {
			return bad("not_in_channel")
		}
		if f.Sloppy { // a server that minds latest alone: it gives the message before
			within = func(ts string) bool { return form.Get("latest") == "" || ts <= form.Get("latest") }
		}
		var all []any
		for i := len(c.Messages) - 1; i >= 0 && len(all) < limit; i-- {
			if m := c.Messages[i]; m.For == "" && (m.Thread == "" || m.Thread == m.TS) && within(m.TS) {
				all = append(all, m.json())
			}
		}
		return answerOf{"ok": true, "messages": all, "has_more": false}
	case "conversations.replies": // the parent first, always
		at := c.find(form.Get("ts"))
		if at == nil {
			return bad("thread_not_found")
		}
		parent := at.TS
		if at.Thread != "" {
			parent = at.Thread
		}
		var all []any
		for _, m := range c.Messages {
			if m.TS == parent || m.Thread == parent && within(m.TS) {
				all = append(all, m.json())
			}
		}
		return answerOf{"ok": true, "messages": all, "has_more": false}
	case "chat.getPermalink":
		if c.find(form.Get("message_ts")) == nil {
			return bad("message_not_found")
		}
		return answerOf{"ok": true, "channel": c.ID, "permalink": "https://test.slack.com/archives/" + c.ID + "/p" + strings.ReplaceAll(form.Get("message_ts"), ".", "")}
	case "reactions.get":
		m := c.find(form.Get("timestamp"))
		if m == nil {
			return bad("message_not_found")
		}
		return answerOf{"ok": true, "type": "message", "channel": c.ID, "message": m.json()}
	}
	return nil
}

// file serves a file to who has the bot's token; everybody else gets a page.
func (f *Slack) file(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	m := f.files[strings.TrimPrefix(r.URL.Path, "/files/")]
	f.downloads = append(f.downloads, r.Header.Get("Authorization"))
	f.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+SlackBotToken || m == nil:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>sign in</title>"))
	default:
		w.Header().Set("Content-Type", "image/png") // whatever it is
		_, _ = w.Write(m.Data)
	}
}

// Downloads is how often a file was asked for.
func (f *Slack) Downloads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.downloads)
}

// AddChannel makes a channel that the bot is not in.
func (f *Slack) AddChannel(id, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.channels[id] = &SlackChannel{ID: id, Name: name, Members: map[string]bool{}}
}
