package discord

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what strangers try: custom ids, option trees and forms that
// nobody was shown, other servers, words that would format or ping, floods.
// Whatever is signed by Discord is answered in time, and does nothing that its
// sender could not have typed.

// TestHostilePresses: custom ids that no button has, values that no menu has.
func TestHostilePresses(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{Gateway, HTTP} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			st, desk := real(t, Options{Mode: mode, Forms: fussy{}})
			first := st.types(t, "ana", main, "/help verb:renew")
			until(t, "the button", func() bool { return strings.Contains(first.Text(), "[Roll back]") })
			m, _ := first.Message()
			long := strings.Repeat("x", 500)
			for _, id := range []string{"", "|", "p", "p||||", "p|main|m-2|-1|x", "p|main|m-2|999999999999999999999|x", "p|main|m-2|0|" + labelHash("Lead me"), "p|../../etc|m-2|0|aa", "p|INC-9|m-1|0|" + labelHash("Lead me"),
				"p|" + long + "|m-1|0|aa", "y|p|main|m-2|0|ff", "y|y|p|main|m-2|0|ff", "menu|main|m-2", "f|", "f||", "f|no such verb|", "f|incident status|" + long, "f|incident status|INC-9|7", "f|incident status|INC-9|../x", "f|incident status|a|b|c",
				"f|incident status|INC-9|99999999999999999999999999", "no|", "nope", "@everyone", "\u202e|p", "p|main|m-2|0|" + labelHash("Roll back") + "|x"} {
				a := st.f.Press("ben", main, m.ID, id, nil)
				if !a.OK() {
					t.Errorf("%q is not answered: %s", clip(id, 60), a.Refused)
				}
			}
			for _, values := range [][]string{{}, {""}, {"p|main|m-2|0|zz", "p|main|m-2|0|zz"}, {long}, {"menu|main|m-2"}, {"f|incident status|INC-9"}} {
				if a := st.f.Press("ben", main, m.ID, "menu|main|m-2", values); !a.OK() {
					t.Errorf("%q is not answered", values)
				}
			}
			st.alivelike(t, desk)
			for _, l := range desk.all() {
				if strings.Contains(l, "rollback") || strings.Contains(l, "status") {
					t.Errorf("a press made %q", l)
				}
			}
		})
	}
}

// alivelike waits until what was pressed before is over: one thing after the
// other is done for each person.
func (st *stand) alivelike(t *testing.T, desk *echoDesk) {
	t.Helper()
	if a := st.f.Slash("ben", main, "incident note", map[string]any{"text": "the last"}); !a.OK() {
		t.Fatal(a.Refused)
	}
	until(t, "the last", func() bool { return desk.said("/incident note the last") })
}

func (d *echoDesk) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.lines...)
}

// TestHostileOptions: option trees that were never registered, values of
// another kind, and ids that no form could carry, are answered.
func TestHostileOptions(t *testing.T) {
	t.Parallel()
	st, desk := real(t, Options{Forms: fussy{}})
	for _, id := range []string{strings.Repeat("INC-7 ", 100), "INC-7|x", "|", "<@1>", "INC-7\n/renew rollback R-1"} {
		for _, path := range []string{"incident status", "incident close", "incident note"} {
			a := st.f.Slash("ana", main, path, map[string]any{"incident": id})
			if !a.OK() {
				t.Errorf("%s %q is not answered: %s", path, clip(id, 30), a.Refused)
			}
		}
	}
	a := st.types(t, "ana", main, "/incident here")
	deep := any(map[string]any{"name": "text", "type": 3, "value": "x"})
	for range 200 {
		deep = map[string]any{"name": "more", "type": 2, "options": []any{deep}}
	}
	var wide []any
	for n := range 5000 {
		wide = append(wide, map[string]any{"name": fmt.Sprint("o", n), "type": 3, "value": "/renew rollback R-1"})
	}
	for n, data := range []map[string]any{
		{"name": "incident", "type": 1, "options": []any{deep}}, {"name": "incident", "type": 1, "options": wide}, {"name": "", "type": 1}, {"name": "@everyone", "type": 1}, {"name": "incident", "type": 99}, {"name": "Add to timeline", "type": 3, "target_id": "9"},
		{"name": "incident", "type": 1, "options": []any{map[string]any{"name": "note", "type": 1, "options": []any{map[string]any{"name": "text", "type": 3, "value": map[string]any{"a": 1}}, map[string]any{"name": "text", "type": 3, "value": []any{1}}}}}},
		{"name": "incident", "type": 1, "options": "x"}, {"custom_id": 7, "components": "x"}, nil,
	} {
		for kind := 2; kind <= 5; kind++ {
			p := map[string]any{}
			for k, v := range a.Payload {
				p[k] = v
			}
			p["type"], p["data"], p["id"], p["token"] = kind, data, fmt.Sprint(1400000000000000000+10*n+kind), fmt.Sprintf("tok-%d-%d", n, kind)
			i := spoiled(t, a, func(q map[string]any) {
				for k := range q {
					delete(q, k)
				}
				for k, v := range p {
					q[k] = v
				}
			})
			answered := make(chan int, 1)
			raw := []byte("{}")
			st.receive(context.Background(), i, raw, func(_ context.Context, kind int, _ any) bool { answered <- kind; return true }, func(bool) {
				select {
				case answered <- 0:
				default:
				}
			})
			select {
			case <-answered:
			case <-time.After(bottest.Wait):
				t.Errorf("%d, kind %d: never answered", n, kind)
			}
		}
	}
	st.alivelike(t, desk)
	for _, l := range desk.all() {
		if strings.HasPrefix(l, "/renew rollback") {
			t.Errorf("%q was done", l)
		}
	}
}

