package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"github.com/certmedic/certmedic/renew"
)

const (
	maxSANs = 1000 // names that a Leaf carries
	maxName = 300  // runes of a subject or issuer
)

// LeafOf describes a certificate. Its SANs are never nil; of a certificate with
// more than a thousand names it carries the first thousand. Texts are cleaned
// of control characters.
func LeafOf(c *x509.Certificate) renew.Leaf {
	if c == nil {
		return renew.Leaf{SANs: []string{}}
	}
	spki := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return renew.Leaf{
		Subject:   clean(c.Subject.String(), maxName),
		SANs:      sans(c, maxSANs),
		Issuer:    clean(c.Issuer.String(), maxName),
		Serial:    serial(c),
		NotBefore: c.NotBefore.UTC(),
		NotAfter:  c.NotAfter.UTC(),
		SHA256:    fingerprint(c),
		SPKI:      hex.EncodeToString(spki[:]),
	}
}

// sans returns at most n subject alternative names: DNS names, addresses,
// mail addresses, URIs.
func sans(c *x509.Certificate, n int) []string {
	out := []string{}
	add := func(s string) {
		if len(out) < n {
			out = append(out, clean(s, 255))
		}
	}
	for _, d := range c.DNSNames {
		add(d)
	}
	for _, ip := range c.IPAddresses {
		add(ip.String())
	}
	for _, m := range c.EmailAddresses {
		add(m)
	}
	for _, u := range c.URIs {
		add(u.String())
	}
	return out
}

func countSANs(c *x509.Certificate) int {
	return len(c.DNSNames) + len(c.IPAddresses) + len(c.EmailAddresses) + len(c.URIs)
}

// fingerprint is the lower-case hexadecimal SHA-256 of the DER certificate.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// serial in hexadecimal, whole bytes.
func serial(c *x509.Certificate) string {
	if c.SerialNumber == nil {
		return ""
	}
	if b := c.SerialNumber.Bytes(); len(b) > 0 {
		return hex.EncodeToString(b[:min(len(b), 64)])
	}
	return "00"
}

// title names a certificate in a sentence: its common name, else organisation,
// else the first SAN.
func title(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return clean(c.Subject.CommonName, 64)
	case len(c.DNSNames) > 0:
		return clean(c.DNSNames[0], 64)
	case len(c.Subject.String()) > 0:
		return clean(c.Subject.String(), 64)
	}
	return "(no name)"
}

// issuerTitle names who issued c.
func issuerTitle(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return clean(c.Issuer.CommonName, 64)
	}
	if s := c.Issuer.String(); s != "" {
		return clean(s, 64)
	}
	return "(no name)"
}

// about is the proof that every finding on a certificate carries.
func about(addr string, c *x509.Certificate) map[string]string {
	return map[string]string{
		"address":    addr,
		"subject":    c.Subject.String(),
		"issuer":     c.Issuer.String(),
		"serial":     serial(c),
		"sha256":     fingerprint(c),
		"not_before": stamp(c.NotBefore),
		"not_after":  stamp(c.NotAfter),
	}
}
