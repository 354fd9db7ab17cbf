package acme

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	queryFor  = 3 * time.Second // one question to one server
	maxCNAMEs = 8
)

// resolver asks DNS servers, the first that answers.
type resolver struct {
	servers []string // host:port
	nsPort  string   // of zones' own name servers; "": 53
}

// newResolver uses the configured servers (port 53 when none is said), or the
// system's.
func newResolver(configured []string) resolver {
	var r resolver
	for _, s := range configured {
		if _, _, err := net.SplitHostPort(s); err != nil {
			s = net.JoinHostPort(strings.Trim(s, "[]"), "53")
		}
		r.servers = append(r.servers, s)
	}
	if len(r.servers) > 0 {
		return r
	}
	if conf, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
		for _, s := range conf.Servers {
			r.servers = append(r.servers, net.JoinHostPort(s, conf.Port))
		}
	}
	if len(r.servers) == 0 {
		r.servers = []string{"127.0.0.1:53"}
	}
	return r
}

// rcodeError is an answer that is none: SERVFAIL, REFUSED, ...
type rcodeError struct {
	server, name string
	rcode        int
}

func (e *rcodeError) Error() string {
	return fmt.Sprintf("%s answers %s for %s", e.server, dns.RcodeToString[e.rcode], e.name)
}

// query asks the servers in order until one gives an answer: records, no
// records (NOERROR) or no such name (NXDOMAIN).
func (r resolver) query(ctx context.Context, name string, typ uint16) (*dns.Msg, error) {
	var errs []error
	for range 2 {
		for _, s := range r.servers {
			m, err := queryAt(ctx, s, name, typ)
			if err == nil {
				return m, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			errs = append(errs, err)
		}
	}
	return nil, errs[0]
}

// queryAt asks one server, over UDP and then TCP where the answer is cut off.
func queryAt(ctx context.Context, server, name string, typ uint16) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), typ)
	q.SetEdns0(1232, false)
	m, err := exchange(ctx, "udp", server, q, "", "")
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", server, q, "", "")
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s %s: %w", server, name, dns.TypeToString[typ], err)
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, &rcodeError{server, name, m.Rcode}
	}
	return m, nil
}

// exchange sends one message and reads the answer, giving up with ctx, which
// miekg/dns alone would only look at for its deadline.
func exchange(ctx context.Context, network, server string, m *dns.Msg, tsigKey, tsigSecret string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, queryFor)
	defer cancel()
	var d net.Dialer
	tcp, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	stop := context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &dns.Client{Net: network, Timeout: queryFor, UDPSize: 4096}
	if tsigKey != "" {
		c.TsigSecret = map[string]string{tsigKey: tsigSecret}
	}
	r, _, err := c.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: tcp, UDPSize: 4096})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("no answer in time: %w", err)
	}
	return r, err
}

// follow follows the CNAMEs of a name to its end. chain holds every name on
// the way, the first and the last included.
func (r resolver) follow(ctx context.Context, name string) (chain []string, err error) {
	name = dns.CanonicalName(name)
	chain = []string{name}
	for {
		m, err := r.query(ctx, name, dns.TypeCNAME)
		if err != nil {
			return chain, err
		}
		next := ""
		for _, rr := range m.Answer {
			if c, ok := rr.(*dns.CNAME); ok && dns.CanonicalName(c.Hdr.Name) == name {
				next = dns.CanonicalName(c.Target)
			}
		}
		if next == "" {
			return chain, nil
		}
		if slices.Contains(chain, next) {
			return append(chain, next), fmt.Errorf("the aliases go in a circle: %s", arrows(append(chain, next)))
		}
		if chain = append(chain, next); len(chain) > maxCNAMEs+1 {
			return chain, fmt.Errorf("more than %d aliases in a row: %s", maxCNAMEs, arrows(chain))
		}
		name = next
	}
}

// arrows writes a chain of names for people.
func arrows(chain []string) string {
	var out []string
	for _, n := range chain {
		out = append(out, strings.TrimSuffix(n, "."))
	}
	return strings.Join(out, " -> ")
}

// txt returns the TXT values of a name at one server.
func txtAt(ctx context.Context, server, fqdn string) ([]string, error) {
	m, err := queryAt(ctx, server, fqdn, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, rr := range m.Answer {
		if t, ok := rr.(*dns.TXT); ok {
			values = append(values, strings.Join(t.Txt, ""))
		}
	}
	return values, nil
}

// addresses returns a name's addresses, IPv6 first, as a CA tries them.
func (r resolver) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil
	}
	var out []netip.Addr
	for _, typ := range []uint16{dns.TypeAAAA, dns.TypeA} {
		m, err := r.query(ctx, name, typ)
		if err != nil {
			return nil, err
		}
		for _, rr := range m.Answer {
			var ip net.IP
			switch a := rr.(type) {
			case *dns.AAAA:
				ip = a.AAAA
			case *dns.A:
				ip = a.A.To4()
			}
			if a, ok := netip.AddrFromSlice(ip); ok && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no address, says %s", strings.TrimSuffix(name, "."), strings.Join(r.servers, ", "))
	}
	return out, nil
}

// zone finds the apex of the zone that a name is in, and its name servers,
// by going up label by label until there is a SOA record.
func (r resolver) zone(ctx context.Context, fqdn string) (string, error) {
	labels := dns.SplitDomainName(fqdn)
	for i := range labels {
		name := strings.Join(labels[i:], ".") + "."
		m, err := r.query(ctx, name, dns.TypeSOA)
		if err != nil {
			return "", err
		}
		for _, rr := range m.Answer {
			if soa, ok := rr.(*dns.SOA); ok && dns.CanonicalName(soa.Hdr.Name) == dns.CanonicalName(name) {
				return dns.CanonicalName(name), nil
			}
		}
	}
	return "", &dnsError{"zone", fmt.Errorf("no zone found for %s at %s", strings.TrimSuffix(fqdn, "."), strings.Join(r.servers, ", "))}
}

// authoritative returns ip:53 of the zone's name servers.
func (r resolver) authoritative(ctx context.Context, fqdn string) ([]string, error) {
	zone, err := r.zone(ctx, fqdn)
	if err != nil {
		return nil, err
	}
	m, err := r.query(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rr := range m.Answer {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		if ips, err := r.addresses(ctx, ns.Ns); err == nil {
			for _, ip := range ips {
				out = append(out, net.JoinHostPort(ip.String(), cmp.Or(r.nsPort, "53")))
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no name server of " + zone + " has an address")
	}
	return out, nil
}
