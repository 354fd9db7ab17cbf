package commands

// This file says and does what alerts of other systems call for: lines on the
// timelines of incidents, a suggestion in main, an incident declared. Each is
// keyed by the group of alerts that it is of, so that doing it again, after a
// kill, changes nothing.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// telling is one round over the groups that are due.
type telling struct {
	d         *Desk
	post      func(Post)
	suggested int
	checked   int
	rest      []incident.AlertGroup // beyond maxSuggest
}

func (t *telling) say(room string, r Reply) {
	if t.post != nil {
		t.post(Post{Room: room, Reply: clean(r), At: t.d.o.Now().UTC()})
	}
}

// tellAlerts goes through the groups that are due until none is.
func (d *Desk) tellAlerts(ctx context.Context, post func(Post)) error {
	t := &telling{d: d, post: post}
	for ctx.Err() == nil {
		due, err := d.o.Book.DueAlerts(ctx, maxRoundDue)
		if err != nil {
			return fmt.Errorf("read groups of alerts: %w", err)
		}
		if len(due) == 0 {
			return nil
		}
		for n, g := range due {
			if g.Rev == 0 {
				continue
			}
			if due[n], err = t.group(ctx, g); err != nil {
				return fmt.Errorf("alerts about %s: %w", orElse(g.Certificate, "no certificate"), err)
			}
		}
		t.sayRest()
		for _, g := range due {
			if err := d.o.Book.AlertsTold(ctx, g); err != nil {
				return fmt.Errorf("keep what was said of alerts: %w", err)
			}
		}
	}
	return nil
}

// group does what one group calls for and returns it with what was done.
func (t *telling) group(ctx context.Context, g incident.AlertGroup) (incident.AlertGroup, error) {
	if g.Certificate == "" {
		t.say(mainRoom, unmatched(g))
		g.InMain = true
		return g, nil
	}
	open, err := t.d.openFor(ctx, g.Certificate)
	if err != nil {
		return g, err
	}
	live, named := []incident.Incident{}, []incident.Incident{}
	for _, i := range open {
		if err := t.d.appendAll(ctx, i.ID, g.Entries()); err != nil {
			return g, err
		}
		if i.Status.Open() {
			live = append(live, i)
			if !i.Private {
				named = append(named, i)
			}
		}
	}
	if len(live) == 0 && g.Firing() > 0 {
		return t.alone(ctx, g)
	}
	if g.Policy == AlertDeclare && g.Incident == "" && slices.ContainsFunc(live, byBot) { // perhaps by this group, just before a kill
		if g.Incident, err = t.declare(ctx, g); err != nil || g.Incident != "" {
			return g, err
		}
	}
	for _, i := range live {
		t.say(i.ID, t.joined(g))
	}
	if g.InMain && (len(named) > 0 || len(live) == 0) {
		s, err := t.d.standing(ctx, g.Certificate)
		if err != nil {
			return g, err
		}
		t.say(mainRoom, t.d.suggestion(g, s, named))
	}
	return g, nil
}

func isOpen(i incident.Incident) bool { return i.Status.Open() }

func byBot(i incident.Incident) bool { return i.DeclaredBy.ID == incident.Bot.ID }

// alone is a group that fires for a certificate without an open incident.
func (t *telling) alone(ctx context.Context, g incident.AlertGroup) (incident.AlertGroup, error) {
	switch g.Policy {
	case AlertEntry:
		return g, nil
	case AlertDeclare:
		id, err := t.declare(ctx, g)
		if err != nil || id != "" {
			g.Incident = id
			return g, err
		}
		if open, err := t.d.openFor(ctx, g.Certificate); err != nil || slices.ContainsFunc(open, isOpen) {
			if err != nil {
				return g, err
			}
			return t.group(ctx, g) // somebody was faster: join theirs
		}
	}
	if !g.InMain && t.suggested >= maxSuggest {
		t.rest = append(t.rest, g)
		return g, nil
	}
	if !g.InMain {
		t.suggested++
	}
	s, err := t.look(ctx, g)
	if err != nil {
		return g, err
	}
	t.say(mainRoom, t.d.suggestion(g, s, nil))
	g.InMain = true
	return g, nil
}

// look is how the certificate stands: just checked for the first few of a
// round, else by the last check.
func (t *telling) look(ctx context.Context, g incident.AlertGroup) (renew.Standing, error) {
	if !g.InMain && t.checked < maxChecks {
		t.checked++
		soon, cancel := context.WithTimeout(ctx, 8*time.Second)
		defer cancel()
		s, err := t.d.o.Renewer.Check(soon, g.Certificate)
		if err == nil {
			return s, nil
		}
		t.d.o.Log.WarnContext(ctx, "check because of an alert", "certificate", g.Certificate, "error", err)
	}
	return t.d.standing(ctx, g.Certificate)
}

