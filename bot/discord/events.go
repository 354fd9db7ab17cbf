package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what comes in means: which events of the gateway matter, and
// what is answered to an interaction at once.

// event takes one event of the gateway. It must not keep the reader waiting.
func (d *Discord) event(g *gatewaySession, p packet) {
	switch p.Type {
	case "READY":
		var r struct {
			ID  string `json:"session_id"`
			URL string `json:"resume_gateway_url"`
		}
		if json.Unmarshal(p.Data, &r) == nil {
			g.id, g.url = r.ID, r.URL
		}
	case "GUILD_CREATE":
		var r struct {
			ID    string
			Roles []struct{ ID, Name string }
		}
		if json.Unmarshal(p.Data, &r) == nil {
			d.mu.Lock()
			for _, role := range r.Roles {
				d.roles[role.ID] = role.Name
			}
			d.mu.Unlock()
		}
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		var r struct{ Role struct{ ID, Name string } }
		if json.Unmarshal(p.Data, &r) == nil && r.Role.ID != "" {
			d.mu.Lock()
			d.roles[r.Role.ID] = r.Role.Name
			d.mu.Unlock()
		}
	case "INTERACTION_CREATE":
		i, err := readInteraction(p.Data)
		if err != nil {
			d.o.Log.Warn("discord: an interaction cannot be read", "error", err)
			return
		}
		d.receive(d.link.Working(), i, p.Data, d.callback(i), func(bool) {})
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_UPDATE", "MESSAGE_DELETE":
		d.chat(g, p)
	case "MESSAGE_CREATE":
		d.mentioned(p)
	case "CHANNEL_DELETE", "THREAD_DELETE":
		var c struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(p.Data, &c) == nil {
			d.lost(c.ID)
		}
	}
}

// receive takes an interaction: what is answered at once is answered; the rest
// is recorded, acknowledged, and worked on. done tells, once it is on the
// record or refused, whether respond was used. It is long because the order in
// which an interaction is judged can be read in one place.
func (d *Discord) receive(ctx context.Context, i interaction, raw []byte, respond responder, done func(answered bool)) {
	by, no := d.who(i)
	later := func(what func() (kind int, data any)) {
		if !d.link.Begin() {
			done(false)
			return
		}
		go func() {
			defer d.link.End()
			kind, data := what()
			respond(ctx, kind, data)
			done(true)
		}()
	}
	instant := func(kind int, data any) { later(func() (int, any) { return kind, data }) }
	switch {
	case i.Type == askPing:
		instant(sayPong, nil)
		return
	case i.Type == askComplete:
		later(func() (int, any) {
			return sayChoices, map[string]any{"choices": d.complete(ctx, i, by, no == nil && d.settled())}
		})
		return
	case no != nil:
		instant(sayMessage, whisper(say{Reply: *no}, d.o.Site))
		return
	case !d.settled() && i.Type == askForm:
		later(func() (int, any) { return d.wrong(ctx, i, by, starting()) })
		return
	case !d.settled():
		instant(sayMessage, whisper(say{Reply: starting()}, ""))
		return
	}
	if kind, data, ok := d.instant(ctx, i, by); ok {
		instant(kind, data)
		return
	}
	e := envelope{ID: i.ID, Kind: "interaction", By: by.ID, Payload: raw}
	if i.Type == askForm {
		lines, refused := d.filledLines(ctx, i, by)
		if refused != nil {
			later(func() (int, any) { return d.wrong(ctx, i, by, *refused) })
			return
		}
		e.Lines = lines
	}
	e.Defer, e.Private = d.decide(ctx, i)
	d.take(ctx, e, func(e envelope, first bool, err error) bool {
		if errors.Is(err, bot.ErrStopping) && d.in.Has(ctx, e) {
			done(false)
			return false
		}
		if err != nil {
			d.o.Log.Error("discord: an interaction cannot be recorded", "error", err)
			text := "This could not be recorded, so nothing was done."
			respond(ctx, sayMessage, whisper(say{Reply: commands.Reply{State: commands.StateCritical, Headline: text, Problem: commands.Problem{Code: "record", Message: text, Hint: "Say it again in a moment."}}}, ""))
			done(true)
			return false
		}
		if !first {
			done(false) // it was delivered before
			return false
		}
		d.remember(e, i) // before the room can answer it
		done(false)
		// By the callback URL, by HTTP too: what answers a POST may reach Discord
		// later than the edit that follows it.
		return d.callback(i)(ctx, e.Defer, deferral(e))
	})
}

