package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// judge runs every test on what was recorded at one address. Each test stands
// apart: judge_leaf.go looks at the leaf alone, judge_order.go at what was
// served in which order, judge_chain.go at the way to a root, declared.go at
// what should be served, revoke.go at CRLs and staples.
type judge struct {
	p     *Prober
	q     renew.Query
	s     *sight
	all   []sight // every address of the check
	now   time.Time
	fetch *fetcher
	out   []renew.Finding
}

func (j *judge) add(fs ...renew.Finding) { j.out = append(j.out, fs...) }

// has says whether one of these ids was found already.
func (j *judge) has(ids ...string) bool {
	for _, f := range j.out {
		for _, id := range ids {
			if f.ID == id {
				return true
			}
		}
	}
	return false
}

func (j *judge) report(ctx context.Context) renew.AddressReport {
	r := renew.AddressReport{Address: j.s.text, Leaf: renew.LeafOf(nil)}
	j.out = []renew.Finding{}
	j.add(failures(j.q, j.s)...)
	l := j.s.shownBy()
	if l.asked {
		how := "asks for a client certificate"
		if l.err != nil {
			how = "demands a client certificate"
		}
		j.add(found("client_cert_required", map[string]string{"address": j.s.text},
			"%s %s; the check has none, and its server certificate can be judged all the same", j.s.text, how))
	}
	if len(l.certs) > 0 {
		sv := sortOut(l.certs, j.now)
		r.Leaf = renew.LeafOf(sv.leaf)
		r.TLS = renew.TLS{Version: tls.VersionName(l.version), Cipher: tls.CipherSuiteName(l.cipher)}
		j.certificates(ctx, sv, l)
	}
	j.add(tries(j.s)...)
	r.Findings = j.out
	return r
}

// certificates runs the tests, what breaks clients most plainly first.
func (j *judge) certificates(ctx context.Context, sv served, l *look) {
	leaf := sv.leaf
	j.dates(leaf)
	j.names(leaf)
	j.strength(sv)
	t := trustOf(leaf, sv.rest, j.p.o.Roots, j.now)
	j.chain(ctx, sv, &t)
	j.order(sv, &t)
	j.public(sv, l, &t)
	j.staple(sv, l, &t)
	j.revocation(ctx, sv, &t)
	j.expiring(leaf)
	j.declared(leaf)
}

// anchors says whether c itself is one of the roots.
func anchors(roots *x509.CertPool, c *x509.Certificate) bool {
	if c == nil || !selfIssued(c) {
		return false
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}
