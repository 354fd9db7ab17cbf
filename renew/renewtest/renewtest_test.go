package renewtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/certmedic/certmedic/renew/renewtest"
)

const secret = "c2VjcmV0LW9mLXRoZS10ZXN0cw=="

func ask(t *testing.T, network, addr, name string, typ uint16) *dns.Msg {
	t.Helper()
	m, _, err := (&dns.Client{Net: network}).Exchange(new(dns.Msg).SetQuestion(name, typ), addr)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDNSServersDoNotAnswerForEachOther(t *testing.T) {
	t.Parallel()
	a, b := renewtest.StartDNS(t, renewtest.DNSOptions{}), renewtest.StartDNS(t, renewtest.DNSOptions{})
	a.AddA("www.example.com", "127.0.0.2", "::1")
	for _, network := range []string{"udp", "tcp"} {
		if m := ask(t, network, a.Addr(), "WWW.example.com.", dns.TypeA); len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != "127.0.0.2" {
			t.Errorf("%s: %v", network, m)
		}
		if m := ask(t, network, a.Addr(), "www.example.com.", dns.TypeAAAA); len(m.Answer) != 1 {
			t.Errorf("%s: %v", network, m)
		}
		if m := ask(t, network, b.Addr(), "www.example.com.", dns.TypeA); m.Rcode != dns.RcodeNameError {
			t.Errorf("%s: the other server answers %v", network, m)
		}
	}
	if got := a.Asked("www.example.com"); len(got) != 4 {
		t.Errorf("asked: %v", got)
	}
}

func TestDNSChainsZonesAndServFail(t *testing.T) {
	t.Parallel()
	d := renewtest.StartDNS(t, renewtest.DNSOptions{Zones: []string{"example.com", "deep.example.com"}})
	d.SetCNAME("a.example.com", "b.example.com")
	d.SetCNAME("b.example.com", "c.example.com")
	d.AddA("c.example.com", "127.0.0.9")
	if m := ask(t, "udp", d.Addr(), "a.example.com.", dns.TypeA); len(m.Answer) != 3 {
		t.Errorf("chain: %v", m.Answer)
	}
	if m := ask(t, "udp", d.Addr(), "x.deep.example.com.", dns.TypeSOA); len(m.Answer) != 0 || m.Ns[0].Header().Name != "deep.example.com." {
		t.Errorf("zone of x.deep: %v", m)
	}
	if m := ask(t, "udp", d.Addr(), "example.com.", dns.TypeSOA); len(m.Answer) != 1 {
		t.Errorf("SOA: %v", m)
	}
	d.SetServFail("c.example.com", true)
	if m := ask(t, "udp", d.Addr(), "c.example.com.", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("SERVFAIL: %v", m)
	}
	d.SetCNAME("loop.example.com", "loop.example.com")
	ask(t, "udp", d.Addr(), "loop.example.com.", dns.TypeA) // must come back
}

func update(t *testing.T, d *renewtest.DNS, key, secret string, f func(*dns.Msg, []dns.RR)) int {
	t.Helper()
	rr, err := dns.NewRR(`_acme-challenge.example.com. 1 IN TXT "v"`)
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetUpdate("example.com.")
	f(m, []dns.RR{rr})
	c := &dns.Client{Timeout: 2 * time.Second}
	if key != "" {
		c.TsigSecret = map[string]string{key: secret}
		m.SetTsig(key, dns.HmacSHA256, 300, time.Now().Unix())
	}
	r, _, err := c.Exchange(m, d.Addr())
	if r == nil { // an answer to a wrong key has no good signature
		t.Fatal(err)
	}
	return r.Rcode
}

func TestDNSUpdates(t *testing.T) {
	t.Parallel()
	d := renewtest.StartDNS(t, renewtest.DNSOptions{KeyName: "medic", KeySecret: secret})
	insert, remove := (*dns.Msg).Insert, (*dns.Msg).Remove
	d.AddTXT("_acme-challenge.example.com", "other")
	if rc := update(t, d, "medic.", secret, insert); rc != dns.RcodeSuccess {
		t.Fatalf("insert: %s", dns.RcodeToString[rc])
	}
	if got := d.TXTRecords("_acme-challenge.example.com"); !slices.Equal(got, []string{"other", "v"}) {
		t.Fatalf("after insert: %v", got)
	}
	if m := ask(t, "tcp", d.Addr(), "_acme-challenge.example.com.", dns.TypeTXT); len(m.Answer) != 2 {
		t.Fatalf("TXT: %v", m)
	}
	if rc := update(t, d, "medic.", secret, remove); rc != dns.RcodeSuccess {
		t.Fatalf("remove: %s", dns.RcodeToString[rc])
	}
	if got := d.Leftover(); !slices.Equal(got, []string{"_acme-challenge.example.com. other"}) {
		t.Fatalf("after remove: %v", got)
	}
	if rc := update(t, d, "medic.", "d3JvbmcgIHNlY3JldA==", insert); rc != dns.RcodeNotAuth {
		t.Errorf("wrong secret: %s", dns.RcodeToString[rc])
	}
	if rc := update(t, d, "else.", secret, insert); rc != dns.RcodeNotAuth {
		t.Errorf("wrong key: %s", dns.RcodeToString[rc])
	}
	if rc := update(t, d, "", "", insert); rc != dns.RcodeRefused {
		t.Errorf("no key: %s", dns.RcodeToString[rc])
	}
	d.SetUpdateMode(renewtest.UpdateRefuse)
	if rc := update(t, d, "medic.", secret, insert); rc != dns.RcodeRefused {
		t.Errorf("lost right: %s", dns.RcodeToString[rc])
	}
	if got := d.TXTRecords("_acme-challenge.example.com"); !slices.Equal(got, []string{"other"}) {
		t.Fatalf("after refusals: %v", got)
	}
}

func TestMintIsIssuedByTheSameIntermediate(t *testing.T) {
	t.Parallel()
	ca := renewtest.StartCA(t, renewtest.CAOptions{})
	now := time.Now().Truncate(time.Second)
	m, err := ca.Mint(renewtest.Template{Names: []string{"www.example.com", "127.0.0.1"}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Leaf.NotAfter.Equal(now.Add(-time.Hour)) || len(m.Leaf.IPAddresses) != 1 {
		t.Fatalf("leaf: %v %v", m.Leaf.NotAfter, m.Leaf.IPAddresses)
	}
	if _, err := m.TLS(); err != nil {
		t.Fatal(err)
	}
	inter := x509.NewCertPool()
	inter.AppendCertsFromPEM(ca.IntermediatePEM(0))
	o := x509.VerifyOptions{DNSName: "www.example.com", Roots: ca.IssuingRoots(), Intermediates: inter}
	if _, err := m.Leaf.Verify(o); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired certificate verifies: %v", err)
	}
	block, _ := pem.Decode(ca.IntermediatePEM(0))
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Leaf.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	short, err := ca.Mint(renewtest.Template{Names: []string{"www.example.com"}, NotAfter: now.Add(5 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	o.CurrentTime = now.Add(2 * time.Second)
	if _, err := short.Leaf.Verify(o); err != nil {
		t.Error(err)
	}
	if err := ca.SetRenewalInfo(m.Chain, "nonsense"); err != nil {
		t.Error(err)
	}
}

func TestDirectoryIsHTTPSOfItsOwnRoot(t *testing.T) {
	t.Parallel()
	ca := renewtest.StartCA(t, renewtest.CAOptions{})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.APIRootPEM())
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer c.CloseIdleConnections()
	r, err := c.Get(ca.DirectoryURL())
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || len(ca.Requests()) != 1 {
		t.Errorf("%s %v", r.Status, ca.Requests())
	}
}

func TestListenSamePort(t *testing.T) {
	t.Parallel()
	ls, port, err := renewtest.Listen("127.0.0.1", "127.0.0.2")
	if err != nil {
		t.Skipf("SKIPPED: 127.0.0.2 is not there: %v", err)
	}
	for _, l := range ls {
		if !strings.HasSuffix(l.Addr().String(), fmt.Sprintf(":%d", port)) {
			t.Errorf("%v, want port %d", l.Addr(), port)
		}
		l.Close()
	}
}

// A CA and a DNS server for a program that has no *testing.T.
func Example() {
	names, err := renewtest.NewDNS(renewtest.DNSOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer names.Close()
	names.AddA("www.example.com", "127.0.0.1")

	ca, err := renewtest.NewCA(renewtest.CAOptions{DNSAddr: names.Addr(), HTTPPort: 5002})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ca.Close()
	old, err := ca.Mint(renewtest.Template{Names: []string{"www.example.com"}, NotAfter: time.Now().Add(-time.Second)})
	if err != nil {
		fmt.Println(err)
		return
	}
	block, _ := pem.Decode(ca.IssuingRootPEM(0))
	fmt.Println(block.Type, old.Leaf.DNSNames, time.Now().After(old.Leaf.NotAfter))
	// Output: CERTIFICATE [www.example.com] true
}
