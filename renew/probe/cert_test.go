package probe

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

const day = 24 * time.Hour

// estate is a CA with an intermediate.
type estate struct {
	root, inter *authority
}

func newEstate(t testing.TB) estate {
	root := newRoot(t, "Test Root")
	return estate{root, root.sub(t, "Test Intermediate 1")}
}

// TestCertificates makes each fault of a certificate or chain, and wants
// exactly the findings named: nothing hidden, nothing invented.
func TestCertificates(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	other := newRoot(t, "Nobody's Root")
	otherInter := other.sub(t, "Nobody's Intermediate")
	otherDead := other.sub(t, "Nobody's Dead Intermediate", dates(-400*day, -day))
	staging := newRoot(t, "(STAGING) Pretend Pear X1")
	expired := e.root.sub(t, "Expired Intermediate", dates(-400*day, -day))
	future := e.root.sub(t, "Future Intermediate", dates(day, 400*day))
	short := e.root.sub(t, "Short Intermediate", dates(-400*day, 20*day))
	deadRoot := newRoot(t, "Dead Root", dates(-4000*day, -100*day))
	deadLater := newRoot(t, "Just Dead Root", dates(-4000*day, -day))
	namesake := e.root.sub(t, "Test Intermediate 1")
	constrained := e.root.sub(t, "Constrained", func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.org"}, true
	})
	mailOnly := e.root.sub(t, "Mail only", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
	noCA := e.root.leaf(t)
	rsaRoot := sign(t, caTemplate("RSA Root"), rsaKey(t, 2048), nil, nil, nil)
	md := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }
	sha1Inter := sign(t, caTemplate("SHA-1 Intermediate"), newKey(t), rsaRoot.cert, rsaRoot.key, []change{md})
	self := sign(t, leafTemplate(), newKey(t), nil, nil, nil)
	wrongName := func(c *x509.Certificate) { c.DNSNames = []string{"other.example.com"} }
	past := dates(-90*day, -3*time.Minute)
	staple := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: oidTLSFeature, Value: []byte{0x30, 3, 2, 1, 5}}}
	}
	leaf := e.inter.leaf(t)

	rows := []struct {
		name  string
		cert  tls.Certificate
		want  []string
		says  string // in the sentence of want[0]
		trust []*authority
	}{
		{name: "good", cert: leaf.with(e.inter)},
		{name: "expired", cert: e.inter.leaf(t, past).with(e.inter), want: []string{"expired"}, says: "expired 3 min ago, at 2026-11-22 01:52:10 UTC"},
		{name: "expired in this second", cert: e.inter.leaf(t, dates(-90*day, 0)).with(e.inter), want: []string{"expiring"}},
		{name: "expired a second ago", cert: e.inter.leaf(t, dates(-90*day, -time.Second)).with(e.inter), want: []string{"expired"}, says: "expired 1 s ago"},
		{name: "not yet valid", cert: e.inter.leaf(t, dates(2*time.Hour, 90*day)).with(e.inter), want: []string{"not_yet_valid"}, says: "in 2 h"},
		{name: "wrong host", cert: e.inter.leaf(t, wrongName).with(e.inter), want: []string{"name_mismatch"}, says: "other.example.com, which does not fit media.example.com"},
		{name: "wildcard too deep", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"*.com"} }).with(e.inter), want: []string{"name_mismatch"}, says: "one level only"},
		{name: "wildcard of itself", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"*." + site} }).with(e.inter), want: []string{"name_mismatch"}, says: "its own domain"},
		{name: "wildcard", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} }).with(e.inter)},
		{name: "common name only", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames = nil }).with(e.inter), want: []string{"cn_only"}},
		{name: "no names at all", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{} }).with(e.inter), want: []string{"name_mismatch"}, says: "without any SAN"},
		{name: "self-signed", cert: self.with(), want: []string{"self_signed"}},
		{name: "self-signed and trusted", cert: self.with(), trust: []*authority{self}},
		{name: "self-signed, expired, wrong name", cert: sign(t, leafTemplate(), newKey(t), nil, nil, []change{past, wrongName}).with(), want: []string{"expired", "name_mismatch", "self_signed"}},
		{name: "untrusted root, served", cert: otherInter.leaf(t).with(otherInter, other), want: []string{"untrusted_root", "root_included"}, says: "ends at Nobody's Root"},
		{name: "untrusted root, not served", cert: otherInter.leaf(t).with(otherInter), want: []string{"untrusted_root"}, says: "ends below Nobody's Root"},
		{name: "untrusted root, one step", cert: other.leaf(t).with(other), want: []string{"untrusted_root", "root_included"}},
		{name: "staging CA", cert: staging.leaf(t).with(staging), want: []string{"untrusted_root", "root_included"}, says: "staging or test CA"},
		{name: "everything at once", cert: otherInter.leaf(t, past, wrongName).with(otherInter), want: []string{"expired", "name_mismatch", "untrusted_root"}},
		{name: "incomplete chain", cert: leaf.with(), want: []string{"missing_intermediate"}, says: "without the issuer Test Intermediate 1"},
		{name: "incomplete chain, expired", cert: e.inter.leaf(t, past).with(), want: []string{"expired", "missing_intermediate"}},
		{name: "intermediate of another CA", cert: leaf.with(otherInter), want: []string{"wrong_intermediate"}, says: "that was Test Intermediate 1"},
		{name: "intermediate with the name and another key", cert: leaf.with(namesake), want: []string{"wrong_intermediate"}, says: "with another key"},
		{name: "reversed rest", cert: leaf.with(e.root, e.inter), want: []string{"wrong_order", "root_included"}},
		{name: "duplicate intermediate", cert: leaf.with(e.inter, e.inter), want: []string{"duplicate"}},
		{name: "duplicate leaf", cert: leaf.with(leaf, e.inter), want: []string{"duplicate"}},
		{name: "root included", cert: leaf.with(e.inter, e.root), want: []string{"root_included"}},
		{name: "stranger included", cert: leaf.with(e.inter, otherInter), want: []string{"extra_cert"}},
		{name: "expired intermediate", cert: expired.leaf(t).with(expired), want: []string{"expired_intermediate"}, says: "Expired Intermediate"},
		{name: "expired intermediate and leaf", cert: expired.leaf(t, dates(-90*day, -2*day)).with(expired), want: []string{"expired", "expired_intermediate"}},
		{name: "expired intermediate, untrusted", cert: otherDead.leaf(t).with(otherDead), want: []string{"expired_intermediate", "untrusted_root"}},
		{name: "intermediate of tomorrow", cert: future.leaf(t).with(future), want: []string{"not_yet_valid"}, says: "Future Intermediate"},
		{name: "expired cross-sign beside a valid path", cert: leaf.with(e.inter, other.cross(t, e.root, dates(-900*day, -day))), want: []string{"expired_extra_cert"}, says: "Test Root"},
		{name: "expired twin of the intermediate", cert: leaf.with(e.root.cross(t, e.inter, dates(-900*day, -day)), e.inter), want: []string{"expired_extra_cert"}},
		{name: "expired, with an expired twin of the intermediate", cert: e.inter.leaf(t, past).with(e.root.cross(t, e.inter, dates(-900*day, -day)), e.inter), want: []string{"expired", "expired_extra_cert"}},
		{name: "chain ends before the leaf", cert: short.leaf(t).with(short), want: []string{"chain_horizon"}, says: "Short Intermediate"},
		{name: "root long dead", cert: deadRoot.leaf(t).with(), want: []string{"expired_root"}, trust: []*authority{deadRoot}},
		{name: "root just dead", cert: deadLater.leaf(t).with(), want: []string{"expired_root"}, trust: []*authority{deadLater}},
		{name: "root just dead, served", cert: deadLater.leaf(t).with(deadLater), want: []string{"expired_root", "root_included"}, trust: []*authority{deadLater}},
		{name: "root long dead, served", cert: deadRoot.leaf(t).with(deadRoot), want: []string{"expired_root", "root_included"}, trust: []*authority{deadRoot}},
		{name: "leaf for clients", cert: e.inter.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }).with(e.inter), want: []string{"eku"}},
		{name: "CA for mail", cert: mailOnly.leaf(t).with(mailOnly), want: []string{"eku"}, says: "a CA that is not for TLS servers"},
		{name: "name constraint", cert: constrained.leaf(t).with(constrained), want: []string{"name_constraint"}, says: "Constrained"},
		{name: "name constraint, expired, untrusted", cert: constrained.leaf(t, past).with(constrained), want: []string{"expired", "name_constraint", "untrusted_root"}, trust: []*authority{other}},
		{name: "issued by a leaf", cert: noCA.leaf(t).with(noCA), want: []string{"not_ca"}},
		{name: "SHA-1 leaf", cert: rsaRoot.leaf(t, md).with(), want: []string{"sha1_or_md5_sig"}, trust: []*authority{rsaRoot}},
		{name: "SHA-1 intermediate", cert: sha1Inter.leaf(t).with(sha1Inter), want: []string{"sha1_or_md5_sig"}, trust: []*authority{rsaRoot}},
		{name: "SHA-1 with its root", cert: sha1Inter.leaf(t).with(sha1Inter, rsaRoot), want: []string{"sha1_or_md5_sig", "root_included"}, trust: []*authority{rsaRoot}},
		{name: "RSA 1024", cert: e.inter.leafFor(t, rsaKey(t, 1024)).with(e.inter), want: []string{"weak_key"}, says: "1024 bits RSA"},
		{name: "must-staple", cert: e.inter.leaf(t, staple).with(e.inter), want: []string{"must_staple_no_staple"}},
		{name: "a third left", cert: e.inter.leaf(t, dates(-61*day, 29*day)).with(e.inter), want: []string{"expiring"}, says: "expires in 29 days"},
		{name: "a sixth left", cert: e.inter.leaf(t, dates(-80*day, 10*day)).with(e.inter), want: []string{"expiring"}, says: "expires soon, in 10 days"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			trust := r.trust
			if trust == nil {
				trust = []*authority{e.root}
			}
			rep := check(t, prober(Options{}, trust...), query(serve(t, serving(r.cert))))
			wantIDs(t, rep, r.want...)
			if r.says != "" && len(r.want) > 0 {
				says(t, one(t, rep, r.want[0]), r.says)
			}
			if rep.Addresses[0].Leaf.SHA256 == "" || rep.Addresses[0].TLS.Version != "TLS 1.3" {
				t.Errorf("leaf or TLS missing: %+v", rep.Addresses[0])
			}
		})
	}
}

