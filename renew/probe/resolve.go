package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// resolver picks what names are looked up with.
func resolver(o Options) *net.Resolver {
	switch {
	case o.Resolver != nil:
		return o.Resolver
	case o.DNS != "":
		return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, o.DNS)
		}}
	}
	return net.DefaultResolver
}

// addresses returns where to look: the addresses of the query, the host itself
// when it is one, else what it resolves to (IPv4 first, sorted, so that the
// order does not change from check to check).
func (p *Prober) addresses(ctx context.Context, q renew.Query) ([]place, []renew.Finding) {
	if len(q.Addresses) > 0 {
		all, fs := capped(places(q.Addresses, q.Port), q.Host)
		return all, append(fs, p.elsewhere(ctx, q, all)...)
	}
	if _, err := netip.ParseAddr(q.Host); err == nil {
		return places([]string{q.Host}, q.Port), nil
	}
	ips, err := p.resolve(ctx, q.Host, p.o.Timeout)
	if err != nil {
		return nil, []renew.Finding{dnsFinding(ctx, q.Host, p.o.DNS, err)}
	}
	texts := make([]string, len(ips))
	for i, a := range ips {
		texts[i] = a.String()
	}
	return capped(places(texts, q.Port), q.Host)
}

func capped(all []place, host string) ([]place, []renew.Finding) {
	if len(all) <= maxAddresses {
		return all, nil
	}
	f := found("addresses_capped", map[string]string{"name": host},
		"%s has %d addresses, of which the first %d were looked at", clean(host, 100), len(all), maxAddresses)
	return all[:maxAddresses], []renew.Finding{f}
}

// resolve looks a name up. A name with a dot is taken as complete, so that no
// search domain answers for it.
func (p *Prober) resolve(ctx context.Context, host string, limit time.Duration) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if strings.Contains(host, ".") {
		host += "."
	}
	ips, err := p.dns.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortFunc(ips, func(a, b netip.Addr) int { return a.Compare(b) })
	return slices.Compact(ips), nil
}

// elsewhere reports addresses in DNS that the query did not name.
func (p *Prober) elsewhere(ctx context.Context, q renew.Query, known []place) []renew.Finding {
	if _, err := netip.ParseAddr(q.Host); err == nil || !p.o.CompareDNS {
		return nil
	}
	ips, err := p.resolve(ctx, q.Host, min(p.o.Timeout, 2*time.Second))
	if err != nil {
		return nil // the declared addresses are looked at all the same
	}
	var other []string
	for _, a := range ips {
		if !slices.ContainsFunc(known, func(k place) bool { return k.addr.Addr() == a }) {
			other = append(other, a.String())
		}
	}
	if len(other) == 0 {
		return nil
	}
	return []renew.Finding{found("dns_elsewhere", map[string]string{"name": q.Host, "resolved": strings.Join(other, " ")},
		"%s also resolves to %s, which the inventory does not name", clean(q.Host, 100), list(other, 4))}
}

func dnsFinding(ctx context.Context, host, server string, err error) renew.Finding {
	proof := map[string]string{"name": host, "stage": "dns", "error": err.Error(), "server": server}
	name := clean(host, 100)
	if ctx.Err() != nil {
		return found("interrupted", proof, "the check was stopped while %s was being looked up", name)
	}
	var de *net.DNSError
	if errors.As(err, &de) {
		switch { // net names the system's server also when another was asked
		case server == "":
			proof["server"] = de.Server
		case de.Server != "":
			proof["error"] = strings.ReplaceAll(err.Error(), de.Server, server)
		}
		switch {
		case de.IsNotFound:
			return found("dns_nxdomain", proof, "%s has no address in DNS", name)
		case de.IsTimeout:
			return found("dns_timeout", proof, "DNS did not answer in time for %s", name)
		case de.IsTemporary || strings.Contains(de.Err, "server misbehaving"), strings.Contains(de.Err, "lame referral"):
			return found("dns_servfail", proof, "the DNS server answers with a failure for %s", name)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return found("dns_timeout", proof, "DNS did not answer in time for %s", name)
	}
	return found("dns_failed", proof, "%s could not be looked up: %s", name, clean(proof["error"], 160))
}
