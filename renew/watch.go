package renew

import (
	"context"
	"sync"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file watches the estate: it knows when each certificate is to be looked
// at next, and has that done with bounded concurrency. What was seen is on
// disk; here are only moments.

const (
	maxProbes    = 16 // endpoints probed at a time
	maxAsked     = 8  // endpoints that people ask for, probed at a time
	maxChecks    = 8  // certificates checked at a time
	maxAsks      = 2  // rehearsals and window requests at a time
	watchTick    = 250 * time.Millisecond
	flushAfter   = 2 * time.Second // unchanged standings are written together
	flushMost    = 20              // of them in one transaction
	rehearseBad  = time.Hour       // a faulty rehearsal is repeated sooner
	rehearseSoon = 2 * time.Second // after the start
	windowFor    = 30 * time.Second
)

type watch struct {
	certs  map[string]*watched // fixed after init
	probes chan struct{}
	asked  chan struct{}

	writing sync.RWMutex // held whole while waiting standings are written, shared for one that is told at once

	mu      sync.Mutex
	pending map[string]diskStanding // newer than on disk
	since   time.Time               // when the oldest of pending came
}

// watched is one certificate's place in the schedule.
type watched struct {
	probing chan struct{} // one check at a time
	editing sync.Mutex    // one change of the standing at a time

	mu         sync.Mutex
	checkAt    time.Time
	rehearseAt time.Time
	windowAt   time.Time
	checking   bool
	asking     bool
}

func (w *watch) init(certs []Certificate) {
	w.certs, w.pending = map[string]*watched{}, map[string]diskStanding{}
	w.probes, w.asked = make(chan struct{}, maxProbes), make(chan struct{}, maxAsked)
	for _, c := range certs {
		w.certs[c.Name] = &watched{probing: make(chan struct{}, 1)}
	}
}

func (w *watch) of(cert string) *watched { return w.certs[cert] }

// expiresNext is the earliest end of a leaf served that was still to come when
// it was looked at; zero: none. A check ends later than most of its looks: one
// host that does not answer holds it up, and meanwhile another's leaf expires.
func (st diskStanding) expiresNext() (next time.Time) {
	for _, rep := range st.Reports {
		at := st.Checked
		if !rep.At.IsZero() && rep.At.Before(at) {
			at = rep.At
		}
		for _, a := range rep.Addresses {
			end := a.Leaf.NotAfter
			if end.Add(time.Second).After(at) && (next.IsZero() || end.Before(next)) {
				next = end
			}
		}
	}
	return next
}

// schedule sets the next check: after every, or just after the next leaf
// expires (its last second counts in).
func (w *watch) schedule(cert string, st diskStanding, every time.Duration, now time.Time) {
	s := w.of(cert)
	s.mu.Lock()
	defer s.mu.Unlock()
	next := st.Checked.Add(every)
	if end := st.expiresNext(); !end.IsZero() && end.Before(next) {
		next = end.Add(time.Second + 50*time.Millisecond)
	}
	if st.Checked.IsZero() {
		next = now
	}
	s.checkAt = next
}

// askWindow has the CA asked for the window soon.
func (w *watch) askWindow(cert string) {
	s := w.of(cert)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windowAt = time.Time{}
}

// keep has a standing written with others.
func (w *watch) keep(cert string, st diskStanding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 {
		w.since = time.Now()
	}
	w.pending[cert] = st
}

func (w *watch) forget(cert string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, cert)
}

// waiting returns a standing that is not on disk yet.
func (w *watch) waiting(cert string) (diskStanding, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st, ok := w.pending[cert]
	return st, ok
}

// flushDue reports whether waiting standings should be written now.
func (w *watch) flushDue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending) >= flushMost || (len(w.pending) > 0 && time.Since(w.since) >= flushAfter)
}