// TestNotSettled: before it is known which server is ours, nothing is shown to
// anybody, and a filled form is not lost.
func TestNotSettled(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st, _ := real(t, Options{})
	a := st.types(t, "ana", main, "/incident here")
	d, err := New(Options{Mode: Gateway, Token: bottest.DiscordToken, Channel: main, Notes: bottest.NewNotes(), APIURL: f.URL(), Rooms: st.rooms, Forms: fussy{}})
	if err != nil {
		t.Fatal(err)
	}
	d.know([]bot.Incident{{ID: "INC-7", Title: "images", Open: true}})
	ask := func(kind int, data map[string]any) string {
		i := spoiled(t, a, func(p map[string]any) { p["type"], p["data"], p["guild_id"] = kind, data, "999999999999999999" })
		said := make(chan string, 1)
		d.receive(t.Context(), i, nil, func(_ context.Context, kind int, data any) bool { said <- fmt.Sprint(kind, data); return true }, func(bool) {})
		return <-said
	}
	option := []any{map[string]any{"name": "show", "type": 1, "options": []any{map[string]any{"name": "incident", "type": 3, "value": "INC", "focused": true}}}}
	if s := ask(askComplete, map[string]any{"name": "incident", "options": option}); strings.Contains(s, "images") {
		t.Errorf("another server is shown %s", s)
	}
	form := []any{map[string]any{"type": 18, "component": map[string]any{"type": 4, "custom_id": "text", "value": "my own words"}}}
	if s := ask(askForm, map[string]any{"custom_id": "f|incident status|INC-7", "components": form}); !strings.Contains(s, "is starting") || !strings.Contains(s, "Open it again") {
		t.Errorf("a form is answered %s", s)
	}
	if s := ask(askComponent, map[string]any{"custom_id": "f|incident status|INC-7", "component_type": 2}); !strings.Contains(s, "is starting") {
		t.Errorf("a press is answered %s", s)
	}
}

// TestDismissed: who dismisses the answer that is being worked on is told
// alone all the same.
func TestDismissed(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	a := st.types(t, "ana", main, "/slow snail")
	until(t, "it is worked on", func() bool { return strings.Contains(a.Text(), "Working on it") })
	m, _ := a.Message()
	f.DeleteMessage(main, m.ID)
	st.desk.Release("snail")
	st.sees(t, "ana", main, "slow: snail")
	if s := f.Seen("ben", main); strings.Contains(s, "snail") {
		t.Errorf("ben sees it:\n%s", s)
	}
}

// TestDismissedAtOnce: who dismisses it before it is said that it is worked on
// is told alone as well.
func TestDismissedAtOnce(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{Answer: time.Second}).up(t)
	a := st.types(t, "ana", main, "/slow snail")
	m, there := a.Message()
	if !there {
		t.Fatal("nothing to dismiss")
	}
	f.DeleteMessage(main, m.ID)
	until(t, "the word that it is worked on", func() bool { return len(f.Calls("update_original_webhook_message")) > 0 })
	st.desk.Release("snail")
	st.sees(t, "ana", main, "slow: snail")
	if s := f.Seen("ben", main); strings.Contains(s, "snail") {
		t.Errorf("ben sees it:\n%s", s)
	}
}

