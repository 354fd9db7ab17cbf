package probe

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

// order tests what was served in which order (RFC 8446 section 4.4.2). Go and
// browsers accept most of it, other clients do not.
func (j *judge) order(sv served, t *trust) {
	a := j.s.text
	if sv.first != 0 {
		j.add(found("leaf_not_first", with(about(a, sv.leaf), "position", strconv.Itoa(sv.first+1), "order", ordered(sv)),
			"%s serves the certificate of %s at place %d of its chain, behind a CA certificate; it must come first", a, title(sv.leaf), sv.first+1))
	}
	last, wrong := -1, false
	for i, c := range sv.path {
		if i == 0 && sv.first != 0 {
			continue
		}
		wrong = wrong || sv.at[c] < last
		last = sv.at[c]
	}
	if wrong {
		j.add(found("wrong_order", with(about(a, sv.leaf), "order", ordered(sv)),
			"%s serves its chain in the wrong order: each certificate must be followed by its issuer", a))
	}
	for _, c := range sv.twice {
		j.add(found("duplicate", about(a, c), "%s serves the certificate %s more than once", a, title(c)))
		break
	}
	j.extras(sv, t)
	if sv.total > maxChain {
		f := found("too_big", map[string]string{"address": a, "certificates": strconv.Itoa(sv.total)},
			"%s serves %d certificates, of which the first %d were judged", a, sv.total, maxChain)
		f.Severity = renew.Warning
		j.add(f)
	}
	if n := countSANs(sv.leaf); n > renew.MaxSANs {
		f := found("too_big", with(about(a, sv.leaf), "names", strconv.Itoa(n)),
			"%s serves a certificate with %d names, of which the report carries %d", a, n, renew.MaxSANs)
		f.Severity = renew.Info
		j.add(f)
	}
}

// extras tells which served certificates no client needs.
func (j *judge) extras(sv served, t *trust) {
	for _, c := range sv.rest {
		switch {
		case selfSigned(c) && contains(sv.path, c):
			j.add(found("root_included", about(j.s.text, c), "%s sends the root %s along, which clients must have already", j.s.text, title(c)))
		case j.blamed(c):
		case !expiredAt(c, j.now) && needed(c, t), !t.anchored() && contains(sv.path, c):
		case expiredAt(c, j.now):
			j.add(found("expired_extra_cert", about(j.s.text, c),
				"%s sends a CA certificate (%s) along that expired at %s and that clients do not need", j.s.text, title(c), stamp(c.NotAfter)))
		case !j.has("wrong_intermediate"):
			j.add(found("extra_cert", about(j.s.text, c), "%s sends the certificate %s along, which has no part in the chain", j.s.text, title(c)))
		}
	}
}

// blamed: c is what breaks the chain, and told as such.
func (j *judge) blamed(c *x509.Certificate) bool {
	return slices.ContainsFunc(j.out, func(f renew.Finding) bool {
		return (f.ID == "expired_intermediate" || f.ID == "expired_root" || f.ID == "not_yet_valid") && f.Proof["sha256"] == fingerprint(c)
	})
}

// needed: c lies on a path to a root, or is another certificate of a CA that
// does (a cross-sign for older clients).
func needed(c *x509.Certificate, t *trust) bool {
	for _, chain := range t.best() {
		if contains(chain, c) {
			return true
		}
		for _, k := range chain[1:] {
			if bytes.Equal(k.RawSubject, c.RawSubject) && bytes.Equal(k.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) {
				return true
			}
		}
	}
	return false
}

// ordered lists what was served, first to last.
func ordered(sv served) string {
	out := make([]string, 0, len(sv.at))
	for i := range min(sv.total, maxChain) {
		for c, at := range sv.at {
			if at == i {
				out = append(out, title(c))
			}
		}
	}
	return strings.Join(out, " > ")
}
