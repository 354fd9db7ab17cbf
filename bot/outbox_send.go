package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// pruneEvery is how often old places are looked for.
const pruneEvery = 12 * time.Hour

// Run sends until ctx ends; what is being sent then is finished.
func (b *Outbox) Run(ctx context.Context) error {
	b.mu.Lock()
	err := b.load(ctx)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	var pruned time.Time
	for {
		if now := b.o.Now(); now.Sub(pruned) > pruneEvery {
			if n, err := b.Prune(ctx); err != nil && ctx.Err() == nil {
				b.o.Log.Error("forget the places of old messages", "error", err)
			} else if n > 0 {
				b.o.Log.Info("the places of old messages are forgotten", "number", n)
			}
			pruned = now
		}
		next := b.start(ctx, &sending)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-b.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// start begins what is due and returns how long until something else is.
func (b *Outbox) start(ctx context.Context, sending *sync.WaitGroup) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, next := b.o.Now(), time.Minute
	soon := func(t time.Time) { next = min(next, max(t.Sub(now), time.Millisecond)) }
	if ctx.Err() != nil {
		return 0
	}
	if b.pause.After(now) {
		return min(b.pause.Sub(now), next)
	}
	for _, l := range b.lanes {
		if l.busy || len(l.q) == 0 {
			continue
		}
		if l.hold.After(now) {
			soon(l.hold)
			continue
		}
		l.tokens = min(float64(b.o.Burst), l.tokens+float64(now.Sub(l.filled))/float64(b.o.Every))
		l.filled = now
		if l.tokens < 1 {
			soon(now.Add(time.Duration((1 - l.tokens) * float64(b.o.Every))))
			continue
		}
		i := l.due(now, b.o.Edits, soon)
		if i < 0 {
			continue
		}
		l.tokens--
		l.busy, l.q[i].flying = true, true
		p := l.q[i]
		sending.Go(func() {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.o.Limit)
			defer cancel()
			b.settle(bounded, l, p)
			b.poke()
		})
	}
	return next
}

// due is the index of the first parcel that may go now, or -1. An edit that
// comes too soon lets those behind it pass.
func (l *outLane) due(now time.Time, edits time.Duration, soon func(time.Time)) int {
	for key, at := range l.said {
		if now.Sub(at) > edits {
			delete(l.said, key)
		}
	}
	for i, p := range l.q {
		at, recent := l.said[p.Key]
		if p.Key == "" || !recent {
			return i
		}
		soon(at.Add(edits))
	}
	return -1
}

// settle sends a parcel and writes down what became of it.
func (b *Outbox) settle(ctx context.Context, l *outLane, p Parcel) {
	place, uncertain, err := b.send(ctx, p)
	if err == nil || errors.Is(err, ErrRefused) {
		notes := []Note{{Key: p.key()}}
		if err == nil && p.Key != "" && place != "" {
			notes = append(notes, placeNote(p.Lane, p.Key, place, b.o.Now()))
		}
		if wrote := b.o.Notes.Put(context.WithoutCancel(ctx), notes...); wrote != nil { // also at the last moment: it was sent
			// It stays: it is looked for before it is said again.
			err, uncertain = fmt.Errorf("write down that it was sent: %w", wrote), true
		} else if err != nil {
			b.o.Log.Error("a message was refused and is dropped", "lane", p.Lane, "key", p.Key, "error", err)
			err = nil
			place = ""
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var later *Later
	quiet := errors.As(err, &later) && later.Quiet
	if !quiet {
		b.err = err
	}
	l.busy, l.filled = false, b.o.Now() // who is told counts from when it came there, which may be as late as now
	i := slices.IndexFunc(l.q, func(q Parcel) bool { return q.N == p.N })
	if err == nil {
		l.fails = 0
		l.q = slices.Delete(l.q, i, i+1)
		if p.Key != "" {
			l.said[p.Key] = b.o.Now()
		}
		return
	}
	l.q[i].flying, l.q[i].Sent = false, uncertain
	wait := b.o.Retry << min(l.fails, 5)
	wait = min(wait, 30*b.o.Retry)
	if later != nil {
		wait = max(later.After, 0)
		if later.All {
			b.pause = b.o.Now().Add(wait)
		}
	} else {
		l.fails++
	}
	l.hold = b.o.Now().Add(wait)
	if quiet {
		return
	}
	b.o.Log.Warn("a message is not sent yet", "lane", p.Lane, "key", p.Key, "again", wait, "error", err)
}

// send does it, once. uncertain: it is not known whether it was done.
func (b *Outbox) send(ctx context.Context, p Parcel) (place string, uncertain bool, err error) {
	place, err = b.Place(ctx, p.Lane, p.Key)
	if err != nil {
		return "", p.Sent, err
	}
	if place != "" {
		err = b.o.Sender.Edit(ctx, p, place)
		if !errors.Is(err, ErrGone) {
			return place, false, err // an edit may be repeated
		}
	}
	if p.Sent {
		place, err = b.o.Sender.Find(ctx, p)
		if err != nil && !errors.Is(err, ErrRefused) {
			return "", true, fmt.Errorf("look whether it was said: %w", err)
		}
		if err == nil && place != "" {
			return place, false, nil
		}
	}
	p.Sent = true // the intent stands before the act
	n, err := p.note()
	if err == nil {
		err = b.o.Notes.Put(ctx, n)
	}
	if err != nil {
		return "", false, err
	}
	place, err = b.o.Sender.Post(ctx, p)
	var later *Later
	return place, err != nil && !errors.As(err, &later), err
}
