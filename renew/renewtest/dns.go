package renewtest

import (
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/letsencrypt/challtestsrv"
	"github.com/miekg/dns"
)

// DNSOptions say how the DNS server behaves.
type DNSOptions struct {
	Addr  string   // UDP and TCP; default 127.0.0.1:0
	Zones []string // apexes that it has authority over and takes updates for; empty: every name of two labels is one
	// TSIG key (hmac-sha256) that updates must be signed with; name "" takes
	// any update. Secret is base64.
	KeyName, KeySecret string
}

// UpdateMode says what the server does with a dynamic update (RFC 2136).
type UpdateMode int

// Modes.
const (
	UpdateTake    UpdateMode = iota // obey
	UpdateRefuse                    // answer REFUSED: the right was lost
	UpdateFail                      // answer SERVFAIL
	UpdatePretend                   // answer NOERROR and change nothing
	UpdateSilent                    // answer nothing at all
)

// DNS is challtestsrv with what it lacks put in front of it: dynamic updates
// with TSIG, SOA and NS of its zones, NXDOMAIN, and CNAME chains longer than
// one step. challtestsrv keeps the records and the history of questions.
//
// Names are taken with or without a trailing dot and in any case.
type DNS struct {
	chall   *challtestsrv.ChallSrv
	mux     *dns.ServeMux // challtestsrv's own handler
	addr    string
	zones   []string
	key     string
	servers []*dns.Server
	done    sync.WaitGroup

	mu      sync.Mutex
	mode    UpdateMode
	names   map[string]bool     // every name that ever had a record
	txt     map[string][]string // what TXT values are there; the same as in challtestsrv
	asked   []dns.Question
	updates int
}

// muxMu guards dns.DefaultServeMux while challtestsrv registers itself in it.
var muxMu sync.Mutex

// NewDNS starts a DNS server. Several may run in one process: challtestsrv
// registers its handler in a global of miekg/dns, where the last one would
// answer for all, so each gets a mux of its own here.
func NewDNS(o DNSOptions) (*DNS, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	d := &DNS{mux: dns.NewServeMux(), names: map[string]bool{}, txt: map[string][]string{}}
	muxMu.Lock()
	global := dns.DefaultServeMux
	dns.DefaultServeMux = d.mux
	chall, err := challtestsrv.New(challtestsrv.Config{
		DNSAddrs: []string{"in-process"}, // never listened on: the front hands questions over
		Log:      log.New(io.Discard, "", 0),
	})
	dns.DefaultServeMux = global
	muxMu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("challtestsrv: %w", err)
	}
	d.chall = chall
	chall.SetDefaultDNSIPv4("")
	chall.SetDefaultDNSIPv6("")
	for _, z := range o.Zones {
		d.zones = append(d.zones, canonical(z))
	}
	udp, tcp, err := listenBoth(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	d.addr = tcp.Addr().String()
	var secrets map[string]string
	if o.KeyName != "" {
		d.key = canonical(o.KeyName)
		secrets = map[string]string{d.key: o.KeySecret}
	}
	d.start(&dns.Server{PacketConn: udp}, secrets)
	d.start(&dns.Server{Listener: tcp}, secrets)
	return d, nil
}

func (d *DNS) start(s *dns.Server, secrets map[string]string) {
	up := make(chan struct{})
	s.Handler = dns.HandlerFunc(d.serve)
	s.TsigSecret = secrets
	s.MsgAcceptFunc = func(h dns.Header) dns.MsgAcceptAction {
		if h.Bits&(1<<15) != 0 { // an answer
			return dns.MsgIgnore
		}
		return dns.MsgAccept
	}
	s.NotifyStartedFunc = func() { close(up) }
	d.servers = append(d.servers, s)
	d.done.Go(func() { _ = s.ActivateAndServe() })
	<-up
}

// Close ends the server.
func (d *DNS) Close() {
	for _, s := range d.servers {
		_ = s.Shutdown()
	}
	d.done.Wait()
}

// Addr returns host:port, the same for UDP and TCP.
func (d *DNS) Addr() string { return d.addr }

// Chall returns the challtestsrv underneath, for what has no method here.
func (d *DNS) Chall() *challtestsrv.ChallSrv { return d.chall }

