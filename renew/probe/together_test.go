package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// several queries all of these addresses under one name.
func several(ats ...netip.AddrPort) renew.Query {
	q := renew.Query{Host: site, Port: 8443}
	for _, a := range ats {
		q.Addresses = append(q.Addresses, a.String())
	}
	return q
}

func TestDivergence(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	p := prober(Options{}, e.root)
	old := e.inter.leaf(t, dates(-50*day, 40*day))
	same := e.inter.leafFor(t, old.key)
	other := e.inter.leaf(t)
	wrong := e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"x.example.com", site} })
	run := func(a ...*authority) renew.Report {
		var ats []netip.AddrPort
		for _, l := range a {
			ats = append(ats, serve(t, serving(l.with(e.inter))))
		}
		return check(t, p, several(ats...))
	}
	wantIDs(t, run(old, old, old))
	rep := run(same, old, same)
	wantIDs(t, rep, "node_divergence")
	f := one(t, rep, "node_divergence")
	says(t, f, rep.Addresses[1].Address+" serves another certificate than the other 2", "not reloaded")
	if len(f.Proof) < 5 || !strings.Contains(f.Proof[rep.Addresses[1].Address], fingerprint(old.cert)) {
		t.Errorf("proof %v", f.Proof)
	}
	says(t, one(t, run(other, old), "node_divergence"), "other key")
	says(t, one(t, run(old, wrong, old), "node_divergence"), "wrong certificate")
}

// TestDeclared: what is served against the inventory and the record.
func TestDeclared(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	p := prober(Options{}, e.root)
	key := newKey(t)
	old := e.inter.leafFor(t, key, dates(-40*day, 50*day))
	issued := e.inter.leafFor(t, key, dates(-time.Hour, 90*day))
	newer := e.inter.leaf(t, dates(-time.Minute, 90*day))
	foreign := newRoot(t, "Foreign CA")
	stray := foreign.leaf(t)
	p2 := prober(Options{}, e.root, foreign)
	d := renew.Declared{Certificate: "media", Domains: []string{site}, Issued: renew.LeafOf(issued.cert), Previous: []string{fingerprint(old.cert)}}

	one1 := func(p *Prober, d renew.Declared, as ...*authority) renew.Report {
		var ats []netip.AddrPort
		for _, a := range as {
			ats = append(ats, serve(t, serving(a.with(e.inter))))
		}
		q := several(ats...)
		q.Declared = d
		r := check(t, p, q)
		r.Addresses = slices.Clone(r.Addresses)
		return r
	}
	rep := one1(p, d, issued, issued)
	wantIDs(t, rep)
	if rep.Name != "media" {
		t.Errorf("name %q", rep.Name)
	}
	rep = one1(p, d, old, old)
	wantIDs(t, rep, "declared_mismatch", "declared_mismatch", "not_deployed")
	says(t, one(t, rep, "declared_mismatch"), "an older certificate")
	says(t, one(t, rep, "not_deployed"), "nowhere", "0 of 2")
	if rep.Verdict != renew.Warning {
		t.Errorf("verdict %s: an old certificate that is still good breaks nobody", rep.Verdict)
	}
	rep = one1(p, d, issued, old, issued)
	wantIDs(t, rep, "declared_mismatch", "node_divergence", "not_deployed")
	says(t, one(t, rep, "not_deployed"), "at 2 of 3 addresses, not at "+rep.Addresses[1].Address)
	says(t, one(t, rep, "node_divergence"), rep.Addresses[1].Address+" serves")
	rep = one1(p2, d, stray)
	says(t, one(t, rep, "declared_mismatch"), "another issuer: Foreign CA, not Test Intermediate 1")
	known := d
	known.Previous = []string{fingerprint(stray.cert)}
	says(t, one(t, one1(p2, known, stray), "declared_mismatch"), "an older certificate")
	says(t, one(t, one1(p, d, newer), "declared_mismatch"), "not the last issued one")

	d.Issued, d.Previous = renew.Leaf{}, nil
	wantIDs(t, one1(p, d, old))
	d.Domains = []string{site, "www.example.com", "*.example.com"}
	rep = one1(p, d, old)
	wantIDs(t, rep, "declared_mismatch")
	says(t, one(t, rep, "declared_mismatch"), "lacks www.example.com, *.example.com")
	if rep.Verdict != renew.Critical {
		t.Errorf("verdict %s: clients of www.example.com are broken", rep.Verdict)
	}
}

