// Package acme speaks to ACME certification authorities (RFC 8555, RFC 9773):
// it implements renew.CA, one call per protocol step, and rehearses the
// challenges.
//
// What is where: acme.go the front door and accounts; plugs.go every call into
// lego's low-level client, and nothing of lego elsewhere; wire.go the HTTP
// underneath it, with ctx, nonces and limits; order.go orders; authorize.go
// challenges, by the solvers of http01.go, webroot.go and dns01.go, the last
// with the writers of rfc2136.go and exec.go; resolve.go DNS look-ups; ari.go
// renewal information; preflight*.go the rehearsal.
package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// Options are what New makes CAs with.
type Options struct {
	UserAgent string        // default "certmedic"; lego adds its own version
	Timeout   time.Duration // for one HTTP request; default 30 s
	Wait      time.Duration // for one Authorize or Finalize, polling included; default 10 min
	Now       func() time.Time
	Hide      []string     // names of environment variables that DNS programs are not given, beside CERTMEDIC_...
	Log       *slog.Logger // also takes lego's own words, at debug level; default none
}

// factory makes clients and holds what those of one server share.
type factory struct {
	o       Options
	mu      sync.Mutex
	servers map[string]*server // by directory and roots
}

// New returns the function that makes a renew.CA for an issuer. Clients of the
// same directory share connections and nonces.
func New(o Options) renew.CAs {
	if o.UserAgent == "" {
		o.UserAgent = "certmedic"
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Wait == 0 {
		o.Wait = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	quietLego(o.Log)
	f := &factory{o: o, servers: map[string]*server{}}
	return f.client
}

// client is one account at one server.
type client struct {
	o      Options
	issuer renew.Issuer
	key    crypto.Signer
	srv    *server

	mu  sync.Mutex
	kid string // account URL, "" before Register
}

var _ renew.CA = (*client)(nil)

func (f *factory) client(issuer renew.Issuer, key crypto.Signer, accountURL string) (renew.CA, error) {
	if err := accountKey(key); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", issuer.Name, err)
	}
	srv, err := f.server(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", issuer.Name, err)
	}
	return &client{o: f.o, issuer: issuer, key: key, srv: srv, kid: accountURL}, nil
}

// accountKey refuses keys that RFC 8555 servers or lego's signer do not take.
func accountKey(key crypto.Signer) error {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	}
	return fmt.Errorf("the account key is a %T; use ECDSA P-256, P-384 or RSA", key)
}

// server returns what clients of the issuer's directory share.
func (f *factory) server(issuer renew.Issuer) (*server, error) {
	u, err := url.Parse(issuer.Directory)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the directory %q is not an https:// URL; ACME needs HTTPS (RFC 8555 section 6.1)", issuer.Directory)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := issuer.Directory + "\x00" + strings.Join(issuer.Roots, "\x00")
	if s := f.servers[name]; s != nil {
		return s, nil
	}
	var roots *x509.CertPool // nil: the system's
	if len(issuer.Roots) > 0 {
		roots = x509.NewCertPool()
	}
	for _, path := range issuer.Roots {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("roots for the directory: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("roots for the directory: no certificate in %s; it should be PEM", path)
		}
	}
	s := &server{
		o:         f.o,
		directory: issuer.Directory,
		http: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   4,
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: f.o.Timeout,
		},
	}
	f.servers[name] = s
	return s, nil
}

// Register implements renew.CA. The terms of service are agreed to: who
// configures an issuer has read them.
func (c *client) Register(ctx context.Context) (string, error) {
	if kid := c.account(); kid != "" {
		a, err := c.getAccount(ctx, kid)
		if err != nil {
			return "", fmt.Errorf("account %s: %w", kid, err)
		}
		if a.status != "valid" {
			return "", fmt.Errorf("account %s is %s at the CA; a new account key makes a new account", kid, a.status)
		}
		return kid, nil
	}
	kid, err := c.newAccount(ctx, false)
	if err != nil {
		return "", fmt.Errorf("register at %s: %w", c.issuer.Directory, err)
	}
	c.mu.Lock()
	c.kid = kid
	c.mu.Unlock()
	return kid, nil
}

func (c *client) account() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kid
}

// registered returns the account URL, registering first when there is none.
func (c *client) registered(ctx context.Context) (string, error) {
	if kid := c.account(); kid != "" {
		return kid, nil
	}
	return c.Register(ctx)
}

// ended says that a call was abandoned, when ctx has ended; otherwise err.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}
