package discord

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// This file measures how long it takes until people are heard again after the
// connection to Discord went wrong, with the intervals that are shipped. That
// it comes back at all is shown, with shorter ones, by chaos_test.go.

// backs are what goes wrong, by the unit of its figure. fail makes it so, and
// returns when that was; it begins right after a heartbeat was answered, the
// worst moment.
var backs = map[string]func(f *bottest.Discord, token *atomic.Value) time.Time{
	"s-back-acks":   func(f *bottest.Discord, _ *atomic.Value) time.Time { f.NoAcks(true); return time.Now() },
	"s-back-zombie": func(f *bottest.Discord, _ *atomic.Value) time.Time { f.Zombie(true); return time.Now() },
	"s-back-op7":    func(f *bottest.Discord, _ *atomic.Value) time.Time { f.Reconnect(); return time.Now() },
	"s-back-op9":    func(f *bottest.Discord, _ *atomic.Value) time.Time { f.Invalidate(false); return time.Now() },
	"s-back-resume": func(f *bottest.Discord, _ *atomic.Value) time.Time {
		f.RefuseResume(1)
		f.Drop()
		return time.Now()
	},
	"s-back-hello": func(f *bottest.Discord, _ *atomic.Value) time.Time {
		f.Next("mute")
		f.Drop()
		return time.Now()
	},
	"s-back-both": func(f *bottest.Discord, _ *atomic.Value) time.Time { // the worst: nothing is said any more, and then no hello
		f.Next("mute")
		f.Zombie(true)
		return time.Now()
	},
	"s-back-token": func(f *bottest.Discord, token *atomic.Value) time.Time {
		f.Reset("another-discord-token")
		for began := time.Now(); time.Since(began) < 35*time.Second; time.Sleep(100 * time.Millisecond) {
		} // the pauses are as long by now as they become
		for n := f.Invalid(); f.Invalid() == n; time.Sleep(10 * time.Millisecond) {
		} // just tried in vain
		token.Store("another-discord-token")
		return time.Now() // since somebody wrote the new one down
	},
}

// BenchmarkBack: each of backs once, beside each other. May be at most 30 s.
func BenchmarkBack(b *testing.B) {
	var mu sync.Mutex
	took := map[string]float64{}
	for b.Loop() {
		var all sync.WaitGroup
		for unit, fail := range backs {
			all.Go(func() {
				s := back(b, unit, fail)
				mu.Lock()
				took[unit] = max(took[unit], s.Seconds())
				mu.Unlock()
			})
		}
		all.Wait()
	}
	worst := 0.0
	for unit, s := range took {
		b.ReportMetric(s, unit)
		worst = max(worst, s)
	}
	b.ReportMetric(worst/30, "of-30s")
}

// back lets one go wrong, and says how long it took until a command that is
// typed then is answered, and an alert of meanwhile is said.
func back(b *testing.B, unit string, fail func(*bottest.Discord, *atomic.Value) time.Time) time.Duration {
	f := bottest.NewDiscord(b)
	var token atomic.Value
	token.Store(bottest.DiscordToken)
	st := &stand{f: f, desk: bottest.NewDesk()}
	st.rooms = bot.New(bot.Options{Desk: st.desk, Log: bottest.NewLog()})
	var err error
	st.Discord, err = New(Options{Rooms: st.rooms, Notes: bottest.NewNotes(), Mode: Gateway, Guild: bottest.DiscordGuild, Channel: main, APIURL: f.URL(), Token: bottest.DiscordToken,
		Secret: func() (string, error) { return token.Load().(string), nil }, Verbs: deskVerbs(), Params: deskParams})
	if err != nil {
		b.Error(err)
		return 0
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- st.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		bounded, done := context.WithTimeout(context.Background(), bottest.Wait)
		defer done()
		_ = st.Close(bounded)
	}()
	wait := func(what string, so func() bool) bool {
		for end := time.Now().Add(3 * time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				b.Errorf("%s: never %s: %+v", unit, what, st.Status())
				return false
			}
		}
		return true
	}
	if !wait("connected", func() bool { return st.Status().State == "connected" && len(f.Commands(bottest.DiscordGuild)) > 0 }) {
		return 0
	}
	st.post(b, "main", "before.")
	beats := st.Status().Beat
	if !wait("a heartbeat", func() bool { return st.Status().Beat.After(beats) }) {
		return 0
	}
	alert := make(chan struct{})
	go func() { // while it is broken
		defer close(alert)
		time.Sleep(500 * time.Millisecond)
		_ = st.rooms.Post(context.Background(), alertPost("main", "alert."))
	}()
	was := f.Gateway()
	since := fail(f, &token)
	<-alert
	if !wait("connected again", func() bool {
		g := f.Gateway()
		return g.Ready == 1 && g.Resumes+g.Identifies > was.Resumes+was.Identifies
	}) ||
		!wait("heard", func() bool {
			a := f.Line("ana", main, "/public hello")
			return a.OK()
		}) ||
		!wait("said", func() bool {
			seen := f.Seen("ben", main)
			return strings.Contains(seen, "public: hello") && strings.Contains(seen, "alert.")
		}) {
		return 0
	}
	return time.Since(since)
}
