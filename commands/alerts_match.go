package commands

// This file ties an alert to a certificate of the inventory by the hosts that
// the alert names. What it cannot tie, it does not guess.

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/certmedic/certmedic/renew"
)

// HostsIn returns the host names and IP addresses in a text, each with its
// port where one stands beside it, lower case, in order: of a URL the host, of
// "CN=media.example.com" the name. A word without a dot is none, and neither
// is what stands behind an @. A wildcard keeps its star.
func HostsIn(text string) []string {
	var out []string
	if len(text) > 4096 {
		text = text[:4096]
	}
	words := strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune(".-:_[]*@", r)
	})
	for _, w := range words {
		if len(out) == 16 {
			break
		}
		if h := plainHost(w); h != "" {
			out = append(out, h)
		}
	}
	return out
}

// plainHost is a word as a host with or without port, or "".
func plainHost(w string) string {
	if strings.Contains(w, "@") || len(w) > 320 {
		return ""
	}
	for _, ip := range []string{w, strings.TrimRight(w, ".:-_")} { // an IPv6 address may end with a colon
		if a, err := netip.ParseAddrPort(ip); err == nil && !a.Addr().IsUnspecified() {
			return netip.AddrPortFrom(a.Addr().WithZone("").Unmap(), a.Port()).String()
		}
		if a, err := netip.ParseAddr(strings.Trim(ip, "[]")); err == nil && !a.IsUnspecified() {
			return a.WithZone("").Unmap().String()
		}
	}
	w = strings.TrimRight(w, ".:-_")
	host, port, hasPort := strings.Cut(w, ":")
	if hasPort && !isPort(port) {
		return ""
	}
	host = strings.TrimRight(strings.TrimLeft(host, ".-_["), ".]")
	star := strings.HasPrefix(host, "*.")
	host, err := idna.Lookup.ToASCII(strings.TrimPrefix(host, "*."))
	if err != nil || !strings.Contains(host, ".") || len(host) > 253 || !strings.ContainsFunc(host[strings.LastIndexByte(host, '.')+1:], unicode.IsLetter) {
		return ""
	}
	if star {
		return "*." + host
	}
	if hasPort {
		return host + ":" + port
	}
	return host
}

func isPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// matcher finds certificates by what an alert names. Where the inventory has
// two for one name, the first in the file counts.
type matcher struct {
	exact    map[string]string // host:port and ip:port
	host     map[string]string // domains and endpoints' hosts
	wildcard map[string]string // parent of a wildcard domain
	ip       map[string]string // "" where two certificates have it
	name     map[string]string // certificates, lower case
	target   map[string]string // hosts of waves, lower case; "" where two certificates have it
}

func newMatcher(inv renew.Inventory) *matcher {
	m := &matcher{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}}
	put := func(to map[string]string, key, cert string) {
		if _, taken := to[key]; !taken && key != "" {
			to[key] = cert
		}
	}
	once := func(to map[string]string, key, cert string) {
		if have, ok := to[key]; ok && have != cert {
			cert = ""
		}
		to[key] = cert
	}
	address := func(s, cert string) {
		if a, err := netip.ParseAddrPort(s); err == nil {
			put(m.exact, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String(), cert)
			once(m.ip, a.Addr().Unmap().String(), cert)
		}
	}
	for _, c := range inv.Certificates {
		put(m.name, strings.ToLower(c.Name), c.Name)
		for _, d := range c.Domains {
			if parent, ok := strings.CutPrefix(d, "*."); ok {
				put(m.wildcard, parent, c.Name)
			} else {
				put(m.host, d, c.Name)
			}
		}
	}
	for _, c := range inv.Certificates { // after the domains: they say whose a name is
		for _, e := range c.Endpoints {
			host := strings.ToLower(e.Host)
			if ip, err := netip.ParseAddr(host); err == nil {
				address(netip.AddrPortFrom(ip, uint16(e.Port)).String(), c.Name)
			} else {
				put(m.exact, host+":"+strconv.Itoa(e.Port), c.Name)
				put(m.host, host, c.Name)
			}
			for _, a := range e.Addresses {
				if ip, err := netip.ParseAddr(a); err == nil {
					address(netip.AddrPortFrom(ip, uint16(e.Port)).String(), c.Name)
				}
			}
		}
		for _, t := range c.Hosts() {
			for _, v := range t.Verify {
				address(v, c.Name)
			}
			once(m.target, strings.ToLower(t.Name), c.Name)
		}
	}
	return m
}

// certificate returns the certificate that an alert is about, or "".
func (m *matcher) certificate(a Alert) string {
	if c := m.name[strings.ToLower(a.Certificate)]; c != "" {
		return c
	}
	for _, h := range append(HostsIn(a.Certificate), a.Hosts...) {
		if c := m.of(h); c != "" {
			return c
		}
	}
	for _, n := range a.Names {
		n = strings.ToLower(n)
		if c := m.name[n]; c != "" {
			return c
		}
		if c := m.target[n]; c != "" {
			return c
		}
	}
	return ""
}

// of returns the certificate of a host as HostsIn gives it, or "".
func (m *matcher) of(h string) string {
	if c := m.exact[h]; c != "" {
		return c
	}
	host := h
	if a, err := netip.ParseAddrPort(h); err == nil {
		host = a.Addr().String()
	} else if n, port, ok := strings.Cut(h, ":"); ok && isPort(port) {
		host = n
	}
	if c := m.ip[host]; c != "" {
		return c
	}
	if parent, ok := strings.CutPrefix(host, "*."); ok {
		return m.wildcard[parent]
	}
	if c := m.host[host]; c != "" {
		return c
	}
	if _, parent, ok := strings.Cut(host, "."); ok {
		if c := m.wildcard[parent]; c != "" {
			return c
		}
	}
	return m.target[host]
}
