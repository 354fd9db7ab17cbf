package probe

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/certmedic/certmedic/renew"
)

// nameServer answers on a UDP port of loopback until the test ends.
func nameServer(t testing.TB, answer func(w dns.ResponseWriter, m *dns.Msg)) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { answer(w, m) })}
	done := make(chan struct{})
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	go func() { defer close(done); s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { s.Shutdown(); <-done })
	return pc.LocalAddr().String()
}

// zone answers with these addresses for every name.
func zone(addrs ...string) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg)
		r.SetReply(m)
		r.RecursionAvailable = true
		q := m.Question[0]
		for _, a := range addrs {
			ip := net.ParseIP(a)
			h := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 1}
			switch {
			case q.Qtype == dns.TypeA && ip.To4() != nil:
				r.Answer = append(r.Answer, &dns.A{Hdr: h, A: ip})
			case q.Qtype == dns.TypeAAAA && ip.To4() == nil:
				r.Answer = append(r.Answer, &dns.AAAA{Hdr: h, AAAA: ip})
			}
		}
		w.WriteMsg(r)
	}
}

func code(rcode int) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg)
		r.SetRcode(m, rcode)
		w.WriteMsg(r)
	}
}

func TestDNSFaults(t *testing.T) {
	t.Parallel()
	rows := []struct {
		want   string
		answer func(dns.ResponseWriter, *dns.Msg)
	}{
		{"dns_nxdomain", code(dns.RcodeNameError)},
		{"dns_nxdomain", zone()},
		{"dns_servfail", code(dns.RcodeServerFailure)},
		{"dns_servfail", func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(new(dns.Msg).SetReply(m)) }}, // lame
		{"dns_timeout", func(dns.ResponseWriter, *dns.Msg) {}},
	}
	for _, r := range rows {
		t.Run(r.want, func(t *testing.T) {
			t.Parallel()
			o := Options{DNS: nameServer(t, r.answer)}
			if r.want == "dns_timeout" {
				o.Timeout = 300 * time.Millisecond
			}
			rep := check(t, prober(o), renew.Query{Host: site})
			wantIDs(t, rep, r.want)
			f := one(t, rep, r.want)
			if f.Proof["stage"] != "dns" || f.Proof["name"] != site || f.Proof["error"] == "" || f.Proof["server"] != o.DNS {
				t.Errorf("proof %v", f.Proof)
			}
			if rep.Endpoint != site+":443" || len(rep.Addresses) != 0 || rep.Verdict != renew.Critical {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

// TestResolved: every address behind the name is looked at, once, in an order
// that does not change.
func TestResolved(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	at := serve(t, serving(e.inter.leaf(t).with(e.inter)))
	o := Options{DNS: nameServer(t, zone("127.0.0.3", "127.0.0.1", "127.0.0.2", "127.0.0.1"))}
	rep := check(t, prober(o, e.root), renew.Query{Host: "Media.Example.com.", Port: int(at.Port())})
	var got []string
	for _, a := range rep.Addresses {
		got = append(got, a.Address)
	}
	if want := fmt.Sprintf("127.0.0.1:%[1]d 127.0.0.2:%[1]d 127.0.0.3:%[1]d", at.Port()); strings.Join(got, " ") != want {
		t.Errorf("addresses %v, want %s", got, want)
	}
	if v := rep.Addresses[0].Verdict(); v != renew.Good {
		t.Errorf("verdict of %s is %s", got[0], v)
	}
	if rep.Endpoint != fmt.Sprintf("%s:%d", site, at.Port()) {
		t.Errorf("endpoint %s", rep.Endpoint)
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	q := query(serve(t, serving(e.inter.leaf(t).with(e.inter))))
	server := nameServer(t, zone("127.0.0.1", "127.0.0.9"))
	rep := check(t, prober(Options{DNS: server, CompareDNS: true}, e.root), q)
	wantIDs(t, rep, "dns_elsewhere")
	says(t, one(t, rep, "dns_elsewhere"), "also resolves to 127.0.0.9,")
	if rep.Verdict != renew.Good {
		t.Errorf("verdict %s: it is no fault", rep.Verdict)
	}
	wantIDs(t, check(t, prober(Options{DNS: server}, e.root), q))
}

// TestManyAddresses: a name cannot make us look at thousands of addresses.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("127.0.1.%d", i))
	}
	rep := prober(Options{Timeout: 5 * time.Second}).Check(context.Background(), renew.Query{Host: site, Port: 1, Addresses: all})
	if len(rep.Addresses) != maxAddresses {
		t.Errorf("%d addresses", len(rep.Addresses))
	}
	says(t, one(t, rep, "addresses_capped"), "200 addresses, of which the first 64")
}