// declare opens an incident unasked, and returns it again when this group has
// declared it before; "" when too many were lately, or one is open.
func (t *telling) declare(ctx context.Context, g incident.AlertGroup) (id string, err error) {
	now := t.d.o.Now().UTC()
	lately := t.d.alerts.declared[:0:0]
	for _, at := range t.d.alerts.declared {
		if now.Sub(at) < declareIn {
			lately = append(lately, at)
		}
	}
	t.d.alerts.declared = lately
	if len(lately) >= maxDeclare && g.Incident == "" {
		return "", nil
	}
	cert, found := t.d.o.Renewer.Inventory().Certificate(g.Certificate)
	if !found {
		return "", nil // taken out of the configuration since
	}
	key := "alert/" + g.ID
	c := &call{d: t.d, r: Request{ID: key, By: Person{ID: incident.Bot.ID, Name: incident.Bot.Name, Platform: incident.Bot.Platform}, Room: mainRoom}, v: declareVerb(), args: &args{}, say: t.post}
	first := g.Kinds[0]
	if n := slices.IndexFunc(g.Kinds, func(k incident.AlertKind) bool { return k.Policy == AlertDeclare && k.Firing > 0 }); n >= 0 {
		first = g.Kinds[n]
	}
	decl := incident.Declaration{Key: key, Title: clip(oneLine(cert.Name+": "+first.Title), 200), Severity: t.d.alertSeverity(g), Certificates: []string{cert.Name}, Owner: cert.Owner, By: incident.Bot, Link: first.Link, Drill: t.d.o.Drill}
	note := fmt.Sprintf("Declared unasked, because of an alert from %s; the configuration says so.", incident.SourceName(first.Source))
	r, err := c.open(ctx, decl, []renew.Certificate{cert}, []string{note})
	var own *refused
	var p Problem
	if errors.As(err, &own) || errors.As(err, &p) {
		return "", nil // one is open
	}
	if err != nil {
		return "", err
	}
	t.d.alerts.declared = append(t.d.alerts.declared, now)
	r.Key = "heard/" + g.ID
	t.say(mainRoom, r)
	if r.Incident != "" {
		echo := r
		echo.Public = true
		t.say(r.Incident, echo)
	}
	return r.Incident, nil
}

// alertSeverity is the worst that a group's alerts say by their own words. What
// they do not say, or in a word that is not known, is SEV2: unsure means the
// higher one.
func (d *Desk) alertSeverity(g incident.AlertGroup) incident.Severity {
	worst := incident.Severity(0)
	for _, k := range g.Kinds {
		if k.Firing == 0 {
			continue
		}
		word := strings.ToLower(k.Severity)
		s := d.o.Severities[word]
		if s == 0 {
			s = alertWords[word]
		}
		if s == 0 {
			s = 2
		}
		if worst == 0 || s < worst {
			worst = s
		}
	}
	return max(worst, 1)
}

// alertWords are what systems call severities: Alertmanager's usual labels,
// PagerDuty's priorities and urgencies.
var alertWords = map[string]incident.Severity{
	"p1": 1, "sev1": 1, "emergency": 1, "disaster": 1,
	"critical": 2, "p2": 2, "sev2": 2, "high": 2, "error": 2, "page": 2, "major": 2,
	"warning": 3, "p3": 3, "sev3": 3, "low": 3, "minor": 3, "ticket": 3, "average": 3,
	"info": 4, "p4": 4, "p5": 4, "sev4": 4, "none": 4, "notice": 4, "informational": 4,
}

// heardEvidence puts what was heard of a certificate before anybody declared
// on a timeline, and has the messages about it changed.
func (d *Desk) heardEvidence(ctx context.Context, id, certificate string) error {
	groups, err := d.o.Book.AlertsOf(ctx, certificate, d.o.Now().UTC().Add(-24*time.Hour))
	if err != nil {
		return fmt.Errorf("%s: alerts about %s: %w", id, certificate, err)
	}
	for _, g := range groups {
		if err := d.appendAll(ctx, id, g.Entries()); err != nil {
			return err
		}
		if g.InMain {
			if err := d.o.Book.AlertsDue(ctx, g.ID); err != nil {
				return fmt.Errorf("%s: alerts about %s: %w", id, certificate, err)
			}
		}
	}
	if len(groups) > 0 {
		d.alertsPoke()
	}
	return nil
}

// sayRest says in one message what maxSuggest left out.
func (t *telling) sayRest() {
	if len(t.rest) == 0 {
		return
	}
	var names []string
	for _, g := range t.rest {
		names = append(names, g.Certificate)
	}
	t.say(mainRoom, Reply{State: StateWarning, Public: true, Key: "heard/rest/" + t.rest[0].ID, Links: []Link{{"Estate", estatePath}},
		Headline: fmt.Sprintf("Alerts name %s more.", plural(len(names), "certificate")),
		Body:     listed(names, 40) + ".\nEach alert is kept for the timeline of the incident that is declared because of it.",
		Buttons:  []Button{{Label: "Check the estate", Command: "/certcheck", Style: "primary"}}})
	t.rest = nil
}
