package main

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/net/idna"
)

// This file reads single values: names, domains, addresses, paths, secrets.

// path reads a path, relative ones from the file's folder.
func (r *yamlReader) path(n node, what string) string {
	p := r.text(n, what)
	if strings.ContainsRune(p, 0) {
		r.add(n, "%s holds a NUL", "write a path", what)
		return ""
	}
	if p != "" && !filepath.IsAbs(p) {
		p = filepath.Join(r.dir, p)
	}
	return p
}

// pemFiles reads one or more files of root certificates, which must be there.
func (r *yamlReader) pemFiles(n node, what string) []string {
	var all []string
	for _, i := range r.list(n, what) {
		p := r.path(i, what)
		if p == "" {
			continue
		}
		if wrong := checkPEM(p); wrong != "" {
			r.add(i, "%s: %s", "a PEM file starts with -----BEGIN CERTIFICATE-----", what, wrong)
		}
		all = append(all, p)
	}
	return all
}

// names reads a list of words.
func (r *yamlReader) names(n node, what string) []string {
	var all []string
	for _, i := range r.list(n, what) {
		if s := r.text(i, what); s != "" && r.validName(i, s, what) {
			all = append(all, s)
		}
	}
	return all
}

// validName refuses names that could not be typed in a command or shown safely.
func (r *yamlReader) validName(n node, s, what string) bool {
	ok := s != "" && len(s) <= 63 && !strings.HasPrefix(s, "-")
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c) {
			ok = false
		}
	}
	if !ok {
		r.add(n, "%s: %q cannot be a name", "up to 63 letters, digits, -, _ and .", what, s)
	}
	return ok
}

// domain normalises a DNS name: lower case, IDN to its A-label, no dot at the
// end; a wildcard may stand as the whole first label.
func (r *yamlReader) domain(n node, what string) string {
	s := r.text(n, what)
	if s == "" {
		return ""
	}
	d, why := normalDomain(s)
	if why != "" {
		r.add(n, "%s: %q is no domain: %s", "write it like media.example.com", what, s, why)
	}
	return d
}

// normalDomain returns the domain in the form used everywhere, or why it is none.
func normalDomain(s string) (domain, why string) {
	switch {
	case strings.Contains(s, "://"):
		return "", "it is a URL; keep the name alone"
	case strings.ContainsAny(s, "/\\"):
		return "", "it holds a path; keep the name alone"
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return "", "it holds a space or a control character"
	case strings.Contains(s, ".."):
		return "", "it holds an empty label (two dots)"
	case strings.Contains(s, ":"):
		return "", "it holds a port; the port belongs under endpoints"
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", "it is an IP address"
	}
	s = strings.TrimSuffix(s, ".")
	rest, wild := strings.CutPrefix(s, "*.")
	if strings.Contains(rest, "*") {
		return "", "a wildcard must be the whole first label, as in *.example.com"
	}
	a, err := idna.Lookup.ToASCII(rest)
	if err != nil {
		return "", "it does not follow the rules for names (RFC 5890): " + err.Error()
	}
	a = strings.ToLower(a)
	if !strings.Contains(a, ".") {
		return "", "it has one label only; a certificate needs the full name"
	}
	if len(a) > 253 {
		return "", "it is longer than 253 characters"
	}
	if wild {
		a = "*." + a
	}
	return a, ""
}

// host reads a domain without wildcard, a one-label name or an IP address.
func (r *yamlReader) host(n node, what string) string {
	s := r.text(n, what)
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String()
	}
	if s == "localhost" || s == "" {
		return s
	}
	d, why := normalDomain(s)
	if why == "" && strings.HasPrefix(d, "*.") {
		why = "an endpoint needs one name, not a wildcard"
	}
	if why != "" {
		r.add(n, "%s: %q: %s", "write it like media.example.com", what, s, why)
	}
	return d
}

// ip reads an IP address.
func (r *yamlReader) ip(n node, what string) string {
	s := r.text(n, what)
	a, err := netip.ParseAddr(s)
	if err != nil {
		r.add(n, "%s: %q is no IP address", "write it like 192.0.2.11 or 2001:db8::11", what, s)
		return ""
	}
	return a.String()
}

// address reads host:port; the host may be empty only as "".
func (r *yamlReader) address(n node, what string) string {
	s := r.text(n, what)
	host, port, err := net.SplitHostPort(s)
	p, perr := strconv.Atoi(port)
	if err != nil || perr != nil || p < 0 || p > 65535 {
		r.add(n, "%s: %q is no host:port", "write it like 127.0.0.1:8080", what, s)
		return ""
	}
	return net.JoinHostPort(host, port)
}

// ipPort reads ip:port.
func (r *yamlReader) ipPort(n node, what string) string {
	s := r.text(n, what)
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		r.add(n, "%s: %q is no address with a port", "write it like 192.0.2.11:443", what, s)
		return ""
	}
	return a.String()
}

// duration reads a length of time such as 30s, 5m, 24h or 7d.
func (r *yamlReader) duration(n node, what string, low, high time.Duration) time.Duration {
	s := r.text(n, what)
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		var x int
		if x, err = strconv.Atoi(days); x > 36_500 { // more would not fit into a Duration
			x = -1
		}
		d = time.Duration(x) * 24 * time.Hour
	}
	if err != nil || d < low || d > high {
		r.add(n, "%s: %q is no time from %s to %s", "write it like 30s, 5m or 24h", what, s, low, high)
		return 0
	}
	return d
}

func (r *yamlReader) directoryURL(n node) string {
	s := r.text(n, "directory")
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		r.add(n, "directory: %q is no URL", "write it like https://acme-v02.api.letsencrypt.org/directory", s)
	case u.Scheme != "https":
		r.add(n, "directory: %q is not https", "an ACME directory is always https (RFC 8555 section 6.1)", s)
	}
	return s
}

func (r *yamlReader) email(n node) string {
	s := r.text(n, "email")
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s {
		r.add(n, "email: %q is no address", "write it like tls@example.com", s)
	}
	return s
}

// secret reads a value that may stand in the environment or in a file:
// {env: NAME} or {file: PATH}.
func (r *yamlReader) secret(n node, what string) string {
	if _, ok := unwrap(n).(ast.MapNode); !ok {
		return r.text(n, what)
	}
	value := ""
	r.mapping(n, what, fields{
		"env": func(n node) {
			name := r.text(n, what+".env")
			r.variables = append(r.variables, name)
			if value = os.Getenv(name); value == "" {
				r.add(n, "%s: the environment variable %s is empty or not set", "set it before certmedic starts", what, name)
			}
		},
		"file": func(n node) {
			p := r.path(n, what+".file")
			text, err := readSmall(p)
			if err != nil {
				r.add(n, "%s: %v", "make the file, readable by certmedic alone", what, err)
			}
			value = strings.TrimSpace(string(text))
		},
	})
	return value
}
