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
	if messages("main") != 1 || messages("INC-1") != 1 || messages("INC-2") != second {
		t.Errorf("after two years: %d, %d, %d messages", messages("main"), messages("INC-1"), messages("INC-2"))
	}
	for _, room := range []string{"main", "INC-1"} {
		if ms, _ := (roomLog{p.store}).Load(ctx, room, 500); ms[0].Text != "" || ms[0].Reply.Headline != "" || ms[0].Seq == 1 {
			t.Errorf("of the newest of %s more is left than its numbers: %+v", room, ms[0])
		}
		for _, by := range []string{"web:ana", "web:ben", ""} {
			if ms, err := p.rooms.Messages(ctx, room, by, 0); err != nil || len(ms) != 0 {
				t.Errorf("%q still reads %+v in %s, %v", by, ms, room, err)
			}
		}
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

// TestRetainGoesOn: numbers go on where all messages of a room were removed. A
// chat platform knows by them what it has said, so one that came again would
// never be said.
func TestRetainGoesOn(t *testing.T) {
	t.Parallel()
	cfg := config{Data: filepath.Join(t.TempDir(), "certmedic.db")}
	cfg.Retain.Rooms = 7 * 24 * time.Hour
	ctx := t.Context()
	start := func() *program {
		t.Helper()
		p, err := open(ctx, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	say := func(p *program, room, text string) {
		t.Helper()
		if r := p.rooms.Say(ctx, commands.Request{Text: text, Room: room, By: ana}); !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", text, r.Problem)
		}
	}
	newest := func(p *program) (m bot.Message) {
		t.Helper()
		ms, err := p.rooms.Messages(ctx, "INC-1", "web:ana", 0)
		if err != nil || len(ms) == 0 {
			t.Fatalf("%d messages, %v", len(ms), err)
		}
		for _, one := range ms {
			m.Seq, m.Mark = max(m.Seq, one.Seq), max(m.Mark, one.Mark)
		}
		return m
	}
	p := start()
	say(p, "main", "/incident declare walrus")
	say(p, "INC-1", "/incident close --anyway walrus is over")
	before := newest(p)
	if err := p.retire(ctx, time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := p.retire(ctx, time.Now().Add(8*24*time.Hour)); err != nil { // a second look
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = start()
	say(p, "INC-1", "/incident reopen INC-1 not over after all")
	ms, err := p.rooms.Messages(ctx, "INC-1", "web:ana", 0)
	if err != nil || len(ms) == 0 || ms[0].Seq <= before.Seq || ms[0].Mark <= before.Mark {
		t.Errorf("before %d and %d, now %+v, %v", before.Seq, before.Mark, ms, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRetainAfterKill: the incident was removed, and then the process was
// killed. The next look removes its room.
func TestRetainAfterKill(t *testing.T) {
	t.Parallel()
	cfg := config{Data: filepath.Join(t.TempDir(), "certmedic.db")}
	cfg.Retain.Incidents = 30 * 24 * time.Hour
	ctx := t.Context()
	p, err := open(ctx, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	p.rooms.Say(ctx, commands.Request{Text: "/incident declare walrus", Room: "main", By: ana})
	p.rooms.Say(ctx, commands.Request{Text: "/incident close --anyway walrus is over", Room: "INC-1", By: ana})
	later := time.Now().Add(40 * 24 * time.Hour)
	if ids, err := p.book.Retire(ctx, later.Add(-cfg.Retain.Incidents)); err != nil || len(ids) != 1 {
		t.Fatalf("%v %v", ids, err)
	} // here it was killed
	if err := p.retire(ctx, later); err != nil {
		t.Fatal(err)
	}
	if ms, err := (roomLog{p.store}).Load(ctx, "INC-1", 500); err != nil || len(ms) != 0 {
		t.Errorf("left: %+v, %v", ms, err)
	}
	if ms, err := p.rooms.Messages(ctx, "INC-1", "", 0); err != nil || len(ms) != 0 {
		t.Errorf("still shown: %+v, %v", ms, err)
	}
}
