package discord

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what Discord does at its worst: after each of it everything
// was said once, and the adapter is back without a restart.

func (st *stand) post(t testing.TB, room, headline string) {
	t.Helper()
	if err := st.rooms.Post(context.Background(), alertPost(room, headline)); err != nil {
		t.Fatal(err)
	}
}

func alertPost(room, headline string) commands.Post {
	return commands.Post{Room: room, Reply: commands.Reply{State: commands.StateWarning, Headline: headline, Public: true}}
}

// alive types a command and waits for its answer: the way in and out is open.
// One that went into a session that is no more is typed again, in other words:
// it may be only slow, and is answered then.
func (st *stand) alive(t testing.TB, word string) {
	t.Helper()
	var typed []*bottest.DiscordAsk
	said := func(n int) string { return fmt.Sprintf("%s.%d.", word, n) }
	for end := time.Now().Add(bottest.Wait); ; {
		a := st.f.Line("ana", main, "/public "+said(len(typed)))
		typed = append(typed, a)
		for n := 0; n < 40 && a.Kind() == 0 && a.Refused == ""; n++ {
			time.Sleep(10 * time.Millisecond)
		}
		if a.Kind() != 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%s: it is not back: %+v", word, st.Status())
		}
	}
	for n, a := range typed {
		if a.Kind() != 0 {
			st.sees(t, "ben", main, "public: "+said(n))
		}
		if got := strings.Count(st.f.Seen("ben", main), "public: "+said(n)); got > 1 || a.Kind() != 0 && got == 0 {
			t.Errorf("%q is said %d times:\n%s", said(n), got, st.f.Seen("ben", main))
		}
	}
}

// TestGatewayFaults: op 7 and op 9 as every packet, no hello, no ready, acks
// where ready should be, refused and closed connections: it comes back.
func TestGatewayFaults(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Next("refuse", "mute", "silent", "drop", "reconnect", "ack", "") // before it was ever connected
	st := start(t, f, nil, Options{Connect: 300 * time.Millisecond}).up(t)
	st.alive(t, "first")
	n := 0
	back := func(what string) {
		t.Helper()
		until(t, what, func() bool { return f.Gateway().Ready == 1 && st.Status().State == "connected" })
		n++
		st.alive(t, fmt.Sprintf("%s-%d", strings.ReplaceAll(what, " ", "-"), n))
	}
	for _, second := range []string{"", "reconnect", "ack", "ack silent", "invalid", "resumable", "mute", "silent", "drop", "refuse", "4000", "4007", "4009", "4008"} {
		f.Next(second)
		f.Reconnect()
		back("op 7 then " + second)
	}
	was := f.Gateway()
	f.Reconnect()
	until(t, "a resume", func() bool { return f.Gateway().Resumes > was.Resumes })
	back("resumed")
	if g := f.Gateway(); g.Identifies != was.Identifies {
		t.Errorf("a session that could be resumed was ended: %+v, before %+v", g, was)
	}
	f.Invalidate(true)
	back("op 9 true")
	f.Invalidate(false)
	back("op 9 false")
	f.Expire()
	f.Drop()
	back("session gone")
	f.RefuseResume(2)
	f.Drop()
	back("resume refused")
	for _, code := range []int{1000, 1001, 4000, 4001, 4003, 4007, 4008, 4009} {
		f.CloseSockets(code)
		back(fmt.Sprint("closed ", code))
	}
	f.Zombie(true)
	back("zombie")
	f.NoAcks(true)
	back("no acks")
	f.Drop()
	f.Drop()
	back("dropped twice")
}

// TestNoBeatWaitedFor: another connection is made at once, however long it is
// until the next heartbeat.
func TestNoBeatWaitedFor(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Heartbeat = time.Hour
	st := start(t, f, nil, Options{Beat: time.Hour}).up(t)
	for n, fail := range []func(){f.Reconnect, f.Drop, func() { f.Invalidate(false) }} {
		fail()
		st.alive(t, fmt.Sprint("back-", n))
	}
}

