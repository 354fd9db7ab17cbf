package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// This file holds the inbox: a delivery is recorded, then acknowledged, then
// worked on, one after the other for each person. What was recorded and not
// done is done at the next start.

// envelope is one delivery. On disk it is JSON with V 1; a reader refuses a
// higher one, new fields may join, none changes its meaning.
type envelope struct {
	V       int             `json:"v"`
	ID      string          `json:"id"`   // the same delivery has the same
	Kind    string          `json:"kind"` // "interaction", "MESSAGE_REACTION_ADD", ...
	By      string          `json:"by,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Lines   []string        `json:"lines,omitempty"`   // that a filled form stands for
	Private bool            `json:"private,omitempty"` // deferred for its person alone
	Defer   int             `json:"defer,omitempty"`   // the kind of deferral
	Acked   bool            `json:"acked,omitempty"`   // Discord took the deferral
	At      time.Time       `json:"at"`
	Done    time.Time       `json:"done,omitzero"`
}

// keepDone is how long a delivery is known after it was done, so that a
// repetition does nothing.
const keepDone = 6 * time.Hour

// perhaps is how long a delivery that failed is tried.
const perhaps = 30 * time.Minute

// firstTime is how long Discord waits for the first response, a little less.
const firstTime = 2800 * time.Millisecond

func (e envelope) key() string { return "in/" + e.ID }

func (e envelope) request() string { return "discord/" + e.ID }

// ask is an interaction that is being worked on.
type ask struct {
	to    asker
	taken chan struct{} // closed when the feed has put its public answer into the outbox
}

var errClosed = errors.New("certmedic is stopping")

// responder gives an interaction its first response: by the callback URL, or
// as the answer to the POST. alive: the interaction can be answered further.
type responder func(ctx context.Context, kind int, data any) (alive bool)

// take records a delivery and has it worked on; the place among the person's
// deliveries is taken before it returns. taken is called once it is on the
// record (first: it was not there before) or cannot be.
func (d *Discord) take(ctx context.Context, e envelope, taken func(e envelope, first bool, err error) (alive bool)) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		taken(e, false, errClosed)
		return
	}
	d.work.Add(1)
	e.V, e.At = 1, d.o.Now().UTC()
	turn, over := d.queue(e)
	d.mu.Unlock()
	go func() {
		defer d.work.Done()
		defer over()
		first, err := d.record(ctx, e)
		alive := taken(e, first, err)
		if err != nil || !first {
			return
		}
		e.Acked = alive
		if b, err := json.Marshal(e); alive && err == nil {
			if err := d.o.Notes.Put(context.WithoutCancel(ctx), note(e.key(), b)); err != nil {
				d.o.Log.Error("discord: that a delivery is acknowledged cannot be recorded", "error", err)
			}
		}
		d.do(e, turn, !alive)
	}()
}

func (d *Discord) record(ctx context.Context, e envelope) (first bool, err error) {
	b, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	return d.o.Notes.Add(context.WithoutCancel(ctx), note(e.key(), b))
}

func (d *Discord) recordedAlready(ctx context.Context, e envelope) bool {
	ns, err := d.o.Notes.List(ctx, e.key())
	return err == nil && slices.ContainsFunc(ns, func(n bot.Note) bool { return n.Key == e.key() })
}

// queue takes a place behind the person's earlier deliveries. d.mu is held.
func (d *Discord) queue(e envelope) (turn <-chan struct{}, over func()) {
	who := or(e.By, e.ID)
	before, mine := d.workers[who], make(chan struct{})
	d.workers[who] = mine
	return before, func() {
		if before != nil {
			<-before
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		close(mine)
		if d.workers[who] == mine {
			delete(d.workers, who)
		}
	}
}

// do works on a delivery when its turn comes, and writes down that it is done.
// One that Discord does not let us answer is tried for half an hour.
func (d *Discord) do(e envelope, turn <-chan struct{}, dead bool) {
	if turn != nil {
		select {
		case <-turn:
		case <-d.working.Done():
			return
		}
	}
	select {
	case <-d.ready:
	case <-d.working.Done():
		return
	}
	w := &worker{d: d, e: e, dead: dead}
	for n := 0; ; n++ {
		err := w.handle(d.working)
		if d.working.Err() != nil {
			return // the next start does it
		}
		if err == nil {
			break
		}
		if n >= 3 && d.o.Now().Sub(e.At) > perhaps {
			d.o.Log.Error("discord: an answer is given up", "id", e.ID, "error", words(err))
			break
		}
		d.o.Log.Warn("discord: an answer is not delivered yet", "id", e.ID, "error", words(err))
		if !d.pause(d.working, n, err) {
			return
		}
	}
	e.Done, e.Payload = d.o.Now().UTC(), nil
	b, err := json.Marshal(e)
	if err == nil {
		err = d.o.Notes.Put(context.WithoutCancel(d.working), note(e.key(), b))
	}
	if err != nil {
		d.o.Log.Error("discord: that a delivery is done cannot be recorded", "id", e.ID, "error", err)
	}
}

// worker does one delivery. It remembers between tries what was reached.
type worker struct {
	d    *Discord
	e    envelope
	dead bool // its interaction cannot be answered any more
	gone bool // the public deferral was taken away
}

// handle does what a delivery asks. A panic is logged and not tried again.
func (w *worker) handle(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.d.o.Log.Error("discord: panic", "id", w.e.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = nil
		}
	}()
	if w.e.Kind != "interaction" {
		return w.d.chatEvent(ctx, w.e)
	}
	i, err := readInteraction(w.e.Payload)
	if err != nil {
		return nil
	}
	return w.interaction(ctx, i)
}

// recover works on what an earlier process recorded and did not do.
func (d *Discord) recover(ctx context.Context) error {
	es, err := d.recorded(ctx)
	if err != nil {
		return err
	}
	es = slices.DeleteFunc(es, func(e envelope) bool { return !e.Done.IsZero() })
	slices.SortStableFunc(es, func(a, b envelope) int { return a.At.Compare(b.At) })
	for _, e := range es {
		i, _ := readInteraction(e.Payload)
		d.remember(e, i)
		d.mu.Lock()
		d.work.Add(1)
		turn, over := d.queue(e)
		d.mu.Unlock()
		go func() {
			defer d.work.Done()
			defer over()
			if e.Kind == "interaction" && !e.Acked {
				alive := d.isAnswered(d.working, i) || d.callback(i)(d.working, e.Defer, deferral(e))
				d.do(e, turn, !alive)
				return
			}
			d.do(e, turn, false)
		}()
	}
	if len(es) > 0 {
		d.o.Log.Info("discord: deliveries of before are worked on", "number", len(es))
	}
	return nil
}

func (d *Discord) recorded(ctx context.Context) ([]envelope, error) {
	ns, err := d.o.Notes.List(ctx, "in/")
	if err != nil {
		return nil, fmt.Errorf("read Discord's inbox: %w", err)
	}
	var es []envelope
	for _, n := range ns {
		var e envelope
		if err := json.Unmarshal(n.Value, &e); err != nil || e.V > 1 {
			return nil, fmt.Errorf("delivery %s cannot be read (version %d): %w", n.Key, e.V, errors.Join(err))
		}
		es = append(es, e)
	}
	return es, nil
}

// sweep forgets what was done long ago.
func (d *Discord) sweep(ctx context.Context) error {
	for {
		es, err := d.recorded(ctx)
		if err != nil {
			d.o.Log.Error("discord: sweep", "error", err)
		}
		for _, e := range es {
			if !e.Done.IsZero() && d.o.Now().Sub(e.Done) > keepDone {
				if err := d.o.Notes.Put(ctx, note(e.key(), nil)); err != nil {
					break
				}
			}
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

// remember makes a public deferral known to the feed, which answers it.
func (d *Discord) remember(e envelope, i interaction) *ask {
	a := &ask{to: askerOf(e, i), taken: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.asks[e.request()]; old != nil {
		return old
	}
	if len(d.asks) > 2000 {
		for k, o := range d.asks {
			if d.o.Now().Sub(o.to.at) > perhaps {
				delete(d.asks, k)
			}
		}
	}
	d.asks[e.request()] = a
	return a
}

func (d *Discord) asked(request string) *ask {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asks[request]
}

func (d *Discord) forget(e envelope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.asks, e.request())
}

// deferral is the data of an envelope's first response.
func deferral(e envelope) any {
	if e.Private && e.Defer == sayDefer {
		return map[string]any{"flags": flagEphemeral}
	}
	return nil
}

// callback responds by the callback URL. When it is not known whether a
// response was taken, Discord is asked: a second one would be refused.
func (d *Discord) callback(i interaction) responder {
	return func(ctx context.Context, kind int, data any) bool {
		ctx, cancel := context.WithTimeout(ctx, firstTime)
		defer cancel()
		body := map[string]any{"type": kind}
		if data != nil {
			body["data"] = data
		}
		for n := 0; ; n++ {
			err := d.api.call(ctx, http.MethodPost, "interactions/"+i.ID+"/"+i.Token+"/callback", body, nil)
			switch {
			case err == nil || code(err) == alreadyAnswered:
				return true
			case code(err) != 0:
				d.o.Log.Warn("discord: an interaction cannot be answered in time", "what", actionName(i), "error", words(err))
				return false
			}
			var l *limited
			if !errors.As(err, &l) {
				if kind != sayDefer {
					return true // it is not repeated; what comes next tells
				}
				if d.isAnswered(ctx, i) {
					return true
				}
			}
			if ctx.Err() != nil || !d.pause(ctx, min(n, 1), err) {
				return false
			}
		}
	}
}

// isAnswered reports whether Discord has a first response of ours.
func (d *Discord) isAnswered(ctx context.Context, i interaction) bool {
	return d.api.call(ctx, http.MethodGet, askerOf(envelope{}, i).original(), nil, nil) == nil
}

var _ bot.Sender = (*Discord)(nil)
