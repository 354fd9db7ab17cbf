package main

// This file reads updates: of the configuration: where status updates go
// outside the rooms. How they get there is wired in outside.go. Secrets do not
// stand in the file.

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
)

// updatesConfig is updates: of the configuration.
type updatesConfig struct {
	Approve, Self, Preview bool
	Templates              map[string]string
	SMTP                   notify.SMTP
	Targets                []targetConfig
}

// targetConfig is one target; one of To, URL and Page is filled.
type targetConfig struct {
	Name       string
	Audience   string
	Named      bool
	To         []string // mail
	URL        string   // webhook
	Page       string   // statuspage
	API        string
	Quiet      bool // subscribers of the page are not told
	Components map[string][]string
}

var (
	pageID      = regexp.MustCompile(`^[a-z0-9]{4,40}$`)
	targetTaken = []string{"none", "rooms", "all"}
)

// updates reads updates:.
func (r *yamlReader) updates(n node) updatesConfig {
	u := updatesConfig{Templates: map[string]string{}}
	r.mapping(n, "updates", fields{
		"preview": func(n node) { u.Preview = r.boolean(n, "updates.preview") },
		"approve": func(n node) {
			switch r.scalar(n) {
			case "true", "false":
				u.Approve = r.boolean(n, "updates.approve")
			default:
				u.Approve = true
				r.mapping(n, "updates.approve", fields{"self": func(n node) { u.Self = r.boolean(n, "updates.approve.self") }})
			}
		},
		"templates": func(n node) {
			r.each(n, "updates.templates", func(name string, key, n node) {
				text := r.text(n, "the template "+name)
				if _, err := commands.ParseUpdateTemplate(name, text); err != nil {
					r.add(key, "updates.templates: %v", "docs/updates.md lists what a template is given, for example {{.Service}}", err)
				}
				u.Templates[strings.ToLower(name)] = text
			})
		},
		"smtp": func(n node) { u.SMTP = r.smtp(n) },
		"targets": func(n node) {
			r.each(n, "updates.targets", func(name string, key, n node) { u.Targets = append(u.Targets, r.updateTarget(name, key, n)) })
		},
	})
	for _, t := range u.Targets {
		if len(t.To) > 0 && u.SMTP.Host == "" {
			r.add(n, "updates: %s is mailed to, and there is no server for it", "add one: `smtp: {host: mx.example.com, from: certmedic@example.com}`", t.Name)
			break
		}
	}
	return u
}

// never refuses a secret in the file.
func (r *yamlReader) never(what, name string) func(node) {
	return func(n node) {
		r.add(n, "%s: a secret does not stand in this file", fmt.Sprintf("set %s (or %s_FILE) in the environment", name, name), what)
	}
}

// smtp reads the server that takes mail.
func (r *yamlReader) smtp(n node) notify.SMTP {
	s := notify.SMTP{TLS: notify.STARTTLS}
	address := func(n node, what string) string {
		text := r.text(n, what)
		if _, err := mail.ParseAddress(text); err != nil {
			r.add(n, "%s: %q is no address", "write it like certmedic@example.com, or Certmedic <certmedic@example.com>", what, text)
		}
		return text
	}
	r.mapping(n, "updates.smtp", fields{
		"host": func(n node) { s.Host = r.host(n, "updates.smtp.host") },
		"port": func(n node) { s.Port = r.integer(n, "updates.smtp.port", 1, 65535) },
		"tls": func(n node) {
			if s.TLS = r.text(n, "updates.smtp.tls"); !slices.Contains([]string{notify.STARTTLS, notify.ImplicitTLS, notify.Plain}, s.TLS) {
				r.add(n, "updates.smtp.tls: %q is none", "starttls (port 587), implicit (port 465), or none for a server on this machine", s.TLS)
			}
		},
		"user":     func(n node) { s.User = r.text(n, "updates.smtp.user") },
		"from":     func(n node) { s.From = address(n, "updates.smtp.from") },
		"reply_to": func(n node) { s.ReplyTo = address(n, "updates.smtp.reply_to") },
		"password": r.never("updates.smtp.password", "SMTP_PASSWORD"),
	})
	if s.Port == 0 {
		s.Port = map[string]int{notify.STARTTLS: 587, notify.ImplicitTLS: 465, notify.Plain: 25}[s.TLS]
	}
	if s.Host == "" && !r.has(n, "host") {
		r.add(n, "updates.smtp has no host", "name the server: `host: mx.example.com`")
	}
	if s.From == "" && !r.has(n, "from") {
		r.add(n, "updates.smtp has no from", "say who the mails are from: `from: certmedic@example.com`")
	}
	if s.TLS == notify.Plain && s.Host != "" && !loopback(net.JoinHostPort(s.Host, "25")) {
		r.add(n, "updates.smtp.tls is none, and %s is another machine", "use starttls or implicit: a mail and its password would go in the clear", s.Host)
	}
	return s
}

