package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/probe"
)

// This file reads the certificates of the inventory: names, challenge,
// endpoints and waves of targets.

func (r *yamlReader) certificates(n node) []renew.Certificate {
	var all []renew.Certificate
	owner := map[string]string{} // domain or name -> certificate
	for _, i := range r.list(n, "certificates") {
		c := r.certificate(i)
		for _, d := range append([]string{c.Name}, c.Domains...) {
			if other, taken := owner[d]; taken && d != "" && other != c.Name {
				r.add(i, "certificate %s: %s belongs to certificate %s already", "each name belongs to one certificate", c.Name, d, other)
			} else if taken && d == c.Name && d != "" && !slices.Contains(c.Domains, d) {
				r.add(i, "there are two certificates named %s", "give each its own name", d)
			}
			owner[d] = c.Name
		}
		all = append(all, c)
	}
	return all
}

func (r *yamlReader) certificate(n node) renew.Certificate {
	c := renew.Certificate{Key: "ecdsa-p256"}
	if r.has(n, "name") {
		for _, p := range r.pairs(n, "a certificate") {
			if r.scalar(p.Key) == "name" {
				if s := r.text(p.Value, "name"); s != "" && r.validName(p.Value, s, "certificate") {
					c.Name = s
				}
			}
		}
	}
	who := "certificate " + c.Name
	r.mapping(n, who, fields{
		"name": func(node) {},
		"domains": func(n node) {
			for _, i := range r.list(n, who+" domains") {
				if d := r.domain(i, who); d != "" && !slices.Contains(c.Domains, d) {
					c.Domains = append(c.Domains, d)
				}
			}
		},
		"owner": func(n node) {
			c.Owner = r.text(n, "owner")
			r.refs = append(r.refs, reference{n, "team", c.Owner, who})
		},
		"issuer": func(n node) {
			c.Issuer = r.text(n, "issuer")
			r.refs = append(r.refs, reference{n, "issuer", c.Issuer, who})
		},
		"challenge": func(n node) { c.Challenges = r.challenges(n, who) },
		"endpoints": func(n node) { c.Endpoints = r.endpoints(n, who) },
		"waves":     func(n node) { c.Waves = r.waves(n, who) },
		"key":       func(n node) { c.Key = r.oneOf(n, who+" key", "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096") },
		"profile":   func(n node) { c.Profile = r.text(n, "profile") },
		"runbook":   func(n node) { c.Runbook = r.link(n) },
		"approval": func(n node) {
			r.mapping(n, who+" approval", fields{
				"teams": func(n node) {
					c.Approval.Teams = r.names(n, "approval.teams")
					for _, t := range c.Approval.Teams {
						r.refs = append(r.refs, reference{n, "team", t, who})
					}
				},
				"self": func(n node) { c.Approval.Self = r.boolean(n, "approval.self") },
			})
		},
	})
	r.complete(n, who, c)
	return c
}

// complete says what a certificate lacks, and what does not go together.
func (r *yamlReader) complete(n node, who string, c renew.Certificate) {
	need := func(key, hint string) {
		if !r.has(n, key) {
			r.add(n, "%s has no %s", hint, who, key)
		}
	}
	need("name", "give it one: `name: media`")
	need("domains", "list its names: `domains: [media.example.com]`")
	need("owner", "name the team that owns it, never one person: `owner: web`")
	need("issuer", "name one of the issuers")
	need("challenge", "say how control is proved: `challenge: {http-01: {listen: 127.0.0.1:5002}}`")
	need("endpoints", "say where it is served: `endpoints: [{host: media.example.com, port: 443}]`")
	for _, d := range c.Domains {
		if strings.HasPrefix(d, "*.") && len(c.Challenges) > 0 && !slices.ContainsFunc(c.Challenges, func(c renew.Challenge) bool { return c.Type == renew.DNS01 }) {
			r.add(n, "%s: the wildcard %s cannot be proved with http-01", "add a dns-01 challenge (RFC 8555 section 8.3)", who, d)
		}
	}
	seen := map[string]bool{}
	for _, t := range c.Hosts() {
		if seen[t.Name] {
			r.add(n, "%s has two targets named %s", "give each host its own name", who, t.Name)
		}
		seen[t.Name] = true
	}
}

func (r *yamlReader) challenges(n node, who string) []renew.Challenge {
	var all []renew.Challenge
	for _, p := range r.pairs(n, who+" challenge") {
		switch kind := r.scalar(p.Key); kind {
		case renew.HTTP01:
			all = append(all, r.http01(p.Value, who, p.Key))
		case renew.DNS01:
			all = append(all, r.dns01(p.Value, who, p.Key))
		default:
			hint := "known: http-01, dns-01"
			if near := nearest(kind, []string{renew.HTTP01, renew.DNS01}); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.add(p.Key, "%s challenge has no key %q", hint, who, kind)
		}
	}
	return all
}

func (r *yamlReader) http01(n node, who string, key node) renew.Challenge {
	c := renew.Challenge{Type: renew.HTTP01}
	r.mapping(n, who+" http-01", fields{
		"listen":    func(n node) { c.Listen = r.address(n, "listen") },
		"webroot":   func(n node) { c.Webroot = r.path(n, "webroot") },
		"port":      func(n node) { c.Port = r.integer(n, "port", 1, 65535) },
		"resolvers": func(n node) { c.Resolvers = r.addresses(n, "resolvers") },
	})
	if (c.Listen == "") == (c.Webroot == "") {
		r.add(key, "%s http-01 needs either listen or webroot", "`{listen: 127.0.0.1:5002}`, or `{webroot: /var/www/html}`", who)
	}
	return c
}