// whisper is a message for one person, as a first response.
func whisper(y say, site string) map[string]any {
	m := draw(y, site)
	return map[string]any{"content": m.Content, "embeds": m.Embeds, "components": m.Components, "allowed_mentions": m.Mentions, "flags": flagEphemeral}
}

// decide says how an interaction is deferred, and whether for its person alone:
// what changes the record is answered in the open, where the channel is a room.
func (d *Discord) decide(ctx context.Context, i interaction) (kind int, private bool) {
	switch i.Type {
	case askCommand:
		if i.Data.Type == 3 {
			return sayDefer, true
		}
		s := d.cmds.read(i)
		return sayDefer, !s.known || d.alone(ctx, i, s.leaf, s.values)
	case askForm:
		values := map[string]string{}
		fields(i.Data.Components, values, 0)
		verb, incident, _, _ := readForm(i.Data.CustomID)
		values["incident"] = or(incident, values["incident"])
		if strings.Contains(values["options"], "private") {
			values["private"] = "true"
		}
		return sayDefer, d.alone(ctx, i, d.cmds.leaves[d.cmds.paths[verb]], values)
	}
	if i.Message != nil && i.Message.Flags&flagEphemeral != 0 {
		return sayDeferUpdate, true
	}
	return sayDefer, true
}

// alone reports whether an answer is for its person alone: looking is, and
// whatever may be of a private incident outside of its place.
func (d *Discord) alone(ctx context.Context, i interaction, l leaf, values map[string]string) bool {
	if !l.verb.Public || !d.known(i.Channel) || values["private"] == "true" {
		return true
	}
	room := d.room(i.Channel)
	for _, id := range []string{values["incident"], values["other"]} {
		if id != "" && !strings.EqualFold(id, room) && d.channels.Private(ctx, id) {
			return true
		}
	}
	return false
}

// instant is what is answered without a record: a form, a question before a
// dangerous button, and its no.
func (d *Discord) instant(ctx context.Context, i interaction, by commands.Person) (kind int, data any, ok bool) {
	switch i.Type {
	case askCommand:
		s := d.cmds.read(i)
		if !s.known || i.Data.Type == 3 {
			return 0, nil, false
		}
		f, ok := d.wants(ctx, i, s, by)
		return sayForm, f, ok
	case askComponent:
		if verb, incident, again, ok := readForm(i.Data.CustomID); ok {
			t, ok := d.typed(ctx, again, by)
			if !ok {
				again = ""
			}
			if f, ok := d.deskForm(ctx, d.askOf(i, verb, incident, by), t.Values, again); ok {
				return sayForm, f, true
			}
			if l, known := d.cmds.leaves[d.cmds.paths[verb]]; known {
				values := map[string]string{}
				maps.Copy(values, t.Values)
				values["incident"] = incident
				f, ok := d.formOf(ctx, l, values, again, by)
				return sayForm, f, ok
			}
		}
		if i.Data.CustomID == noID {
			return sayUpdate, newMessage("Nothing was done."), true
		}
		p, ok := readPress(pressedID(i))
		if !ok || isSure(i) {
			return 0, nil, false
		}
		if b, found := d.button(ctx, p, by); found && b.Confirm != "" {
			return sayMessage, confirm(p, b), true
		}
	}
	return 0, nil, false
}

// chat takes an event of a chat message, when messages can be put on timelines.
func (d *Discord) chat(g *gatewaySession, p packet) {
	if d.o.Pins == nil || !d.wanted(p) {
		return
	}
	var by struct {
		User string `json:"user_id"`
		ID   string `json:"id"`
	}
	_ = json.Unmarshal(p.Data, &by)
	// A session's events are numbered: the same one again has the same number.
	id := plainName.ReplaceAllString(fmt.Sprintf("ev-%s-%d", g.id, p.Seq), "_")
	e := envelope{ID: clip(id, 150), Kind: p.Type, By: or(by.User, "m"+by.ID), Payload: p.Data}
	d.take(d.link.Working(), e, func(_ envelope, _ bool, err error) bool {
		if err != nil {
			d.o.Log.Error("discord: an event cannot be recorded", "kind", p.Type, "error", err)
		}
		return true
	})
}

func stampOf(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05 UTC") }
