package renew

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// counting counts the looks of a Prober.
type counting struct {
	Prober
	n atomic.Int32
}

func (c *counting) Check(ctx context.Context, q Query) Report {
	c.n.Add(1)
	return c.Prober.Check(ctx, q)
}

// A clock that is put right, by hours in either direction, does not end the
// watch: after a jump back every moment in the schedule lies far ahead.
func TestWatchGoesOnAfterTheClockJumps(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"back": -20 * time.Hour, "forward": 20 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1, 90*24*time.Hour)
			var ahead atomic.Int64
			eyes := &counting{Prober: b.world}
			b.tune = func(o *Options) {
				o.Prober, o.CheckEvery = eyes, 300*time.Millisecond
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())).Round(0) }
			}
			b.start(t)
			eventually(t, "it is looked at", func() bool { return eyes.n.Load() >= 2 })
			ahead.Store(int64(jump))
			before := eyes.n.Load()
			eventually(t, "it is looked at after the jump", func() bool { return eyes.n.Load() >= before+4 })
		})
	}
}
