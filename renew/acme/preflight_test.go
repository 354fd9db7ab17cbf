package acme

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// faults lists the finding IDs of the proofs that are not OK.
func faults(proofs []renew.Proof) (ids []string) {
	for _, p := range proofs {
		if !p.OK {
			ids = append(ids, p.Finding.ID)
		}
	}
	return ids
}

func fault(t *testing.T, proofs []renew.Proof, id string) renew.Finding {
	t.Helper()
	for _, p := range proofs {
		if p.Finding.ID == id {
			f := p.Finding
			if !p.OK && (p.Text != f.Cause || f.Next == "" || f.Severity != renew.Critical || len(f.Proof) == 0) {
				t.Errorf("half a finding: %+v", p)
			}
			return f
		}
	}
	t.Fatalf("no %s among %+v", id, proofs)
	return renew.Finding{}
}

// preflight runs one and checks that nothing was ordered or left.
func (w *world) preflight(t *testing.T, ch renew.Challenge, names ...string) []renew.Proof {
	t.Helper()
	before := w.dns.Leftover()
	proofs := w.cl.Preflight(short(t), renew.Certificate{Name: "media", Domains: names}, ch)
	if n := len(w.ca.NewOrders()); n != 0 {
		t.Errorf("the preflight made %d orders", n)
	}
	if after := w.dns.Leftover(); !slices.Equal(before, after) && len(after) > 0 {
		t.Errorf("TXT records before %v, after %v", before, after)
	}
	if slices.Contains(listeners.open(), ch.Listen) {
		t.Errorf("still listening on %s", ch.Listen)
	}
	for _, p := range proofs {
		if p.At.IsZero() || p.Level == "" || p.Subject == "" || p.Text == "" {
			t.Errorf("half a proof: %+v", p)
		}
	}
	return proofs
}

func TestPreflightGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	for _, registered := range []bool{false, true} {
		if registered {
			if _, err := w.cl.Register(short(t)); err != nil {
				t.Fatal(err)
			}
		}
		for _, ch := range []renew.Challenge{w.listen(), w.rfc2136()} {
			proofs := w.preflight(t, ch, "www.example.com")
			var levels []string
			for _, p := range proofs {
				levels = append(levels, p.Level)
			}
			if f := faults(proofs); f != nil || !slices.Equal(levels, []string{"directory", "account", "clock", ch.Type}) {
				t.Errorf("%s: %v %+v", ch.Type, f, proofs)
			}
		}
	}
	if n := w.dns.Updates(); n != 4 {
		t.Errorf("%d updates, want 2 of each preflight", n)
	}
	proofs := w.preflight(t, w.rfc2136(), "example.com", "*.example.com", "www.example.com")
	if f := faults(proofs); f != nil || len(proofs) != 6 || proofs[4].Subject != "*.example.com" {
		t.Errorf("%v %+v", f, proofs)
	}
	if n := w.dns.Updates(); n != 8 { // the wildcard and its apex share a record
		t.Errorf("%d updates, want 8", n)
	}
}

func TestPreflightWebroot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	root := t.TempDir()
	site := httptest.NewServer(http.FileServer(http.Dir(root)))
	defer site.Close()
	ch := renew.Challenge{Type: renew.HTTP01, Webroot: root, Port: site.Listener.Addr().(*net.TCPAddr).Port, Resolvers: []string{w.dns.Addr()}}
	if f := faults(w.preflight(t, ch, "www.example.com")); f != nil {
		t.Error(f)
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	ch.Webroot = filepath.Join(root, "missing")
	fault(t, w.preflight(t, ch, "www.example.com"), "http01_listener")
}

