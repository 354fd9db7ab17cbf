package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// This file holds what Discord delivers: how it is taken onto the record and
// acknowledged, and what it asks for. bot.Inbox keeps it until it is done.

// envelope is one delivery.
type envelope = bot.Delivery

// firstTime is how long Discord waits for the first response, a little less.
const firstTime = 2800 * time.Millisecond

// request is the id of the request that a delivery becomes.
func request(e envelope) string { return "discord/" + e.ID }

// ask is an interaction that is being worked on.
type ask struct {
	to    asker
	taken chan struct{} // closed when the feed has put its public answer into the outbox
}

// responder gives an interaction its first response: by the callback URL, or
// as the answer to the POST. alive: the interaction can be answered further.
type responder func(ctx context.Context, kind int, data any) (alive bool)

// take records a delivery and has it worked on; the place among the person's
// deliveries is taken before it returns. taken is called once it is on the
// record (first: it was not there before) or cannot be.
func (d *Discord) take(ctx context.Context, e envelope, taken func(e envelope, first bool, err error) (alive bool)) {
	d.in.Take(ctx, e, or(e.By, e.ID), func(e envelope, turn <-chan struct{}, first bool, err error) {
		alive := taken(e, first, err)
		if err != nil || !first {
			return
		}
		e.Acked = alive
		if alive {
			if err := d.in.Keep(ctx, e); err != nil {
				d.o.Log.Error("discord: that a delivery is acknowledged cannot be recorded", "error", err)
			}
		}
		d.do(e, turn, !alive)
	})
}

// do works on a delivery when its turn comes.
func (d *Discord) do(e envelope, turn <-chan struct{}, dead bool) {
	w := &worker{d: d, e: e, dead: dead}
	d.in.Do(d.link.Working(), e, turn, d.ready, w.handle)
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
	if w.e.Kind == "MESSAGE_CREATE" {
		return w.d.help(ctx, w.e)
	}
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
	return d.in.Recover(ctx, func(e envelope) string {
		i, _ := readInteraction(e.Payload)
		d.remember(e, i) // before the feed, which answers it
		return or(e.By, e.ID)
	}, func(e envelope, turn <-chan struct{}) {
		i, _ := readInteraction(e.Payload)
		alive := e.Kind != "interaction" || e.Acked || d.isAnswered(d.link.Working(), i) || d.callback(i)(d.link.Working(), e.Defer, deferral(e))
		d.do(e, turn, !alive)
	})
}

// sweep forgets what was done long ago.
func (d *Discord) sweep(ctx context.Context) error { return d.in.Sweep(ctx, d.sweepForms) }

// remember makes a public deferral known to the feed, which answers it.
func (d *Discord) remember(e envelope, i interaction) *ask {
	a := &ask{to: askerOf(e, i), taken: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.asks[request(e)]; old != nil {
		return old
	}
	if len(d.asks) > 2000 {
		for k, o := range d.asks {
			if (bot.Delivery{At: o.to.at}).Tried(d.o.Now()) {
				delete(d.asks, k)
			}
		}
	}
	d.asks[request(e)] = a
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
	delete(d.asks, request(e))
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
