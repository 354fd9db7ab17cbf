package probe

import (
	"crypto/x509"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

// declared compares what one address serves with what it should.
func (j *judge) declared(c *x509.Certificate) {
	d := j.q.Declared
	var lacks []string
	for _, name := range d.Domains {
		if !covers(c, name) {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) > 0 {
		proof := with(about(j.s.text, c), "certificate", d.Certificate)
		j.add(found("declared_mismatch", with(proof, "lacks", strings.Join(lacks, " "), "sans", list(renew.SANs(c), 20)),
			"%s serves a certificate that lacks %s", j.s.text, list(lacks, 4)))
	}
	if d.Issued.SHA256 == "" || strings.EqualFold(d.Issued.SHA256, fingerprint(c)) {
		return
	}
	proof := with(about(j.s.text, c), "certificate", d.Certificate, "issued_sha256", d.Issued.SHA256, "issued_serial", d.Issued.Serial, "issued_not_before", stamp(d.Issued.NotBefore))
	fp := fingerprint(c)
	older := slices.ContainsFunc(d.Previous, func(p string) bool { return strings.EqualFold(p, fp) })
	issuer := renew.LeafOf(c).Issuer
	var f renew.Finding
	switch {
	case older || issuer == d.Issued.Issuer && c.NotBefore.Before(d.Issued.NotBefore):
		f = found("declared_mismatch", proof, "%s serves an older certificate (from %s) than the last issued one (from %s)", j.s.text, stamp(c.NotBefore), stamp(d.Issued.NotBefore))
	case d.Issued.Issuer != "" && issuer != d.Issued.Issuer:
		f = found("declared_mismatch", with(proof, "issued_issuer", d.Issued.Issuer),
			"%s serves a certificate of another issuer: %s, not %s", j.s.text, issuerTitle(c), shortIssuer(d.Issued.Issuer))
	default:
		f = found("declared_mismatch", proof, "%s serves a certificate that is not the last issued one", j.s.text)
	}
	f.Severity = renew.Warning
	j.add(f)
}

// covers: the certificate is good for the declared name; a declared wildcard
// must stand in it as such.
func covers(c *x509.Certificate, name string) bool {
	if strings.HasPrefix(name, "*.") {
		return slices.ContainsFunc(c.DNSNames, func(d string) bool { return strings.EqualFold(d, name) })
	}
	return c.VerifyHostname(name) == nil
}

// shortIssuer takes the common name out of a distinguished name as text.
func shortIssuer(dn string) string {
	for _, part := range strings.Split(dn, ",") {
		if cn, ok := strings.CutPrefix(part, "CN="); ok {
			return clean(cn, 64)
		}
	}
	return clean(dn, 64)
}