// The media name is an alias of an apex whose proxies know nothing of the
// path and answer 404, all but one.
func TestPreflightHachyderm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ls, port, err := renewtest.Listen("127.0.0.21", "127.0.0.22")
	if err != nil {
		t.Skipf("SKIPPED: needs 127.0.0.21 and .22: %v", err)
	}
	proxy := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "nothing here, says "+r.Host, http.StatusNotFound)
	})}
	defer proxy.Close()
	go func() { _ = proxy.Serve(ls[0]) }()
	ls[1].Close() // our own listener gets this one
	w.dns.SetCNAME("media.example.com", "example.com")
	w.dns.AddA("example.com", "127.0.0.21", "127.0.0.22")
	ch := w.listen()
	ch.Listen, ch.Port = net.JoinHostPort("127.0.0.22", strconv.Itoa(port)), port
	proofs := w.preflight(t, ch, "media.example.com")
	f := fault(t, proofs, "http01_path")
	for k, part := range map[string]string{
		"address": fmt.Sprintf("127.0.0.21:%d", port), "failed": "127.0.0.21", "status": "404", "body": "nothing here, says media.example.com",
		"cname": "media.example.com -> example.com", "url": "http://media.example.com:" + strconv.Itoa(port) + "/.well-known/acme-challenge/",
	} {
		if !strings.Contains(f.Proof[k], part) {
			t.Errorf("proof %s is %q, want %q in it", k, f.Proof[k], part)
		}
	}
	if want := "Use dns-01, or forward /.well-known/acme-challenge/ from 127.0.0.21 to the listener on " + ch.Listen + "."; f.Next != want {
		t.Errorf("next: %q\nwant  %q", f.Next, want)
	}
	if !strings.Contains(f.Cause, "1 of 2 addresses") {
		t.Errorf("cause: %s", f.Cause)
	}
	if got := faults(w.preflight(t, w.rfc2136(), "media.example.com")); got != nil {
		t.Errorf("dns-01 is fine there: %v", got)
	}
}

func TestPreflightHTTP01Faults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	fault(t, w.preflight(t, w.listen(), "*.example.com"), "http01_wildcard")
	if f := fault(t, w.preflight(t, w.listen(), "gone.example.com"), "http01_path"); !strings.Contains(f.Cause, "no address") {
		t.Error(f)
	}
	taken, err := net.Listen("tcp", w.http)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := fault(t, w.preflight(t, w.listen(), "www.example.com"), "http01_listener")
	for _, part := range []string{w.http, "Another program has the port", "dns-01"} {
		if !strings.Contains(f.Cause, part) {
			t.Errorf("%q is not in %q", part, f.Cause)
		}
	}
}

func TestPreflightDNS01Faults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	rows := []struct {
		id    string
		setup func(ch *renew.Challenge)
	}{
		{"dns01_permission", func(ch *renew.Challenge) { ch.Settings["tsig_secret"] = "d3JvbmcgIHNlY3JldA==" }},
		{"dns01_permission", func(ch *renew.Challenge) { ch.Settings["tsig_key"] = "nobody" }},
		{"dns01_permission", func(*renew.Challenge) { w.dns.SetUpdateMode(renewtest.UpdateRefuse) }},
		{"dns01_unreachable", func(*renew.Challenge) { w.dns.SetUpdateMode(renewtest.UpdateFail) }},
		{"dns01_unreachable", func(ch *renew.Challenge) { ch.Settings["nameserver"] = "127.0.0.1:1" }},
		{"dns01_unreachable", func(ch *renew.Challenge) { ch.Resolvers = []string{"127.0.0.1:1"} }},
		{"dns01_zone", func(ch *renew.Challenge) { ch.Settings["zones"] = "example.org" }},
		{"dns01_zone", func(ch *renew.Challenge) { ch.Settings["zones"] = "www.example.com" }},
		{"dns01_propagation", func(ch *renew.Challenge) {
			w.dns.SetUpdateMode(renewtest.UpdatePretend)
			ch.Settings["propagation_timeout"] = "100ms"
		}},
		{"dns01_settings", func(ch *renew.Challenge) { ch.Settings["tsig_secrt"] = "x" }},
		{"dns01_settings", func(ch *renew.Challenge) { ch.Provider = "route53" }},
	}
	for i, row := range rows {
		ch := w.rfc2136()
		row.setup(&ch)
		proofs := w.preflight(t, ch, "www.example.com")
		f := fault(t, proofs, row.id)
		if strings.Contains(fmt.Sprint(proofs), tsigSecret) {
			t.Errorf("row %d tells the secret", i)
		}
		if row.id == "dns01_settings" && i == 9 && !strings.Contains(f.Cause, `"tsig_secret"`) {
			t.Errorf("nearest: %s", f.Cause)
		}
		w.dns.SetUpdateMode(renewtest.UpdateTake)
	}
	w.dns.SetCNAME("_acme-challenge.loop.example.com", "a.example.com")
	w.dns.SetCNAME("a.example.com", "_acme-challenge.loop.example.com")
	if f := fault(t, w.preflight(t, w.rfc2136(), "loop.example.com"), "dns01_unreachable"); !strings.Contains(f.Cause, "circle") {
		t.Error(f)
	}
	w.dns.SetServFail("_acme-challenge.bad.example.com", true)
	fault(t, w.preflight(t, w.rfc2136(), "bad.example.com"), "dns01_unreachable")
}

func TestPreflightLeftovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	const label = "_acme-challenge.example.com"
	w.dns.AddTXT(label, plantPrefix+"of-a-killed-one")
	w.dns.AddTXT(label, "a-real-one")
	proofs := w.cl.Preflight(short(t), renew.Certificate{Domains: []string{"example.com"}}, w.rfc2136())
	f := fault(t, proofs, "dns01_leftover")
	if faults(proofs) != nil || f.Severity != renew.Warning || f.Proof["values"] != "a-real-one" {
		t.Errorf("%+v", proofs)
	}
	if got := w.dns.TXTRecords(label); !slices.Equal(got, []string{"a-real-one"}) {
		t.Errorf("TXT records: %v", got)
	}
}

func TestPreflightExecFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	for says, id := range map[string]string{
		"AuthorizationFailed: does not have authorization":  "dns01_permission",
		"429 Too Many Requests":                             "dns01_throttled",
		"could not find zone for example.com":               "dns01_zone",
		"dial tcp: connect: connection refused":             "dns01_unreachable",
		"segmentation fault":                                "dns01_failed",
		"Rate exceeded: ThrottlingException, access denied": "dns01_throttled",
	} {
		prog := script(t, t.TempDir(), "echo '"+says+"' >&2; exit 1")
		ch := renew.Challenge{Type: renew.DNS01, Provider: "exec", Resolvers: []string{w.dns.Addr()}, Settings: map[string]string{"program": prog}}
		if f := fault(t, w.preflight(t, ch, "www.example.com"), id); !strings.Contains(f.Cause, says) {
			t.Errorf("%s: %s", says, f.Cause)
		}
	}
}

func TestPreflightOfTheCA(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	kid, err := w.cl.Register(short(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		w.ca.SetFault(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
			return false
		})
		f := fault(t, w.preflight(t, w.listen(), "www.example.com"), "clock_skew")
		if want := map[bool]string{true: "behind", false: "ahead of"}[skew > 0]; !strings.Contains(f.Cause, want) {
			t.Errorf("%s: %s", skew, f.Cause)
		}
	}
	w.ca.SetFault(nil)
	w.cl = w.client(kid + "x")
	fault(t, w.preflight(t, w.listen(), "www.example.com"), "ca_account")
	w.cl = w.client(kid)
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/my-account/") {
			fmt.Fprint(rw, `{"status":"deactivated"}`)
			return true
		}
		return false
	})
	if f := fault(t, w.preflight(t, w.listen(), "www.example.com"), "ca_account"); !strings.Contains(f.Cause, "deactivated") {
		t.Error(f)
	}
	w.ca.SetFault(nil)
	proofs := w.cl.Preflight(short(t), renew.Certificate{Domains: []string{"www.example.com"}, Profile: "sevendays"}, w.listen())
	fault(t, proofs, "ca_profile")
	w.ca.Close()
	proofs = w.preflight(t, w.listen(), "www.example.com")
	if f := faults(proofs); !slices.Equal(f, []string{"ca_unreachable"}) {
		t.Errorf("%v", f) // the path of the challenge is proved all the same
	}
}

func TestClockProof(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 900e6, time.UTC)
	whole := now.Truncate(time.Second)
	for _, row := range []struct {
		server time.Time
		ok     bool
	}{{whole, true}, {whole.Add(-60 * time.Second), true}, {whole.Add(60 * time.Second), true}, {whole.Add(-63 * time.Second), false}, {whole.Add(62 * time.Second), false}} {
		if p := proveClock("u", now, now.Add(time.Millisecond), row.server); p.OK != row.ok {
			t.Errorf("server %s: %+v", row.server, p)
		}
	}
}