// TestOverdue: the renewal window decides, not the share of the lifetime.
func TestOverdue(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	p := prober(Options{}, e.root)
	short := e.inter.leaf(t, dates(-5*day, day)) // a six-day certificate with a sixth left
	at := serve(t, serving(short.with(e.inter)))
	q := query(at)
	wantIDs(t, check(t, p, q), "expiring")
	q.Declared = renew.Declared{Issued: renew.LeafOf(short.cert), OverdueAt: clock.Add(time.Hour)}
	wantIDs(t, check(t, p, q))
	q.Declared.OverdueAt = clock.Add(-time.Hour)
	q.Declared.Explanation = "https://ca.example/why"
	rep := check(t, p, q)
	wantIDs(t, rep, "expiring", "renewal_overdue")
	f := one(t, rep, "renewal_overdue")
	says(t, f, "by 2026-11-22 00:55:10 UTC, 1 h 0 min ago")
	if rep.Verdict != renew.Warning || f.Proof["explanation"] != "https://ca.example/why" {
		t.Errorf("verdict %s, proof %v", rep.Verdict, f.Proof)
	}
	// Somebody renewed it by hand: nothing is overdue.
	fresh := e.inter.leaf(t, dates(-2*time.Hour, 6*day))
	q.Port = int(serve(t, serving(fresh.with(e.inter))).Port())
	wantIDs(t, check(t, p, q), "declared_mismatch", "not_deployed")
	// Half past its life inside the window: no news.
	half := e.inter.leaf(t, dates(-70*day, 20*day))
	q = query(serve(t, serving(half.with(e.inter))))
	q.Declared = renew.Declared{Issued: renew.LeafOf(half.cert), OverdueAt: clock.Add(time.Hour)}
	wantIDs(t, check(t, p, q))
}

func TestTries(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	a, b := e.inter.leaf(t).with(e.inter), e.inter.leaf(t).with(e.inter)
	var n atomic.Int64
	at := serve(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if n.Add(1)%2 == 0 {
			return &a, nil
		}
		return &b, nil
	}})
	p := prober(Options{}, e.root)
	q := query(at)
	wantIDs(t, check(t, p, q))
	q.Tries = 4
	rep := check(t, p, q)
	wantIDs(t, rep, "nondeterministic")
	says(t, one(t, rep, "nondeterministic"), "2 different certificates over 4 connections")
}

// TestFamilies has one name on both IP versions, one of them broken.
func TestFamilies(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	good, bad := e.inter.leaf(t).with(e.inter), e.inter.leaf(t, dates(-90*day, -day)).with(e.inter)
	p := prober(Options{}, e.root)
	v4 := func(c tls.Certificate) netip.AddrPort { return listen(t, "127.0.0.1", overTLS(serving(c))) }
	v6 := func(c tls.Certificate) netip.AddrPort { return listen(t, "::1", overTLS(serving(c))) }
	wantIDs(t, check(t, p, several(v4(good), v6(good))))
	wantIDs(t, check(t, p, several(v4(good), v6(bad))), "expired", "node_divergence", "v6_only_fail")
	wantIDs(t, check(t, p, several(v4(bad), v6(good))), "expired", "node_divergence", "v4_only_fail")
	wantIDs(t, check(t, p, several(v4(bad), v6(bad))), "expired", "expired")
}

// TestSibling: what one host leaves out, another host proves to be missing.
func TestSibling(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	l := e.inter.leaf(t)
	rep := check(t, prober(Options{}, e.root), several(serve(t, serving(l.with())), serve(t, serving(l.with(e.inter)))))
	wantIDs(t, rep, "missing_intermediate")
	says(t, one(t, rep, "missing_intermediate"), "it came from "+rep.Addresses[1].Address)
}

// TestJSON: no null where a reader expects a list.
func TestJSON(t *testing.T) {
	t.Parallel()
	rep := check(t, prober(Options{}), renew.Query{Host: "127.0.0.1", Port: 1})
	b, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "null") || !strings.Contains(string(b), `"sans":[]`) {
		t.Errorf("%s", b)
	}
}
