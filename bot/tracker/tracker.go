// Package tracker keeps action items in trackers outside: GitHub issues and
// Jira Cloud. What is to be made there or read stands in the record
// (commands.Export); here is how. Each tracker has a file of its own.
//
// An item is made once: what is written there carries a marker, and is looked
// for before it is made. A tracker's list may be behind, so after an attempt
// whose answer was lost some time passes before not finding it counts.
package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Place is where an item stands.
type Place struct {
	Ref string // "example/certs#12", "TLS-4"
	URL string
}

// Tracker is one service. Errors are *Trouble (wrapped), or anything else: then
// it is tried again.
type Tracker interface {
	// Find looks for an item by its marker; found is false when it is not there.
	Find(ctx context.Context, e commands.Export) (p Place, found bool, err error)
	// Make makes it.
	Make(ctx context.Context, e commands.Export) (Place, error)
	// State reads its state, by e.Ref.
	State(ctx context.Context, e commands.Export) (commands.There, error)
}

// Trouble is an error with words for people.
type Trouble = bot.Trouble

// Desk is what is needed of commands.Desk.
type Desk interface {
	Exports(ctx context.Context, now time.Time) ([]commands.Export, error)
	Exported(ctx context.Context, e commands.Export, o commands.Exported, post func(commands.Post)) error
	ExportDelayed(e commands.Export, o commands.Exported, again time.Time, post func(commands.Post))
	Saw(ctx context.Context, e commands.Export, s commands.There, post func(commands.Post)) error
	Unread(ctx context.Context, e commands.Export, o commands.Exported, post func(commands.Post)) error
}

// Options are what a Clerk is made of.
type Options struct {
	Desk     Desk
	Trackers map[string]Tracker // by name
	Notes    bot.Notes          // when each was last tried
	Post     func(commands.Post)
	Now      func() time.Time
	Log      *slog.Logger

	GiveUp time.Duration // default 24 h
	Settle time.Duration // how far a tracker's list may be behind; default 1 min
	Retry  time.Duration // default 5 s
	Every  time.Duration // default 15 s
}

// Clerk makes and reads items.
type Clerk struct {
	o       Options
	courier *bot.Courier
}

// New makes a Clerk.
func New(o Options) *Clerk {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.GiveUp <= 0 {
		o.GiveUp = 24 * time.Hour
	}
	if o.Settle <= 0 {
		o.Settle = time.Minute
	}
	c := &Clerk{o: o}
	c.courier = bot.NewCourier(bot.CourierOptions{Errands: c.errands, Now: o.Now, Log: o.Log, Retry: o.Retry, Every: o.Every, GiveUp: o.GiveUp})
	return c
}

// Run works until ctx ends; what is being done then is finished.
func (c *Clerk) Run(ctx context.Context, changed <-chan struct{}) { c.courier.Run(ctx, changed) }

// Status says how many items wait to be made, since when, and the last failure.
func (c *Clerk) Status() bot.Waiting { return c.courier.Status() }

// errands are what is to be made, then what is to be read, a lane for each tracker.
func (c *Clerk) errands(ctx context.Context) ([]bot.Errand, error) {
	all, err := c.o.Desk.Exports(ctx, c.o.Now())
	var made, read []bot.Errand
	for _, e := range all {
		if e.Read {
			read = append(read, bot.Errand{Key: e.Key + "/read", Lane: e.Tracker, Do: func(ctx context.Context) error { return c.read(ctx, e) }})
			continue
		}
		made = append(made, bot.Errand{Key: e.Key, Lane: e.Tracker, Since: e.Asked, Do: func(ctx context.Context) error { return c.make(ctx, e) },
			Late: func(err error, again time.Time) {
				c.o.Desk.ExportDelayed(e, commands.Exported{Text: bot.TroubleText(err), Next: next(err, e)}, again, c.o.Post)
			}})
	}
	return append(made, read...), err
}

