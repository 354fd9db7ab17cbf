package discord

import (
	"context"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// TestSuite runs every adapter's suite, by the gateway and by HTTP.
func TestSuite(t *testing.T) {
	for _, mode := range []string{Gateway, HTTP} {
		t.Run(mode, func(t *testing.T) {
			bottest.Run(t, func(t *testing.T, rooms *bot.Rooms) bottest.Adapter {
				f := bottest.NewDiscord(t)
				start(t, f, rooms, Options{Mode: mode}).up(t)
				return bottest.Adapter{
					Say: func(t testing.TB, who, room, line string) {
						if a := f.Line(who, main, line); !a.OK() {
							t.Fatalf("%q is not acknowledged: %s", line, a.Refused)
						}
					},
					Seen: func(t testing.TB, who, room string) string { return f.Seen(who, main) },
					Raw:  func(t testing.TB, who, room string) string { return f.Raw(who, main) },
					Press: func(t testing.TB, who, room, label string) string {
						a := f.Click(who, main, label)
						if a == nil || !a.OK() {
							t.Fatalf("%s has no button %s", who, label)
						}
						return a.Text()
					},
					Never: []string{"@everyone", "<@", "<#", "\n```code"},
				}
			})
		})
	}
}

// TestDuplicates: the same delivery twice is done once, and answered once.
func TestDuplicates(t *testing.T) {
	for _, mode := range []string{Gateway, HTTP} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewDiscord(t)
			st := start(t, f, nil, Options{Mode: mode}).up(t)
			a := st.types(t, "ana", main, "/public once")
			f.Redeliver(a)
			st.sees(t, "ben", main, "public: once")
			f.Redeliver(a)
			b := st.types(t, "ana", main, "/echo to me")
			f.Redeliver(b)
			st.sees(t, "ana", main, "echo: to me")
			st.types(t, "ana", main, "/public twice")
			st.sees(t, "ben", main, "public: twice")
			st.types(t, "ana", main, "/buttons")
			st.sees(t, "ben", main, "[Renew]")
			press := f.Click("ben", main, "Renew")
			f.Redeliver(press)
			st.sees(t, "ana", main, "ben pressed Renew at ")
			st.sees(t, "ana", main, "public: pressed")
			for _, line := range []string{"/public once", "/public pressed", "/echo to me"} {
				if n := st.desk.Count(line); n != 1 {
					t.Errorf("%s was done %d times", line, n)
				}
			}
			for _, words := range []string{"public: once", "echo: to me", "public: pressed"} {
				if n := strings.Count(f.Seen("ana", main), words); n != 1 {
					t.Errorf("%q is said %d times:\n%s", words, n, f.Seen("ana", main))
				}
			}
			if f.Click("ana", main, "Renew") != nil {
				t.Error("the used button is still there")
			}
		})
	}
}

// TestKillBetweenAckAndWork: what was acknowledged and not done is done by the
// next process, once, in the place of the deferral.
func TestKillBetweenAckAndWork(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	slow := st.types(t, "ana", main, "/slow fish")
	open := st.types(t, "ana", main, "/public behind it")
	if !st.desk.Started("fish", bottest.Wait) {
		t.Fatal("not begun")
	}
	until(t, "on the record as acknowledged", func() bool {
		es, _ := st.in.All(context.Background())
		return len(es) == 2 && es[0].Acked && es[1].Acked
	})
	notes := st.notes.Cut() // the process is gone here
	st.stop()
	if n := st.desk.Count("/public behind it"); n != 0 {
		t.Fatalf("it ran %d times before", n)
	}
	next := start(t, f, nil, Options{Notes: notes})
	next.desk.Release("fish")
	next.sees(t, "ana", main, "slow: fish")
	next.sees(t, "ben", main, "public: behind it")
	if n := next.desk.Count("/public behind it"); n != 1 {
		t.Errorf("done %d times", n)
	}
	bottest.AllDone(t, next.in, 2)
	if !strings.Contains(slow.Text(), "slow: fish") || !strings.Contains(open.Text(), "public: behind it") {
		t.Errorf("not where it was deferred:\n%s\n%s", slow.Text(), open.Text())
	}
}
