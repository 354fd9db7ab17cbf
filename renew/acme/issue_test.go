package acme

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"net"
	"net/http"
	"net/http/httptest"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

func TestHTTP01WithOwnListener(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	w.dns.AddA("img.example.com", "127.0.0.1")
	w.issue(short(t), w.listen(), "www.example.com", "img.example.com")
	w.clean()
	if !w.said("www.example.com: token served on") || !w.said("img.example.com: the CA is satisfied") {
		t.Errorf("said: %q", w.words)
	}
}

func TestHTTP01WithWebroot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	root := t.TempDir()
	site := httptest.NewUnstartedServer(http.FileServer(http.Dir(root)))
	site.Listener.Close()
	ls, err := net.Listen("tcp", w.http)
	if err != nil {
		t.Fatal(err)
	}
	site.Listener = ls
	site.Start()
	w.issue(short(t), renew.Challenge{Type: renew.HTTP01, Webroot: root}, "www.example.com")
	site.Close()
	w.clean()
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("left in the web root: %v", left)
	}
}

func TestWebrootRemovesWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	root := &webroot{dir: t.TempDir()}
	ctx := short(t)
	for _, token := range []string{"one", "two"} {
		if _, err := root.present(ctx, "", token, "x"); err != nil {
			t.Fatal(err)
		}
	}
	killed := &webroot{dir: root.dir} // another process
	if _, err := killed.remove(ctx, "", "one", "x"); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadDir(root.folder())
	if len(got) != 1 || got[0].Name() != "two" {
		t.Errorf("left: %v", got)
	}
	if st, err := os.Stat(filepath.Join(root.folder(), "two")); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", st, err)
	}
	if _, err := killed.remove(ctx, "", "one", "x"); err != nil {
		t.Errorf("removing twice: %v", err)
	}
}

func TestDNS01WildcardAndApexShareAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddTXT("_acme-challenge.example.com", "somebody-else")
	w.issue(short(t), w.rfc2136(), "example.com", "*.example.com")
	if left := w.dns.Leftover(); len(left) != 1 || !strings.HasSuffix(left[0], "somebody-else") {
		t.Errorf("TXT records: %v", left)
	}
}

func TestDNS01FollowsAliases(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.SetCNAME("_acme-challenge.www.example.com", "www.delegated.test")
	w.dns.SetCNAME("www.delegated.test", "end.delegated.test")
	w.issue(short(t), w.rfc2136(), "www.example.com")
	w.clean()
	if !w.said("TXT record end.delegated.test added") {
		t.Errorf("said: %q", w.words)
	}
}

func TestDNS01WrongKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ch := w.rfc2136()
	ch.Settings["tsig_secret"] = "d3JvbmcgIHNlY3JldA=="
	o, err := w.cl.NewOrder(short(t), renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	err = w.cl.Authorize(short(t), o, ch, w.say)
	if err == nil || !strings.Contains(err.Error(), "NOTAUTH") || strings.Contains(err.Error(), "d3Jvbmcg") {
		t.Errorf("error: %v", err)
	}
	w.clean()
}

// script writes a program that adds and removes TXT values in the DNS server
// through files that a goroutine of the test applies.
func TestDNS01Exec(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	dir := t.TempDir()
	h := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("do") == "present" {
			w.dns.AddTXT(q.Get("fqdn"), q.Get("value"))
		} else {
			w.dns.RemoveTXT(q.Get("fqdn"), q.Get("value"))
		}
	}))
	defer h.Close()
	prog := script(t, dir, fmt.Sprintf(`printf '%%s\n' "$*" >> %s/calls
exec 3<>/dev/tcp/%s || exit 9
printf 'GET /?do=%%s&fqdn=%%s&value=%%s HTTP/1.0\r\n\r\n' "$1" "$2" "$3" >&3
cat <&3 >/dev/null`, dir, strings.Replace(h.Listener.Addr().String(), ":", "/", 1)))
	ch := renew.Challenge{Type: renew.DNS01, Provider: "exec", Resolvers: []string{w.dns.Addr()}, Settings: map[string]string{"program": prog}}
	w.issue(short(t), ch, "example.com", "*.example.com")
	w.clean()
	calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
	if n := strings.Count(string(calls), "present _acme-challenge.example.com. "); n != 2 {
		t.Errorf("calls:\n%s", calls)
	}
}

func script(t *testing.T, dir, body string) string {
	t.Helper()
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("SKIPPED: this test needs /bin/bash")
	}
	path := filepath.Join(dir, "prog")
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHundredOrdersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	var wg sync.WaitGroup
	if _, err := w.cl.Register(short(t)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for i := range 100 {
		name := fmt.Sprintf("h%d.example.com", i)
		w.dns.AddA(name, "127.0.0.1")
		wg.Go(func() { w.issue(short(t), w.listen(), name) })
	}
	wg.Wait()
	t.Logf("100 certificates in %s", time.Since(start))
	w.clean()
	if n := len(w.ca.NewOrders()); n != 100 {
		t.Errorf("%d orders at the CA", n)
	}
}

func TestHalfOfAllNoncesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{NonceReject: 50})
	w.dns.AddA("www.example.com", "127.0.0.1")
	start := time.Now()
	for range 10 {
		w.issue(short(t), w.listen(), "www.example.com")
	}
	t.Logf("10 certificates in %s", time.Since(start))
	if n := len(w.ca.NewOrders()); n != 10 {
		t.Errorf("%d orders at the CA", n)
	}
	refused := 0
	for _, r := range w.ca.Requests() {
		if r.Problem == badNonce {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("only %d nonces were refused", refused)
	}
	w.clean()
}

func BenchmarkOneCertificate(b *testing.B) {
	w := newWorld(b, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	for b.Loop() {
		w.issue(short(b), w.listen(), "www.example.com")
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/cert")
}
