package acme

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// redirects is a world in which www.example.com redirects, each time to what
// to says, and in which tokens.example.com forwards to the listener.
func redirects(t *testing.T) (w *world, ch renew.Challenge, to func(func(r *http.Request) string)) {
	w = newWorld(t, renewtest.CAOptions{})
	ch = w.listen()
	var next atomic.Value
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: w.http})
		r.Out.Host = "www.example.com"
	}}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Host, "tokens."):
			forward.ServeHTTP(rw, r)
		case strings.HasPrefix(r.Host, "other."):
			http.Error(rw, "a secret of another host", http.StatusForbidden)
		case r.URL.Path == "/said":
			rw.WriteHeader(299)
			_, _ = rw.Write([]byte("no\u202etoken \x1b[31mhere\u200b " + strings.Repeat("x", 300)))
		default:
			http.Redirect(rw, r, next.Load().(func(r *http.Request) string)(r), http.StatusFound)
		}
	}))
	t.Cleanup(front.Close)
	ch.Port = front.Listener.Addr().(*net.TCPAddr).Port
	for _, n := range []string{"www", "tokens", "other"} {
		w.dns.AddA(n+".example.com", "127.0.0.1")
	}
	return w, ch, func(f func(r *http.Request) string) { next.Store(f) }
}

func TestPreflightRedirects(t *testing.T) {
	t.Parallel()
	w, ch, to := redirects(t)
	port := strconv.Itoa(ch.Port)
	to(func(r *http.Request) string { return "http://tokens.example.com:" + port + r.URL.Path })
	if f := faults(w.preflight(t, ch, "www.example.com")); f != nil {
		t.Errorf("a redirect to the listener: %v", f)
	}
	n := 0
	for want, f := range map[string]func(r *http.Request) string{
		"circle":            func(r *http.Request) string { return "http://" + r.Host + r.URL.Path },
		"more than 10":      func(r *http.Request) string { n++; return fmt.Sprintf("http://%s/%d", r.Host, n) },
		"neither http nor":  func(*http.Request) string { return "ftp://www.example.com/x" },
		"not a name":        func(*http.Request) string { return "http://127.0.0.1:" + port + "/" },
		"ports 80 and 443":  func(r *http.Request) string { return "http://tokens.example.com:" + strconv.Itoa(w.port) + r.URL.Path },
		"it answers 403 Fo": func(*http.Request) string { return "http://other.example.com:" + port + "/" },
	} {
		to(f)
		got := fault(t, w.preflight(t, ch, "www.example.com"), "http01_path")
		if !strings.Contains(got.Proof["error"], want) || got.Proof["redirects"] == "" || got.Proof["body"] != "" {
			t.Errorf("want %q: %v", want, got.Proof)
		}
	}
	for _, ten := range []bool{true, false} { // the tenth is followed, the eleventh is not
		n := 0
		to(func(r *http.Request) string {
			if n++; n == 10 && ten || n == 11 {
				return "http://tokens.example.com:" + port + r.URL.Path
			}
			return fmt.Sprintf("http://%s%s?%d", r.Host, r.URL.Path, n)
		})
		if f := faults(w.preflight(t, ch, "www.example.com")); (f == nil) != ten {
			t.Errorf("ten redirects %v: %v", ten, f)
		}
	}
	to(func(*http.Request) string { return "/said" })
	got := fault(t, w.preflight(t, ch, "www.example.com"), "http01_path").Proof
	if b := got["body"]; !strings.HasPrefix(b, "no token [31mhere xxx") || len(b) > maxShown+3 || got["status"] != "299" {
		t.Errorf("what it says is shown as %q, status %q", b, got["status"])
	}
}

// A web server cannot send the rehearsal to what only this machine reaches:
// with the name elsewhere, nothing at a loopback address is asked.
func TestRedirectsStayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	asked := atomic.Int32{}
	inside := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1); strings.HasPrefix(r.Host, "www.") {
			http.Redirect(rw, r, "http://inside.example.com:"+strings.Split(r.Host, ":")[1]+"/latest", http.StatusFound)
		}
	}))
	defer inside.Close()
	w.dns.AddA("inside.example.com", "127.0.0.1")
	f := fetcher{r: newResolver([]string{w.dns.Addr()}), domain: "www.example.com", port: inside.Listener.Addr().(*net.TCPAddr).Port,
		own: []netip.Addr{netip.MustParseAddr("93.184.216.34")}} // never asked: the fetch is from 127.0.0.1
	g := f.fetch(short(t), netip.MustParseAddr("127.0.0.1"))
	if g.err == nil || !strings.Contains(g.err.Error(), "inside.example.com at 127.0.0.1, which is not an address of the internet") || asked.Load() != 1 {
		t.Errorf("asked %d times: %v", asked.Load(), g.err)
	}
}

func TestMayAsk(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		own, to string
		may     bool
	}{
		{"93.184.216.34", "93.184.216.35", true},
		{"93.184.216.34", "2606:2800:220:1::1", true},
		{"127.0.0.1", "127.0.0.9", true}, // the demo
		{"10.1.0.1", "10.2.0.1", true},   // an internal CA's estate
		{"10.1.0.1", "192.168.0.1", false},
		{"10.1.0.1", "127.0.0.1", false},
		{"10.1.0.1", "93.184.216.34", true},
		{"192.0.2.9", "192.0.2.9", true}, // the name itself is there
		{"192.0.2.9", "192.0.2.10", false},
		{"93.184.216.34", "127.0.0.1", false},
		{"93.184.216.34", "::1", false},
		{"93.184.216.34", "::ffff:127.0.0.1", false},
		{"93.184.216.34", "::ffff:100.64.0.1", false},
		{"93.184.216.34", "64:ff9b::7f00:1", false},
		{"93.184.216.34", "2002:7f00:1::", false},
		{"93.184.216.34", "169.254.169.254", false},
		{"169.254.1.1", "169.254.169.254", false},
		{"fd00::1", "fd00::2", true},
		{"fd00::1", "fd00:ec2::254", false},
		{"100.64.0.1", "100.100.100.200", false},
		{"93.184.216.34", "168.63.129.16", false},
		{"93.184.216.34", "0.0.0.0", false},
		{"93.184.216.34", "::", false},
		{"93.184.216.34", "fe80::1%eth0", false},
		{"93.184.216.34", "224.0.0.1", false},
		{"93.184.216.34", "198.18.0.1", false},
	} {
		f := fetcher{domain: "www.example.com", own: []netip.Addr{netip.MustParseAddr(row.own)}}
		if err := f.mayAsk("x.example.com", netip.MustParseAddr(row.to)); (err == nil) != row.may {
			t.Errorf("from %s to %s: %v", row.own, row.to, err)
		}
	}
}