func (r *yamlReader) dns01(n node, who string, key node) renew.Challenge {
	c := renew.Challenge{Type: renew.DNS01, Settings: map[string]string{}}
	r.mapping(n, who+" dns-01", fields{
		"provider":  func(n node) { c.Provider = r.oneOf(n, "provider", "rfc2136", "exec") },
		"resolvers": func(n node) { c.Resolvers = r.addresses(n, "resolvers") },
		"settings": func(n node) {
			r.each(n, "settings", func(name string, _, n node) { c.Settings[name] = r.secret(n, "settings."+name) })
		},
	})
	if c.Provider == "" && !r.has(n, "provider") {
		r.add(key, "%s dns-01 has no provider", "`provider: rfc2136` or `provider: exec`", who)
	}
	return c
}

func (r *yamlReader) addresses(n node, what string) []string {
	var all []string
	for _, i := range r.list(n, what) {
		if a := r.address(i, what); a != "" {
			all = append(all, a)
		}
	}
	return all
}

func (r *yamlReader) endpoints(n node, who string) []renew.Endpoint {
	var all []renew.Endpoint
	for _, i := range r.list(n, who+" endpoints") {
		e := renew.Endpoint{Port: 443}
		r.mapping(i, who+" endpoint", fields{
			"host": func(n node) { e.Host = r.host(n, who+" endpoint host") },
			"port": func(n node) { e.Port = r.integer(n, "port", 1, 65535) },
			"addresses": func(n node) {
				for _, i := range r.list(n, "addresses") {
					if a := r.ip(i, "addresses"); a != "" {
						e.Addresses = append(e.Addresses, a)
					}
				}
			},
			"starttls": func(n node) {
				e.StartTLS = r.oneOf(n, "starttls", probe.StartTLSProtocols()...)
			},
		})
		if !r.has(i, "host") {
			r.add(i, "%s has an endpoint without a host", "`{host: media.example.com, port: 443}`", who)
		}
		all = append(all, e)
	}
	return all
}

func (r *yamlReader) waves(n node, who string) [][]renew.Target {
	var all [][]renew.Target
	for w, i := range r.list(n, who+" waves") {
		what := fmt.Sprintf("%s wave %d", who, w+1)
		var wave []renew.Target
		for _, t := range r.list(i, what) {
			wave = append(wave, r.target(t, what))
		}
		if len(wave) == 0 {
			r.add(i, "%s is empty", "list its hosts, or take the wave out", what)
			continue
		}
		all = append(all, wave)
	}
	return all
}

func (r *yamlReader) target(n node, what string) renew.Target {
	t := renew.Target{Directory: renew.Directory{Layout: renew.Flat}}
	r.mapping(n, what+" target", fields{
		"name": func(n node) {
			if s := r.text(n, "name"); r.validName(n, s, what+" target") {
				t.Name = s
			}
		},
		"directory": func(n node) {
			r.mapping(n, "directory", fields{
				"path":   func(n node) { t.Directory.Path = r.path(n, "directory.path") },
				"layout": func(n node) { t.Directory.Layout = r.oneOf(n, "directory.layout", renew.Flat, renew.Certbot) },
			})
		},
		"test":   func(n node) { t.Test = r.command(n, "test") },
		"reload": func(n node) { t.Reload = r.command(n, "reload") },
		"verify": func(n node) {
			for _, i := range r.list(n, "verify") {
				if a := r.ipPort(i, "verify"); a != "" {
					t.Verify = append(t.Verify, a)
				}
			}
		},
	})
	hints := map[string]string{
		"name":      "give it one: `name: cdn-1`",
		"directory": "say where its files are: `directory: {path: /srv/cdn-1, layout: flat}`",
		"verify":    "say where it serves, so that it can be verified: `verify: [192.0.2.11:443]`",
	}
	for _, key := range keysOf(hints) {
		if !r.has(n, key) {
			r.add(n, "%s has a target without %s", hints[key], what, key)
		}
	}
	if t.Directory.Path == "" && r.has(n, "directory") {
		r.add(n, "target %s has no directory path", "`directory: {path: /srv/cdn-1, layout: flat}`", t.Name)
	}
	return t
}

// command reads an argument list, or {run: [...], timeout: 30s}.
func (r *yamlReader) command(n node, what string) renew.Command {
	var c renew.Command
	argv := func(n node) {
		for _, i := range r.list(n, what) {
			a := r.text(i, what)
			if strings.ContainsRune(a, 0) {
				r.add(i, "%s holds a NUL", "", what)
			}
			c.Argv = append(c.Argv, a)
		}
		if len(c.Argv) == 1 && strings.ContainsAny(c.Argv[0], " |;&<>$") {
			r.add(n, "%s is run without a shell, so %q must be a list", "write each argument by itself: [nginx, -s, reload]", what, c.Argv[0])
		}
	}
	if r.has(n, "run") || r.has(n, "timeout") {
		r.mapping(n, what, fields{
			"run":     argv,
			"timeout": func(n node) { c.Timeout = r.duration(n, what+".timeout", 100*time.Millisecond, time.Hour) },
		})
		return c
	}
	argv(n)
	return c
}

// oneOf reads one of a few words.
func (r *yamlReader) oneOf(n node, what string, words ...string) string {
	s := r.text(n, what)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	hint := "known: " + strings.Join(words, ", ")
	if near := nearest(s, words); near != "" {
		hint = "did you mean " + near + "?"
	}
	r.add(n, "%s: %q is not known", hint, what, s)
	return ""
}

// link reads an http or https URL.
func (r *yamlReader) link(n node) string {
	s := r.text(n, "runbook")
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		r.add(n, "runbook: %q is no link", "write it like https://wiki.example.com/tls", s)
		return ""
	}
	return s
}
