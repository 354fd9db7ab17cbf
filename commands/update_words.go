package commands

// This file words status updates: the facts that a template is given, the
// templates that come with certmedic, and the form in which a text stands in a
// button's command.

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/renew"
)

// UpdateFacts is what a template of a status update is given. All of it is
// from the record and from the last checks.
type UpdateFacts struct {
	ID           string    // "INC-7"
	Title        string    // the incident's
	Status       string    // investigating, identified, monitoring, resolved, closed
	StatusName   string    // what people here call it
	Severity     string    // "SEV2"
	Certificates []string  // names in the inventory
	Domains      []string  // their domains
	Service      string    // the domains for a sentence, or the title without any
	Fault        string    // "expired at 2026-11-22 01:52 UTC", "is not valid", or "" when no certificate fails
	Cause        string    // the diagnosis, with host names
	HostsGood    int       // by the last checks
	Hosts        int       // 0: no certificate
	Started      time.Time // zero: not known, as with the next ones
	Declared     time.Time
	Mitigated    time.Time
	Resolved     time.Time
	Lasted       string // from the start until every host was good, or until now
	Impact       string // "" until somebody said it
	Commander    string // "" while there is none
	Renewal      string // "R-3 waits for approval", "" when none runs
	Drill        bool
}

// wordings are the templates that come with certmedic: by status, for those
// outside and for those inside.
var wordings = map[string]map[string]string{
	External: {
		"investigating": `We are investigating a fault: {{with .Domains}}secure connections to {{$.Service}} fail{{else}}{{.Title}}{{end}}{{if not .Started.IsZero}} since {{when .Started}}{{end}}.`,
		"identified":    `The cause is found: {{if and .Domains .Fault}}the TLS certificate of {{.Service}} {{.Fault}}, so secure connections fail. It is {{if .Renewal}}being{{else}}to be{{end}} replaced{{else}}we are working on {{.Service}}{{end}}.`,
		"monitoring":    `{{if .Hosts}}The new certificate of {{.Service}} is in place on {{.HostsGood}} of {{.Hosts}} servers{{else}}A fix for {{.Service}} is in place{{end}}. We watch whether all stays well.`,
		"resolved":      `This is over: {{if .Domains}}secure connections to {{.Service}} work again{{else}}{{.Title}}{{end}}{{if not .Mitigated.IsZero}} since {{when .Mitigated}}{{end}}{{if .Lasted}}. The fault lasted {{.Lasted}}{{end}}.`,
	},
	Internal: {
		"investigating": head + `{{if .Cause}} {{.Cause}}{{end}}` + tail,
		"identified":    head + ` The cause is found.{{if .Cause}} {{.Cause}}{{end}}` + tail,
		"monitoring":    head + ` {{if .Hosts}}{{.HostsGood}} of {{.Hosts}} hosts are good.{{end}}` + tail,
		"resolved":      head + `{{if .Lasted}} It lasted {{.Lasted}}.{{end}}{{if .Hosts}} {{.HostsGood}} of {{.Hosts}} hosts are good.{{end}}` + tail,
	},
}

const (
	head = `{{.ID}} ({{.Severity}}) is {{.StatusName}}: {{.Title}}.{{if not .Started.IsZero}} It began at {{when .Started}}.{{end}}`
	tail = `{{with .Renewal}} {{.}}.{{end}}{{with .Impact}} Impact: {{.}}.{{end}} {{if .Commander}}{{.Commander}} leads.{{else}}Nobody leads yet.{{end}}`
)

// templateNames are the names that --template takes.
func (d *Desk) templateNames() []string {
	names := []string{"investigating", "identified", "monitoring", "resolved"}
	var own []string
	for n := range d.o.Updates.Templates {
		if !slices.Contains(names, n) {
			own = append(own, n)
		}
	}
	slices.Sort(own)
	return append(names, own...)
}

// ParseUpdateTemplate reads an update's template, and tries it on facts.
func ParseUpdateTemplate(name, text string) (*postmortem.Bounded, error) {
	t, err := postmortem.Bound(name, text, template.FuncMap{"when": func(t time.Time) string { return minute(t) }})
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	_, err = t.Execute(UpdateFacts{ID: "INC-1", Certificates: []string{"media"}, Domains: []string{"media.example.com"}}, maxWording)
	return t, err
}