// make makes an item unless it is there, and settles it in the record.
func (c *Clerk) make(ctx context.Context, e commands.Export) error {
	t, ok := c.o.Trackers[e.Tracker]
	if !ok {
		return c.settle(ctx, e, commands.Exported{Failed: true, Text: "the configuration has no " + e.Tracker, Next: "Add it under tasks and restart certmedic. " + next(nil, e)})
	}
	p, err := c.place(ctx, t, e)
	p.Ref, p.URL = short(bot.Clean(p.Ref), 120), webAddress(p.URL)
	if err == nil {
		return c.settle(ctx, e, commands.Exported{Ref: p.Ref, URL: p.URL})
	}
	failed, again := c.courier.Judge(err, e.Asked)
	if again != nil {
		return again
	}
	return c.settle(ctx, e, commands.Exported{Failed: true, Text: failed, Next: next(err, e)})
}

func (c *Clerk) settle(ctx context.Context, e commands.Export, o commands.Exported) error {
	ctx = context.WithoutCancel(ctx)
	if o.Failed {
		c.courier.Failed(o.Text)
	}
	if err := c.o.Desk.Exported(ctx, e, o, c.o.Post); err != nil {
		return err
	}
	return c.o.Notes.Put(ctx, bot.Note{Key: tried(e)})
}

func tried(e commands.Export) string { return "tried/" + e.Marker }

// place finds an item or makes it. The attempt is written down first: when its
// answer is lost, the item is looked for until it must be in the list.
func (c *Clerk) place(ctx context.Context, t Tracker, e commands.Export) (Place, error) {
	p, found, err := t.Find(ctx, e)
	if err != nil || found {
		return p, err
	}
	ns, err := c.o.Notes.List(ctx, tried(e))
	if err != nil {
		return p, fmt.Errorf("read when it was tried: %w", err)
	}
	for _, n := range ns {
		at, err := time.Parse(time.RFC3339Nano, string(n.Value))
		if left := c.o.Settle - c.o.Now().Sub(at); err == nil && n.Key == tried(e) && left > 0 && left <= c.o.Settle {
			return p, &Trouble{Text: "it may have been made just now; it is looked for again", After: left}
		}
	}
	if err := c.o.Notes.Put(ctx, bot.Note{Key: tried(e), Value: []byte(c.o.Now().UTC().Format(time.RFC3339Nano))}); err != nil {
		return p, fmt.Errorf("write down that it is tried: %w", err)
	}
	p, err = t.Make(ctx, e)
	var trouble *Trouble
	if errors.As(err, &trouble) && trouble.None {
		if noted := c.o.Notes.Put(ctx, bot.Note{Key: tried(e)}); noted != nil {
			return p, errors.Join(err, noted)
		}
	}
	return p, err
}

// read reads an item's state. One that cannot be read any more is told of once
// a day.
func (c *Clerk) read(ctx context.Context, e commands.Export) error {
	t, ok := c.o.Trackers[e.Tracker]
	if !ok {
		return c.o.Desk.Unread(ctx, e, commands.Exported{Text: "the configuration has no " + e.Tracker}, nil)
	}
	s, err := t.State(ctx, e)
	s.By, s.How = short(bot.Clean(s.By), 80), short(bot.Clean(s.How), 80)
	var trouble *Trouble
	switch {
	case err == nil:
		return c.o.Desk.Saw(ctx, e, s, c.o.Post)
	case errors.As(err, &trouble) && trouble.Final:
		return c.o.Desk.Unread(ctx, e, commands.Exported{Text: bot.TroubleText(err), Next: trouble.Next}, c.o.Post)
	case trouble != nil && trouble.After > 0:
		return &bot.Later{After: trouble.After, Err: err}
	}
	return err
}

// next is what to do after an error.
func next(err error, e commands.Export) string {
	again := "Then: /incident task export " + e.Task + " --to " + e.Tracker
	var trouble *Trouble
	if errors.As(err, &trouble) && trouble.Next != "" {
		return trouble.Next + " " + again
	}
	if err == nil {
		return again
	}
	return "It stays in the record in any case: /incident task list"
}
