package probe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is the moment of every test; certificates are made around it.
var clock = time.Date(2026, 11, 22, 1, 55, 10, 0, time.UTC)

const site = "media.example.com"

// authority is a CA, or a leaf that is asked to be one.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serials atomic.Int64

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaKey makes one RSA key of each size for all tests.
func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	rsaMu.Lock()
	defer rsaMu.Unlock()
	if k := rsaKeys[bits]; k != nil {
		return k
	}
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	rsaKeys[bits] = k
	return k
}

var (
	rsaMu   sync.Mutex
	rsaKeys = map[int]*rsa.PrivateKey{}
)

// change alters a template before it is signed.
type change func(*x509.Certificate)

func dates(from, to time.Duration) change {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = clock.Add(from), clock.Add(to) }
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: clock.AddDate(-1, 0, 0), NotAfter: clock.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: -1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{CommonName: site}, DNSNames: []string{site},
		NotBefore: clock.AddDate(0, 0, -10), NotAfter: clock.AddDate(0, 0, 80),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func sign(t testing.TB, tmpl *x509.Certificate, key crypto.Signer, parent *x509.Certificate, by crypto.Signer, cs []change) *authority {
	t.Helper()
	for _, c := range cs {
		c(tmpl)
	}
	if parent == nil {
		parent, by = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{c, key}
}

func newRoot(t testing.TB, name string, cs ...change) *authority {
	return sign(t, caTemplate(name), newKey(t), nil, nil, cs)
}

// sub issues an intermediate.
func (a *authority) sub(t testing.TB, name string, cs ...change) *authority {
	return sign(t, caTemplate(name), newKey(t), a.cert, a.key, cs)
}

// cross issues another certificate for the subject and key of o.
func (a *authority) cross(t testing.TB, o *authority, cs ...change) *authority {
	return sign(t, caTemplate(o.cert.Subject.CommonName), o.key, a.cert, a.key, cs)
}

// leaf issues a leaf with a new key.
func (a *authority) leaf(t testing.TB, cs ...change) *authority {
	return a.leafFor(t, newKey(t), cs...)
}

func (a *authority) leafFor(t testing.TB, key crypto.Signer, cs ...change) *authority {
	return sign(t, leafTemplate(), key, a.cert, a.key, cs)
}

// with makes a server's certificate of a leaf and the chain behind it.
func (a *authority) with(chain ...*authority) tls.Certificate {
	out := tls.Certificate{PrivateKey: a.key, Certificate: [][]byte{a.cert.Raw}}
	for _, c := range chain {
		out.Certificate = append(out.Certificate, c.cert.Raw)
	}
	return out
}

func pool(as ...*authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range as {
		p.AddCert(a.cert)
	}
	return p
}
