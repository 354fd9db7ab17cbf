package renew

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file writes the journal: run.commit puts a change of a renewal, its
// steps and their events in one transaction. Reading is here as well.

// run is one renewal in the hands of this process. mu guards what changes;
// everything durable changes through commit alone.
type run struct {
	r         *Runner
	n         int
	cert      Certificate
	issuer    Issuer
	challenge Challenge
	resumed   bool   // the current phase's intent was written by a process before
	last      seen   // the look that ended it well
	cancel    func() // asks the driver to come to a safe point; nil when not driven

	mu    sync.Mutex
	d     diskRenewal
	began map[string]time.Time // when the step of a kind and host started
	notes []Step               // not yet written
	told  []Step               // the journal, once somebody has asked for it; nil: not read
}

// change is what one commit writes.
type change struct {
	edit  func(*diskRenewal) error // may be nil; an error gives the commit up
	steps []Step                   // in order; numbers, times and names are filled in
	puts  map[string][]byte
	dels  []string
	guard func(store.Tx) error // looks first, inside the transaction; may be nil
}

// commit journals a change, durably and whole, and then makes it visible.
func (u *run) commit(ctx context.Context, c change) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.d.clone()
	if c.edit != nil {
		if err := c.edit(&d); err != nil {
			return err
		}
	}
	steps := append(slices.Clone(u.notes), c.steps...)
	now := u.r.now()
	for i := range steps {
		u.stamp(&steps[i], &d, now)
	}
	if err := u.r.write(ctx, d, steps, c); err != nil {
		return fmt.Errorf("journal %s: %w", d.Body.ID, err)
	}
	u.d, u.notes = d, nil
	if u.told != nil {
		u.told = append(u.told, steps...)
	}
	if d.Body.State != Running {
		u.r.announce(u.n)
	}
	if len(steps) > 0 {
		poke(u.r.wakeSend)
	}
	return nil
}

// stamp fills in what every step has.
func (u *run) stamp(s *Step, d *diskRenewal, now time.Time) {
	d.Seq++
	s.Renewal, s.Certificate, s.Seq = d.Body.ID, u.cert.Name, d.Seq
	if s.At.IsZero() {
		s.At = now
	}
	key := s.Kind + "/" + s.Host
	switch s.Outcome {
	case Started:
		u.began[key] = s.At
	case Note:
	default:
		if t, ok := u.began[key]; ok && s.Took == 0 {
			s.Took = max(s.At.Sub(t), 0)
		}
	}
	if s.Order == "" && (s.Kind == StepOrder || s.Kind == StepChallenge || s.Kind == StepFinalize) {
		s.Order = d.Body.Order
	}
}

// note keeps a note to be written with the next commit.
func (u *run) note(s Step) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.Outcome, s.At = Note, u.r.now()
	u.notes = append(u.notes, s)
}

// flush writes waiting notes.
func (u *run) flush(ctx context.Context) error {
	u.mu.Lock()
	none := len(u.notes) == 0
	u.mu.Unlock()
	if none {
		return nil
	}
	return u.commit(ctx, change{})
}

// state returns the renewal as it stands in the journal.
func (u *run) state() diskRenewal {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.d.clone()
}

func (d diskRenewal) clone() diskRenewal {
	d.Body.Hosts = slices.Clone(d.Body.Hosts)
	d.Hosts = slices.Clone(d.Hosts)
	for i := range d.Hosts {
		d.Hosts[i].Served = maps.Clone(d.Hosts[i].Served)
	}
	return d
}

