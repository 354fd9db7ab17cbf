package drill

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// tsigName is the name of the key that updates are signed with.
const tsigName = "certmedic"

// writeConfig writes the roots and the certmedic.yaml of the estate.
func (e *Estate) writeConfig() (string, error) {
	files := map[string][]byte{
		"pebble-api.pem": e.ca.APIRootPEM(),
		"roots.pem":      e.ca.IssuingRootPEM(0),
		"certmedic.yaml": []byte(e.yaml()),
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(e.o.Dir, name), b, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(e.o.Dir, "certmedic.yaml"), nil
}

func (e *Estate) yaml() string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	add("# An estate on loopback, made by a drill. Nothing of it can be reached from outside.")
	add("data: certmedic.db")
	add("listen: %s", quote(e.o.Listen))
	add("teams:")
	add("  web: {people: [ana, ben], escalate: [leads]}")
	add("  leads: {people: [cleo]}")
	if e.o.Open {
		add("policy: {renew: members} # whoever plays, under whatever name, may renew")
	}
	add("issuers:")
	add("  pebble: {directory: %s, email: tls@%s, roots: pebble-api.pem}", quote(e.ca.DirectoryURL()), e.domain)
	add("certificates:")
	add("  - name: %s", certificate)
	add("    domains: [%s]", e.Domain())
	add("    owner: web")
	add("    issuer: pebble")
	add("    challenge: %s", e.challenges())
	if e.o.Approval {
		add("    approval: {teams: [leads]}")
	}
	add("    endpoints: [%s]", strings.Join(e.endpoints(), ", "))
	add("    waves:")
	for i, h := range e.hosts {
		lead := "        "
		switch i {
		case 0, 1: // the canary is a wave of its own
			lead = "      - ["
		}
		end := ","
		if i == 0 || i == len(e.hosts)-1 {
			end = "]"
		}
		add("%s%s%s", lead, e.target(h), end)
	}
	add("check: {every: 5s}")
	add("trust: {roots: roots.pem}")
	return b.String()
}

func (e *Estate) target(h *host) string {
	argv := func(verb string) string {
		var words []string
		for _, a := range append(append([]string{}, e.o.Helper...), verb, h.socket) {
			words = append(words, quote(a))
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return fmt.Sprintf("{name: %s, directory: {path: %s, layout: %s}, test: %s, reload: %s, verify: [%s]}",
		h.name, quote(h.dir), h.layout, argv("test"), argv("reload"), quote(h.addr))
}

// challenges lists HTTP-01 first, which makes it the preferred one, and
// DNS-01 beside it where HTTP-01 is broken.
func (e *Estate) challenges() string {
	resolver := quote(e.dns.Addr())
	c := fmt.Sprintf("http-01: {listen: %s, port: %d, resolvers: [%s]}", quote(e.challenge), e.httpPort, resolver)
	if e.o.Broken {
		c += fmt.Sprintf(", dns-01: {provider: rfc2136, resolvers: [%s], settings: {nameserver: %s, tsig_key: %s, tsig_secret: %s}}",
			resolver, resolver, tsigName, quote(e.tsig))
	}
	return "{" + c + "}"
}

// endpoints is one with all addresses, or one a host where they share an
// address and differ in the port.
func (e *Estate) endpoints() []string {
	var out, ips []string
	ports := map[string]bool{}
	for _, h := range e.hosts {
		ip, port, err := net.SplitHostPort(h.addr)
		if err != nil {
			continue // it is a listener's own address
		}
		ips = append(ips, ip)
		ports[port] = true
		out = append(out, fmt.Sprintf("{host: %s, port: %s, addresses: [%s]}", e.Domain(), port, ip))
		if len(ips) == len(e.hosts) && len(ports) == 1 {
			return []string{fmt.Sprintf("{host: %s, port: %s, addresses: [%s]}", e.Domain(), port, strings.Join(ips, ", "))}
		}
	}
	return out
}

// quote writes a string so that YAML reads it back the same: JSON's form.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
