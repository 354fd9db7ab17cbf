package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// This file holds the inbox of a chat platform: a delivery is recorded, then
// acknowledged, then worked on, one after the other for each person. What was
// recorded and not done is done at the next start. How a platform acknowledges
// and what a delivery asks for are the adapter's.

// Delivery is one thing that a platform sent: a command, a press, an event. On
// disk it is JSON with V 1, under in/<id>; a reader refuses a higher one, new
// fields may join, none changes its meaning.
type Delivery struct {
	V       int             `json:"v"`
	ID      string          `json:"id"`   // the same delivery has the same
	Kind    string          `json:"kind"` // in the platform's words
	By      string          `json:"by,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Lines   []string        `json:"lines,omitempty"`   // that a filled form stands for
	Private bool            `json:"private,omitempty"` // the answer is promised to its person alone
	Defer   int             `json:"defer,omitempty"`   // how it was acknowledged, in the platform's words
	Acked   bool            `json:"acked,omitempty"`   // the platform took the acknowledgement
	At      time.Time       `json:"at"`
	Done    time.Time       `json:"done,omitzero"`

	View string `json:"-"` // of this process alone: the view that its answer goes to
}

// Key is where the delivery stands in the adapter's notes.
func (d Delivery) Key() string { return "in/" + d.ID }

const (
	keepDone = 6 * time.Hour    // how long a delivery is known after it was done, so that a repetition does nothing
	perhaps  = 30 * time.Minute // how long a delivery that failed is tried
)

// Tried reports whether a delivery is too old to be tried again at now.
func (d Delivery) Tried(now time.Time) bool { return now.Sub(d.At) > perhaps }

// InboxOptions are what an Inbox is made of.
type InboxOptions struct {
	Name  string // of the platform, for the log
	Notes Notes
	Now   func() time.Time
	Log   *slog.Logger
	Words func(error) string                                   // an error without secrets
	Pause func(ctx context.Context, n int, because error) bool // between tries; false: ctx has ended
}

// Inbox keeps deliveries until they are done.
type Inbox struct {
	o    InboxOptions
	link *Link
	mu   sync.Mutex
	last map[string]chan struct{} // of each person: closed when their last delivery is over
}

// NewInbox makes an Inbox.
func NewInbox(o InboxOptions) *Inbox { return &Inbox{o: o, last: map[string]chan struct{}{}} }

// Queue takes a place behind somebody's earlier deliveries. turn, when not
// nil, is closed when it is theirs; over gives the place up.
func (b *Inbox) Queue(who string) (turn <-chan struct{}, over func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, mine := b.last[who], make(chan struct{})
	b.last[who] = mine
	return before, func() {
		if before != nil {
			<-before
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		close(mine)
		if b.last[who] == mine {
			delete(b.last, who)
		}
	}
}

// Record puts a delivery on the record. first is false when it was there.
func (b *Inbox) Record(ctx context.Context, d Delivery) (first bool, err error) {
	v, err := json.Marshal(d)
	if err != nil {
		return false, err
	}
	return b.o.Notes.Add(context.WithoutCancel(ctx), Note{Key: d.Key(), Value: v})
}

// Keep writes a recorded delivery anew.
func (b *Inbox) Keep(ctx context.Context, d Delivery) error {
	v, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return b.o.Notes.Put(context.WithoutCancel(ctx), Note{Key: d.Key(), Value: v})
}

// Has reports whether a delivery is on the record.
func (b *Inbox) Has(ctx context.Context, d Delivery) bool {
	ns, err := b.o.Notes.List(ctx, d.Key())
	return err == nil && slices.ContainsFunc(ns, func(n Note) bool { return n.Key == d.Key() })
}

// ErrStopping refuses a delivery at the program's end.
var ErrStopping = errors.New("certmedic is stopping")

// Take records a delivery of somebody's. It returns at once; the place among
// that person's deliveries is taken before. then is called once it is on the
// record (first: it was not there before) or cannot be, and works on it.
func (b *Inbox) Take(ctx context.Context, d Delivery, who string, then func(d Delivery, turn <-chan struct{}, first bool, err error)) {
	if !b.link.Begin() {
		then(d, nil, false, ErrStopping)
		return
	}
	d.V, d.At = 1, b.o.Now().UTC()
	turn, over := b.Queue(who)
	go func() {
		defer b.link.End()
		defer over()
		first, err := b.Record(ctx, d)
		then(d, turn, first, err)
	}()
}

// Recover works on what an earlier process recorded and did not do.
func (b *Inbox) Recover(ctx context.Context, who func(Delivery) string, work func(d Delivery, turn <-chan struct{})) error {
	ds, err := b.Undone(ctx)
	for _, d := range ds {
		if !b.link.Begin() {
			break
		}
		turn, over := b.Queue(who(d))
		go func() {
			defer b.link.End()
			defer over()
			work(d, turn)
		}()
	}
	return err
}

// Do works on a delivery when its turn comes and the platform is ready, and
// writes down that it is done. One that the platform does not let us answer is
// tried for half an hour; when ctx ends, the next start does it.
func (b *Inbox) Do(ctx context.Context, d Delivery, turn, ready <-chan struct{}, handle func(ctx context.Context) error) {
	if turn != nil {
		select {
		case <-turn:
		case <-ctx.Done():
			return
		}
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	for n := 0; ; n++ {
		err := handle(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		if n >= 3 && d.Tried(b.o.Now()) {
			b.o.Log.Error(b.o.Name+": an answer is given up", "id", d.ID, "error", b.o.Words(err))
			break
		}
		b.o.Log.Warn(b.o.Name+": an answer is not delivered yet", "id", d.ID, "error", b.o.Words(err))
		if !b.o.Pause(ctx, n, err) {
			return
		}
	}
	b.Done(ctx, d)
}

// Done writes down that a delivery is done; what it said is not kept.
func (b *Inbox) Done(ctx context.Context, d Delivery) {
	d.Done, d.Payload, d.Lines = b.o.Now().UTC(), nil, nil
	if err := b.Keep(ctx, d); err != nil {
		b.o.Log.Error(b.o.Name+": that a delivery is done cannot be recorded", "id", d.ID, "error", err)
	}
}

// All returns every delivery on the record.
func (b *Inbox) All(ctx context.Context) ([]Delivery, error) {
	ns, err := b.o.Notes.List(ctx, "in/")
	if err != nil {
		return nil, fmt.Errorf("read the inbox of %s: %w", b.o.Name, err)
	}
	var all []Delivery
	for _, n := range ns {
		var d Delivery
		if err := json.Unmarshal(n.Value, &d); err != nil || d.V > 1 {
			return nil, fmt.Errorf("delivery %s cannot be read (version %d): %w", n.Key, d.V, errors.Join(err))
		}
		all = append(all, d)
	}
	return all, nil
}

// Undone returns what an earlier process recorded and did not do, in order.
func (b *Inbox) Undone(ctx context.Context) ([]Delivery, error) {
	all, err := b.All(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d Delivery) bool { return !d.Done.IsZero() })
	slices.SortStableFunc(all, func(x, y Delivery) int { return x.At.Compare(y.At) })
	if len(all) > 0 {
		b.o.Log.Info(b.o.Name+": deliveries of before are worked on", "number", len(all))
	}
	return all, nil
}

// Sweep forgets, every hour until ctx ends, what was done long ago.
func (b *Inbox) Sweep(ctx context.Context, also ...func(context.Context)) error {
	for {
		all, err := b.All(ctx)
		if err != nil {
			b.o.Log.Error(b.o.Name+": sweep", "error", err)
		}
		for _, d := range all {
			if !d.Done.IsZero() && b.o.Now().Sub(d.Done) > keepDone {
				if err := b.o.Notes.Put(ctx, Note{Key: d.Key()}); err != nil {
					break
				}
			}
		}
		for _, f := range also {
			f(ctx)
		}
		t := time.NewTimer(time.Hour)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}
