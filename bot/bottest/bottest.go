// Package bottest is the suite that every adapter passes: order, lateness,
// long and hostile text, unknown verbs, and a stop in the middle of an answer.
// It brings a scripted desk and a log in memory.
package bottest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Adapter is a service's rooms as people use them. Its functions may fail t.
type Adapter struct {
	// Say types a line as a person and returns when the service has taken it,
	// not waiting for the answer.
	Say func(t testing.TB, person, room, line string)
	// Seen is everything that the person can read in the room now, as text.
	Seen func(t testing.TB, person, room string) string
	// Raw is what the service was sent for that, markup and all.
	Raw func(t testing.TB, person, room string) string
	// Press presses the newest button with this label that the person has, and
	// returns what was answered to it. nil: the service has no buttons.
	Press func(t testing.TB, person, room, label string) string
	// Never are strings that Raw must not contain although people type them:
	// markup or control sequences of the service.
	Never []string
}

// Wait is how long the suite waits for something to be seen.
const Wait = time.Minute

// Run runs the suite. open connects an adapter to rooms and ends it with
// t.Cleanup; rooms are closed before that.
func Run(t *testing.T, open func(t *testing.T, rooms *bot.Rooms) Adapter) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"answer", answer},
		{"order", order},
		{"lateness", lateness},
		{"private", private},
		{"long text", longText},
		{"hostile text", hostileText},
		{"unknown verb", unknownVerb},
		{"broken desk", brokenDesk},
		{"button", button},
		{"progress", progress},
		{"stop in the middle", stop},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			desk := NewDesk()
			rooms := bot.New(bot.Options{Desk: desk, Log: NewLog(), Answer: 50 * time.Millisecond})
			s := &suite{desk: desk, rooms: rooms, Adapter: open(t, rooms)}
			t.Cleanup(func() {
				desk.ReleaseAll()
				ctx, cancel := context.WithTimeout(context.Background(), Wait)
				defer cancel()
				if err := rooms.Close(ctx); err != nil {
					t.Errorf("close rooms: %v", err)
				}
			})
			c.run(t, s)
		})
	}
}

type suite struct {
	desk  *Desk
	rooms *bot.Rooms
	Adapter
}

