package renew

import (
	"context"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file hands events over: they are queued in the transaction of what they
// tell, delivered by one goroutine, and taken out after Emit returned nil. A
// process killed in between delivers them again, with the same Key.

const (
	sendPage   = 64                     // events read, and taken out, at a time
	sweepAfter = 300 * time.Millisecond // delivered ones are taken out together
	sendAgain  = 100 * time.Millisecond // first pause after Emit failed, doubled up to sendMost
	sendMost   = 30 * time.Second
)

// deliver hands events over until ctx ends, and then what is left, within drainFor.
func (r *Runner) deliver(ctx context.Context) {
	s := sender{r: r, sent: map[string]bool{}}
	again := time.Duration(0)
	for {
		failed := s.pass(ctx)
		if failed {
			again = min(max(2*again, sendAgain), sendMost)
		} else {
			again = 0
		}
		if s.wait(ctx, again) {
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
		type entry struct {
			key   string
			value []byte
		}
		var page []entry
		err := s.r.o.Store.View(ctx, func(tx store.Tx) error {
			page = nil
			return tx.Scan(store.Range{Prefix: prefixEvent, From: from, Limit: sendPage}, func(k string, v []byte) error {
				page = append(page, entry{k, v})
				return nil
			})
		})
		if err != nil {
			if ctx.Err() == nil {
				s.r.o.Log.Error("events could not be read", "error", err)
			}
			return true
		}
		for _, p := range page {
			if ctx.Err() != nil {
				return failed
			}
			from = p.key + "\x00"
			if s.sent[p.key] {
				continue
			}
			var d diskEvent
			if err := unpack(p.key, p.value, &d); err != nil {
				s.r.o.Log.Error("event cannot be read and waits", "event", p.key, "error", err)
				continue
			}
			if blocked[d.Name] {
				continue
			}
			if err := s.r.o.Emit(ctx, s.r.event(d)); err != nil {
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