// TestLeafNotFirst serves the chain backwards: the signature cannot fit, and
// the one true fault is the order.
func TestLeafNotFirst(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	leaf := e.inter.leaf(t)
	c := tls.Certificate{PrivateKey: leaf.key, Certificate: [][]byte{e.root.cert.Raw, e.inter.cert.Raw, leaf.cert.Raw}}
	rep := check(t, prober(Options{}, e.root), query(serve(t, serving(c))))
	wantIDs(t, rep, "leaf_not_first", "wrong_order", "root_included")
	if rep.Addresses[0].Leaf.SHA256 != fingerprint(leaf.cert) {
		t.Error("the leaf of the report is not the leaf")
	}
	c.Certificate = [][]byte{e.inter.cert.Raw, leaf.cert.Raw}
	wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, serving(c)))), "leaf_not_first")
}

// otherKey signs with a key that is not the one it shows.
type otherKey struct {
	crypto.Signer
	public crypto.PublicKey
}

func (o otherKey) Public() crypto.PublicKey { return o.public }

func TestKeyMismatch(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	leaf := e.inter.leaf(t, dates(-90*day, -day))
	c := leaf.with(e.inter)
	c.PrivateKey = otherKey{newKey(t), leaf.key.Public()}
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := serving(c)
		cfg.MinVersion, cfg.MaxVersion = v, v
		wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, cfg))), "key_mismatch", "expired")
	}
}

