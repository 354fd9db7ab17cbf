package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"net/netip"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// dates: a certificate is good through the second of its notAfter (RFC 5280
// section 4.1.2.5).
func (j *judge) dates(c *x509.Certificate) {
	if validAt(c, j.now) {
		return
	}
	proof := about(j.s.text, c)
	switch {
	case expiredAt(c, j.now):
		j.add(found("expired", proof, "%s serves a certificate that expired %s ago, at %s", j.s.text, span(j.now.Sub(c.NotAfter)), stamp(c.NotAfter)))
	default:
		j.add(found("not_yet_valid", with(proof, "clock", stamp(j.now)),
			"%s serves a certificate that is valid only from %s on, in %s", j.s.text, stamp(c.NotBefore), span(c.NotBefore.Sub(j.now))))
	}
}

// names checks the name that was asked for (RFC 6125, RFC 9525).
func (j *judge) names(c *x509.Certificate) {
	name := j.q.SNI
	if c.VerifyHostname(name) == nil {
		return
	}
	proof := with(about(j.s.text, c), "name", name, "sans", list(renew.SANs(c), 20))
	shown, has := clean(name, 100), list(renew.SANs(c), 4)
	_, err := netip.ParseAddr(name)
	switch {
	case err == nil && len(c.IPAddresses) == 0:
		j.add(found("ip_san_missing", proof, "%s serves a certificate for %s, without any IP address, so it does not fit %s", j.s.text, has, shown))
	case err != nil && countSANs(c) == 0 && strings.EqualFold(strings.TrimSuffix(c.Subject.CommonName, "."), name):
		j.add(found("cn_only", proof, "%s serves a certificate that has %s as common name only and no SAN, which clients do not accept", j.s.text, shown))
	case countSANs(c) == 0:
		j.add(found("name_mismatch", proof, "%s serves a certificate without any SAN (its subject is %s), so it does not fit %s", j.s.text, title(c), shown))
	default:
		j.add(found("name_mismatch", with(proof, "kind", wildcardKind(c, name), "without_name", j.nameless(c)), "%s serves a certificate for %s, which does not fit %s%s", j.s.text, has, shown, j.hint(c, name)))
	}
}

// wildcardKind says whether a wildcard of the certificate misses the name by
// one level.
func wildcardKind(c *x509.Certificate, name string) string {
	for _, d := range c.DNSNames {
		base, ok := strings.CutPrefix(strings.ToLower(d), "*.")
		switch {
		case ok && name == base:
			return "wildcard does not cover its own domain"
		case ok && strings.HasSuffix(name, "."+base):
			return "wildcard covers one level only"
		}
	}
	return "other name"
}

// nameless compares with what the server serves without SNI.
func (j *judge) nameless(c *x509.Certificate) string {
	a := j.s.again
	switch {
	case a == nil || a.kind != helloNoName || len(a.certs) == 0:
		return ""
	case a.certs[0].Equal(c):
		return "same certificate"
	}
	return "another certificate: " + title(a.certs[0])
}

// hint ends the sentence of a name_mismatch.
func (j *judge) hint(c *x509.Certificate, name string) string {
	if k := wildcardKind(c, name); strings.HasPrefix(k, "wildcard") {
		return ": a " + k
	}
	if j.nameless(c) == "same certificate" {
		return "; it serves the same one to clients that send no name, so it may not know this name"
	}
	return ""
}

// strength tests signatures and keys of the path, the root apart, and the
// leaf's purpose.
func (j *judge) strength(sv served) {
	for i, c := range sv.path {
		who := "a certificate"
		if i > 0 {
			if selfSigned(c) {
				break
			}
			who = "the intermediate " + title(c)
		}
		if weakSignature(c) {
			proof := with(about(j.s.text, c), "signature_algorithm", c.SignatureAlgorithm.String())
			j.add(found("sha1_or_md5_sig", proof, "%s serves %s signed with %s, which clients refuse", j.s.text, who, c.SignatureAlgorithm))
		}
		if why, sev := weakKey(c); why != "" {
			f := found("weak_key", with(about(j.s.text, c), "key", why), "%s serves %s with a weak key: %s", j.s.text, who, why)
			f.Severity = sev
			j.add(f)
		}
	}
	if c := sv.leaf; len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !forServers(c) {
		j.add(found("eku", about(j.s.text, c), "%s serves a certificate that is not for TLS servers: its extended key usage lacks server authentication", j.s.text))
	}
}

func forServers(c *x509.Certificate) bool {
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

// weakKey says what is weak about the key and how much; "" when nothing is.
func weakKey(c *x509.Certificate) (string, renew.Severity) {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 {
			return plural(n, "bit") + " RSA", renew.Critical
		}
		if k.E < 3 || k.E%2 == 0 {
			return "RSA with a bad public exponent", renew.Critical
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
		default:
			return "elliptic curve " + k.Curve.Params().Name, renew.Warning
		}
	}
	return "", ""
}

// expiring warns by the share of the lifetime that is left. Where the end of
// the renewal window is known for this very certificate, that decides: inside
// its window a short-lived certificate is no news.
func (j *judge) expiring(c *x509.Certificate) {
	life, left := c.NotAfter.Sub(c.NotBefore), c.NotAfter.Sub(j.now)
	if !validAt(c, j.now) || life <= 0 {
		return
	}
	share := float64(left) / float64(life)
	d := j.q.Declared
	ours := d.Issued.SHA256 == "" || d.Issued.SHA256 == fingerprint(c)
	if ours && !d.OverdueAt.IsZero() && d.OverdueAt.Before(c.NotAfter) && !j.now.After(d.OverdueAt) {
		return
	}
	soon := ""
	switch {
	case share >= 1.0/3:
		return
	case share < 1.0/6:
		soon = "soon, "
	}
	j.add(found("expiring", with(about(j.s.text, c), "left", left.Truncate(time.Second).String()),
		"%s serves a certificate that expires %sin %s, at %s, with %d %% of its lifetime left", j.s.text, soon, span(left), stamp(c.NotAfter), int(share*100)))
}
