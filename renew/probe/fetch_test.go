package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// files is an HTTP server of fixed bodies that counts what is asked.
type files struct {
	*httptest.Server
	body map[string][]byte
	hits atomic.Int64
}

func newFiles(t testing.TB) *files {
	f := &files{body: map[string][]byte{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.hits.Add(1)
		b, ok := f.body[r.URL.Path]
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case !ok:
			http.NotFound(w, r)
		default:
			w.Write(b)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func aia(url string) change {
	return func(c *x509.Certificate) { c.IssuingCertificateURL = []string{url} }
}

// TestAIA: a missing intermediate is proved by fetching it, and an AIA URL
// that lies is told.
func TestAIA(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	e := newEstate(t)
	wrong := newRoot(t, "Wrong Issuer")
	lost := newRoot(t, "Unknown Root")
	lostInter := lost.sub(t, "Unknown Intermediate", aia(f.URL+"/lostroot"))
	f.body["/good"], f.body["/wrong"] = e.inter.cert.Raw, wrong.cert.Raw
	f.body["/big"] = append(bytes.Clone(e.inter.cert.Raw), make([]byte, maxAIA)...)
	f.body["/junk"] = []byte("<html>")
	f.body["/lostroot"], f.body["/lostinter"] = lost.cert.Raw, lostInter.cert.Raw
	deep := e.inter.sub(t, "Deep", aia(f.URL+"/good"))
	f.body["/deep"] = deep.cert.Raw

	rows := []struct {
		name string
		leaf *authority
		want []string
		how  string
	}{
		{"good", e.inter.leaf(t, aia(f.URL+"/good")), []string{"missing_intermediate"}, "yes: http://"},
		{"two levels", deep.leaf(t, aia(f.URL+"/deep")), []string{"missing_intermediate"}, "yes: http://"},
		{"wrong issuer", e.inter.leaf(t, aia(f.URL+"/wrong")), []string{"missing_intermediate"}, "Wrong Issuer, which is not the issuer"},
		{"untrusted", lostInter.leaf(t, aia(f.URL+"/lostinter")), []string{"missing_intermediate", "untrusted_root"}, "no: "},
		{"not found", e.inter.leaf(t, aia(f.URL+"/none")), []string{"missing_intermediate"}, "answers 404"},
		{"redirect", e.inter.leaf(t, aia(f.URL+"/moved")), []string{"missing_intermediate"}, "redirects"},
		{"too big", e.inter.leaf(t, aia(f.URL+"/big")), []string{"missing_intermediate"}, "more than 65536 bytes"},
		{"junk", e.inter.leaf(t, aia(f.URL+"/junk")), []string{"missing_intermediate"}, "gives no certificate"},
		{"https", e.inter.leaf(t, aia("https://127.0.0.1/x")), []string{"missing_intermediate"}, "no plain http URL"},
		{"file", e.inter.leaf(t, aia("file:///etc/passwd")), []string{"missing_intermediate"}, "no plain http URL"},
	}
	for _, r := range rows {
		rep := check(t, prober(Options{}, e.root), query(serve(t, serving(r.leaf.with()))))
		wantIDs(t, rep, r.want...)
		if got := one(t, rep, "missing_intermediate").Proof["confirmed"]; !strings.Contains(got, r.how) {
			t.Errorf("%s: confirmed %q, want %q", r.name, got, r.how)
		}
	}

	// Not allowed to go to loopback, it goes nowhere; a host name neither.
	before := f.hits.Load()
	for _, u := range []string{f.URL, strings.Replace(f.URL, "127.0.0.1", "localhost", 1)} {
		p := prober(Options{}, e.root)
		p.o.AllowPrivate = false
		rep := check(t, p, query(serve(t, serving(e.inter.leaf(t, aia(u+"/good")).with()))))
		if got := one(t, rep, "missing_intermediate").Proof["confirmed"]; !strings.Contains(got, "is not a public address") {
			t.Errorf("confirmed %q", got)
		}
	}
	if f.hits.Load() != before {
		t.Error("a private address was fetched from")
	}
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false, "fe80::1": false,
		"fd00::1": false, "::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false,
	} {
		if got := public(netip.MustParseAddr(s)); got != want {
			t.Errorf("public(%s) = %v", s, got)
		}
	}
}

// crl signs a revocation list.
func crl(t testing.TB, by *authority, this, next time.Duration, revoked ...*authority) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: clock.Add(this), NextUpdate: clock.Add(next)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: clock.Add(-time.Hour)})
	}
	b, err := x509.CreateRevocationList(rand.Reader, list, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCRL(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	e := newEstate(t)
	point := func(path string) *authority {
		return e.inter.leaf(t, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{f.URL + path} })
	}
	revoked := point("/list")
	f.body["/list"] = crl(t, e.inter, -time.Hour, day, revoked)
	f.body["/stale"] = crl(t, e.inter, -2*day, -day)
	f.body["/future"] = crl(t, e.inter, time.Hour, day)
	f.body["/signer"] = crl(t, e.root, -time.Hour, day)
	f.body["/junk"] = []byte("junk")
	p := prober(Options{CRL: true}, e.root)
	run := func(l *authority) []string { return ids(check(t, p, query(serve(t, serving(l.with(e.inter)))))) }
	for _, r := range []struct {
		leaf *authority
		want string
	}{
		{revoked, "revoked"}, {point("/list"), ""}, {point("/stale"), "revocation_unknown"}, {point("/future"), "revocation_unknown"},
		{point("/signer"), "revocation_unknown"}, {point("/junk"), "revocation_unknown"}, {point("/none"), "revocation_unknown"},
		{e.inter.leaf(t), "revocation_unknown"}, {e.inter.leaf(t, dates(-time.Hour, 6*day)), ""},
	} {
		if got := strings.Join(run(r.leaf), " "); got != r.want {
			t.Errorf("%v: findings %q, want %q", r.leaf.cert.CRLDistributionPoints, got, r.want)
		}
	}
	// Off, no CRL is fetched.
	before := f.hits.Load()
	wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, serving(revoked.with(e.inter))))))
	if f.hits.Load() != before {
		t.Error("a CRL was fetched though that is switched off")
	}
	// One fetch for all addresses.
	a, b := serve(t, serving(revoked.with(e.inter))), serve(t, serving(revoked.with(e.inter)))
	wantIDs(t, check(t, p, several(a, b)), "revoked", "revoked")
	if n := f.hits.Load() - before; n != 1 {
		t.Errorf("%d fetches for one check", n)
	}
}

// TestStaple: a stapled OCSP response counts without any fetch.
func TestStaple(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	leaf := e.inter.leaf(t)
	for status, want := range map[int][]string{ocsp.Good: nil, ocsp.Revoked: {"revoked"}} {
		b, err := ocsp.CreateResponse(e.inter.cert, e.inter.cert, ocsp.Response{Status: status, SerialNumber: leaf.cert.SerialNumber,
			ThisUpdate: clock.Add(-time.Hour), NextUpdate: clock.Add(time.Hour), RevokedAt: clock.Add(-day)}, e.inter.key)
		if err != nil {
			t.Fatal(err)
		}
		c := leaf.with(e.inter)
		c.OCSPStaple = b
		wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, serving(c)))), want...)
	}
}

// TestFetchOnce: the same URL is asked once a check.
func TestFetchOnce(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	f.body["/x"] = []byte("y")
	fe := prober(Options{}).newFetcher()
	for range 3 {
		if b, err := fe.get(context.Background(), f.URL+"/x", 10); err != nil || string(b) != "y" {
			t.Fatalf("%q %v", b, err)
		}
	}
	if n := f.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}