func TestIPTarget(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	at := serve(t, serving(e.inter.leaf(t).with(e.inter)))
	q := query(at)
	q.Host, q.Addresses = "127.0.0.1", nil
	rep := check(t, prober(Options{}, e.root), q)
	wantIDs(t, rep, "ip_san_missing")
	if rep.Endpoint != at.String() {
		t.Errorf("endpoint %s, want %s", rep.Endpoint, at)
	}
	at = serve(t, serving(e.inter.leaf(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }).with(e.inter)))
	q.Port = int(at.Port())
	wantIDs(t, check(t, prober(Options{}, e.root), q))
	q.SNI = "other.example.com"
	wantIDs(t, check(t, prober(Options{}, e.root), q), "name_mismatch")
}

// TestPathLength has a served path that is longer than a CA on it allows.
func TestPathLength(t *testing.T) {
	t.Parallel()
	root := newRoot(t, "Test Root")
	narrow := root.sub(t, "Narrow", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	below := narrow.sub(t, "Below Narrow")
	at := serve(t, serving(below.leaf(t).with(below, narrow)))
	wantIDs(t, check(t, prober(Options{}, root), query(at)), "pathlen")
	wantIDs(t, check(t, prober(Options{}, newRoot(t, "Other")), query(at)), "pathlen", "untrusted_root")
}

// TestPublicRules: they bind public CAs alone.
func TestPublicRules(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	long := e.inter.leaf(t, dates(-10*day, 300*day))
	at := serve(t, serving(long.with(e.inter)))
	wantIDs(t, check(t, prober(Options{}, e.root), query(at)))
	rep := check(t, prober(Options{Public: pool(e.root)}, e.root), query(at))
	wantIDs(t, rep, "validity_too_long", "sct_missing")
	says(t, one(t, rep, "validity_too_long"), "310 days", "200 allowed")
	for _, r := range []struct {
		day  string
		want int
	}{{"2019-01-01", 0}, {"2026-03-14", 398}, {"2026-03-15", 200}, {"2027-03-15", 100}, {"2029-03-14", 100}, {"2029-03-15", 47}} {
		d, _ := time.Parse(time.DateOnly, r.day)
		if got := maxDays(d); got != r.want {
			t.Errorf("maxDays(%s) = %d, want %d", r.day, got, r.want)
		}
	}
}

// TestHugeCertificates: thousands of names, a chain of many certificates, and
// one above what clients take.
func TestHugeCertificates(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	names := func(n int) change {
		return func(c *x509.Certificate) {
			for i := range n {
				c.DNSNames = append(c.DNSNames, fmt.Sprintf("n%d.example.com", i))
			}
		}
	}
	at := serve(t, serving(e.inter.leaf(t, names(5000), func(c *x509.Certificate) { c.DNSNames = c.DNSNames[1:] }).with(e.inter)))
	rep := check(t, prober(Options{}, e.root), query(at))
	wantIDs(t, rep, "name_mismatch", "too_big")
	if f := one(t, rep, "name_mismatch"); len(f.Cause) > 400 {
		t.Errorf("sentence of %d bytes", len(f.Cause))
	}
	if n := len(rep.Addresses[0].Leaf.SANs); n != renew.MaxSANs {
		t.Errorf("%d SANs in the report", n)
	}
	many := e.inter.leaf(t).with(e.inter)
	junk := newRoot(t, "Junk").leaf(t)
	for range 400 {
		many.Certificate = append(many.Certificate, junk.cert.Raw)
	}
	rep = check(t, prober(Options{}, e.root), query(serve(t, serving(many))))
	if one(t, rep, "too_big").Proof["certificates"] != "402" {
		t.Errorf("too_big: %+v", one(t, rep, "too_big"))
	}
	big := e.inter.leaf(t, names(12000)).with(e.inter)
	wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, serving(big)))), "too_big")
}

