package renew

import (
	"context"
	"math/rand/v2"
	"time"
)

// This file knows when a certificate should be renewed: the CA's window (RFC
// 9773), the moment drawn in it once, and the rule without one.

// without ARI: the share of its lifetime after which a certificate is overdue.
func overdueByAge(notBefore, notAfter time.Time) time.Time {
	if notAfter.IsZero() {
		return time.Time{}
	}
	life := notAfter.Sub(notBefore)
	if life < 10*24*time.Hour {
		return notBefore.Add(life / 2)
	}
	return notBefore.Add(life / 3 * 2)
}

// windowHolds reports whether the window on record is for the certificate
// issued last, and ends while that is valid: one that ends later would silence
// the word that the renewal is overdue.
func (f facts) windowHolds() bool {
	leaf := f.leaf()
	return !f.st.Window.End.IsZero() && f.st.WindowOf != "" && f.st.WindowOf == leaf.SHA256 && !f.st.Window.End.After(leaf.NotAfter)
}

// overdueAt is when the certificate that is served, or issued where none was
// seen, is overdue; zero when nothing is known.
func (f facts) overdueAt() time.Time {
	leaf := f.leaf()
	if f.windowHolds() && !f.st.NotAfter.After(leaf.NotAfter) {
		return f.st.Window.End
	}
	if f.st.NotAfter.IsZero() {
		return overdueByAge(leaf.NotBefore, leaf.NotAfter)
	}
	return overdueByAge(f.st.NotBefore, f.st.NotAfter)
}

// overdue reports whether the window has ended and nothing newer was issued.
func (f facts) overdue(now time.Time) bool {
	at := f.overdueAt()
	if at.IsZero() || !now.After(at) {
		return false
	}
	newer := f.leaf()
	return f.st.NotAfter.IsZero() || newer.SHA256 == "" || !newer.NotAfter.After(f.st.NotAfter)
}

// settle keeps RenewAt in step with the window, or with the age rule where the
// CA has none. A moment once drawn in a window is not drawn again.
func (st *diskStanding) settle(f facts) {
	f.st = *st
	if !f.windowHolds() {
		st.RenewAt = f.overdueAt()
		return
	}
	w := st.Window
	if st.RenewAt.Before(w.Start) || st.RenewAt.After(w.End) {
		st.RenewAt = draw(w)
	}
}

// draw picks a moment of the window, each equally likely.
func draw(w Window) time.Time {
	span := w.End.Sub(w.Start)
	if span <= 0 {
		return w.Start
	}
	return w.Start.Add(time.Duration(rand.Int64N(int64(span)))).Truncate(time.Second)
}

// askAgain is how long after an answer without a time to ask again.
const askAgain = 6 * time.Hour

// windowDue reports whether the CA should be asked for the window.
func (f facts) windowDue(now time.Time) bool {
	switch {
	case f.leaf().SHA256 == "":
		return false
	case f.st.WindowOf != f.leaf().SHA256:
		return true
	case !f.st.Window.RetryAfter.IsZero():
		return !now.Before(f.st.Window.RetryAfter)
	}
	return now.Sub(f.st.WindowAsked) >= askAgain
}

// refreshWindow asks the CA that issued the certificate for its window and
// keeps it.
func (r *Runner) refreshWindow(ctx context.Context, c Certificate) error {
	f, err := r.facts(ctx, c)
	if err != nil || !f.windowDue(r.now()) {
		return err
	}
	leaf := f.leaf()
	last, err := r.load(ctx, f.issued.Entries[0].N)
	if err != nil {
		return err
	}
	issuer := r.issuer(c)
	if last.d.Issuer != issuer.Name {
		return nil // issued by a CA that is no longer configured for it
	}
	chain, err := r.storedChain(ctx, last.d.N)
	if err != nil || chain == nil {
		return err
	}
	ca, err := r.ca(ctx, issuer)
	if err != nil {
		return err
	}
	w, ok, err := ca.RenewalInfo(ctx, firstPEM(chain))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && ok && w.End.After(leaf.NotAfter) {
		r.o.Log.Warn("the CA's renewal window is not believed: it ends after the certificate does", "certificate", c.Name, "window_end", w.End, "not_after", leaf.NotAfter)
		ok = false
	}
	now := r.now()
	return r.change(ctx, c, func(st *diskStanding, f facts) (bool, Severity) {
		switch {
		case err != nil: // keep what is known, ask later
			if st.WindowOf == leaf.SHA256 {
				st.Window.RetryAfter = now.Add(time.Hour)
			}
		case !ok:
			st.Window, st.WindowOf, st.WindowAsked = Window{}, leaf.SHA256, now
		default:
			moved := st.WindowOf != leaf.SHA256 || !st.Window.Start.Equal(w.Start) || !st.Window.End.Equal(w.End)
			st.Window, st.WindowOf, st.WindowAsked = w, leaf.SHA256, now
			if moved {
				st.RenewAt = draw(w)
			}
		}
		return false, ""
	})
}