// flushStandings writes what waits.
func (r *Runner) flushStandings(ctx context.Context) error {
	r.watch.writing.Lock()
	defer r.watch.writing.Unlock()
	for {
		batch := map[string]diskStanding{}
		r.watch.mu.Lock()
		for c, st := range r.watch.pending {
			if batch[c] = st; len(batch) == flushMost {
				break
			}
		}
		r.watch.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		values := map[string][]byte{}
		for c, st := range batch {
			values[keyStanding(c)] = pack(st)
		}
		err := r.o.Store.Update(ctx, func(tx store.Tx) error {
			for k, v := range values {
				if err := tx.Put(k, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		r.watch.mu.Lock()
		for c, st := range batch {
			if now, ok := r.watch.pending[c]; ok && now.same(st) {
				delete(r.watch.pending, c)
			}
		}
		r.watch.mu.Unlock()
	}
}

// same reports whether nothing was taken in between.
func (st diskStanding) same(o diskStanding) bool {
	return st.Checked.Equal(o.Checked) && st.Rehearsed.Equal(o.Rehearsed) && st.WindowAsked.Equal(o.WindowAsked) &&
		st.Window.RetryAfter.Equal(o.Window.RetryAfter) && st.RenewAt.Equal(o.RenewAt)
}

// watchEstate runs the schedule until ctx ends.
func (r *Runner) watchEstate(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	checks, asks := make(chan struct{}, maxChecks), make(chan struct{}, maxAsks)
	free := make(chan struct{}, 1) // a slot has become free
	r.planWatch(ctx)
	last := r.now().Round(0)          // by the wall, as the schedule is
	tick := time.NewTicker(watchTick) // short, so that a clock that jumps is noticed
	defer tick.Stop()
	for {
		now := r.now().Round(0)
		if back := last.Sub(now); back > time.Second { // all that is planned lies too far ahead
			r.o.Log.Warn("the clock went back; the estate is looked at now", "by", back)
			r.planWatch(ctx)
		}
		last = now
		for n := range r.o.Inventory.Certificates {
			c := &r.o.Inventory.Certificates[n] // no copy: this goes on all day, mostly for nothing
			s := r.watch.of(c.Name)
			if r.o.CheckEvery > 0 && len(c.Endpoints) > 0 && s.takeCheck(now, checks) {
				jobs.Go(func() {
					defer func() { <-checks; poke(free) }()
					r.checkOnce(ctx, *c, s)
				})
			}
			if job := s.takeAsk(now, asks); job != "" {
				jobs.Go(func() {
					defer func() { <-asks; poke(free) }()
					r.askOnce(ctx, *c, s, job)
				})
			}
		}
		if r.watch.flushDue() {
			if err := r.flushStandings(ctx); err != nil && ctx.Err() == nil {
				r.o.Log.Error("checks could not be written", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-free:
		}
	}
}

// planWatch reads when each certificate was looked at last.
func (r *Runner) planWatch(ctx context.Context) {
	now := r.now()
	for _, c := range r.o.Inventory.Certificates {
		f, err := r.facts(ctx, c)
		if err != nil && ctx.Err() == nil {
			r.o.Log.Error("the last check could not be read", "certificate", c.Name, "error", err)
		}
		s := r.watch.of(c.Name)
		s.mu.Lock()
		s.checkAt, s.windowAt = now, now
		if r.o.CheckEvery < 0 {
			s.windowAt = now.AddDate(1, 0, 0) // only after a renewal
		}
		s.rehearseAt = f.st.nextRehearsal(r.o.RehearseEvery)
		if soon := now.Add(rehearseSoon); !s.rehearseAt.IsZero() && s.rehearseAt.Before(soon) {
			s.rehearseAt = soon
		}
		if most := now.Add(r.o.RehearseEvery); s.rehearseAt.After(most) { // the last one lies ahead of the clock
			s.rehearseAt = most
		}
		s.mu.Unlock()
	}
}

// nextRehearsal is when to rehearse next; zero: never.
func (st diskStanding) nextRehearsal(every time.Duration) time.Time {
	if every < 0 {
		return time.Time{}
	}
	if len(faults(st.Rehearsal)) > 0 {
		every = min(every, rehearseBad)
	}
	if st.Rehearsed.IsZero() {
		return time.Unix(0, 0)
	}
	return st.Rehearsed.Add(every)
}

func (s *watched) takeCheck(now time.Time, slots chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checking || now.Before(s.checkAt) {
		return false
	}
	select {
	case slots <- struct{}{}:
		s.checking = true
		return true
	default:
		return false
	}
}

// takeAsk returns what to ask the CA about now: "rehearse", "window" or "".
func (s *watched) takeAsk(now time.Time, slots chan struct{}) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	job := ""
	switch {
	case s.asking:
	case !s.rehearseAt.IsZero() && !now.Before(s.rehearseAt):
		job = "rehearse"
	case !now.Before(s.windowAt):
		job = "window"
	}
	if job == "" {
		return ""
	}
	select {
	case slots <- struct{}{}:
		s.asking = true
		return job
	default:
		return ""
	}
}

func (r *Runner) checkOnce(ctx context.Context, c Certificate, s *watched) {
	err := r.check(ctx, c)
	if err != nil && ctx.Err() == nil {
		r.o.Log.Error("check failed", "certificate", c.Name, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checking = false
	if err != nil {
		s.checkAt = r.now().Add(min(r.o.CheckEvery, 10*time.Second))
	}
}

func (r *Runner) askOnce(ctx context.Context, c Certificate, s *watched, job string) {
	var err error
	next := r.now().Add(time.Minute)
	switch job {
	case "rehearse":
		var f facts
		if f, err = r.facts(ctx, c); err == nil && f.open == "" { // an open renewal looks for itself
			err = r.rehearse(ctx, c)
		}
		if f, ferr := r.facts(ctx, c); err == nil && ferr == nil && f.open == "" {
			next = f.st.nextRehearsal(r.o.RehearseEvery)
		}
	case "window":
		bound, cancel := context.WithTimeout(ctx, windowFor)
		err = r.refreshWindow(bound, c)
		cancel()
	}
	if err != nil && ctx.Err() == nil {
		r.o.Log.Warn("the CA could not be asked", "certificate", c.Name, "for", job, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = false
	if job == "rehearse" {
		s.rehearseAt = next
	} else {
		s.windowAt = next
	}
}
