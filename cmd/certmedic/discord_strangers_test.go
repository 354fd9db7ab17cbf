package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
)

// TestDiscordStrangers: who is not part of a private incident learns nothing
// of it in Discord and changes nothing there: by completion, by commands, by
// forms that nobody showed them, by the ids of buttons that they cannot see;
// and members of another server are told nothing at all.
func TestDiscordStrangers(t *testing.T) {
	f := bottest.NewDiscord(t)
	m := member{t, f}
	const main = bottest.DiscordMain
	e := startLoop(t, 1, 1)
	cfg := withDiscord(t, f, e.cfg, discord.Gateway, discord.Channel)
	cfg.Listen = "127.0.0.1:0"
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneDiscord: quickDiscord})
	m.says("ana", main, "incident declare", map[string]any{"title": "the key leaked", "severity": "sev1", "private": true})
	room := m.place("inc-1")
	m.sees("ana", room.ID, "the key leaked", "[Lead me]")
	_, lead := f.Button("ana", room.ID, "Lead me")
	m.says("ana", main, "incident declare", map[string]any{"title": "images do not load", "severity": "sev2"})
	open := m.place("inc-2")
	m.sees("ben", open.ID, "images do not load")
	before, err := p.book.Incident(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := f.Channel(open.ID)
	shown := c.Messages[0].ID
	told := func(what string, a *bottest.DiscordAsk) {
		t.Helper()
		if !a.OK() {
			t.Errorf("%s: %s", what, a.Refused)
			return
		}
		for end := time.Now().Add(20 * time.Second); strings.Contains(a.Text(), "thinking") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
		names, values := a.Choices()
		if s := fmt.Sprint(a.Text(), a.Data(), names, values); strings.Contains(s, "key leaked") {
			t.Errorf("%s: ben is told %s", what, s)
		}
	}
	for _, typed := range []string{"", "INC-1", "INC", "the", "leaked", "1"} {
		for _, path := range []string{"incident show", "incident note", "incident close"} {
			a := f.Complete("ben", main, path, "incident", typed, nil)
			told("completing "+path+" "+typed, a)
			if names, _ := a.Choices(); typed != "INC-1" && strings.Contains(fmt.Sprint(names), "INC-1") {
				t.Errorf("%q is completed to %q", typed, names)
			}
		}
	}
	told("show", m.says("ben", main, "incident show", map[string]any{"incident": "INC-1"}))
	told("note", m.says("ben", open.ID, "incident note", map[string]any{"text": "I was here", "incident": "inc-1"}))
	told("status without words", m.says("ben", main, "incident status", map[string]any{"incident": "INC-1"}))
	for _, id := range []string{"f|incident status|INC-1", "f|incident close|INC-1", "f|incident note|INC-1", "f|incident declare|INC-1", fmt.Sprint(lead["custom_id"]), "y|" + fmt.Sprint(lead["custom_id"])} {
		told("press "+id, f.Press("ben", open.ID, shown, id, nil))
	}
	// A form that was never opened, filled in by hand.
	ask := m.says("ben", open.ID, "incident impact", nil)
	for _, verb := range []string{"incident status", "incident close", "incident note", "incident impact"} {
		p := map[string]any{}
		for k, v := range ask.Payload {
			p[k] = v
		}
		p["type"], p["id"], p["token"] = 5, fmt.Sprint(1400000000000000000+len(verb)), "tok-by-hand-"+strings.ReplaceAll(verb, " ", "-")
		p["data"] = map[string]any{"custom_id": "f|" + verb + "|INC-1", "components": []any{map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "text", "value": "I was here"}},
			map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "impact", "value": "I was here"}}, map[string]any{"type": 18, "component": map[string]any{"type": 3, "custom_id": "status", "values": []string{"resolved"}}}}}
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		f.DeliverRaw(nil, body)
	}
	// The same by somebody of another server, and by nobody.
	for n, spoil := range []func(map[string]any){func(p map[string]any) { p["guild_id"] = "999999999999999999" }, func(p map[string]any) { delete(p, "member") }} {
		p := map[string]any{}
		for k, v := range m.says("ana", main, "incident list", nil).Payload {
			p[k] = v
		}
		p["type"], p["id"], p["token"] = 2, fmt.Sprint(1410000000000000000+n), fmt.Sprint("tok-stranger-", n)
		p["data"] = map[string]any{"id": "1", "name": "incident", "type": 1, "options": []any{map[string]any{"name": "note", "type": 1, "options": []any{map[string]any{"name": "text", "type": 3, "value": "I was here"}, map[string]any{"name": "incident", "type": 3, "value": "INC-1"}}}}}
		spoil(p)
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		f.DeliverRaw(nil, body)
	}
	told("the last", m.says("ben", open.ID, "incident note", map[string]any{"text": "the last"})) // after all of ben's
	m.sees("ben", open.ID, "the last")
	after, err := p.book.Incident(t.Context(), "INC-1")
	if err != nil || after.Entries != before.Entries || after.Status != before.Status || after.Commander != before.Commander {
		t.Errorf("INC-1 was changed: %+v, it was %+v: %v", after, before, err)
	}
	for _, ch := range f.Channels() {
		if s := f.Seen("ben", ch.ID); strings.Contains(s, "key leaked") {
			t.Errorf("in %s ben sees:\n%s", ch.Name, s)
		}
		if s := f.Seen("ana", ch.ID); strings.Contains(s, "I was here") {
			t.Errorf("in %s ana sees:\n%s", ch.Name, s)
		}
	}
}