// TestNothingMissedByResume: what was asked while the connection was broken
// comes with the resume, and is done once.
func TestNothingMissedByResume(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	var asks []*bottest.DiscordAsk
	for i := range 12 {
		if i%3 == 1 {
			f.Drop()
		}
		asks = append(asks, f.Line("ana", main, fmt.Sprintf("/public word-%02d", i)))
	}
	for i, a := range asks {
		if !a.OK() {
			t.Errorf("%d is not acknowledged", i)
		}
	}
	for i := range asks {
		w := fmt.Sprintf("public: word-%02d", i)
		st.sees(t, "ben", main, w)
		if n := strings.Count(f.Seen("ben", main), w); n != 1 {
			t.Errorf("%q stands %d times", w, n)
		}
		if n := st.desk.Count(fmt.Sprintf("/public word-%02d", i)); n != 1 {
			t.Errorf("%q was done %d times", w, n)
		}
	}
	if g := f.Gateway(); g.Resumes == 0 {
		t.Errorf("never resumed: %+v", g)
	}
}

// TestOutage: Discord is away, answers 429 with and without a body and 5xx,
// loses answers, and resets the token: all is said, once and in order.
func TestOutage(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	f.Fail("create_message", "lost", "429", "500", "lost", "cut", "503", "429 html", "429 global", "502", "504", "429 empty", "lost")
	for i := range 10 {
		st.post(t, "main", fmt.Sprintf("alert %02d.", i))
	}
	st.sees(t, "ana", main, "alert 09.")
	f.Down(true)
	for i := 10; i < 20; i++ {
		st.post(t, "main", fmt.Sprintf("alert %02d.", i))
	}
	until(t, "failing", func() bool { s := st.Status(); return s.State == "failing" && s.Waiting >= 10 && s.Error != "" })
	f.Down(false)
	st.sees(t, "ana", main, "alert 19.")
	until(t, "connected again", func() bool { return st.Status().State == "connected" })
	f.Revoke(true)
	st.post(t, "main", "alert 20.")
	until(t, "the revoked token is told", func() bool { return strings.Contains(st.Status().Error, "reset") })
	f.Revoke(false)
	st.sees(t, "ana", main, "alert 20.")
	st.alive(t, "after-the-reset")
	f.Grant(bottest.DiscordBotRole, 0)
	f.Permit(main, bottest.DiscordApp, 0, 1<<11) // it may not speak
	st.post(t, "main", "alert 21.")
	until(t, "the missing permission is told", func() bool { return strings.Contains(st.Status().Error, "permission") })
	f.Grant(bottest.DiscordBotRole, bottest.DiscordBotPermissions)
	f.Permit(main, bottest.DiscordApp, 0, 0)
	st.sees(t, "ana", main, "alert 21.")
	bottest.InOrder(t, f.Seen("ben", main), "alert %02d.", 22)
	if s := fmt.Sprint(st.Status()); strings.Contains(s, bottest.DiscordToken) || strings.Contains(s, "tok-") {
		t.Errorf("a secret stands in the status: %s", s)
	}
}

// TestSameWords: messages of the same words are each said, also when their
// answers are lost: one is not taken for another.
func TestSameWords(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	f.Fail("create_message", "", "cut", "lost", "cut")
	for range 4 {
		st.post(t, "main", "again.")
	}
	st.post(t, "main", "the last.")
	st.sees(t, "ben", main, "the last.")
	if n := strings.Count(f.Seen("ben", main), "again."); n != 4 {
		t.Errorf("said %d times:\n%s", n, f.Seen("ben", main))
	}
}

