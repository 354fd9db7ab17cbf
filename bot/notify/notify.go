// Package notify delivers status updates outside the rooms: by mail, to a
// signed webhook, to the Atlassian Statuspage API. What is to be delivered, and
// that it was, stands in the record (commands.Dispatch); here is how.
//
// Each target has a file of its own. A target looks whether a delivery was made
// before it makes it, as far as the service lets it: Statuspage by the metadata
// of its incident, the webhook by the id that its receiver is given, mail by the
// addresses that a server took before.
package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Target delivers to one place.
type Target interface {
	// Deliver makes one delivery, or finds that it was made. An error is a
	// *Trouble (wrapped), or anything else: then it is tried again.
	Deliver(ctx context.Context, m commands.Dispatch) (Receipt, error)
}

// Settler is a Target that is told when the record has a delivery as made: what
// it kept in order not to make it twice may go then, and no earlier.
type Settler interface {
	Settled(ctx context.Context, m commands.Dispatch) error
}

// Receipt says that a delivery was made.
type Receipt struct {
	Text string // "taken by mx.example.com"
	Ref  string // what the target calls it
	Open bool   // the target shows an incident now that is to be ended there
}

// Trouble is an error with words for people.
type Trouble = bot.Trouble

// Desk is what is needed of commands.Desk.
type Desk interface {
	Dispatches(ctx context.Context) ([]commands.Dispatch, error)
	Dispatched(ctx context.Context, m commands.Dispatch, o commands.Outcome, post func(commands.Post)) error
	Delayed(m commands.Dispatch, o commands.Outcome, again time.Time, post func(commands.Post))
}

// Options are what an Office is made of.
type Options struct {
	Desk    Desk
	Targets map[string]Target
	Post    func(commands.Post) // says something in a room; may be nil
	Now     func() time.Time
	Log     *slog.Logger

	GiveUp time.Duration // a delivery that is not made for so long has failed; default 24 h
	Retry  time.Duration // the first pause after a failure; default 5 s, doubled up to 5 min
	Every  time.Duration // it looks at least so often; default 15 s
}

// Office delivers.
type Office struct {
	o       Options
	courier *bot.Courier
}

// New makes an Office.
func New(o Options) *Office {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.GiveUp <= 0 {
		o.GiveUp = 24 * time.Hour
	}
	f := &Office{o: o}
	f.courier = bot.NewCourier(bot.CourierOptions{Errands: f.errands, Now: o.Now, Log: o.Log, Retry: o.Retry, Every: o.Every, GiveUp: o.GiveUp})
	return f
}

// Run delivers until ctx ends; what is being delivered then is finished.
func (f *Office) Run(ctx context.Context, changed <-chan struct{}) { f.courier.Run(ctx, changed) }

// Status says how many deliveries wait, since when, and the last failure.
func (f *Office) Status() bot.Waiting { return f.courier.Status() }

// errands are the deliveries to be made, a lane for each target.
func (f *Office) errands(ctx context.Context) ([]bot.Errand, error) {
	all, err := f.o.Desk.Dispatches(ctx)
	var es []bot.Errand
	for _, m := range all {
		es = append(es, bot.Errand{Key: m.Key, Lane: m.Target, Since: m.Since, Do: func(ctx context.Context) error { return f.deliver(ctx, m) },
			Late: func(err error, again time.Time) {
				f.o.Desk.Delayed(m, commands.Outcome{Text: bot.TroubleText(err), Next: next(err, m)}, again, f.o.Post)
			}})
	}
	return es, err
}

// deliver makes one delivery and settles it in the record, also when it failed
// for good.
func (f *Office) deliver(ctx context.Context, m commands.Dispatch) error {
	t, ok := f.o.Targets[m.Target]
	if !ok {
		return f.settle(ctx, m, commands.Outcome{Failed: true, Text: "the configuration has no target " + m.Target, Next: "Add it under updates.targets and restart certmedic. Then: " + retry(m)})
	}
	got, err := t.Deliver(ctx, m)
	if err == nil {
		return f.made(ctx, t, m, got)
	}
	failed, again := f.courier.Judge(err, m.Since)
	if again != nil {
		return again
	}
	return f.settle(ctx, m, commands.Outcome{Failed: true, Text: failed, Next: next(err, m)})
}

// made settles a delivery that was made.
func (f *Office) made(ctx context.Context, t Target, m commands.Dispatch, got Receipt) error {
	err := f.settle(ctx, m, commands.Outcome{Text: got.Text + " at " + clock(f.o.Now(), m.At), Ref: got.Ref, Open: got.Open})
	if s, ok := t.(Settler); ok && err == nil {
		if err := s.Settled(context.WithoutCancel(ctx), m); err != nil {
			f.o.Log.Warn("notes of a delivery stay behind", "delivery", m.Key, "error", err)
		}
	}
	return err
}

func (f *Office) settle(ctx context.Context, m commands.Dispatch, o commands.Outcome) error {
	if o.Failed {
		f.courier.Failed(o.Text)
	}
	return f.o.Desk.Dispatched(context.WithoutCancel(ctx), m, o, f.o.Post)
}

// clock is a time of the day in UTC, with the date when it is not that of the
// update.
func clock(t, update time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) == update.UTC().Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("2006-01-02 15:04 UTC")
}

func retry(m commands.Dispatch) string {
	return "/incident update retry " + m.Incident + " " + m.Update
}

// next is what to do after an error.
func next(err error, m commands.Dispatch) string {
	var trouble *Trouble
	if errors.As(err, &trouble) && trouble.Next != "" {
		if trouble.Final {
			return trouble.Next + " Then: " + retry(m)
		}
		return trouble.Next
	}
	return "Until it is there, tell those it is for another way. What was sent and what not: /incident update list " + m.Incident
}
