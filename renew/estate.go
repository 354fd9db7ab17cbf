package renew

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file says how certificates stand, and rehearses their renewal.

// Estate returns how every certificate stands, worst first.
func (r *Runner) Estate(ctx context.Context) ([]Standing, error) {
	var all []Standing
	now := r.now()
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		all = make([]Standing, 0, len(r.o.Inventory.Certificates))
		for _, c := range r.o.Inventory.Certificates {
			f, err := readFacts(tx, c.Name)
			if err != nil {
				return err
			}
			if st, ok := r.watch.waiting(c.Name); ok {
				f.st = st
			}
			all = append(all, f.api(c, now))
		}
		return nil
	})
	slices.SortStableFunc(all, worse)
	return all, err
}

// worse orders standings: verdict, then never checked, overdue, the earliest
// end, the name.
func worse(a, b Standing) int {
	if d := b.Verdict.Rank() - a.Verdict.Rank(); d != 0 {
		return d
	}
	for _, p := range [][2]bool{{a.Checked.IsZero(), b.Checked.IsZero()}, {a.Overdue, b.Overdue}, {a.faulty(), b.faulty()}} {
		if p[0] != p[1] {
			if p[0] {
				return -1
			}
			return 1
		}
	}
	if d := a.NotAfter.Compare(b.NotAfter); d != 0 && !a.NotAfter.IsZero() && !b.NotAfter.IsZero() {
		return d
	}
	return strings.Compare(a.Certificate.Name, b.Certificate.Name)
}

// faulty reports whether the last rehearsal found something.
func (s Standing) faulty() bool { return len(faults(s.Rehearsal)) > 0 }

// standing reads how one certificate stands.
func (r *Runner) standing(ctx context.Context, c Certificate) (Standing, error) {
	f, err := r.facts(ctx, c)
	return f.api(c, r.now()), err
}

func (f facts) api(c Certificate, now time.Time) Standing {
	s := f.st.api(c, f.leaf(), f.open, now)
	s.Overdue = f.overdue(now)
	return s
}

// api makes what people see of a standing.
func (st diskStanding) api(c Certificate, issued Leaf, open string, now time.Time) Standing {
	s := Standing{
		Certificate: c, Reports: st.Reports, Verdict: st.Verdict, Checked: st.Checked, Since: st.Since, LastGood: st.LastGood,
		NotAfter: st.NotAfter, NotBefore: st.NotBefore, HostsGood: st.HostsGood, Hosts: st.Hosts, RenewAt: st.RenewAt,
		Rehearsal: st.Rehearsal, Rehearsed: st.Rehearsed, RehearsedOK: st.RehearsedOK, Renewal: open, Issued: issued,
	}
	f := facts{st: st, issued: diskIssued{Entries: []diskEntry{{Leaf: issued}}}}
	if f.windowHolds() {
		s.Window = st.Window
	}
	s.Overdue = f.overdue(now)
	return s
}

// Rehearse runs the preflight of every configured challenge now, keeps the
// result and returns how the certificate stands.
func (r *Runner) Rehearse(ctx context.Context, certificate string) (Standing, error) {
	c, err := r.certificate(certificate)
	if err != nil {
		return Standing{}, err
	}
	if err := r.rehearse(ctx, c); err != nil {
		return Standing{}, err
	}
	if err := r.flushStandings(ctx); err != nil {
		return Standing{}, err
	}
	return r.standing(ctx, c)
}

func (r *Runner) rehearse(ctx context.Context, c Certificate) error {
	var proofs []Proof
	seen := map[[2]string]bool{}
	for _, ch := range c.Challenges {
		for _, p := range r.preflight(ctx, c, ch) {
			// The CA's own proofs and the targets are the same for every challenge.
			at := [2]string{p.Level, p.Subject}
			if p.Level != HTTP01 && p.Level != DNS01 && seen[at] {
				continue
			}
			seen[at] = true
			proofs = append(proofs, p)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := r.now()
	good := len(faults(proofs)) == 0
	return r.changeKind(ctx, c, EventRehearsal, func(st *diskStanding, _ facts) (bool, Severity) {
		first, was := st.Rehearsed.IsZero(), len(faults(st.Rehearsal)) == 0
		st.Rehearsal, st.Rehearsed = proofs, now
		if good {
			st.RehearsedOK = now
		}
		return (first && !good) || (!first && was != good), st.Verdict
	})
}
