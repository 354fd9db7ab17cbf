package probe

import (
	"crypto/x509"
	"encoding/asn1"
	"time"

	"github.com/certmedic/certmedic/renew"
)

var (
	oidTLSFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}       // RFC 7633
	oidSCTs       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2} // RFC 6962 section 3.3
	limits        = []struct{ from, days int }{{2029_03_15, 47}, {2027_03_15, 100}, {2026_03_15, 200}, {2020_09_01, 398}}
)

// public tests what browsers demand of certificates of public CAs, and of no
// other: CA/B Forum limits on validity (SC-081v3), and SCTs.
func (j *judge) public(sv served, l *look, t *trust) {
	chains := t.best()
	if len(chains) == 0 {
		return
	}
	root := chains[0][len(chains[0])-1]
	if len(chains[0]) < 2 || !anchors(j.p.system(), root) {
		return
	}
	c := sv.leaf
	if days := maxDays(c.NotBefore); days > 0 {
		if has := c.NotAfter.Sub(c.NotBefore) + time.Second; has > time.Duration(days)*24*time.Hour {
			j.add(found("validity_too_long", about(j.s.text, c), "%s serves a certificate of a public CA that is valid for %d days, more than the %d allowed", j.s.text, int(has.Hours()/24), days))
		}
	}
	if l.scts == 0 && extension(c, oidSCTs) == nil {
		j.add(found("sct_missing", about(j.s.text, c), "%s serves a certificate of a public CA without proof of logging (SCT), which browsers refuse", j.s.text))
	}
}

// maxDays is the longest validity that the CA/B Forum allows for a certificate
// that begins at t; 0 before it set one that matters today.
func maxDays(t time.Time) int {
	y, m, d := t.UTC().Date()
	day := y*10000 + int(m)*100 + d
	for _, l := range limits {
		if day >= l.from {
			return l.days
		}
	}
	return 0
}

func extension(c *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Value
		}
	}
	return nil
}

// mustStaple: the certificate demands status_request (RFC 7633 section 4).
func mustStaple(c *x509.Certificate) bool {
	var features []int
	if _, err := asn1.Unmarshal(extension(c, oidTLSFeature), &features); err != nil {
		return false
	}
	for _, f := range features {
		if f == 5 {
			return true
		}
	}
	return false
}

// issuerOf returns the certificate of the leaf's issuer, nil when it is not
// known.
func issuerOf(sv served, t *trust) *x509.Certificate {
	for _, chain := range t.best() {
		if len(chain) > 1 {
			return chain[1]
		}
	}
	if len(sv.path) > 1 {
		return sv.path[1]
	}
	return nil
}

// tries compares several connections to one address.
func tries(s *sight) []renew.Finding {
	if len(s.tries) == 0 {
		return nil
	}
	kinds := map[string]int{}
	var order []string
	failed := 0
	for _, l := range append([]look{s.look}, s.tries...) {
		if len(l.certs) == 0 {
			failed++
			continue
		}
		fp := fingerprint(l.certs[0])
		if kinds[fp]++; kinds[fp] == 1 {
			order = append(order, fp)
		}
	}
	total := len(s.tries) + 1
	proof := map[string]string{"address": s.text}
	for _, fp := range order {
		proof["sha256_"+fp[:16]] = plural(kinds[fp], "time")
	}
	switch {
	case len(order) > 1:
		return []renew.Finding{found("nondeterministic", proof, "%s serves %d different certificates over %d connections", s.text, len(order), total)}
	case len(order) == 1 && failed > 0:
		return []renew.Finding{found("nondeterministic", with(proof, "failed", plural(failed, "time")), "%s fails %d of %d connections", s.text, failed, total)}
	}
	return nil
}
