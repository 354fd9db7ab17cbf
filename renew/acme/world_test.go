package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

const tsigSecret = "c2VjcmV0LW9mLXRoZS10ZXN0cw=="

// world is a CA, a DNS server and an account.
type world struct {
	t     testing.TB
	ca    *renewtest.CA
	dns   *renewtest.DNS
	make  renew.CAs
	iss   renew.Issuer
	key   crypto.Signer
	cl    renew.CA
	http  string // address that the CA asks for HTTP-01
	port  int
	mu    sync.Mutex
	words []string
}

func newWorld(t testing.TB, o renewtest.CAOptions) *world {
	t.Helper()
	w := &world{t: t, dns: renewtest.StartDNS(t, renewtest.DNSOptions{KeyName: "medic", KeySecret: tsigSecret})}
	port, err := renewtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	w.port, w.http = port, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	o.DNSAddr, o.HTTPPort = w.dns.Addr(), port
	w.ca = renewtest.StartCA(t, o)
	roots, err := w.ca.APIRootFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.iss = renew.Issuer{Name: "pebble", Directory: w.ca.DirectoryURL(), Email: "tls@example.com", Roots: []string{roots}}
	w.make, w.key = New(Options{}), newKey(t)
	w.cl = w.client("")
	return w
}

// client makes a client of the same account, as a restarted process would.
func (w *world) client(accountURL string) renew.CA {
	w.t.Helper()
	cl, err := w.make(w.iss, w.key, accountURL)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, key crypto.Signer, names ...string) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func (w *world) say(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = append(w.words, s)
}

func (w *world) said(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.words, func(s string) bool { return strings.Contains(s, part) })
}

func (w *world) listen() renew.Challenge {
	return renew.Challenge{Type: renew.HTTP01, Listen: w.http, Port: w.port, Resolvers: []string{w.dns.Addr()}}
}

func (w *world) rfc2136() renew.Challenge {
	return renew.Challenge{Type: renew.DNS01, Provider: "rfc2136", Resolvers: []string{w.dns.Addr()}, Settings: map[string]string{
		"nameserver": w.dns.Addr(), "tsig_key": "medic", "tsig_secret": tsigSecret, "tsig_algorithm": "hmac-sha256", "propagation_timeout": "5s",
	}}
}

// issue goes the whole way and returns the chain and the key.
func (w *world) issue(ctx context.Context, ch renew.Challenge, names ...string) ([]byte, crypto.Signer) {
	w.t.Helper()
	o, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: names})
	if err != nil {
		w.t.Fatal(err)
	}
	key := newKey(w.t)
	if err := w.cl.Authorize(ctx, o, ch, w.say); err != nil {
		w.t.Fatal(err)
	}
	o, err = w.cl.Finalize(ctx, o, request(w.t, key, names...))
	if err != nil {
		w.t.Fatal(err)
	}
	chain, err := w.cl.Chain(ctx, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.verify(chain, key, names...)
	return chain, key
}

// verify checks a chain against the CA's root, the names and the key.
func (w *world) verify(chain []byte, key crypto.Signer, names ...string) *x509.Certificate {
	w.t.Helper()
	block, rest := pem.Decode(chain)
	if block == nil {
		w.t.Fatalf("no PEM: %q", chain)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	inter := x509.NewCertPool()
	inter.AppendCertsFromPEM(rest)
	for _, n := range names {
		n = strings.Replace(n, "*", "any", 1)
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: n, Roots: w.ca.IssuingRoots(), Intermediates: inter}); err != nil {
			w.t.Fatal(err)
		}
	}
	if !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
		w.t.Fatal("the certificate is for another key")
	}
	return leaf
}

// clean fails the test when anything is left behind.
func (w *world) clean() {
	w.t.Helper()
	if left := w.dns.Leftover(); len(left) > 0 {
		w.t.Errorf("TXT records left: %v", left)
	}
	if slices.Contains(listeners.open(), w.http) {
		w.t.Errorf("still listening on %s", w.http)
	}
	// Another test's program may hold a copy of the listener until its exec.
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		l, err := net.Listen("tcp", w.http)
		if err == nil {
			l.Close()
			return
		}
		if time.Now().After(end) {
			w.t.Errorf("the port is not free again: %v", err)
			return
		}
	}
}

func spki(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func short(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}
