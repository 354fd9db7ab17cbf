package renew

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Caps of what a Leaf carries of a stranger's certificate.
const (
	MaxSANs = 1000 // names
	maxName = 300  // runes of a subject or issuer
)

// LeafOf describes a certificate. Its SANs are never nil; of a certificate with
// more than MaxSANs names it carries the first ones. Texts are cleaned of
// control characters.
func LeafOf(c *x509.Certificate) Leaf {
	if c == nil {
		return Leaf{SANs: []string{}}
	}
	sum, spki := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return Leaf{
		Subject:   Printable(c.Subject.String(), maxName),
		SANs:      SANs(c),
		Issuer:    Printable(c.Issuer.String(), maxName),
		Serial:    serialOf(c),
		NotBefore: c.NotBefore.UTC(),
		NotAfter:  c.NotAfter.UTC(),
		SHA256:    hex.EncodeToString(sum[:]),
		SPKI:      hex.EncodeToString(spki[:]),
	}
}

// SANs returns at most MaxSANs subject alternative names: DNS names, addresses,
// mail addresses, URIs.
func SANs(c *x509.Certificate) []string {
	out := []string{}
	add := func(s string) {
		if len(out) < MaxSANs {
			out = append(out, Printable(s, 255))
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

// serialOf is the serial number in hexadecimal, whole bytes.
func serialOf(c *x509.Certificate) string {
	if c.SerialNumber == nil {
		return ""
	}
	if b := c.SerialNumber.Bytes(); len(b) > 0 {
		return hex.EncodeToString(b[:min(len(b), 64)])
	}
	return "00"
}

// Printable returns at most n runes of s, with ? for what cannot be shown.
func Printable(s string, n int) string {
	var b strings.Builder
	i := 0
	for _, r := range s {
		if i == n {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) && r != ' ' {
			r = '?'
		}
		b.WriteRune(r)
		i++
	}
	return b.String()
}