// maxWording is how many bytes a template of an update may write; what is sent
// is checked against maxUpdate later.
const maxWording = 64 << 10

// wording fills a template. One's own of that name comes before the one that
// comes with certmedic.
func (d *Desk) wording(ctx context.Context, i incident.Incident, name, audience string) (string, error) {
	text, own := d.o.Updates.Templates[name]
	if !own {
		text = wordings[audience][name]
	}
	facts, err := d.updateFacts(ctx, i)
	if err != nil {
		return "", err
	}
	t, err := ParseUpdateTemplate(name, text)
	if err == nil {
		text, err = t.Execute(facts, maxWording)
	}
	if err != nil && own { // it fitted the facts that it was tried on, not these
		return "", Problem{Code: "bad_template", Message: "The template " + name + " does not fit " + i.ID + ": " + clip(oneLine(err.Error()), 300),
			Hint: "Type the update: /incident update " + i.ID + " your words. To correct the template: updates.templates in the configuration."}
	}
	if err != nil {
		return "", fmt.Errorf("fill the template %s: %w", name, err)
	}
	said, _ := incident.Clean(text, 1<<20)
	return said, nil
}

// updateFacts gathers what is known of an incident.
func (d *Desk) updateFacts(ctx context.Context, i incident.Incident) (UpdateFacts, error) {
	now := d.o.Now().UTC()
	f := UpdateFacts{ID: i.ID, Title: strings.TrimRight(oneLine(i.Title), "."), Status: string(i.Status), StatusName: d.status(i.Status), Severity: sev(i.Severity), Certificates: i.Certificates,
		Declared: i.Declared, Impact: strings.TrimRight(oneLine(i.Impact), "."), Commander: i.Commander.Name, Drill: i.Drill}
	at := func(kind string) time.Time { m, _ := i.Milestone(kind); return m.At }
	f.Started, f.Mitigated, f.Resolved = at(incident.Started), at(incident.Mitigated), at(incident.ResolvedAt)
	for _, name := range i.Certificates {
		s, err := d.standing(ctx, name)
		if err != nil {
			continue // not in the inventory any more
		}
		f.HostsGood, f.Hosts = f.HostsGood+s.HostsGood, f.Hosts+s.Hosts
		f.Domains = append(f.Domains, s.Certificate.Domains...)
		if s.Verdict == renew.Critical && f.Fault == "" {
			f.Cause, f.Fault = diagnosis(name, s.Certificate, s.Reports, now), "is not valid"
			if !s.NotAfter.IsZero() && s.NotAfter.Before(now) {
				f.Fault = "expired at " + minute(s.NotAfter)
			}
		}
		rs, err := d.o.Renewer.Renewals(ctx, name, 5)
		if err != nil {
			return f, fmt.Errorf("renewals of %s: %w", name, err)
		}
		for _, r := range rs {
			if r.State == renew.Running || r.State == renew.Waiting {
				f.Renewal = r.ID + map[renew.State]string{renew.Running: " is running", renew.Waiting: " waits for approval"}[r.State]
			}
		}
	}
	if f.Service = listed(f.Domains, 3); f.Service == "" {
		f.Service = f.Title
	}
	until := f.Mitigated
	if until.IsZero() {
		until = f.Resolved
	}
	if until.IsZero() && i.Status.Open() {
		until = now
	}
	if !f.Started.IsZero() && until.After(f.Started) {
		f.Lasted = took(until.Sub(f.Started).Round(time.Minute))
	}
	return f, nil
}

// pack writes a text so that it stands in one line of a command and is read
// back as it was: what a line's parser or a platform would change is written
// as \HEX; of its code point.
func pack(text string) string {
	var b strings.Builder
	space := true // at the start
	for _, r := range text {
		plain := r < 0x7f && r > ' ' && !strings.ContainsRune("\\\"'&<>*_~`@#", r) || r >= 0x7f && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if r == ' ' && !space {
			plain = true
		}
		if plain {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\%x;`, r)
		}
		space = r == ' '
	}
	return b.String()
}

var packed = regexp.MustCompile(`\\([0-9a-f]{1,6});`)

// unpack reads what pack wrote.
func unpack(s string) string {
	return packed.ReplaceAllStringFunc(s, func(m string) string {
		n, err := strconv.ParseInt(m[1:len(m)-1], 16, 32)
		if err != nil {
			return m
		}
		return string(rune(n))
	})
}
