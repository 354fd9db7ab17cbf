package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

func resolveVerb() *verb {
	return &verb{Verb: Verb{Name: "incident resolve", Args: "[INC] [text]", Summary: "end the incident; its certificates are checked first, and a failing endpoint refuses it",
		Example: "/incident resolve every host serves the new certificate", Public: true,
		Flags: []Flag{{"anyway", "text", "although an endpoint fails: why, on the record"}}}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		return c.resolve(ctx, i)
	}}
}

func (c *call) resolve(ctx context.Context, i incident.Incident) (Reply, error) {
	if !i.Status.Open() && i.Status != incident.Resolved {
		return Reply{}, c.bookError(i, incident.ErrState)
	}
	var failing []string
	var standings []renew.Standing
	for _, name := range i.Certificates {
		s, err := c.d.o.Renewer.Check(ctx, name)
		switch {
		case errors.Is(err, renew.ErrNotFound):
			failing = append(failing, name+": not in the inventory any more")
			continue
		case err != nil:
			c.d.o.Log.WarnContext(ctx, "check before resolve", "incident", i.ID, "certificate", name, "error", err)
			failing = append(failing, name+": could not be checked")
			continue
		}
		failing = append(failing, failingNow(s)...)
		standings = append(standings, s)
	}
	for _, s := range standings {
		if err := c.d.checkEntry(ctx, i.ID, s, c.key("resolve/"+s.Certificate.Name), incident.Around{}); err != nil {
			return Reply{}, err
		}
	}
	if len(failing) == 0 && len(standings) > 0 {
		if err := c.d.mitigated(ctx, i, standings); err != nil {
			return Reply{}, err
		}
	}
	text := c.args.rest()
	ch := c.change(text)
	ch.Reason = c.args.value("anyway")
	from := i
	i, err := c.d.o.Book.Resolve(ctx, i.ID, failing, ch)
	if errors.Is(err, incident.ErrFailing) {
		return Reply{}, c.stillFailing(from, failing)
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	said := i.ID + " is resolved: every endpoint of " + listed(i.Certificates, 3) + " is good."
	switch {
	case len(i.Certificates) == 0:
		said = i.ID + " is resolved."
	case len(failing) > 0:
		said = fmt.Sprintf("%s is resolved although %s: %s.", i.ID, plural(len(failing), "endpoint")+" "+failVerbOnly(len(failing)), listed(failing, 4))
	}
	if from.Status == incident.Resolved {
		said = strings.Replace(said, " is resolved", " was resolved already", 1)
		if text+ch.Reason != "" {
			said += " What you say is on its timeline."
		}
	}
	return c.changed(ctx, i, said), nil
}

func failVerbOnly(n int) string {
	if n == 1 {
		return "still fails"
	}
	return "still fail"
}

// stillFailing refuses, naming which.
func (c *call) stillFailing(i incident.Incident, failing []string) error {
	p := Problem{Code: "still_failing", Message: fmt.Sprintf("%s cannot be resolved: %s %s.", i.ID, plural(len(failing), "endpoint"), failVerbOnly(len(failing))),
		Hint: "Renew, or give a reason: /incident resolve " + i.ID + " --anyway the host is switched off"}
	p.Message += " " + end(listed(failing, 6))
	r := Reply{State: StateCritical, Headline: p.Message, Body: p.Hint}
	for _, name := range i.Certificates[:min(1, len(i.Certificates))] {
		r.Buttons = []Button{{Label: "Renew plan", Command: "/renew " + name, Style: "primary"}, {Label: "Check again", Command: "/certcheck " + name}}
	}
	return &refused{p, r}
}

// mitigated sets the milestone when every certificate of the incident was
// checked good.
func (d *Desk) mitigated(ctx context.Context, i incident.Incident, standings []renew.Standing) error {
	if _, set := i.Milestone(incident.Mitigated); set || !i.Status.Open() {
		return nil
	}
	var names []string
	m := incident.Milestone{Kind: incident.Mitigated, Source: "measured", By: incident.Bot}
	for _, s := range standings {
		names = append(names, fmt.Sprintf("%s on %d of %s", s.Certificate.Name, s.HostsGood, plural(s.Hosts, "host")))
		at := s.Checked
		if s.Since.After(i.Declared) && s.Since.Before(at) {
			at = s.Since // when the verdict changed
		}
		if at.After(m.At) {
			m.At = at
		}
	}
	m.Text = "every endpoint checked good: " + strings.Join(names, ", ")
	if _, err := d.o.Book.SetMilestone(ctx, i.ID, m); err != nil {
		return fmt.Errorf("%s: milestone mitigated: %w", i.ID, err)
	}
	return nil
}
