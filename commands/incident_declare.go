package commands

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

func declareVerb() *verb {
	return &verb{Verb: Verb{Name: "incident declare", Args: "[sev1|sev2|sev3|sev4] title", Summary: "open an incident: its room, its first evidence, its card",
		Example: "/incident declare sev2 images do not load --cert media", Public: true, Flags: []Flag{
			{"cert", "name", "the certificate; may be given again"},
			{"start", "time", "when it started, as people say"},
			{"drill", "", "an exercise: kept out of the metrics"},
			{"private", "", "only in its own room"},
			{"anyway", "", "although one is open for the certificate"},
		}}, text: true, run: declare}
}

var sevWord = regexp.MustCompile(`^(?i)sev-?([0-9]+)$`)

func declare(ctx context.Context, c *call) (Reply, error) {
	d, certs, notes, err := c.declaration(ctx)
	if err != nil {
		return Reply{}, err
	}
	return c.open(ctx, d, certs, notes)
}

// open declares what a line or an alert says: looks at the certificates, writes
// down what is known, and answers with the card.
func (c *call) open(ctx context.Context, d incident.Declaration, certs []renew.Certificate, notes []string) (Reply, error) {
	standings, lost := c.look(ctx, certs)
	notes = append(notes, lost...)
	like, err := c.similar(ctx, d)
	if err != nil {
		return Reply{}, err
	}
	i, err := c.d.o.Book.Declare(ctx, d, c.args.has("anyway"))
	if errors.Is(err, incident.ErrDuplicate) && !c.d.visible(i, c.r.By) { // for them there is none, unless another is open too
		if i, err = c.visibleDuplicate(ctx, d); err == nil {
			i, err = c.d.o.Book.Declare(ctx, d, true)
		}
	}
	if errors.Is(err, incident.ErrDuplicate) {
		return Reply{}, c.duplicate(ctx, i)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("declare: %w", err)
	}
	for _, s := range standings {
		if i, err = c.firstEvidence(ctx, i, s); err != nil {
			return Reply{}, err
		}
	}
	for _, name := range i.Certificates {
		if err = c.d.heardEvidence(ctx, i.ID, name); err != nil {
			return Reply{}, err
		}
	}
	if i, err = c.d.o.Book.Incident(ctx, i.ID); err != nil {
		return Reply{}, err
	}
	for _, s := range standings { // the alert's button leads here now
		if r, ok := c.d.alert(renew.Event{Standing: s}, []incident.Incident{i}); ok && s.Verdict == renew.Critical && !i.Private {
			c.post(mainRoom, r)
		}
	}
	return c.declared(ctx, i, notes, slices.DeleteFunc(like, func(o incident.Incident) bool { return o.ID == i.ID })), nil
}

// declaration reads the line. notes say what was taken and how it was read.
func (c *call) declaration(ctx context.Context) (d incident.Declaration, certs []renew.Certificate, notes []string, err error) {
	d = incident.Declaration{Key: c.key(""), By: c.by(), Link: c.r.Link, Drill: c.args.has("drill") || c.d.o.Drill, Private: c.args.has("private")}
	if s, ok := c.args.peek(); ok {
		if m := sevWord.FindStringSubmatch(s); m != nil {
			if d.Severity, err = severityOf(m[1], c.v.Example); err != nil {
				return d, nil, nil, err
			}
			_, _ = c.args.take()
		}
	}
	d.Title = oneLine(c.args.rest())
	if d.Title == "" {
		return d, nil, nil, c.v.problem("missing_title", "An incident needs a title: what people see.")
	}
	if n := len([]rune(d.Title)); n > 200 {
		return d, nil, nil, Problem{Code: "long_title", Message: fmt.Sprintf("The title has %d characters; at most 200 are taken.", n), Hint: "Keep it short and add the rest as a note: /incident note the rest"}
	}
	certs, why, err := c.declareCerts(ctx, d.Title)
	if err != nil {
		return d, nil, nil, err
	}
	if why != "" {
		notes = append(notes, why)
	}
	for n, cert := range certs {
		d.Certificates = append(d.Certificates, cert.Name)
		if n == 0 {
			d.Owner = cert.Owner
		}
	}
	if c.args.has("start") {
		w, err := readWhen(c.args.value("start"), c, false)
		if err != nil {
			return d, nil, nil, err
		}
		d.Start = w.at
		notes = append(notes, w.words())
	}
	return d, certs, notes, nil
}

// severityOf reads "1" to "4"; a refusal has an example of the verb.
func severityOf(s, example string) (incident.Severity, error) {
	if len(s) == 1 && s[0] >= '1' && s[0] <= '4' {
		return incident.Severity(s[0] - '0'), nil
	}
	return 0, Problem{Code: "bad_severity", Message: quote(s) + " is not a severity: there are 1 (worst) to 4.",
		Hint: "SEV1: " + severities[1] + ". SEV4: " + severities[4] + ". For example: " + example}
}