// updateTarget reads one target.
func (r *yamlReader) updateTarget(name string, key, n node) targetConfig {
	t := targetConfig{Name: name, Audience: commands.Internal}
	kinds, said := 0, ""
	what := "updates.targets." + name
	r.mapping(n, what, fields{
		"mail": func(n node) {
			kinds++
			r.mapping(n, what+".mail", fields{"to": func(n node) { t.To = r.mailAddresses(n, what+".mail.to") }})
			if len(t.To) == 0 {
				r.add(n, "%s.mail has nobody to mail to", "list them: `to: [board@example.com]`", what)
			}
		},
		"webhook": func(n node) {
			kinds++
			r.mapping(n, what+".webhook", fields{"url": func(n node) { t.URL = r.serviceURL(n, what+".webhook.url") }, "secret": r.never(what+".webhook.secret", "WEBHOOK_SECRET")})
			if t.URL == "" && !r.has(n, "url") {
				r.add(n, "%s.webhook has no url", "say where: `url: https://hooks.example.com/certmedic`", what)
			}
		},
		"statuspage": func(n node) {
			kinds++
			t.Audience = commands.External
			r.statuspage(what, n, &t)
		},
		"audience": func(n node) {
			if said = r.text(n, what+".audience"); said != commands.Internal && said != commands.External {
				r.add(n, "%s.audience: %q is none", "internal or external: which wording --draft makes for it", what, said)
			}
		},
		"named": func(n node) { t.Named = r.boolean(n, what+".named") },
	})
	if said != "" {
		t.Audience = said
	}
	if kinds != 1 {
		r.add(key, "%s must be one of mail, webhook and statuspage", "for example: `board: {mail: {to: [board@example.com]}}`", what)
	}
	if slices.Contains(targetTaken, strings.ToLower(name)) {
		r.add(key, "%s: that name means something else in --to", "give it another", what)
	}
	return t
}

func (r *yamlReader) statuspage(what string, n node, t *targetConfig) {
	r.mapping(n, what+".statuspage", fields{
		"page": func(n node) {
			if t.Page = r.text(n, what+".statuspage.page"); !pageID.MatchString(t.Page) {
				r.add(n, "%s.statuspage.page: %q is no page's id", "copy it from the page's API settings: kctbh9vrtdwd", what, t.Page)
			}
		},
		"api_url": func(n node) { t.API = r.serviceURL(n, what+".statuspage.api_url") },
		"notify":  func(n node) { t.Quiet = !r.boolean(n, what+".statuspage.notify") },
		"components": func(n node) {
			t.Components = map[string][]string{}
			r.each(n, what+".statuspage.components", func(cert string, key, n node) {
				r.refs = append(r.refs, reference{at: key, kind: "certificate", name: cert, owner: what})
				for _, i := range r.list(n, what+".statuspage.components."+cert) {
					id := r.text(i, what+".statuspage.components."+cert)
					if !pageID.MatchString(id) {
						r.add(i, "%s.statuspage.components: %q is no component's id", "copy it from the component's settings", what, id)
					}
					t.Components[cert] = append(t.Components[cert], id)
				}
			})
		},
		"token": r.never(what+".statuspage.token", "STATUSPAGE_TOKEN"),
	})
	if t.Page == "" && !r.has(n, "page") {
		r.add(n, "%s.statuspage has no page", "name it by its id: `page: kctbh9vrtdwd`", what)
	}
}

// mailAddresses reads a list of mail addresses, each once.
func (r *yamlReader) mailAddresses(n node, what string) []string {
	var all []string
	for _, i := range r.list(n, what) {
		s := r.text(i, what)
		a, err := mail.ParseAddress(s)
		switch {
		case err != nil || a.Address != s || a.Name != "":
			r.add(i, "%s: %q is no address", "write it like board@example.com", what, s)
		case slices.ContainsFunc(all, func(o string) bool { return strings.EqualFold(o, s) }):
			r.add(i, "%s: %s stands there twice", "keep one of them", what, s)
		default:
			all = append(all, s)
		}
	}
	if len(all) > 200 {
		r.add(n, "%s: %d addresses", "at most 200: make a list on the mail server and name that", what, len(all))
	}
	return all
}

// serviceURL reads the address of a service: https, unless on this machine.
func (r *yamlReader) serviceURL(n node, what string) string {
	s := r.text(n, what)
	u, err := url.Parse(s)
	switch {
	case s == "":
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		r.add(n, "%s: %q is no URL", "write it like https://hooks.example.com/certmedic", what, s)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(withPort(u.Host))):
		r.add(n, "%s: %q is not https", "what goes there is to be read by nobody else", what, s)
	}
	return s
}

// desk is the configuration in the words of commands.
func (u updatesConfig) desk() commands.Updates {
	out := commands.Updates{Approve: u.Approve, Self: u.Self, Preview: u.Preview, Templates: u.Templates}
	for _, t := range u.Targets {
		x := commands.Target{Name: t.Name, Audience: t.Audience, Named: t.Named, Components: t.Components}
		switch {
		case len(t.To) > 0:
			x.Kind, x.Whom = commands.MailTarget, strings.Join(t.To[:min(len(t.To), 5)], ", ")
			if n := len(t.To) - 5; n > 0 {
				x.Whom += fmt.Sprintf(" and %d more", n)
			}
		case t.URL != "":
			u, _ := url.Parse(t.URL) // it was checked
			x.Kind, x.Whom = commands.WebhookTarget, u.Host
		default:
			x.Kind, x.Whom = commands.StatuspageTarget, "everybody who reads page "+t.Page
		}
		out.Targets = append(out.Targets, x)
	}
	return out
}
