package bottest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// This file holds what the fake Slack knows of channels beside messages:
// private ones and who can read them, bookmarks, canvases, user groups, being
// archived and opened again, and the limits per minute.

// SlackMark is a bookmark of a channel of the fake.
type SlackMark struct{ ID, Title, Link string }

// SlackGroup is a user group of the fake.
type SlackGroup struct {
	ID, Handle string
	Users      []string // user ids
}

// Group makes a user group of users, by name; it replaces one of the same handle.
func (f *Slack) Group(id, handle string, users ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := SlackGroup{ID: id, Handle: handle}
	for _, u := range users {
		g.Users = append(g.Users, SlackUser(u))
	}
	f.groups = append(slices.DeleteFunc(f.groups, func(o SlackGroup) bool { return o.Handle == handle }), g)
}

// Grant makes the fake say that the bot's token has these scopes.
func (f *Slack) Grant(scopes []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.granted = scopes
}

// User adds a user, or changes what Slack says of one.
func (f *Slack) User(name string, fields map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.users[SlackUser(name)]
	if u == nil {
		u = map[string]any{"id": SlackUser(name), "name": name, "tz": "Europe/Berlin", "team_id": "T0TEAM"}
		f.users[SlackUser(name)] = u
	}
	for k, v := range fields {
		u[k] = v
	}
}

