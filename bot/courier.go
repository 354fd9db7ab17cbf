package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// This file holds the courier: it does outside what the record says is still
// to be done there, until the record says that it is done. The record is the
// intent, so nothing is kept here but how long to wait after a failure.

// Errand is one thing that the record says is still to be done outside.
type Errand struct {
	Key  string // the same key is the same errand
	Lane string // errands of one lane are done one after the other, in order

	// Do does it, looking first whether it was done before a kill, and settles it
	// in the record. An error, also a *Later, has it tried again.
	Do func(ctx context.Context) error
	// Late, which may be nil, is told of a failure and of when it is tried again:
	// the first time, the second, the fourth, and so on.
	Late func(err error, again time.Time)

	Since time.Time // since when it waits; zero: it is nothing that somebody waits for
}

// Waiting is how much is still to be done outside, for who watches the program.
// It says nothing of whose it is: that may be private.
type Waiting struct {
	Waiting int       `json:"waiting"`
	Since   time.Time `json:"since,omitzero"`  // the oldest
	Failed  time.Time `json:"failed,omitzero"` // when something last was not done; it may have been since
	Error   string    `json:"error,omitempty"` // of what
}

// CourierOptions are what a Courier is made of.
type CourierOptions struct {
	// Errands returns all that is to be done now, in the order to do it in.
	Errands func(ctx context.Context) ([]Errand, error)
	Now     func() time.Time
	Log     *slog.Logger
	Every   time.Duration // it looks at least so often; default 15 s
	Retry   time.Duration // the first pause after a failure, doubled up to 60 times that; default 5 s
	Limit   time.Duration // of one errand; default 1 min
	GiveUp  time.Duration // an errand that is not done for so long has failed; 0: never (see Judge)
}

// Courier does errands.
type Courier struct {
	o CourierOptions

	mu    sync.Mutex
	lanes map[string]*courierLane
	err   error // of the last errand; nil when it went well

	waits int       // errands with Since, at the last look
	since time.Time // the oldest of them

	lastErr    error // the last failure
	lastFailed time.Time
}

type courierLane struct {
	busy  bool
	key   string // the errand that failed last
	fails int
	hold  time.Time
}

// NewCourier makes a Courier.
func NewCourier(o CourierOptions) *Courier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Second
	}
	if o.Retry <= 0 {
		o.Retry = 5 * time.Second
	}
	if o.Limit <= 0 {
		o.Limit = time.Minute
	}
	return &Courier{o: o, lanes: map[string]*courierLane{}}
}

// Run does errands until ctx ends; what is being done then is finished, within
// its limit. It looks again whenever changed says so (nil: never).
func (c *Courier) Run(ctx context.Context, changed <-chan struct{}) {
	var doing sync.WaitGroup
	defer doing.Wait()
	done := make(chan struct{}, 1)
	for ctx.Err() == nil {
		timer := time.NewTimer(c.start(ctx, &doing, done))
		select {
		case <-ctx.Done():
		case _, ok := <-changed:
			if !ok {
				changed = nil
			}
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Err is what the last errand failed of; nil when it went well.
func (c *Courier) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Status says how much waits, since when, and what the last failure was.
func (c *Courier) Status() Waiting {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := Waiting{Waiting: c.waits, Since: c.since, Failed: c.lastFailed}
	if c.lastErr != nil {
		w.Error = TroubleText(c.lastErr)
	}
	return w
}

// Failed notes a failure that was settled for good, so that Do returns none.
func (c *Courier) Failed(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastErr, c.lastFailed = &Trouble{Text: text}, c.o.Now().UTC()
}

// start begins the first errand of each lane that may go, and returns how long
// until it is to look again.
func (c *Courier) start(ctx context.Context, doing *sync.WaitGroup, done chan<- struct{}) time.Duration {
	all, err := c.o.Errands(ctx)
	if err != nil && ctx.Err() == nil {
		c.o.Log.Error("what is to be done outside cannot be read", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next, seen := c.o.Every, map[string]bool{}
	c.waits, c.since = 0, time.Time{}
	for _, e := range all {
		if !e.Since.IsZero() {
			c.waits++
			if c.since.IsZero() || e.Since.Before(c.since) {
				c.since = e.Since.UTC()
			}
		}
	}
	for _, e := range all {
		if seen[e.Lane] {
			continue
		}
		seen[e.Lane] = true
		l := c.lanes[e.Lane]
		if l == nil {
			l = &courierLane{}
			c.lanes[e.Lane] = l
		}
		if l.key != e.Key {
			l.key, l.fails = e.Key, 0
		}
		if l.busy {
			continue
		}
		if left := l.hold.Sub(c.o.Now()); left > 0 {
			next = min(next, max(left, time.Millisecond))
			continue
		}
		l.busy = true
		doing.Go(func() {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Limit)
			defer cancel()
			c.settle(l, e, c.do(bounded, e))
			select {
			case done <- struct{}{}:
			default:
			}
		})
	}
	return next
}

// do does an errand; a panic there is its error.
func (c *Courier) do(ctx context.Context, e Errand) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return e.Do(ctx)
}

// settle notes how an errand went.
func (c *Courier) settle(l *courierLane, e Errand, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, l.busy = err, false
	if err == nil {
		l.hold = time.Time{}
		return
	}
	l.fails++
	c.lastErr, c.lastFailed = err, c.o.Now().UTC()
	wait := min(c.o.Retry<<min(l.fails-1, 6), 60*c.o.Retry)
	var later *Later
	if errors.As(err, &later) {
		wait = max(later.After, time.Millisecond)
	}
	l.hold = c.o.Now().Add(wait)
	c.o.Log.Warn("not done outside yet", "lane", e.Lane, "errand", e.Key, "again", wait, "error", err)
	if e.Late != nil && l.fails&(l.fails-1) == 0 {
		e.Late(err, l.hold)
	}
}
