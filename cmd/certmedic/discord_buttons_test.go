package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/commands"
)

// TestOneButtonTwoRooms: the same button of one incident is pressed in Slack
// and in Discord at the same moment, by two people, each twice: it acts once,
// both rooms are told who pressed it and where, every press is acknowledged,
// and those that came second are told so.
func TestOneButtonTwoRooms(t *testing.T) {
	s, f := bottest.NewSlack(t), bottest.NewDiscord(t)
	r, m := reader{t, s}, member{t, f}
	e := startLoop(t, 1, 1)
	cfg := withDiscord(t, f, withSlack(t, s, e.cfg, "socket"), discord.Gateway, discord.Channel)
	cfg.Listen = "127.0.0.1:0"
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneSlack: quick, tuneDiscord: quickDiscord})
	f.Connected()
	if r := say(t, p, "/incident declare sev2 images do not load"); !r.Problem.IsZero() {
		t.Fatalf("%+v", r)
	}
	dis := m.place("inc-1")
	sla := slackPlace(t, s, "inc-1")
	const rounds = 12
	won := map[string]int{}
	second := 0 // presses of Slack that came second
	for n := range rounds {
		label, text := fmt.Sprintf("Note %02d", n), fmt.Sprintf("pressed-%02d", n)
		reply := commands.Reply{State: commands.StateInfo, Headline: "choice " + text, Public: true, Incident: "INC-1", Buttons: []commands.Button{{Label: label, Command: "/incident note INC-1 " + text}}}
		if err := p.rooms.Post(t.Context(), commands.Post{Room: "INC-1", Reply: reply}); err != nil {
			t.Fatal(err)
		}
		r.sees("ben", sla, "choice "+text)
		m.sees("ana", dis.ID, "choice "+text)
		at, component := f.Button("ana", dis.ID, label)
		var asks [2]*bottest.DiscordAsk
		acked := [2]bool{}
		together, sent := make(chan struct{}), make(chan struct{})
		if n%2 == 0 {
			close(sent) // else Slack's person is a moment later
		}
		var presses sync.WaitGroup
		for i := range 2 {
			payload := s.Button("ben", sla, label)
			presses.Go(func() { <-together; <-sent; _, acked[i] = s.Deliver("interactive", payload) })
			presses.Go(func() {
				<-together
				asks[i] = f.Press("ana", dis.ID, at.ID, fmt.Sprint(component["custom_id"]), nil)
				if i == 0 && n%2 == 1 {
					close(sent)
				}
				asks[i].OK()
			})
		}
		close(together)
		presses.Wait()
		if !acked[0] || !acked[1] || !asks[0].OK() || !asks[1].OK() {
			t.Fatalf("round %d: not all presses are acknowledged: %v %q %q", n, acked, asks[0].Refused, asks[1].Refused)
		}
		inSlack, inDiscord := "ana on Discord pressed "+label+" at ", "ana pressed "+label+" at "
		who := "ana"
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if strings.Contains(f.Seen("carl", dis.ID), "ben on Slack pressed "+label) {
				who, inSlack, inDiscord = "ben", "ben pressed "+label+" at ", "ben on Slack pressed "+label+" at "
				break
			}
			if strings.Contains(f.Seen("carl", dis.ID), inDiscord) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("round %d: nobody is told who pressed it:\n%s", n, f.Seen("carl", dis.ID))
			}
		}
		won[who]++
		r.sees("carl", sla, inSlack, text)
		m.sees("carl", dis.ID, inDiscord)
		told := 0 // presses of Discord that are told they came second
		want := map[string]int{"ana": 1, "ben": 2}[who]
		second += 3 - want
		settled := func() bool {
			told = 0
			for _, a := range asks {
				if strings.Contains(a.Text(), who+" pressed "+label+" at ") && strings.Contains(a.Text(), "Nothing more was done.") {
					told++
				}
			}
			return told == want && strings.Count(s.Seen("ben", sla), "Nothing more was done.") == second
		}
		for end := time.Now().Add(time.Minute); !settled(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("round %d, which %s won: %d of %d presses in Discord and %d of %d in Slack are told that they came second:\n%s\n%s\n%s", n, who, told, want,
					strings.Count(s.Seen("ben", sla), "Nothing more was done."), second, asks[0].Text(), asks[1].Text(), s.Seen("ben", sla))
			}
		}
		if _, left := f.Button("carl", dis.ID, label); left != nil || s.Button("carl", sla, label) != nil {
			t.Errorf("round %d: the button can still be pressed", n)
		}
	}
	entries, err := p.book.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	for n := range rounds {
		var by []string
		for _, x := range entries {
			if strings.Contains(x.Text, fmt.Sprintf("pressed-%02d", n)) {
				by = append(by, x.By.Name)
			}
		}
		if len(by) != 1 {
			t.Errorf("button %d acted %d times: %q", n, len(by), by)
		}
	}
	for where, seen := range map[string]string{"Slack": s.Seen("carl", sla), "Discord": f.Seen("carl", dis.ID)} {
		for n := range rounds {
			if got := strings.Count(seen, fmt.Sprintf("pressed Note %02d at ", n)); got != 1 {
				t.Errorf("%s says %d times who pressed button %d", where, got, n)
			}
		}
	}
	t.Logf("first: %v", won)
}

// slackPlace waits for an incident's channel with a pinned card in Slack.
func slackPlace(t *testing.T, s *bottest.Slack, name string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, _ := s.Channel(name); len(c.Pins) > 0 {
			return c.ID
		}
		if time.Now().After(end) {
			t.Fatalf("%s has no channel in Slack", name)
		}
	}
}