// TestHoldIsNotLast: the word that it is worked on, when it takes long to be
// sent, does not stand over the answer.
func TestHoldIsNotLast(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	desk := &patient{end: make(chan struct{})}
	st := start(t, f, bot.New(bot.Options{Desk: desk, Log: bottest.NewLog()}), Options{}).up(t)
	const op = "update_original_webhook_message"
	f.Fail(op, "slow 500ms")
	st.types(t, "ana", main, "/public aloud")
	until(t, "the word is on its way", func() bool { st.mu.Lock(); defer st.mu.Unlock(); return len(st.holds) > 0 })
	close(desk.end)
	st.sees(t, "ben", main, "done at last")
	until(t, "both were sent", func() bool { return len(f.Calls(op)) >= 2 })
	if s := f.Seen("ben", main); !strings.Contains(s, "done at last") || strings.Contains(s, "Working") {
		t.Errorf("in the end it says:\n%s", s)
	}
	if _, ok := st.holding("x"); !ok {
		t.Error("nothing can be said of another")
	}
}

// patient answers in the open when it is told to.
type patient struct{ end chan struct{} }

func (p *patient) Do(context.Context, commands.Request, func(commands.Post)) commands.Reply {
	<-p.end
	return commands.Reply{State: commands.StateGood, Headline: "done at last", Public: true}
}

func (*patient) Complete(context.Context, string, string) []string { return nil }

// TestReactionFlood: thousands of reactions are no thousands of answers, and
// what is asked meanwhile is done.
func TestReactionFlood(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Privileged(1 << 15)
	f.Heartbeat = 20 * time.Second
	p := &noPins{}
	st := start(t, f, nil, Options{Pins: p, Content: true, Beat: 10 * time.Second}).up(t)
	m := ""
	for n := range 10_000 {
		if n%100 == 0 {
			m = f.Speak("carl", main, "look")
		}
		f.React("ana", main, m, fmt.Sprint("e", n)) // none of ours
	}
	for range 40 {
		f.React("ben", main, m, "📌")
		f.Unreact("ben", main, m, "📌")
	}
	f.Line("carl", main, "/public meanwhile") // on a slow machine its token may be dead when it is read: it is done all the same
	st.sees(t, "ana", main, "No incident is open")
	st.sees(t, "ana", main, "public: meanwhile")
	until(t, "all are done", func() bool {
		es, err := st.in.All(t.Context())
		return err == nil && len(es) == 81 && !slices.ContainsFunc(es, func(e envelope) bool { return e.Done.IsZero() })
	})
	if n := strings.Count(f.Seen("ana", main), "No incident is open"); n != 1 {
		t.Errorf("answered %d times", n)
	}
	if ns, err := st.notes.List(t.Context(), "in/"); err != nil || len(ns) != 81 {
		t.Errorf("%d are on the record: %v", len(ns), err)
	}
}

// noPins are Pins without an open incident.
type noPins struct{}

func (*noPins) Pin(context.Context, commands.Pin, func(commands.Post)) commands.Reply {
	p := commands.Problem{Code: "no_incident", Message: "No incident is open.", Hint: "/incident declare"}
	return commands.Reply{Headline: p.Message, Problem: p}
}

func (*noPins) Unpin(context.Context, string, commands.Person, time.Time, func(commands.Post)) commands.Reply {
	return commands.Reply{}
}

func (*noPins) Repin(context.Context, string, string, bool, time.Time, func(commands.Post)) error {
	return nil
}

// TestSlowBody: who begins a request and does not end it is sent away.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	start(t, f, nil, Options{Mode: HTTP}).up(t)
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(f.Endpoint, "http://"), "/discord/interactions"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(bottest.Wait))
	if _, err := io.WriteString(c, "POST /discord/interactions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 401" {
		t.Errorf("%q %v", answer, err)
	}
}

// TestTokenExpired: an answer that comes when Discord takes none by the token
// any more, although our clock says otherwise, comes as a message.
func TestTokenExpired(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	a := st.types(t, "ana", main, "/slow snail")
	until(t, "it is worked on", func() bool { return strings.Contains(a.Text(), "Working on it") })
	f.Advance(16 * time.Minute)
	st.desk.Release("snail")
	st.sees(t, "ana", main, "slow: snail")
	until(t, "nothing waits", func() bool {
		es, err := st.in.Undone(t.Context())
		return err == nil && len(es) == 0
	})
	if n := strings.Count(f.Seen("ana", main), "slow: snail"); n != 1 {
		t.Errorf("said %d times", n)
	}
}