// declareCerts finds the certificates of a declaration: given, named in the
// title, or the only one that fails now; and says which way.
func (c *call) declareCerts(ctx context.Context, title string) ([]renew.Certificate, string, error) {
	var out []renew.Certificate
	for _, v := range c.args.flags["cert"] {
		for _, name := range strings.Split(v, ",") {
			cert, err := c.d.certificate(name)
			if err != nil {
				return nil, "", err
			}
			if !slices.ContainsFunc(out, func(o renew.Certificate) bool { return o.Name == cert.Name }) {
				out = append(out, cert)
			}
		}
	}
	if len(out) > 0 {
		return out, "", nil
	}
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return strings.ContainsRune(" ,;:()\"'!?", r) })
	var named []renew.Certificate
	for _, cert := range c.d.o.Renewer.Inventory().Certificates {
		if slices.ContainsFunc(words, func(w string) bool {
			w = strings.TrimRight(w, ".")
			return w == strings.ToLower(cert.Name) || slices.Contains(cert.Domains, w)
		}) {
			named = append(named, cert)
		}
	}
	if len(named) == 1 {
		return named, "The certificate " + named[0].Name + " was taken from the title.", nil
	}
	all, err := c.d.o.Renewer.Estate(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("read the estate: %w", err)
	}
	var bad []renew.Certificate
	for _, s := range all {
		if s.Verdict == renew.Critical {
			bad = append(bad, s.Certificate)
		}
	}
	if len(named) == 0 && len(bad) == 1 {
		return bad, "The certificate " + bad[0].Name + " was taken: it is the only one that fails now.", nil
	}
	return nil, "No certificate was named, so checks and renewals do not land on its timeline. To name one: /incident declare --cert media title", nil
}

// look checks the certificates now. What cannot be checked is said, and does
// not keep anybody from declaring.
func (c *call) look(ctx context.Context, certs []renew.Certificate) (out []renew.Standing, lost []string) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, cert := range certs {
		s, err := c.d.o.Renewer.Check(ctx, cert.Name)
		if err != nil {
			c.d.o.Log.WarnContext(ctx, "check at declaration", "certificate", cert.Name, "error", err)
			lost = append(lost, cert.Name+" could not be checked now: /certcheck "+cert.Name+" tries again.")
			continue
		}
		out = append(out, s)
	}
	return out, lost
}

// similar finds open incidents of the last day that share a word of the title.
func (c *call) similar(ctx context.Context, d incident.Declaration) ([]incident.Incident, error) {
	open, err := c.d.o.Book.List(ctx, incident.Filter{Open: true, Limit: 50})
	if err != nil {
		return nil, fmt.Errorf("list open incidents: %w", err)
	}
	var out []incident.Incident
	for _, i := range open {
		if c.now().Sub(i.Declared) < 24*time.Hour && c.d.visible(i, c.r.By) && alike(i.Title, d.Title) {
			out = append(out, i)
		}
	}
	return out, nil
}

// alike reports that two titles share a word of five letters or more.
func alike(a, b string) bool {
	words := strings.Fields(strings.ToLower(b))
	for _, w := range strings.Fields(strings.ToLower(a)) {
		if len(w) >= 5 && slices.Contains(words, w) {
			return true
		}
	}
	return false
}

// visibleDuplicate finds another open incident for a certificate that its
// declarer may see, with ErrDuplicate.
func (c *call) visibleDuplicate(ctx context.Context, d incident.Declaration) (incident.Incident, error) {
	for _, name := range d.Certificates {
		open, err := c.d.openFor(ctx, name)
		if err != nil {
			return incident.Incident{}, err
		}
		for _, i := range c.d.visibleOnly(open, c.r.By) {
			if i.Status.Open() {
				return i, incident.ErrDuplicate
			}
		}
	}
	return incident.Incident{}, nil
}

// duplicate refuses a second incident for one certificate and shows the first.
func (c *call) duplicate(ctx context.Context, i incident.Incident) error {
	p := Problem{Code: "duplicate", Message: fmt.Sprintf("%s is open for %s since %s.", i.ID, listed(i.Certificates, 3), stamp(i.Declared)),
		Hint: "Join it: /incident show " + i.ID + ". To open another all the same, say it again with --anyway."}
	r := c.d.card(ctx, i)
	r.Headline, r.Body = p.Message, p.Hint
	r.Public, r.Incident = false, ""
	r.Buttons = []Button{{Label: "Open " + i.ID, Command: "/incident show " + i.ID, Style: "primary"}}
	return &refused{p, r}
}

// declared answers a declaration: the card, what was taken and not, what the
// severity means.
func (c *call) declared(ctx context.Context, i incident.Incident, notes []string, like []incident.Incident) Reply {
	r := c.d.card(ctx, i)
	body := []string{r.Body, sev(i.Severity) + ": " + severities[i.Severity] + ". To change it: " + otherSev(i)}
	for n, o := range like {
		if n < 3 {
			body = append(body, fmt.Sprintf("Perhaps the same: %s (%s), declared %s.", o.ID, clip(o.Title, 60), ago(c.now(), o.Declared)))
		}
	}
	r.Body = strings.Join(append(body, notes...), "\n")
	r.Public = c.public(i)
	return r
}

// otherSev is a line that changes the severity: to a worse one, where there is.
func otherSev(i incident.Incident) string {
	to := i.Severity - 1
	if to < 1 {
		to = 2
	}
	return fmt.Sprintf("/incident sev %s %d", i.ID, to)
}

// readWhen reads a time of this request in the person's zone.
func readWhen(s string, c *call, plan bool) (when, error) {
	w, err := readTime(s, c.r.By.Zone, c.now(), plan)
	if errors.Is(err, errNotTime) {
		return w, badTime(s, "it could not be read")
	}
	return w, err
}

// words says how a time was read, and what does not fit.
func (w when) words() string { return strings.TrimSpace(end(upper(w.read)) + " " + w.warn) }
