package acme

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file holds where a redirect may lead while a token is fetched: where a
// CA would go, and nowhere that only this machine reaches.

// redirect decides about one redirect and records it. A CA follows at most ten
// of them, to names at the ports 80 and 443 alone
// (https://letsencrypt.org/docs/challenge-types/#http-01-challenge; RFC 8555
// section 8.3 leaves it to the CA).
func (f fetcher) redirect(g *fetched, r *http.Request, via []*http.Request) error {
	to := r.URL.String()
	g.redirects = append(g.redirects, shortURL(r.URL))
	for _, v := range via {
		if v.URL.String() == to {
			return fmt.Errorf("it redirects in a circle, to %s again", shortURL(r.URL))
		}
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return fmt.Errorf("it redirects to %s, which is neither http nor https", shortURL(r.URL))
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	if _, err := netip.ParseAddr(strings.Trim(r.URL.Hostname(), "[]")); err == nil {
		return fmt.Errorf("it redirects to %s, an address and not a name, which a CA does not follow", shortURL(r.URL))
	}
	if port := portOf(r.URL); port != 80 && port != 443 && port != f.port {
		return fmt.Errorf("it redirects to %s, and a CA follows only to the ports 80 and 443", shortURL(r.URL))
	}
	g.away = !strings.EqualFold(r.URL.Hostname(), f.domain)
	return nil
}

// portOf is the port of an address of the web, 0 when it is none.
func portOf(u *url.URL) int {
	if u.Port() == "" && u.Scheme == "https" {
		return 443
	} else if u.Port() == "" {
		return 80
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

func shortURL(u *url.URL) string { return printable([]byte(u.Redacted()), 200) }

// metadata are addresses at which clouds tell a machine its secrets, and which
// look like others': AWS over IPv6, Alibaba, Azure.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16")}

// near are networks of one owner. A redirect from within one may stay in it:
// then the CA is that owner's too.
var near = prefixes("127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7")

// special are networks that are not the internet
// (https://www.iana.org/assignments/iana-ipv4-special-registry, and -ipv6-),
// without those that netip knows by itself. Some carry an IPv4 address inside.
var special = prefixes("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
	"::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10")

func prefixes(list string) (out []netip.Prefix) {
	for _, s := range strings.Fields(list) {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether an address is one of the internet.
func public(a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, in) && !slices.Contains(metadata, a)
}

// mayAsk refuses the address of a host to which it redirects, unless it is on
// the internet, or the certificate's own name is at that address or within the
// same private network. What a web server says must not turn certmedic on what
// only certmedic's machine reaches.
func (f fetcher) mayAsk(host string, a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if public(a) || slices.Contains(f.own, a) {
		return nil
	}
	for _, p := range near {
		if p.Contains(a) && !slices.Contains(metadata, a) && slices.ContainsFunc(f.own, p.Contains) {
			return nil
		}
	}
	return fmt.Errorf("it redirects to %s at %s, which is not an address of the internet and not of %s: a CA cannot reach it, and it was not asked", printable([]byte(host), 100), a, f.domain)
}
