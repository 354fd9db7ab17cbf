package bot_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// errAsked is a platform's answer that asks to wait.
var errAsked = errors.New("too many requests")

func testLink() *bot.Link {
	return bot.NewLink(bot.LinkOptions{Name: "test", Now: time.Now, Log: slog.New(slog.DiscardHandler), Retry: time.Second, Most: 30, Words: error.Error,
		Asked: func(because error) (time.Duration, bool) { return 7 * time.Second, errors.Is(because, errAsked) }})
}

// TestPause: a pause is as long as the platform asks, else twice as long each
// time, up to a bound.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := testLink()
		for _, row := range []struct {
			n       int
			because error
			want    time.Duration
		}{{0, nil, time.Second}, {3, errors.New("x"), 8 * time.Second}, {5, nil, 30 * time.Second}, {1 << 40, nil, 30 * time.Second}, {0, errAsked, 7 * time.Second}, {9, errAsked, 7 * time.Second}} {
			start := time.Now()
			if !l.Pause(t.Context(), row.n, row.because) || time.Since(start) != row.want {
				t.Errorf("pause %d after %v: %s, want %s", row.n, row.because, time.Since(start), row.want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if l.Pause(ctx, 0, errAsked) {
			t.Error("a pause outlives its context")
		}
	})
}

// TestCloseWaits: Close waits for what was taken, tells it to end after 3 s,
// and leaves what does not end when its own time is over.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ends func(l *bot.Link) <-chan time.Time // when the work ends, beside
		want time.Duration
		left bool
	}{
		"by itself":   {func(*bot.Link) <-chan time.Time { return time.After(2 * time.Second) }, 2 * time.Second, false},
		"when told":   {func(l *bot.Link) <-chan time.Time { <-l.Working().Done(); return time.After(time.Second) }, 4 * time.Second, false},
		"not in time": {func(*bot.Link) <-chan time.Time { return time.After(time.Hour) }, 10 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := testLink()
				if !l.Begin() {
					t.Fatal("no work is taken")
				}
				go func() { defer l.End(); <-row.ends(l) }()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				err := l.Close(ctx)
				if took := time.Since(start); took != row.want || (err != nil) != row.left || l.Working().Err() == nil {
					t.Errorf("closed after %s, want %s: %v", took, row.want, err)
				}
				if l.Begin() {
					t.Error("work is taken after the end")
				}
				time.Sleep(2 * time.Hour) // of the test's own clock: all work has ended
			})
		})
	}
}

// TestTakeAfterTheEnd: what comes after the end is refused and not recorded:
// the platform delivers it again.
func TestTakeAfterTheEnd(t *testing.T) {
	t.Parallel()
	ctx, notes, l := t.Context(), bottest.NewNotes(), testLink()
	in := l.Inbox(notes)
	got := make(chan error, 1)
	then := func(_ bot.Delivery, _ <-chan struct{}, _ bool, err error) { got <- err }
	in.Take(ctx, bot.Delivery{ID: "a", Kind: "k"}, "ana", then)
	if err := <-got; err != nil || !in.Has(ctx, bot.Delivery{ID: "a"}) {
		t.Fatalf("before: %v", err)
	}
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
	in.Take(ctx, bot.Delivery{ID: "b", Kind: "k"}, "ana", then)
	if err := <-got; !errors.Is(err, bot.ErrStopping) || in.Has(ctx, bot.Delivery{ID: "b"}) {
		t.Errorf("after: %v, recorded %t", err, in.Has(ctx, bot.Delivery{ID: "b"}))
	}
}
