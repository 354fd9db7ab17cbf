package probe

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	maxAIA     = 64 << 10 // bytes of an issuer's certificate
	maxCRL     = 16 << 20 // bytes of a CRL
	fetchLimit = 5 * time.Second
	maxHops    = 3 // issuers fetched one above the other
)

// fetcher fetches what certificates point to, once per check. The URLs are a
// stranger's: plain http only (what they give is signed), no redirects, no
// proxy, and no address of this host or its networks unless that is allowed.
type fetcher struct {
	client *http.Client
	off    bool // AIA is switched off
	mu     sync.Mutex
	got    map[string]*answer
}

type answer struct {
	once sync.Once
	body []byte
	err  error
}

func (p *Prober) newFetcher() *fetcher {
	d := net.Dialer{Timeout: fetchLimit, Resolver: p.dns, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !p.o.AllowPrivate && !public(ap.Addr()) {
			return fmt.Errorf("%s is not a public address", ap.Addr())
		}
		return nil
	}}
	return &fetcher{
		off: p.o.NoAIA,
		got: map[string]*answer{},
		client: &http.Client{
			Timeout:   fetchLimit,
			Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("it redirects, which is not followed")
			},
		},
	}
}

// reserved are networks that IsPrivate and its like do not cover (RFC 6890).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// public: the address is one of the internet's.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// get fetches an URL of at most limit bytes.
func (f *fetcher) get(ctx context.Context, raw string, limit int64) ([]byte, error) {
	f.mu.Lock()
	a := f.got[raw]
	if a == nil {
		a = &answer{}
		f.got[raw] = a
	}
	f.mu.Unlock()
	a.once.Do(func() { a.body, a.err = f.fetch(ctx, raw, limit) })
	return a.body, a.err
}

func (f *fetcher) fetch(ctx context.Context, raw string, limit int64) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%q is no plain http URL", clean(raw, 100))
	}
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", clean(raw, 100), res.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s gives more than %d bytes", clean(raw, 100), limit)
	}
	return b, nil
}

// issuers fetches the issuer of c by its AIA URL (RFC 5280 section 4.2.2.1),
// then that one's, up to maxHops. how says where from, or what went wrong.
func (f *fetcher) issuers(ctx context.Context, c *x509.Certificate) (certs []*x509.Certificate, how string) {
	if f.off {
		return nil, "not looked for"
	}
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	for range maxHops {
		up, from, err := f.issuer(ctx, c)
		if err != nil {
			if how == "" {
				how = err.Error()
			}
			return certs, clean(how, 200)
		}
		certs = append(certs, up)
		if how == "" {
			how = from
		}
		if selfSigned(up) {
			break
		}
		c = up
	}
	return certs, clean(how, 200)
}

func (f *fetcher) issuer(ctx context.Context, c *x509.Certificate) (*x509.Certificate, string, error) {
	err := errors.New("the certificate names no URL of its issuer")
	for _, u := range c.IssuingCertificateURL[:min(2, len(c.IssuingCertificateURL))] {
		var body []byte
		if body, err = f.get(ctx, u, maxAIA); err != nil {
			continue
		}
		if b, _ := pem.Decode(body); b != nil && b.Type == "CERTIFICATE" {
			body = b.Bytes
		}
		up, perr := x509.ParseCertificate(body)
		switch {
		case perr != nil:
			err = fmt.Errorf("%s gives no certificate", clean(u, 100))
		case !bytes.Equal(up.RawSubject, c.RawIssuer) || !signed(up, c):
			err = fmt.Errorf("%s gives %s, which is not the issuer", clean(u, 100), title(up))
		default:
			return up, u, nil
		}
	}
	return nil, "", err
}
