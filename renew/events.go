package renew

import (
	"context"
	"slices"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file hands events over: they are queued in the transaction of what they
// tell, delivered by one goroutine, and taken out after Emit returned nil. A
// process killed in between delivers them again, with the same Key.

const (
	sendPage   = 64                     // events read, and taken out, at a time
	sweepAfter = 300 * time.Millisecond // delivered ones are taken out together
	sendBreath = 100 * time.Millisecond // between passes, so that a burst of steps becomes one edit
	sendAgain  = 100 * time.Millisecond // first pause after Emit failed, doubled up to sendMost
	sendMost   = 30 * time.Second
)

// deliver hands events over until ctx ends, and then what is left, within drainFor.
func (r *Runner) deliver(ctx context.Context) {
	s := sender{r: r, sent: map[string]bool{}}
	again := time.Duration(0)
	for {
		began := time.Now()
		failed := s.pass(ctx)
		if failed {
			again = min(max(2*again, sendAgain), sendMost)
		} else {
			again = 0
		}
		if s.wait(ctx, again) || !pause(ctx, r.breath-time.Since(began)) {
			break
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	s.pass(last)
	s.sweep(last)
}

// sender is the state of the one goroutine that delivers.
type sender struct {
	r    *Runner
	sent map[string]bool // delivered, not yet taken out
}

// wait sleeps until there is something to do; true when ctx ended.
func (s *sender) wait(ctx context.Context, again time.Duration) bool {
	var retry, sweep <-chan time.Time
	if again > 0 {
		retry = time.After(again)
	}
	if len(s.sent) > 0 {
		sweep = time.After(sweepAfter)
	}
	for {
		select {
		case <-ctx.Done():
			return true
		case <-s.r.wakeSend:
			return false
		case <-retry:
			return false
		case <-sweep:
			s.sweep(ctx)
			sweep = nil
		}
	}
}

// pass goes through the queue once. A certificate whose event was not taken is
// left alone until the next pass, so that its order is kept.
func (s *sender) pass(ctx context.Context) (failed bool) {
	blocked := map[string]bool{}
	from := prefixEvent
	for ctx.Err() == nil {
		var page []queued
		err := s.r.o.Store.View(ctx, func(tx store.Tx) error {
			page = nil
			return tx.Scan(store.Range{Prefix: prefixEvent, From: from, Limit: sendPage}, func(k string, v []byte) error {
				page = append(page, queued{k, v})
				return nil
			})
		})
		if err != nil {
			if ctx.Err() == nil {
				s.r.o.Log.Error("events could not be read", "error", err)
			}
			return true
		}
		events := s.read(page)
		for i, p := range page {
			if ctx.Err() != nil {
				return failed
			}
			from = p.key + "\x00"
			d := events[i]
			if d.V == 0 || blocked[d.Name] {
				continue
			}
			e := s.r.event(d)
			e.More = followed(events[i+1:], d)
			if err := s.r.o.Emit(ctx, e); err != nil {
				s.r.o.Log.Warn("event was not taken and will be handed over again", "event", d.Key, "certificate", d.Name, "error", err)
				blocked[d.Name], failed = true, true
				continue
			}
			s.sent[p.key] = true
		}
		if len(s.sent) >= sendPage {
			s.sweep(ctx)
		}
		if len(page) < sendPage {
			return failed
		}
	}
	return failed
}

// queued is an event on disk.
type queued struct {
	key   string
	value []byte
}

// read decodes the events of a page. One that was delivered, or cannot be
// read, has version 0.
func (s *sender) read(page []queued) []diskEvent {
	events := make([]diskEvent, len(page))
	for i, p := range page {
		if s.sent[p.key] {
			continue
		}
		if err := unpack(p.key, p.value, &events[i]); err != nil {
			s.r.o.Log.Error("event cannot be read and waits", "event", p.key, "error", err)
			events[i] = diskEvent{}
		}
	}
	return events
}

// followed reports whether a step of the same renewal comes later.
func followed(later []diskEvent, d diskEvent) bool {
	return d.Kind == EventStep && slices.ContainsFunc(later, func(l diskEvent) bool {
		return l.Kind == EventStep && l.Step.Renewal == d.Step.Renewal
	})
}

// sweep takes delivered events out of the queue.
func (s *sender) sweep(ctx context.Context) {
	for len(s.sent) > 0 {
		var keys []string
		for k := range s.sent {
			if keys = append(keys, k); len(keys) == sendPage {
				break
			}
		}
		err := s.r.o.Store.Update(ctx, func(tx store.Tx) error {
			for _, k := range keys {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			if ctx.Err() == nil {
				s.r.o.Log.Error("delivered events could not be taken out", "error", err)
			}
			return
		}
		for _, k := range keys {
			delete(s.sent, k)
		}
	}
}

// event makes what is handed over from what was stored.
func (r *Runner) event(d diskEvent) Event {
	e := Event{Key: d.Key, Kind: d.Kind, At: d.At, Step: Step(d.Step), Renewal: Renewal(d.Renewal), Before: d.Before}
	if d.Standing != nil {
		cert, err := r.certificate(d.Name)
		if err != nil {
			cert = Certificate{Name: d.Name}
		}
		e.Standing = d.Standing.api(cert, d.Issued, d.Open, d.At)
	}
	return e
}
