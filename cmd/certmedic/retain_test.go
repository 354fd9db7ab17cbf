package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// TestRetain: what was kept long enough goes, with its room; what is open, and
// what is young, stays; verify knows the difference from one taken away.
func TestRetain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "certmedic.yaml")
	writeFile(t, file, []byte("data: certmedic.db\nretain: {incidents: 5y, rooms: 1y}\n"))
	cfg, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Retain.Incidents != 5*366*24*time.Hour || cfg.Retain.Rooms != 366*24*time.Hour {
		t.Fatalf("%+v", cfg.Retain)
	}
	ctx := t.Context()
	p, err := open(ctx, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	if err != nil {
		t.Fatal(err)
	}
	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	say := func(room, text string) {
		t.Helper()
		if r := p.rooms.Say(ctx, commands.Request{Text: text, Room: room, By: ana}); !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", text, r.Problem)
		}
	}
	say("main", "/incident declare walrus")
	say("INC-1", "/incident close --anyway walrus is over")
	say("main", "/incident declare still open")
	say("INC-2", "/incident note it is")
	messages := func(room string) int {
		t.Helper()
		ms, err := roomLog{p.store}.Load(ctx, room, 500)
		if err != nil {
			t.Fatal(err)
		}
		return len(ms)
	}
	main, first, second := messages("main"), messages("INC-1"), messages("INC-2")
	if err := p.retire(ctx, time.Now().Add(300*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if messages("main") != main || messages("INC-1") != first {
		t.Error("young messages went")
	}
	if err := p.retire(ctx, time.Now().Add(2*366*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if messages("main") != 1 || messages("INC-1") != 0 || messages("INC-2") != second {
		t.Errorf("after two years: %d, %d, %d messages", messages("main"), messages("INC-1"), messages("INC-2"))
	}
	if _, err := p.book.Incident(ctx, "INC-1"); err != nil {
		t.Errorf("its record went too: %v", err)
	}
	if err := p.retire(ctx, time.Now().Add(6*366*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if r := p.rooms.Say(ctx, commands.Request{Text: "/incident show INC-1", Room: "main", By: ana}); !strings.Contains(r.Headline, "INC-1 was removed at ") {
		t.Errorf("%+v", r)
	}
	ms, err := p.rooms.Messages(ctx, "INC-2", "", 0)
	if err != nil || len(ms) != second || ms[0].By.ID != bot.Bot.ID && ms[0].By.ID != ana.ID {
		t.Errorf("%d messages, %v", len(ms), err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if broken, err := verify(ctx, cfg, nil, &out); err != nil || broken != 0 || out.String() != "1 removed by rule (retain:)\n1 of 1 timelines fit\n" {
		t.Errorf("%d %v %s", broken, err, out.String())
	}
	out.Reset()
	if _, err := verify(ctx, cfg, []string{"INC-1"}, &out); err != nil || !strings.Contains(out.String(), "INC-1: removed by rule at ") {
		t.Errorf("%v %s", err, out.String())
	}
}
