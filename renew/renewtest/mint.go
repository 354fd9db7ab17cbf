package renewtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// Template is what Mint makes a certificate of.
type Template struct {
	Names     []string      // DNS names; an IP address becomes an IP SAN
	NotBefore time.Time     // zero: a minute ago; whole seconds
	NotAfter  time.Time     // zero: a day from now; whole seconds
	Key       crypto.Signer // nil: a new ECDSA P-256 key
	Profile   string        // "" : any of the CA's
}

// Minted is a certificate with its key.
type Minted struct {
	Chain []byte // PEM: leaf, intermediate
	Key   []byte // PEM, PKCS #8
	Leaf  *x509.Certificate
}

// TLS returns the pair for a tls.Config.
func (m Minted) TLS() (tls.Certificate, error) { return tls.X509KeyPair(m.Chain, m.Key) }

// Mint issues a certificate without any protocol: by Pebble's own signer,
// under the same intermediate as everything it issues, and known to it (so
// that RenewalInfo answers for it). Dates in the past make one that has
// really expired.
func (c *CA) Mint(t Template) (Minted, error) {
	now := time.Now()
	if t.NotBefore.IsZero() {
		t.NotBefore = now.Add(-time.Minute)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = now.Add(24 * time.Hour)
	}
	if t.Key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return Minted{}, err
		}
		t.Key = key
	}
	if t.Profile == "" {
		for name := range c.ca.GetProfiles() {
			t.Profile = name
		}
	}
	csr := &x509.CertificateRequest{PublicKey: t.Key.Public()}
	for _, n := range t.Names {
		if ip := net.ParseIP(n); ip != nil {
			csr.IPAddresses = append(csr.IPAddresses, ip)
		} else {
			csr.DNSNames = append(csr.DNSNames, n)
		}
	}
	o := &core.Order{ID: "minted", BeganProcessing: true, ParsedCSR: csr, Order: acme.Order{
		NotBefore: t.NotBefore.UTC().Format(time.RFC3339),
		NotAfter:  t.NotAfter.UTC().Format(time.RFC3339),
		Profile:   t.Profile,
	}}
	c.ca.CompleteOrder(o)
	if o.CertificateObject == nil {
		return Minted{}, fmt.Errorf("the CA did not mint a certificate for %v", t.Names)
	}
	return minted(o.CertificateObject, c.ca.GetIntermediateCert(0), t.Key)
}

func minted(leaf, intermediate *core.Certificate, key crypto.Signer) (Minted, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Minted{}, err
	}
	return Minted{
		Chain: append(certPEM(leaf), certPEM(intermediate)...),
		Key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		Leaf:  leaf.Cert,
	}, nil
}