// TestHostileText: control characters of a certificate reach nobody.
func TestHostileText(t *testing.T) {
	t.Parallel()
	root := newRoot(t, "Evil\x1b[31m\nRoot\u202e "+strings.Repeat("x", 4000))
	rep := check(t, prober(Options{}, newRoot(t, "R")), query(serve(t, serving(root.leaf(t).with(root)))))
	f := one(t, rep, "untrusted_root")
	if strings.ContainsAny(f.Cause+f.Proof["root"]+f.Proof["issuer"]+rep.Addresses[0].Leaf.Issuer, "\x1b\n\u202e") {
		t.Errorf("control characters pass: %q", f)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	leaf := newEstate(t).inter.leaf(t)
	bad := append([]byte{}, leaf.cert.Raw...)
	bad = append(bad, 0xff) // trailing data
	c := tls.Certificate{PrivateKey: leaf.key, Certificate: [][]byte{bad}, Leaf: leaf.cert}
	wantIDs(t, check(t, prober(Options{}), query(serve(t, serving(c)))), "malformed")
}

// TestBoundary: both ends of the validity are inside it, in whole seconds.
func TestBoundary(t *testing.T) {
	t.Parallel()
	c := &x509.Certificate{NotBefore: clock, NotAfter: clock.Add(time.Hour)}
	for _, r := range []struct {
		at             time.Duration
		valid, expired bool
	}{
		{-time.Nanosecond, false, false}, {0, true, false}, {time.Hour, true, false},
		{time.Hour + 999*time.Millisecond, true, false}, {time.Hour + time.Second, false, true},
	} {
		at := clock.Add(r.at)
		if validAt(c, at) != r.valid || expiredAt(c, at) != r.expired {
			t.Errorf("at %s: valid %v, expired %v", r.at, validAt(c, at), expiredAt(c, at))
		}
	}
}

// TestHostileChain: CA certificates of one name, each of which might have
// signed each other, must not keep us busy.
func TestHostileChain(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 2048)
	c := newRoot(t, "Loop").leaf(t).with()
	for i := range 200 {
		k := crypto.Signer(key)
		if i%2 == 0 {
			k = newKey(t)
		}
		loop := sign(t, caTemplate("Loop"), k, nil, nil, []change{dates(-time.Duration(i+1)*day, time.Duration(i)*time.Hour)})
		c.Certificate = append(c.Certificate, loop.cert.Raw)
	}
	began := time.Now()
	rep := check(t, prober(Options{}, newRoot(t, "R")), query(serve(t, serving(c))))
	if one(t, rep, "wrong_intermediate"); time.Since(began) > 5*time.Second {
		t.Errorf("took %s", time.Since(began))
	}
}