func canonical(name string) string { return dns.CanonicalName(name) }

func (d *DNS) know(name string) string {
	name = canonical(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = true
	return name
}

// AddA adds addresses of a host: A for IPv4, AAAA for IPv6.
func (d *DNS) AddA(host string, ips ...string) {
	host = d.know(host)
	for _, ip := range ips {
		if a := net.ParseIP(ip); a != nil && a.To4() == nil {
			d.chall.AddDNSAAAARecord(host, []string{ip})
		} else {
			d.chall.AddDNSARecord(host, []string{ip})
		}
	}
}

// SetA replaces every address of a host; without ips it takes them away.
func (d *DNS) SetA(host string, ips ...string) {
	host = d.know(host)
	d.chall.DeleteDNSARecord(host)
	d.chall.DeleteDNSAAAARecord(host)
	d.AddA(host, ips...)
}

// SetCNAME makes host an alias of target; target "" takes it away.
func (d *DNS) SetCNAME(host, target string) {
	host = d.know(host)
	if target == "" {
		d.chall.DeleteDNSCNAMERecord(host)
		return
	}
	d.chall.AddDNSCNAMERecord(host, canonical(target))
}

// AddCAA adds a CAA record, for example ("example.com", "issue", "pebble.test").
func (d *DNS) AddCAA(host, tag, value string) {
	d.chall.AddDNSCAARecord(d.know(host), []challtestsrv.CAAPolicy{{Tag: tag, Value: value}})
}

// SetServFail makes every question about host fail with SERVFAIL, or not any more.
func (d *DNS) SetServFail(host string, fail bool) {
	if host = d.know(host); fail {
		d.chall.AddDNSServFailRecord(host)
	} else {
		d.chall.DeleteDNSServFailRecord(host)
	}
}

// AddTXT adds a TXT value, as a killed process may have left it.
func (d *DNS) AddTXT(fqdn, value string) {
	fqdn = d.know(fqdn)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.txt[fqdn], value) {
		d.setTXT(fqdn, append(slices.Clone(d.txt[fqdn]), value))
	}
}

// RemoveTXT removes one TXT value.
func (d *DNS) RemoveTXT(fqdn, value string) {
	fqdn = canonical(fqdn)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setTXT(fqdn, slices.DeleteFunc(slices.Clone(d.txt[fqdn]), func(v string) bool { return v == value }))
}

// setTXT replaces the TXT values of a name. challtestsrv cannot take away one
// alone, so all go and the others come again. Called with mu held.
func (d *DNS) setTXT(fqdn string, values []string) {
	d.chall.DeleteDNSTXTRecord(fqdn)
	for _, v := range values {
		d.chall.AddDNSTXTRecord(fqdn, v)
	}
	if d.txt[fqdn] = values; len(values) == 0 {
		delete(d.txt, fqdn)
	}
}

// TXTRecords returns the TXT values of a name.
func (d *DNS) TXTRecords(fqdn string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.txt[canonical(fqdn)])
}

// Leftover lists every TXT value that is there, as "name value", sorted.
func (d *DNS) Leftover() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for name, values := range d.txt {
		for _, v := range values {
			out = append(out, name+" "+v)
		}
	}
	slices.Sort(out)
	return out
}

// SetUpdateMode says what happens with dynamic updates from now on.
func (d *DNS) SetUpdateMode(m UpdateMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mode = m
}

// Updates returns how many dynamic updates were taken.
func (d *DNS) Updates() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.updates
}

// Asked returns the questions about a name so far, "TXT" or "AAAA" each.
func (d *DNS) Asked(name string) []string {
	name = canonical(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, q := range d.asked {
		if q.Name == name {
			out = append(out, dns.TypeToString[q.Qtype])
		}
	}
	return out
}

// zoneOf returns the apex of the zone that a name is in, "" when it is in none.
func (d *DNS) zoneOf(name string) string {
	if len(d.zones) == 0 {
		if labels := dns.SplitDomainName(name); len(labels) >= 2 {
			return strings.Join(labels[len(labels)-2:], ".") + "."
		}
		return ""
	}
	best := ""
	for _, z := range d.zones {
		if dns.IsSubDomain(z, name) && len(z) > len(best) {
			best = z
		}
	}
	return best
}
