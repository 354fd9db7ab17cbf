package renew

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file checks certificates and keeps how they stand.

// Check probes every endpoint of a certificate now, keeps the result and
// returns how it stands.
func (r *Runner) Check(ctx context.Context, certificate string) (Standing, error) {
	c, err := r.certificate(certificate)
	if err != nil {
		return Standing{}, err
	}
	if err := r.check(ctx, c); err != nil {
		return Standing{}, err
	}
	if err := r.flushStandings(ctx); err != nil {
		return Standing{}, err
	}
	return r.standing(ctx, c)
}

// CheckEndpoint probes a host and port that need not be in the inventory.
// Nothing is kept. A few are probed at a time, so that people who ask for many
// do not hold the watch of the estate up. What the inventory declares for it fills q.Declared.
func (r *Runner) CheckEndpoint(ctx context.Context, q Query) Report {
	if q.Declared.Certificate == "" {
		for _, c := range r.o.Inventory.Certificates {
			for _, e := range c.Endpoints {
				if strings.EqualFold(e.Host, q.Host) && e.Port == q.Port && (q.SNI == "" || strings.EqualFold(q.SNI, e.Host)) {
					if f, err := r.facts(ctx, c); err == nil {
						q.Declared = f.declared(c)
					}
					if len(q.Addresses) == 0 {
						q.Addresses = e.Addresses
					}
					q.StartTLS = cmp.Or(q.StartTLS, e.StartTLS)
				}
			}
		}
	}
	select {
	case r.watch.asked <- struct{}{}:
		defer func() { <-r.watch.asked }()
	case <-ctx.Done(): // the prober says so
	}
	return r.o.Prober.Check(ctx, q)
}

// check probes and keeps. One check of a certificate runs at a time.
func (r *Runner) check(ctx context.Context, c Certificate) error {
	s := r.watch.of(c.Name)
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f, err := r.facts(ctx, c)
	if err != nil {
		return err
	}
	d := f.declared(c)
	reports := r.probe(ctx, c, d)
	now := r.now()
	// When something else is served than last time, it is another
	// certificate's time that counts: look once more with that.
	f.st.took(reports, now)
	if seen := f.declared(c); isPast(seen.OverdueAt, now) != isPast(d.OverdueAt, now) {
		reports, now = r.probe(ctx, c, seen), r.now()
	}
	if ctx.Err() != nil {
		return ctx.Err() // cut short: what was seen proves nothing
	}
	return r.change(ctx, c, func(st *diskStanding, f facts) (bool, Severity) {
		before := *st
		st.took(reports, now)
		return st.differs(before), before.Verdict
	})
}

// checkSeen keeps a look of this moment as a check; without one it checks. The
// result is written with others, soon: a process killed before looks anew.
func (r *Runner) checkSeen(ctx context.Context, c Certificate, last seen) error {
	if !last.fresh() {
		return r.check(ctx, c)
	}
	return r.change(ctx, c, func(st *diskStanding, f facts) (bool, Severity) {
		if st.Checked.After(last.checked) {
			return false, "" // somebody has looked since
		}
		before := *st
		st.took(last.reports, last.checked)
		return st.differs(before), before.Verdict
	})
}

func isPast(at, now time.Time) bool { return !at.IsZero() && now.After(at) }

// probe checks every endpoint of a certificate.
func (r *Runner) probe(ctx context.Context, c Certificate, d Declared) []Report {
	reports := make([]Report, len(c.Endpoints))
	each(len(c.Endpoints), maxProbes, func(i int) {
		select {
		case r.watch.probes <- struct{}{}:
			defer func() { <-r.watch.probes }()
		case <-ctx.Done():
			return
		}
		reports[i] = r.o.Prober.Check(ctx, endpointQuery(c.Endpoints[i], d))
		reports[i].Name = c.Name
	})
	return reports
}

// took takes a check in.
func (st *diskStanding) took(reports []Report, now time.Time) {
	before := st.Verdict
	st.Reports, st.Checked = reports, now
	st.Verdict, st.Hosts, st.HostsGood = Good, 0, 0
	st.NotAfter, st.NotBefore = time.Time{}, time.Time{}
	for _, rep := range reports {
		if rep.Verdict.Rank() > st.Verdict.Rank() {
			st.Verdict = rep.Verdict
		}
		for _, a := range rep.Addresses {
			st.Hosts++
			if a.Verdict() != Critical {
				st.HostsGood++
			}
			if a.Leaf.SHA256 != "" && (st.NotAfter.IsZero() || a.Leaf.NotAfter.Before(st.NotAfter)) {
				st.NotAfter, st.NotBefore = a.Leaf.NotAfter, a.Leaf.NotBefore
			}
		}
	}
	if st.Verdict == Good {
		st.LastGood = now
	}
	if st.Verdict != before {
		st.Since = now
	}
}