// TestAnswersSurvive: the answers to commands reach their people whatever the
// calls that bring them meet, in the open and in private, once.
func TestAnswersSurvive(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create_interaction_response", "update_original_webhook_message", "delete_original_webhook_message", "execute_webhook"} {
		for _, how := range []string{"lost", "cut", "500", "429", "429 empty", "slow 300ms"} {
			if how == "429 empty" && op != "update_original_webhook_message" {
				continue // it takes a whole second
			}
			t.Run(op+" "+how, func(t *testing.T) {
				t.Parallel()
				f := bottest.NewDiscord(t)
				st := start(t, f, nil, Options{}).up(t)
				f.Fail(op, how)
				open := st.types(t, "ana", main, "/public aloud")
				f.Fail(op, how)
				quiet := st.types(t, "ana", main, "/echo quietly")
				f.Fail(op, how)
				refused := st.types(t, "ana", main, "/panic now") // private
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("ana sees:\n%s\nquietly: %q\nnow: %q", f.Seen("ana", main), quiet.Text(), refused.Text())
					}
				})
				st.sees(t, "ben", main, "public: aloud")
				until(t, "the private answers", func() bool {
					return strings.Contains(quiet.Text(), "echo: quietly") && strings.Contains(refused.Text(), "Internal error")
				})
				seen := f.Seen("ana", main)
				for _, w := range []string{"public: aloud", "echo: quietly"} {
					if n := strings.Count(seen, w); n != 1 {
						t.Errorf("%q stands %d times:\n%s", w, n, seen)
					}
				}
				until(t, "nothing is left thinking", func() bool { return !strings.Contains(f.Seen("ana", main), "thinking") })
				if strings.Contains(f.Seen("ben", main), "quietly") {
					t.Error("ben sees the private answer")
				}
				_ = open
			})
		}
	}
}

// TestDeadToken: a command whose answer takes longer than its interaction
// lasts is answered with a message.
func TestDeadToken(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{TokenLife: 300 * time.Millisecond}).up(t)
	a := st.types(t, "ana", main, "/slow snail")
	until(t, "it is said that it takes longer", func() bool { return strings.Contains(a.Text(), "takes longer") })
	st.desk.Release("snail")
	st.sees(t, "ben", main, "slow: snail") // an ordinary message
	if n := strings.Count(f.Seen("ana", main), "slow: snail"); n != 1 {
		t.Errorf("said %d times:\n%s", n, f.Seen("ana", main))
	}
	for _, p := range f.Pings() {
		t.Errorf("somebody was notified: %+v", p)
	}
}

// TestKilledAnywhere: the process is killed after each single write of its
// record; the next one finishes what was asked, and says everything once.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for n := range 14 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f := bottest.NewDiscord(t)
			desk, log := bottest.NewDesk(), bottest.NewLog()
			rooms := bot.New(bot.Options{Desk: desk, Log: log, Answer: 50 * time.Millisecond})
			notes := &counted{Notes: bottest.NewNotes()}
			notes.after(-1)
			st := start(t, f, rooms, Options{Notes: notes}).up(t)
			notes.after(n)
			a := f.Line("ana", main, "/public survives")
			time.Sleep(100 * time.Millisecond)
			cut := notes.Notes.Cut()
			recorded := false
			if all, err := cut.List(context.Background(), "in/"); err == nil {
				recorded = len(all) > 0
			}
			st.stop()
			bounded, cancel := context.WithTimeout(context.Background(), bottest.Wait)
			defer cancel()
			_ = rooms.Close(bounded)
			next := bot.New(bot.Options{Desk: desk, Log: log.Cut(), Answer: 50 * time.Millisecond})
			st = start(t, f, next, Options{Notes: cut}).up(t)
			if recorded {
				st.sees(t, "ben", main, "public: survives")
			} else if a.Kind() == sayDefer {
				t.Error("acknowledged, although it was on no record")
			}
			st.desk = desk
			st.alive(t, "afterwards")
			if n := strings.Count(f.Seen("ben", main), "public: survives"); n > 1 {
				t.Errorf("said %d times:\n%s", n, f.Seen("ben", main))
			}
			if n := desk.Count("/public survives"); n > 1 {
				t.Errorf("done %d times", n)
			}
		})
	}
}

// counted are Notes that take no more writes after some.
type counted struct {
	*bottest.Notes
	left atomic.Int64 // of writes; below 0: no end
}

func (c *counted) after(n int) { c.left.Store(int64(n)) }

func (c *counted) Add(ctx context.Context, n bot.Note) (bool, error) {
	c.count()
	return c.Notes.Add(ctx, n)
}

func (c *counted) Put(ctx context.Context, ns ...bot.Note) error {
	c.count()
	return c.Notes.Put(ctx, ns...)
}

func (c *counted) count() {
	if c.left.Add(-1) == -1 {
		c.Notes.Fill(true)
	}
}
