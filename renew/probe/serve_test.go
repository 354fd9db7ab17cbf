package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// listen runs handle on every connection to a new port of ip until the test
// ends.
func listen(t testing.TB, ip string, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Skipf("SKIPPED: cannot listen on %s: %v", ip, err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { defer c.Close(); handle(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return netip.MustParseAddrPort(ln.Addr().String())
}

// overTLS returns a handler that does the handshake and waits for the end.
func overTLS(cfg *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, cfg)
		if s.Handshake() == nil {
			io.Copy(io.Discard, s)
		}
		s.Close()
	}
}

func serving(certs ...tls.Certificate) *tls.Config { return &tls.Config{Certificates: certs} }

func serve(t testing.TB, cfg *tls.Config) netip.AddrPort { return listen(t, "127.0.0.1", overTLS(cfg)) }

// prober with the test's clock; roots are the only ones trusted, and no root
// is public.
func prober(o Options, roots ...*authority) *Prober {
	o.Roots, o.Now = pool(roots...), func() time.Time { return clock }
	if o.Public == nil {
		o.Public = pool()
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	o.AllowPrivate = true
	return New(o)
}

func query(at netip.AddrPort) renew.Query {
	return renew.Query{Host: site, Port: int(at.Port()), Addresses: []string{at.Addr().String()}}
}

func check(t testing.TB, p *Prober, q renew.Query) renew.Report {
	t.Helper()
	r := p.Check(context.Background(), q)
	sound(t, r)
	return r
}

// sound tests what is true of every report.
func sound(t testing.TB, r renew.Report) {
	t.Helper()
	if r.Findings == nil || r.Addresses == nil {
		t.Errorf("null list in report %+v", r)
	}
	for _, a := range r.Addresses {
		if a.Findings == nil || a.Leaf.SANs == nil {
			t.Errorf("null list at %s", a.Address)
		}
	}
	for _, f := range r.All() {
		if _, ok := byID()[f.ID]; !ok {
			t.Errorf("finding %q is not in the table", f.ID)
		}
		if f.Cause == "" || f.Next == "" || f.Proof == nil || len(f.Proof) == 0 {
			t.Errorf("finding %s lacks words or proof: %+v", f.ID, f)
		}
		if strings.ContainsFunc(f.Cause, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(f.Cause, "%!") || len(f.Cause) > 2100 {
			t.Errorf("finding %s has a bad sentence: %q", f.ID, f.Cause)
		}
	}
	if want := renew.Worst(r.All()); r.Verdict != want {
		t.Errorf("verdict %s, want %s", r.Verdict, want)
	}
}

// ids of all findings, sorted.
func ids(r renew.Report) []string {
	out := []string{}
	for _, f := range r.All() {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return out
}

func wantIDs(t testing.TB, r renew.Report, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if got := ids(r); !slices.Equal(got, want) {
		t.Errorf("findings %v, want %v", got, want)
		for _, f := range r.All() {
			t.Logf("  %s (%s): %s %v", f.ID, f.Severity, f.Cause, f.Proof)
		}
	}
}

// one returns the finding with this id.
func one(t testing.TB, r renew.Report, id string) renew.Finding {
	t.Helper()
	for _, f := range r.All() {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no finding %s among %v", id, ids(r))
	return renew.Finding{}
}

// says tests that the sentence of a finding holds all parts.
func says(t testing.TB, f renew.Finding, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(f.Cause, p) {
			t.Errorf("%s says %q, which lacks %q", f.ID, f.Cause, p)
		}
	}
}

// again is a connection whose first bytes were read already.
type again struct {
	net.Conn
	r io.Reader
}

func (a again) Read(b []byte) (int, error) { return a.r.Read(b) }

// firstRecord reads one TLS record and returns a connection that gives it once
// more.
func firstRecord(c net.Conn) ([]byte, net.Conn, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, nil, err
	}
	n := int(head[3])<<8 | int(head[4])
	if n > 1<<14 {
		return nil, nil, errors.New("no record")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, nil, err
	}
	all := append(head, body...)
	return all, again{c, io.MultiReader(bytes.NewReader(all), c)}, nil
}
