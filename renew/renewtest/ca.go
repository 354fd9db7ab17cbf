package renewtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// CAOptions say how the CA behaves. The zero value is a quick, obliging one.
type CAOptions struct {
	Addr           string                   // of the HTTPS listener; default 127.0.0.1:0
	DNSAddr        string                   // host:port of the resolver it validates with (DNS.Addr); "" is the system's
	HTTPPort       int                      // port it asks for HTTP-01; default 80
	TLSPort        int                      // port it asks for TLS-ALPN-01; default 443
	NonceReject    int                      // per cent of good nonces that it refuses
	AuthzReuse     int                      // per cent of valid authorizations that a new order gets again
	RetryAfter     int                      // seconds it asks to wait in answers about authorizations and orders
	Validity       map[string]time.Duration // profile name to validity; default {"default": 90 days}. An order without a profile gets any of them.
	EAB            map[string]string        // key id to HMAC key (base64url); not empty: every account needs one
	OrdersPerPage  int                      // of the account's orders list; default 3
	AlternateRoots int                      // further roots over the same intermediate key
	RSA            bool                     // RSA issuing keys, slow to make; default ECDSA P-256
	Sleep          time.Duration            // up to this long before each validation, in whole seconds; default none
	Log            io.Writer                // Pebble's own words; default nowhere
}

// CA is Pebble behind an HTTPS listener of its own. The listener's certificate
// comes from an API root (APIRootPEM), which has nothing to do with the roots
// of what is issued (IssuingRootPEM).
type CA struct {
	url     string
	apiRoot []byte
	server  *http.Server
	done    chan struct{}
	ca      *ca.CAImpl
	manage  http.Handler
	log     requestLog
}

// envMu guards the process environment while Pebble reads it in New.
var envMu sync.Mutex

// withEnv runs f with these environment variables and puts the old ones back.
func withEnv(vars map[string]string, f func()) {
	envMu.Lock()
	defer envMu.Unlock()
	for k, v := range vars {
		old, had := os.LookupEnv(k)
		os.Setenv(k, v)
		defer func() {
			if had {
				os.Setenv(k, old)
			} else {
				os.Unsetenv(k)
			}
		}()
	}
	f()
}

// NewCA starts a CA. Several may run in one process.
func NewCA(o CAOptions) (*CA, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	profiles := map[string]ca.Profile{}
	for name, d := range o.Validity {
		// Pebble makes a certificate one second shorter than its profile says.
		profiles[name] = ca.Profile{Description: name, ValidityPeriod: uint64(d/time.Second) + 1}
	}
	if len(profiles) == 0 {
		profiles["default"] = ca.Profile{Description: "default", ValidityPeriod: 90*24*3600 + 1}
	}
	store := db.NewMemoryStore()
	for id, key := range o.EAB {
		if err := store.AddExternalAccountKeyByID(id, key); err != nil {
			return nil, fmt.Errorf("external account key %q: %w", id, err)
		}
	}
	lg := log.New(o.Log, "pebble ", log.Lmicroseconds)
	keys := "ecdsa"
	if o.RSA {
		keys = "rsa"
	}
	c := &CA{done: make(chan struct{}), log: requestLog{store: store}}
	var front wfe.WebFrontEndImpl
	withEnv(pebbleEnv(o), func() {
		c.ca = ca.New(lg, store, "", keys, o.AlternateRoots, 1, profiles)
		v := va.New(lg, or(o.HTTPPort, 80), or(o.TLSPort, 443), false, o.DNSAddr, store)
		front = wfe.New(lg, store, v, c.ca, []string{"pebble.test"}, false, len(o.EAB) > 0, o.RetryAfter, o.RetryAfter)
	})
	c.manage = front.ManagementHandler()
	return c, c.serve(o.Addr, front.Handler())
}

func pebbleEnv(o CAOptions) map[string]string {
	env := map[string]string{
		"PEBBLE_WFE_NONCEREJECT":     strconv.Itoa(o.NonceReject),
		"PEBBLE_AUTHZREUSE":          strconv.Itoa(o.AuthzReuse),
		"PEBBLE_VA_ALWAYS_VALID":     "0",
		"PEBBLE_VA_NOSLEEP":          "1",
		"PEBBLE_WFE_ORDERS_PER_PAGE": strconv.Itoa(or(o.OrdersPerPage, 3)),
	}
	if s := int(o.Sleep / time.Second); s > 0 {
		env["PEBBLE_VA_NOSLEEP"], env["PEBBLE_VA_SLEEPTIME"] = "0", strconv.Itoa(s)
	}
	return env
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// serve starts the HTTPS listener with a certificate of its own root.
func (c *CA) serve(addr string, h http.Handler) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the CA: %w", err)
	}
	host, _, _ := net.SplitHostPort(l.Addr().String())
	root, cert, err := apiCertificate(host)
	if err != nil {
		l.Close()
		return err
	}
	c.apiRoot = root
	c.url = "https://" + l.Addr().String() + wfe.DirectoryPath
	c.server = &http.Server{
		Handler:           c.log.wrap(h),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}},
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		defer close(c.done)
		_ = c.server.ServeTLS(l, "", "")
	}()
	return nil
}

// Close ends the listener and every connection.
func (c *CA) Close() {
	_ = c.server.Close()
	<-c.done
}

// DirectoryURL returns the URL of the ACME directory.
func (c *CA) DirectoryURL() string { return c.url }

// APIRootPEM returns the root that the directory's own HTTPS certificate is
// verified with.
func (c *CA) APIRootPEM() []byte { return c.apiRoot }

// APIRootFile writes APIRootPEM into dir and returns the file's path.
func (c *CA) APIRootFile(dir string) (string, error) {
	path := filepath.Join(dir, "api-root.pem")
	return path, os.WriteFile(path, c.apiRoot, 0o600)
}

// IssuingRootPEM returns root i (from 0) of the certificates that are issued.
func (c *CA) IssuingRootPEM(i int) []byte { return certPEM(c.ca.GetRootCert(i)) }

// IntermediatePEM returns the issuing intermediate under root i.
func (c *CA) IntermediatePEM(i int) []byte { return certPEM(c.ca.GetIntermediateCert(i)) }

// IssuingRoots returns a pool with root 0.
func (c *CA) IssuingRoots() *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(c.IssuingRootPEM(0))
	return p
}

func certPEM(c *core.Certificate) []byte {
	if c == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})
}

// SetRenewalInfo makes the CA answer this for the certificate (PEM) when it is
// asked for renewal information: any text, also malformed.
func (c *CA) SetRenewalInfo(leafPEM []byte, answer string) error {
	block, _ := pem.Decode(leafPEM)
	if block == nil {
		return errors.New("no certificate in the PEM")
	}
	body, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(block)), "ARIResponse": answer,
	})
	if err != nil {
		return err
	}
	r := httptest.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewReader(body))
	r.Header.Set("User-Agent", "renewtest")
	w := httptest.NewRecorder()
	c.manage.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Errorf("set renewal info: %d %s", w.Code, w.Body)
	}
	return nil
}

// apiCertificate makes a root and a server certificate for host.
func apiCertificate(host string) (rootPEM []byte, cert tls.Certificate, err error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "renewtest API root"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, cert, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "renewtest API"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(300 * 24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = append(leaf.IPAddresses, ip)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		return nil, cert, err
	}
	rootPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return rootPEM, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
