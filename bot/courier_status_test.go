package bot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// Who watches is told how many errands somebody waits for, since when, and what
// failed last; an errand that nobody waits for is not counted.
func TestCourierStatus(t *testing.T) {
	t.Parallel()
	early, late := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	down := make(chan struct{})
	do := func(context.Context) error { return errors.New("down") }
	c := bot.NewCourier(bot.CourierOptions{Retry: time.Hour, Every: time.Hour, Now: func() time.Time { return late },
		Errands: func(context.Context) ([]bot.Errand, error) {
			return []bot.Errand{
				{Key: "a2", Lane: "a", Since: late, Do: do, Late: func(error, time.Time) { close(down) }},
				{Key: "a1", Lane: "a", Since: early.In(time.FixedZone("x", 3600)), Do: do},
				{Key: "b1", Lane: "b", Do: func(context.Context) error { return nil }},
			}, nil
		}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(ctx, nil) }()
	<-down
	stop()
	<-ended
	w := c.Status()
	if want := (bot.Waiting{Waiting: 2, Since: early, Failed: late, Error: "down"}); w != want {
		t.Errorf("%+v", w)
	}
}