// write puts a renewal with new steps and their events in one transaction.
func (r *Runner) write(ctx context.Context, d diskRenewal, steps []Step, c change) error {
	record := pack(d)
	values, events := make([][]byte, len(steps)), make([][]byte, len(steps))
	for i, s := range steps {
		values[i] = pack(diskStepRecord{V: diskVersion, Step: diskStep(s)})
		events[i] = pack(diskEvent{
			V: diskVersion, Key: d.Body.ID + "/" + strconv.Itoa(s.Seq), Kind: EventStep, At: s.At,
			Step: diskStep(s), Renewal: d.Body, Name: s.Certificate,
		})
	}
	return r.o.Store.Update(ctx, func(tx store.Tx) error {
		if c.guard != nil {
			if err := c.guard(tx); err != nil {
				return err
			}
		}
		if err := tx.Put(keyRun(d.N), record); err != nil {
			return err
		}
		for i, s := range steps {
			if err := tx.Put(keyStep(d.N, s.Seq), values[i]); err != nil {
				return err
			}
		}
		if err := putEvents(tx, events); err != nil {
			return err
		}
		for k, v := range c.puts {
			if err := tx.Put(k, v); err != nil {
				return err
			}
		}
		for _, k := range c.dels {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// count adds to a counter inside a transaction and returns what it was.
func count(tx store.Tx, key string, by int) (int, error) {
	v, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	n := 0
	if v != nil {
		if n, err = strconv.Atoi(string(v)); err != nil {
			return 0, fmt.Errorf("record %s is no number", key)
		}
	}
	return n, tx.Put(key, []byte(strconv.Itoa(n+by)))
}

// putEvents queues events inside a transaction.
func putEvents(tx store.Tx, events [][]byte) error {
	if len(events) == 0 {
		return nil
	}
	n, err := count(tx, keyEventCount, len(events))
	if err != nil {
		return err
	}
	for i, e := range events {
		if err := tx.Put(keyEvent(n+1+i), e); err != nil {
			return err
		}
	}
	return nil
}

// load reads a renewal from the record.
func (r *Runner) load(ctx context.Context, n int) (*run, error) {
	var d diskRenewal
	err := r.o.Store.View(ctx, func(tx store.Tx) error { return readRun(tx, n, &d) })
	if err != nil {
		return nil, err
	}
	u := &run{r: r, n: n, d: d, resumed: true, began: map[string]time.Time{}}
	if u.cert, err = r.certificate(d.Body.Ask.Certificate); err != nil {
		// It has been taken out of the inventory: readable, not runnable.
		u.cert = Certificate{Name: d.Body.Ask.Certificate}
	}
	u.issuer = r.issuer(u.cert)
	u.challenge, _ = pickChallenge(u.cert, d.Body.Ask.Challenge)
	return u, nil
}

func readRun(tx store.Tx, n int, d *diskRenewal) error {
	v, err := tx.Get(keyRun(n))
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("renewal %s: %w", idOf(n), ErrNotFound)
	}
	return unpack(keyRun(n), v, d)
}

// openRenewals returns the renewals that are not final, oldest first.
func (r *Runner) openRenewals(ctx context.Context) ([]diskRenewal, error) {
	var open []diskRenewal
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		open = nil
		return tx.Scan(store.Range{Prefix: prefixOpen}, func(_ string, v []byte) error {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return fmt.Errorf("an index of open renewals is no number")
			}
			var d diskRenewal
			if err := readRun(tx, n, &d); err != nil {
				return err
			}
			open = append(open, d)
			return nil
		})
	})
	slices.SortFunc(open, func(a, b diskRenewal) int { return a.N - b.N })
	return open, err
}

// Renewal returns one renewal, or ErrNotFound.
func (r *Runner) Renewal(ctx context.Context, id string) (Renewal, error) {
	n, ok := numberOf(id)
	if !ok {
		return Renewal{}, fmt.Errorf("renewal %q: %w", id, ErrNotFound)
	}
	var d diskRenewal
	err := r.o.Store.View(ctx, func(tx store.Tx) error { return readRun(tx, n, &d) })
	return Renewal(d.Body), err
}

// Renewals returns the last limit renewals (0: all), newest first, of one
// certificate or ("") of all.
func (r *Runner) Renewals(ctx context.Context, certificate string, limit int) ([]Renewal, error) {
	var all []Renewal
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		all = nil
		from := store.Range{Prefix: prefixRun, Reverse: true, Limit: limit}
		if certificate != "" {
			if c, err := r.certificate(certificate); err == nil {
				certificate = c.Name
			}
			from.Prefix = prefixOf(certificate)
		}
		var numbers []int
		if err := tx.Scan(from, func(key string, _ []byte) error {
			numbers = append(numbers, lastNumber(key))
			return nil
		}); err != nil {
			return err
		}
		for _, n := range numbers {
			var d diskRenewal
			if err := readRun(tx, n, &d); err != nil {
				return err
			}
			all = append(all, Renewal(d.Body))
		}
		return nil
	})
	return all, err
}

// Steps returns a renewal's journal in order.
func (r *Runner) Steps(ctx context.Context, id string) ([]Step, error) {
	n, ok := numberOf(id)
	if !ok {
		return nil, fmt.Errorf("renewal %q: %w", id, ErrNotFound)
	}
	if u := r.driven(n); u != nil {
		return u.journal(ctx)
	}
	return r.steps(ctx, n)
}

// journal returns the steps of a driven renewal. They are read once: its card
// is drawn at every step.
func (u *run) journal(ctx context.Context) ([]Step, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.told) != u.d.Seq {
		steps, err := u.r.steps(ctx, u.n)
		if err != nil {
			return nil, err
		}
		u.told = steps
	}
	return slices.Clone(u.told), nil
}

func (r *Runner) steps(ctx context.Context, n int) ([]Step, error) {
	var steps []Step
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		steps = nil
		var d diskRenewal
		if err := readRun(tx, n, &d); err != nil {
			return err
		}
		return tx.Scan(store.Range{Prefix: prefixStep(n)}, func(key string, v []byte) error {
			var rec diskStepRecord
			if err := unpack(key, v, &rec); err != nil {
				return err
			}
			steps = append(steps, Step(rec.Step))
			return nil
		})
	})
	return steps, err
}

// Wait returns when the renewal is final, stopped or waiting for approval.
func (r *Runner) Wait(ctx context.Context, id string) (Renewal, error) {
	n, _ := numberOf(id)
	for {
		news := r.news(n)
		rn, err := r.Renewal(ctx, id)
		if err != nil || rn.State != Running {
			r.announce(n) // nobody needs to wait for it
			return rn, err
		}
		select {
		case <-ctx.Done():
			return rn, ctx.Err()
		case <-news:
		}
	}
}
