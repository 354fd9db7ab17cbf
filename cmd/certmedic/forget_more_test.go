package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// TestForgetEverywhere: the name is taken out of updates and those that wait,
// of exports and states of the draft, of alerts and of what the chat platforms'
// adapters note, there by the platform's id too.
func TestForgetEverywhere(t *testing.T) {
	e := startLoop(t, 1, 1)
	cfg := e.cfg
	cfg.Updates = updatesConfig{Approve: true, Targets: []targetConfig{{Name: "board", Audience: commands.Internal, To: []string{"board@example.com"}}}}
	cfg.Tasks = tasksConfig{GitHubRepo: "example/certs"}
	cfg.People = []commands.Linked{{Name: "Quilla", IDs: []string{"slack:U0QUIL1", "web:Quilla", "discord:80351110224678912"}}}
	p, err := open(t.Context(), cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	quilla, ben := commands.Person{ID: "web:Quilla", Name: "Quilla", Platform: "web"}, commands.Person{ID: "web:ben", Name: "ben", Platform: "web"}
	line := func(by commands.Person, text string) {
		t.Helper()
		if r := p.rooms.Say(ctx, commands.Request{Text: text, By: by, Room: "main", Wait: true}); !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", text, r.Problem)
		}
	}
	for _, l := range []string{"/incident declare images do not load --cert site0", "/incident update INC-1 quilla looks into it --to board --title=\"what Quilla saw\" --yes",
		"/incident task add INC-1 ask quilla", "/incident task export T-1 --to github", "/incident close INC-1 --anyway quilla said so", "/incident postmortem INC-1 finish --anyway quilla knows no more"} {
		line(quilla, l)
	}
	line(ben, "/incident declare sev2 something else")
	line(ben, "/incident update INC-2 ben looks into it --to board --yes")
	line(quilla, "/incident role INC-2 communications me")
	line(quilla, "/incident update deny INC-2 U-1 quilla says no")
	alert := commands.Alert{Source: "pagerduty", ID: "P1", Event: "1", State: incident.AlertHandled, Policy: commands.AlertSuggest, Title: "quilla's page", Text: "asked by quilla", By: "Quilla", At: time.Now(), Hosts: []string{"site0.example.test"}}
	if err := p.desk.TakeAlerts(ctx, []commands.Alert{alert}); err != nil {
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	go func() {
		for bounded.Err() == nil && p.desk.AlertsWaiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_ = p.desk.WorkAlerts(bounded, func(commands.Post) {})
	alert.ID = "P2" // this one waits
	if err := p.desk.TakeAlerts(ctx, []commands.Alert{alert}); err != nil {
		t.Fatal(err)
	}
	notes := storeNotes{p.store, "chat/slack/"}
	for key, value := range map[string]string{
		"in/1":     `{"v":1,"id":"e1","kind":"command","payload":{"user_id":"U0QUIL1","user_name":"quilla","text":"note quilla saw it","channel_id":"C0123456789","trigger_id":"1.2"},"at":"2026-11-22T02:00:00Z"}`,
		"in/2":     `{"v":1,"id":"e2","kind":"press","payload":{"user":{"id":"U0QUIL1","username":"quilla","team_id":"T1"},"message":{"blocks":[{"text":{"type":"mrkdwn","text":"<@U0QUIL1> said"}}]}},"at":"2026-11-22T02:00:00Z"}`,
		"chan/INC": `{"v":1,"id":"C0123456789","name":"inc-1","asked":["U0QUIL1","U0BEN001"],"invited":"U0QUIL1"}`,
		"pin/1":    `{"v":1,"holders":["r:U0QUIL1","p"],"text":"quilla: it hangs","at":"2026-11-22T02:00:00Z"}`,
		"out/1":    `{"v":1,"n":7,"lane":"C0123456789","key":"x","body":{"room":"main","line":"Quilla: /renew site0","used":"quilla pressed Renew","reply":{"headline":"quilla asks"}},"at":"2026-11-22T02:00:00Z"}`,
		"in/3":     `{"v":1,"id":"e3","kind":"interaction","payload":{"member":{"user":{"id":"80351110224678912","username":"Quilla","global_name":"quilla"}}},"at":"2026-11-22T02:00:00Z"}`,
		"cursor/1": `42`,
	} {
		if err := notes.Put(ctx, bot.Note{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	words := []string{"quilla", "u0quil1", "80351110224678912"}
	for _, w := range words {
		if n := countIn(t, cfg.Data, w); n < 5 && w[0] != '8' || n == 0 {
			t.Fatalf("%s is there %d times only, so this shows little", w, n)
		}
	}
	var out bytes.Buffer
	if err := forget(ctx, cfg, whomToForget(cfg, "quilla", "somebody", nil), &out); err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		if n := countIn(t, cfg.Data, w); n != 0 {
			t.Errorf("%s is in the record's file %d times still: %q", w, n, around(t, cfg.Data, w))
		}
	}
	var said bytes.Buffer
	if broken, err := verify(ctx, cfg, nil, &said); err != nil || broken != 0 {
		t.Errorf("%s %v", said.String(), err)
	}
	again := startProgram(t, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	us, err := again.book.Updates(ctx, "INC-1")
	if err != nil || len(us) != 1 || us[0].By.Name != "somebody" || us[0].Text != "somebody looks into it" || us[0].State != incident.UpdateWaiting {
		t.Errorf("%+v %v", us, err)
	}
	if us, err = again.book.Updates(ctx, "INC-2"); err != nil || len(us) != 1 || us[0].Decided.Name != "somebody" || us[0].Reason != "somebody says no" || us[0].By.Name != "ben" {
		t.Errorf("%+v %v", us, err)
	}
	if ps, err := again.book.Parcels(ctx, "", 0); err != nil || len(ps) != 1 {
		t.Errorf("%+v %v", ps, err)
	}
	left, err := storeNotes{again.store, "chat/slack/"}.List(ctx, "")
	if err != nil || len(left) != 7 || !strings.Contains(string(left[0].Value), `"asked":["somebody","U0BEN001"]`) || !strings.Contains(string(left[0].Value), `"id":"C0123456789"`) {
		t.Errorf("%d %s %v", len(left), left[0].Value, err)
	}
	if !strings.Contains(out.String(), "quilla is somebody now: 2 incidents") || strings.Contains(out.String(), " 0 notes") {
		t.Errorf("%s", out.String())
	}
}