// sees waits until the person sees all words, in this order.
func (s *suite) sees(t *testing.T, person string, words ...string) {
	t.Helper()
	end := time.Now().Add(Wait)
	for {
		text := s.Seen(t, person, "main")
		rest, ok := text, true
		for _, w := range words {
			i := strings.Index(rest, w)
			if i < 0 {
				ok = false
				break
			}
			rest = rest[i+len(w):]
		}
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not see %q in order, but:\n%s", person, words, clip(text, 4000))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *suite) seesNot(t *testing.T, person, word string) {
	t.Helper()
	if text := s.Seen(t, person, "main"); strings.Contains(text, word) {
		t.Fatalf("%s sees %q:\n%s", person, word, clip(text, 4000))
	}
}

func answer(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/public all is well")
	s.sees(t, "ana", "/public all is well", "public: all is well", "Proof", "three hosts")
	s.sees(t, "ben", "/public all is well", "public: all is well")
}

func order(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/slow one")
	s.Say(t, "ana", "main", "/echo two")
	s.Say(t, "ana", "main", "/echo three")
	s.Say(t, "ben", "main", "/echo four")
	s.sees(t, "ben", "echo: four") // nobody waits for somebody else
	s.seesNot(t, "ana", "echo: two")
	s.desk.Release("one")
	s.sees(t, "ana", "slow: one", "echo: two", "echo: three")
}

func lateness(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/slow fish")
	s.sees(t, "ana", "/slow fish", "Working on it")
	s.seesNot(t, "ana", "slow: fish")
	s.desk.Release("fish")
	s.sees(t, "ana", "slow: fish")
}

func private(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/echo between us")
	s.sees(t, "ana", "/echo between us", "echo: between us")
	s.Say(t, "ben", "main", "/public for all")
	s.sees(t, "ana", "public: for all")
	s.sees(t, "ben", "public: for all")
	s.seesNot(t, "ben", "between us")
}

func longText(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/echo "+strings.Repeat("longword ", 400)+"end-of-line")
	s.sees(t, "ana", "echo: longword")
	s.Say(t, "ana", "main", "/long")
	s.sees(t, "ana", "A long answer", "line 1 of the long answer")
	s.Say(t, "ana", "main", "/echo still here")
	s.sees(t, "ana", "echo: still here")
}

func hostileText(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/public "+Hostile)
	s.sees(t, "ana", "public: ", "tail-of-hostile")
	s.Say(t, "ana", "main", "/hostile")
	s.sees(t, "ana", "hostile reply", "tail-of-hostile")
	raw := s.Raw(t, "ana", "main")
	for _, never := range s.Never {
		if i := strings.Index(raw, never); i >= 0 {
			t.Errorf("%q went through: %q", never, clip(raw[max(0, i-80):], 240))
		}
	}
	for _, r := range []string{"\x1b]0;owned", "\x00", "\u202e"} {
		if strings.Contains(raw, r) {
			t.Errorf("control characters %q went through", r)
		}
	}
}

func unknownVerb(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/certchek media")
	s.sees(t, "ana", "There is no verb /certchek", "/certcheck media")
	s.seesNot(t, "ben", "certchek")
}

func brokenDesk(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/panic secret-in-panic")
	s.sees(t, "ana", "Internal error")
	if raw := s.Raw(t, "ana", "main"); strings.Contains(raw, "boom:") {
		t.Errorf("the panic's text went through:\n%s", clip(raw, 2000))
	}
	s.Say(t, "ana", "main", "/echo still here")
	s.sees(t, "ana", "echo: still here")
}

func button(t *testing.T, s *suite) {
	if s.Press == nil {
		t.Skip("the service has no buttons")
	}
	s.Say(t, "ana", "main", "/buttons")
	s.sees(t, "ben", "a choice", "Renew")
	s.Press(t, "ben", "main", "Renew")
	s.sees(t, "ana", "ben pressed Renew at ", "public: pressed")
	if n := s.desk.Count("/public pressed"); n != 1 {
		t.Errorf("the command ran %d times", n)
	}
	for _, m := range messages(t, s.rooms) {
		if m.Used.Label == "Renew" && len(m.Reply.Buttons) > 0 {
			reply := s.rooms.Press(context.Background(), "main", m.ID, 0, commands.Person{ID: "x:carl", Name: "carl", Platform: "x"})
			if reply.Problem.Code != "used" || !strings.Contains(reply.Headline, "ben pressed Renew at ") {
				t.Errorf("a second press answers %+v", reply)
			}
			return
		}
	}
	t.Error("no message has a used button")
}

func progress(t *testing.T, s *suite) {
	post := func(done int, headline string) {
		t.Helper()
		err := s.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{
			State: commands.StateRunning, Headline: headline, Done: done, Of: 4, Public: true, Key: "renewal/R-1",
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	post(1, "R-1 is at cdn-1.")
	s.sees(t, "ana", "R-1 is at cdn-1.")
	post(4, "R-1 is done.")
	s.sees(t, "ana", "R-1 is done.")
	n := 0
	for _, m := range messages(t, s.rooms) {
		if m.Reply.Key == "renewal/R-1" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d messages of one renewal", n)
	}
}

func stop(t *testing.T, s *suite) {
	s.Say(t, "ana", "main", "/slow last")
	s.sees(t, "ana", "/slow last")
	s.desk.Started("last", Wait)
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), Wait)
		defer cancel()
		closed <- s.rooms.Close(ctx)
	}()
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait for the answer (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.desk.Release("last")
	if err := <-closed; err != nil {
		t.Fatalf("close: %v", err)
	}
	ms := messages(t, s.rooms)
	if last := ms[len(ms)-1]; last.Reply.Headline != "slow: last" {
		t.Errorf("the answer is not on the record, the last message is %+v", last)
	}
	reply := s.rooms.Say(context.Background(), commands.Request{Text: "/echo late", By: commands.Person{ID: "x:ana", Name: "ana"}, Room: "main"})
	if reply.Problem.Code != "stopping" {
		t.Errorf("a line after the stop is answered %+v", reply)
	}
}

// messages are all messages of main, whoever they are for.
func messages(t *testing.T, rooms *bot.Rooms) []bot.Message {
	t.Helper()
	var all []bot.Message
	for _, id := range []string{"web:ana", "console:ana", "slack:U0ANA", "discord:" + DiscordUser("ana")} {
		ms, err := rooms.Messages(context.Background(), "main", id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) > len(all) {
			all = ms
		}
	}
	return all
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