// Channels are the ids of all channels.
func (f *Slack) Channels() (ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.channels {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// CanRead reports whether a user can read a channel: everybody a public one,
// its members a private one.
func (f *Slack) CanRead(user, channel string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[channel]
	if c != nil && strings.HasPrefix(c.Name, "dm-") { // somebody's own conversation with the bot
		return c.ID == SlackUser(user)
	}
	return c != nil && (!c.Private || c.Members[SlackUser(user)])
}

// Everything is all that a user can find of a channel: its name, topic,
// bookmarks, canvas, files and messages; "" when they cannot read it.
func (f *Slack) Everything(user, channel string) string {
	if !f.CanRead(user, channel) {
		return ""
	}
	f.mu.Lock()
	c := f.channels[channel]
	all := []string{c.Name, c.Topic, c.Canvas}
	for _, m := range c.Marks {
		all = append(all, m.Title, m.Link)
	}
	for _, m := range c.Messages {
		if m.For == "" || m.For == SlackUser(user) {
			all = append(all, m.File, string(m.Data))
		}
	}
	f.mu.Unlock()
	return strings.Join(append(all, f.Raw(user, channel), f.Seen(user, channel)), "\n")
}

// Archive archives a channel, as somebody does in Slack, or opens it again;
// the bot is told of the latter.
func (f *Slack) Archive(channel string, archived bool) {
	f.mu.Lock()
	f.channels[channel].Archived = archived
	f.mu.Unlock()
	if !archived {
		f.Event(map[string]any{"type": "channel_unarchive", "channel": channel, "user": SlackUser("ana")})
	}
}

// Invite has somebody put the bot into a channel, which the bot is told.
func (f *Slack) Invite(channel string) {
	f.Member(channel, true)
	f.Event(map[string]any{"type": "member_joined_channel", "channel": channel, "user": "U0BOT", "channel_type": "C", "team": "T0TEAM", "inviter": SlackUser("ana")})
}

// Event delivers an event.
func (f *Slack) Event(event map[string]any) (string, bool) {
	f.mu.Lock()
	id := f.id("Ev")
	f.mu.Unlock()
	event["event_ts"] = f.stamp()
	return f.Deliver("events_api", map[string]any{"type": "event_callback", "event_id": id, "team_id": "T0TEAM", "api_app_id": "A0APP", "event_time": time.Now().Unix(), "event": event})
}

// slackTier2 are the methods answered here that Slack allows some 20 times a
// minute, held against its documents where they are.
var slackTier2 = []string{"bookmarks.add", "bookmarks.edit", "conversations.archive", "conversations.canvases.create", "conversations.create", "conversations.list", "conversations.setTopic", "conversations.unarchive", "pins.add", "usergroups.list", "usergroups.users.list"}

// Tier2 makes the fake allow so many calls of each tier 2 method in each
// minute of the given length, else 429.
func (f *Slack) Tier2(calls int, minute time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tier2, f.minute = calls, minute
}

// over reports a call beyond its method's limit. f.mu is held.
func (f *Slack) over(method string) bool {
	slow := slices.Contains(slackTier2, method)
	if m := f.contract.methods; m != nil && slow != (m[method].Rate == "t2") {
		f.contract.t.Errorf("%s is of tier %q", method, m[method].Rate)
	}
	if f.tier2 == 0 || !slow {
		return false
	}
	now := time.Now()
	f.lately[method] = append(slices.DeleteFunc(f.lately[method], func(at time.Time) bool { return now.Sub(at) > f.minute }), now)
	return len(f.lately[method]) > f.tier2
}

// channelCall answers calls about channels; ok false: it is another one.
// f.mu is held.
func (f *Slack) channelCall(method string, form url.Values) (a answerOf, ok bool) {
	switch method {
	case "conversations.create":
		for _, o := range f.channels {
			if o.Name == form.Get("name") {
				return bad("name_taken"), true
			}
		}
		n := &SlackChannel{ID: f.id("C0NEW"), Name: form.Get("name"), Private: form.Get("is_private") == "true", Members: map[string]bool{"U0BOT": true}}
		f.channels[n.ID] = n
		return answerOf{"ok": true, "channel": n.json()}, true
	case "conversations.list":
		all := []any{}
		for _, o := range f.channels {
			kind := map[bool]string{true: "private_channel", false: "public_channel"}[o.Private]
			if strings.Contains(form.Get("types"), kind) && (!o.Private || o.Members["U0BOT"]) && !(form.Get("exclude_archived") == "true" && o.Archived) {
				all = append(all, o.json())
			}
		}
		return answerOf{"ok": true, "channels": all}, true
	case "usergroups.list":
		all := []any{}
		for _, g := range f.groups {
			one := map[string]any{"id": g.ID, "handle": g.Handle, "name": g.Handle, "user_count": len(g.Users), "date_delete": 0}
			if form.Get("include_users") == "true" && len(g.Users) <= 3 { // Slack leaves the users of large groups out
				one["users"] = g.Users
			}
			all = append(all, one)
		}
		return answerOf{"ok": true, "usergroups": all}, true
	case "usergroups.users.list":
		for _, g := range f.groups {
			if g.ID == form.Get("usergroup") {
				return answerOf{"ok": true, "users": g.Users}, true
			}
		}
		return bad("no_such_subteam"), true
	case "canvases.edit":
		return f.editCanvas(form), true
	}
	id := form.Get("channel")
	if id == "" {
		id = form.Get("channel_id")
	}
	c := f.channels[id]
	switch method {
	case "conversations.unarchive", "conversations.join", "bookmarks.list", "bookmarks.add", "bookmarks.edit", "conversations.canvases.create", "conversations.invite":
	default:
		return nil, false
	}
	if c == nil || c.Private && !c.Members["U0BOT"] {
		return bad("channel_not_found"), true
	}
	return f.inChannel(method, c, form), true
}

// inChannel answers a call about one channel.
func (f *Slack) inChannel(method string, c *SlackChannel, form url.Values) answerOf {
	if c.Archived && method != "conversations.unarchive" {
		return bad("is_archived")
	}
	switch method {
	case "conversations.unarchive":
		if !c.Archived {
			return bad("not_archived")
		}
		c.Archived = false
	case "conversations.join":
		if c.Private {
			return bad("method_not_supported_for_channel_type")
		}
		c.Members["U0BOT"] = true
		return answerOf{"ok": true, "channel": c.json()}
	case "conversations.invite":
		return f.invite(c, form)
	case "bookmarks.list":
		all := []any{}
		for _, m := range c.Marks {
			all = append(all, map[string]any{"id": m.ID, "channel_id": c.ID, "title": m.Title, "link": m.Link, "type": "link"})
		}
		return answerOf{"ok": true, "bookmarks": all}
	case "bookmarks.add":
		if form.Get("link") == "" || len(form.Get("link")) > 2048 || form.Get("type") != "link" {
			return bad("invalid_link")
		}
		c.Marks = append(c.Marks, SlackMark{f.id("Bk"), form.Get("title"), form.Get("link")})
		return answerOf{"ok": true, "bookmark": map[string]any{"id": c.Marks[len(c.Marks)-1].ID}}
	case "bookmarks.edit":
		for i := range c.Marks {
			if c.Marks[i].ID == form.Get("bookmark_id") {
				c.Marks[i].Link = form.Get("link")
				return answerOf{"ok": true, "bookmark": map[string]any{"id": c.Marks[i].ID}}
			}
		}
		return bad("not_found")
	case "conversations.canvases.create":
		if c.CanvasID != "" {
			return bad("channel_canvas_already_exists")
		}
		var doc struct{ Type, Markdown string }
		_ = json.Unmarshal([]byte(form.Get("document_content")), &doc)
		if a := f.markdown(doc.Type, doc.Markdown); a != nil {
			return a
		}
		c.CanvasID, c.Canvas = f.id("F0CANVAS"), doc.Markdown
		return answerOf{"ok": true, "canvas_id": c.CanvasID}
	}
	return answerOf{"ok": true}
}

func (f *Slack) invite(c *SlackChannel, form url.Values) answerOf {
	users, refused := strings.Split(form.Get("users"), ","), 0
	for _, u := range users {
		why := ""
		switch {
		case u == "U0BOT":
			why = "cant_invite_self"
		case f.users[u] == nil:
			why = "user_not_found"
		case c.Members[u]:
			why = "already_in_channel"
		}
		if why != "" && form.Get("force") != "true" {
			return bad(why)
		}
		if why != "" {
			refused++
			continue
		}
		c.Members[u] = true
		delete(c.Absent, u)
	}
	if refused == len(users) {
		return bad("already_in_channel")
	}
	return answerOf{"ok": true, "channel": c.json()}
}

func (f *Slack) editCanvas(form url.Values) answerOf {
	var changes []struct {
		Operation string
		Document  struct{ Type, Markdown string } `json:"document_content"`
	}
	_ = json.Unmarshal([]byte(form.Get("changes")), &changes)
	for _, c := range f.channels {
		if c.CanvasID == "" || c.CanvasID != form.Get("canvas_id") {
			continue
		}
		if len(changes) != 1 || changes[0].Operation != "replace" {
			return bad("canvas_editing_failed")
		}
		if a := f.markdown(changes[0].Document.Type, changes[0].Document.Markdown); a != nil {
			return a
		}
		c.Canvas = changes[0].Document.Markdown
		return answerOf{"ok": true}
	}
	return bad("canvas_not_found")
}

// markdown refuses what a canvas does not take.
func (f *Slack) markdown(kind, md string) answerOf {
	if kind != "markdown" || len(md) > 1<<20 {
		return bad("canvas_too_large")
	}
	cells, fenced := 0, false
	for _, line := range strings.Split(md, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		if strings.HasPrefix(line, "####") || strings.Contains(strings.ReplaceAll(line, `\![`, ""), "![") {
			f.t.Errorf("a canvas does not take: %s", line)
			return bad("canvas_creation_failed")
		}
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		if cells += strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") - 1; cells > 330 { // 300, without the line under the head
			f.t.Errorf("a canvas takes no table of %d cells", cells)
			return bad("canvas_creation_failed")
		}
	}
	return nil
}

// Clutter makes a canvas in a channel that the bot did not make.
func (f *Slack) Clutter(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[channel]
	c.CanvasID, c.Canvas = f.id("F0CANVAS"), "somebody's"
}

// Tear begins to send an envelope on every socket and cuts it in the middle of
// the frame.
func (f *Slack) Tear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, m := range f.sockets {
		m.Lock()
		frame := []byte{0x81, 0x7e, 0x10, 0x00} // text, 4096 bytes to come
		_, _ = c.NetConn().Write(append(frame, `{"type":"slash_commands","envelope_id":"torn","payload":{"command":"/public","text":"torn`...))
		m.Unlock()
		c.Close()
		delete(f.sockets, c)
	}
}
