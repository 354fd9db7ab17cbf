package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"github.com/certmedic/certmedic/renew"
)

func countSANs(c *x509.Certificate) int {
	return len(c.DNSNames) + len(c.IPAddresses) + len(c.EmailAddresses) + len(c.URIs)
}

// fingerprint is the lower-case hexadecimal SHA-256 of the DER certificate.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
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
		"serial":     renew.LeafOf(c).Serial,
		"sha256":     fingerprint(c),
		"not_before": stamp(c.NotBefore),
		"not_after":  stamp(c.NotAfter),
	}
}