// differs reports whether people should hear of the check: another verdict, or
// other findings. The first check is told when it is not good.
func (st *diskStanding) differs(before diskStanding) bool {
	if before.Checked.IsZero() {
		return st.Verdict != Good
	}
	return st.Verdict != before.Verdict || !slices.Equal(signature(st.Reports), signature(before.Reports))
}

// signature is what is wrong where, in order.
func signature(reports []Report) []string {
	var sig []string
	add := func(where string, fs []Finding) {
		for _, f := range fs {
			if f.Severity != Info {
				sig = append(sig, where+" "+f.ID)
			}
		}
	}
	for _, rep := range reports {
		add(rep.Endpoint, rep.Findings)
		for _, a := range rep.Addresses {
			add(rep.Endpoint+" "+a.Address, a.Findings)
		}
	}
	slices.Sort(sig)
	return slices.Compact(sig)
}

// facts are what the record holds about a certificate.
type facts struct {
	st     diskStanding
	issued diskIssued
	open   string // id of the renewal that is not final
}

func (f facts) leaf() Leaf {
	if len(f.issued.Entries) == 0 {
		return Leaf{}
	}
	return f.issued.Entries[0].Leaf
}

// facts reads them, what is not written yet included.
func (r *Runner) facts(ctx context.Context, c Certificate) (f facts, err error) {
	err = r.o.Store.View(ctx, func(tx store.Tx) (err error) {
		f, err = readFacts(tx, c.Name)
		return err
	})
	if st, ok := r.watch.waiting(c.Name); ok {
		f.st = st
	}
	return f, err
}

func readFacts(tx store.Tx, cert string) (f facts, err error) {
	v, err := tx.Get(keyStanding(cert))
	if err == nil {
		err = unpack(keyStanding(cert), v, &f.st)
	}
	if err == nil {
		err = readIssued(tx, cert, &f.issued)
	}
	if err != nil {
		return f, err
	}
	if v, err = tx.Get(keyOpen(cert)); v != nil {
		f.open = "R-" + string(v)
	}
	return f, err
}

// declared is what the endpoints of a certificate should serve.
func (f facts) declared(c Certificate) Declared {
	d := Declared{Certificate: c.Name, Domains: c.Domains, Issued: f.leaf()}
	for i, e := range f.issued.Entries {
		if i > 0 {
			d.Previous = append(d.Previous, e.Leaf.SHA256)
		}
	}
	d.OverdueAt = f.overdueAt()
	if f.windowHolds() {
		d.Explanation = f.st.Window.Explanation
	}
	return d
}

// change edits a standing and journals it: at once, with its event, when
// people should hear of it, else together with others.
func (r *Runner) change(ctx context.Context, c Certificate, edit func(*diskStanding, facts) (bool, Severity)) error {
	return r.changeKind(ctx, c, EventCheck, edit)
}

func (r *Runner) changeKind(ctx context.Context, c Certificate, kind string, edit func(*diskStanding, facts) (bool, Severity)) error {
	s := r.watch.of(c.Name)
	s.editing.Lock()
	defer s.editing.Unlock()
	f, err := r.facts(ctx, c)
	if err != nil {
		return err
	}
	st := f.st
	st.V = diskVersion
	tell, before := edit(&st, f)
	st.settle(f)
	f.st = st
	r.watch.schedule(c.Name, st, r.o.CheckEvery, r.now())
	if !tell {
		r.watch.keep(c.Name, st)
		return nil
	}
	r.watch.writing.RLock()
	defer r.watch.writing.RUnlock()
	value := pack(st)
	err = r.o.Store.Update(ctx, func(tx store.Tx) error {
		n, err := count(tx, keyEventCount, 1)
		if err != nil {
			return err
		}
		e := diskEvent{
			V: diskVersion, Key: kind + "/" + c.Name + "/" + strconv.Itoa(n+1), Kind: kind, At: r.now(), Name: c.Name,
			Standing: &st, Issued: f.leaf(), Open: f.open, Before: before,
		}
		if err := tx.Put(keyEvent(n+1), pack(e)); err != nil {
			return err
		}
		return tx.Put(keyStanding(c.Name), value)
	})
	if err != nil {
		return fmt.Errorf("keep the %s of %s: %w", kind, c.Name, err)
	}
	r.watch.forget(c.Name)
	poke(r.wakeSend)
	return nil
}
