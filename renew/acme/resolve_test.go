package acme

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

func TestResolver(t *testing.T) {
	t.Parallel()
	d := renewtest.StartDNS(t, renewtest.DNSOptions{Zones: []string{"example.com", "sub.example.com"}})
	r, ctx := newResolver([]string{"127.0.0.1:1", d.Addr()}), short(t) // the first is dead
	d.AddA("www.example.com", "127.0.0.2", "127.0.0.3", "::1")
	d.SetCNAME("alias.example.com", "www.example.com")
	for _, name := range []string{"www.example.com", "alias.example.com"} {
		ips, err := r.addresses(ctx, name)
		if got := fmt.Sprint(ips); err != nil || got != "[::1 127.0.0.2 127.0.0.3]" { // IPv6 first
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	if _, err := r.addresses(ctx, "nothing.example.com"); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Error(err)
	}
	if ips, err := r.addresses(ctx, "::1"); err != nil || len(ips) != 1 {
		t.Errorf("%v %v", ips, err)
	}
	for name, want := range map[string]string{"a.b.example.com.": "example.com.", "x.sub.example.com.": "sub.example.com.", "example.com.": "example.com."} {
		if zone, err := r.zone(ctx, name); zone != want || err != nil {
			t.Errorf("zone of %s: %s %v", name, zone, err)
		}
	}
	var de *dnsError
	if _, err := r.zone(ctx, "www.example.org."); !errors.As(err, &de) || de.class != "zone" {
		t.Errorf("no zone: %v", err)
	}
	for i := range 9 {
		d.SetCNAME(fmt.Sprintf("c%d.example.com", i), fmt.Sprintf("c%d.example.com", i+1))
	}
	if chain, err := r.follow(ctx, "c1.example.com"); err != nil || len(chain) != 9 || chain[8] != "c9.example.com." {
		t.Errorf("eight aliases: %v %v", chain, err)
	}
	if _, err := r.follow(ctx, "c0.example.com"); err == nil || !strings.Contains(err.Error(), "more than 8 aliases") {
		t.Errorf("nine aliases: %v", err)
	}
	if len(newResolver(nil).servers) == 0 || newResolver([]string{"::1"}).servers[0] != "[::1]:53" {
		t.Error("system and IPv6 servers")
	}
}

// An answer that does not fit into a datagram comes over TCP.
func TestManyTXTValues(t *testing.T) {
	t.Parallel()
	d := renewtest.StartDNS(t, renewtest.DNSOptions{})
	for i := range 100 {
		d.AddTXT("_acme-challenge.example.com", fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", 300)))
	}
	got, err := txtAt(short(t), d.Addr(), "_acme-challenge.example.com.")
	if err != nil || len(got) != 100 || len(got[0]) < 300 {
		t.Errorf("%d values, %v", len(got), err)
	}
}

// Without configured resolvers the zone's own name servers are watched; one
// that cannot be asked does not count.
func TestAuthoritativeServersAreWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	_, port, err := net.SplitHostPort(w.dns.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w.dns.AddA("ns.example.com", "127.0.0.1", "::1")
	d, err := newDNS01(w.rfc2136(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d.own, d.r.nsPort = false, port
	ctx := short(t)
	if got := d.watched(ctx, "_acme-challenge.www.example.com."); !slices.Equal(got, []string{"[::1]:" + port, "127.0.0.1:" + port}) {
		t.Errorf("watched: %v", got)
	}
	if _, err := d.present(ctx, "www.example.com", "", "key"); err != nil {
		t.Error(err)
	}
	if _, err := d.remove(ctx, "www.example.com", "", "key"); err != nil {
		t.Error(err)
	}
	w.clean()
}

func TestRetryAfterIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	var mu sync.Mutex
	var looks []time.Time
	accepted := false
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		accepted = accepted || strings.HasPrefix(r.URL.Path, "/chalZ/")
		if !accepted || !strings.HasPrefix(r.URL.Path, "/authZ/") {
			return false
		}
		if looks = append(looks, time.Now()); len(looks) > 1 {
			return false
		}
		rw.Header().Set("Retry-After", "1")
		fmt.Fprint(rw, `{"status":"pending","identifier":{"type":"dns","value":"www.example.com"}}`)
		return true
	})
	w.issue(short(t), w.listen(), "www.example.com")
	mu.Lock()
	defer mu.Unlock()
	if len(looks) != 2 || looks[1].Sub(looks[0]) < 990*time.Millisecond {
		t.Errorf("looks at %v although the CA asked for a second", looks)
	}
}

// Two certificates with different resolvers at the same time.
func TestResolversArePerCertificate(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t, renewtest.CAOptions{}), newWorld(t, renewtest.CAOptions{})
	a.dns.SetCNAME("_acme-challenge.www.example.com", "a.delegated.test")
	b.dns.SetCNAME("_acme-challenge.www.example.com", "b.delegated.test")
	done := make(chan bool)
	for _, w := range []*world{a, b} {
		go func() {
			defer func() { done <- true }()
			for range 5 {
				proofs := w.cl.Preflight(short(t), renew.Certificate{Domains: []string{"www.example.com"}}, w.rfc2136())
				if f := faults(proofs); f != nil {
					t.Errorf("%v", f)
				}
			}
		}()
	}
	<-done
	<-done
	if len(a.dns.Asked("b.delegated.test"))+len(b.dns.Asked("a.delegated.test")) > 0 {
		t.Error("one certificate's resolver was asked for the other")
	}
}
