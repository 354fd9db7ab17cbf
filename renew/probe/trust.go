package probe

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// trust is what path building finds, with the dates and the purpose taken out
// of it, so that one fault does not hide another.
type trust struct {
	now    [][]*x509.Certificate // chains good today for a TLS server
	ever   [][]*x509.Certificate // chains good at some time, for a TLS server
	any    [][]*x509.Certificate // chains good at some time, for any purpose
	faults []x509.CertificateInvalidError
	errs   []error
}

// anchored: the leaf leads to a trusted root, whatever else is wrong.
func (t *trust) anchored() bool { return len(t.ever)+len(t.any) > 0 }

// best returns the chains to speak of: those of today, else those of another
// time.
func (t *trust) best() [][]*x509.Certificate {
	switch {
	case len(t.now) > 0:
		return t.now
	case len(t.ever) > 0:
		return t.ever
	}
	return t.any
}

// trustOf builds paths from c through others to roots at every moment at which
// something may change.
func trustOf(c *x509.Certificate, others []*x509.Certificate, roots *x509.CertPool, now time.Time) trust {
	pool := x509.NewCertPool()
	for _, o := range others {
		pool.AddCert(o)
	}
	var t trust
	try := func(at time.Time, use x509.ExtKeyUsage) [][]*x509.Certificate {
		chains, err := c.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: pool, CurrentTime: at.Truncate(time.Second), KeyUsages: []x509.ExtKeyUsage{use},
		})
		if err == nil {
			return chains
		}
		t.errs = append(t.errs, err)
		var inv x509.CertificateInvalidError
		if errors.As(err, &inv) {
			t.faults = append(t.faults, inv)
		}
		return nil
	}
	if t.now = try(now, x509.ExtKeyUsageServerAuth); len(t.now) > 0 {
		t.ever = t.now
		return t
	}
	when := moments(c, others)
	for _, at := range when {
		t.ever = merge(t.ever, try(at, x509.ExtKeyUsageServerAuth))
	}
	if len(t.ever) > 0 {
		return t
	}
	for _, at := range append(when, now) {
		if t.any = merge(t.any, try(at, x509.ExtKeyUsageAny)); len(t.any) > 0 {
			break
		}
	}
	return t
}

// moments are times inside c's validity at which another certificate begins or
// ends. There are few, and fewer behind a long chain: each costs a path
// building with a stranger's keys.
func moments(c *x509.Certificate, others []*x509.Certificate) []time.Time {
	out := []time.Time{c.NotAfter, c.NotBefore}
	limit := 12
	if len(others) > 6 {
		limit = 4
	}
	for _, o := range others {
		for _, t := range []time.Time{o.NotAfter, o.NotBefore} {
			if t.After(c.NotBefore) && t.Before(c.NotAfter) && !slices.ContainsFunc(out, t.Equal) && len(out) < limit {
				out = append(out, t)
			}
		}
	}
	return out
}

// merge adds the chains that are not there yet.
func merge(all, more [][]*x509.Certificate) [][]*x509.Certificate {
	for _, m := range more {
		same := func(k []*x509.Certificate) bool {
			return slices.EqualFunc(k, m, func(a, b *x509.Certificate) bool { return a.Equal(b) })
		}
		if !slices.ContainsFunc(all, same) {
			all = append(all, m)
		}
	}
	return all
}

// fault returns a recorded path fault with this reason.
func (t *trust) fault(r x509.InvalidReason) (x509.CertificateInvalidError, bool) {
	for _, f := range t.faults {
		if f.Reason == r {
			return f, true
		}
	}
	return x509.CertificateInvalidError{}, false
}
