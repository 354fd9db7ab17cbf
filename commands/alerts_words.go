package commands

// This file holds the words about groups of alerts: what main and the rooms of
// incidents are told. Titles and texts in them are strangers'.

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// suggestion is what main is told of a group: what they say, what certmedic
// itself sees, and what to do next. Where certmedic sees the failure itself,
// it is its own alert, with theirs named in it.
func (d *Desk) suggestion(g incident.AlertGroup, s renew.Standing, open []incident.Incident) Reply {
	name := g.Certificate
	if s.Verdict == renew.Critical && g.Firing() > 0 {
		if r, ok := d.alert(renew.Event{Standing: s}, open); ok {
			r.Body = "Also reported by others:\n" + alertLines(g)
			return r
		}
	}
	first := g.Kinds[0]
	r := Reply{State: StateWarning, Public: true, Key: "heard/" + g.ID, Links: []Link{{name, certificatePath(name)}}, Body: alertLines(g),
		Headline: fmt.Sprintf("%s says of %s: %s", incident.SourceName(first.Source), name, end(clip(first.Title, 120))),
		Facts:    []Fact{{"alerts", alertCount(g)}, {"own check", ownCheck(s)}, {"owner", orNone(s.Certificate.Owner)}}}
	check := Button{Label: "Check", Command: "/certcheck " + name}
	switch {
	case len(open) > 0:
		r.Headline += " It is on the timeline of " + open[0].ID + "."
		r.Buttons = []Button{{Label: "Open " + open[0].ID, Command: "/incident show " + open[0].ID}}
		r.Links = append(r.Links, Link{open[0].ID, incidentPath(open[0].ID)})
	case g.Firing() == 0:
		r.State = StateInfo
		r.Headline = fmt.Sprintf("%s says that it is over for %s: %s", incident.SourceName(first.Source), name, end(clip(first.Title, 120)))
	default:
		check.Style = "primary"
		r.Buttons = []Button{{Label: "Declare incident", Style: "danger", Command: fmt.Sprintf("/incident declare %s %s fails, an alert says --cert %s", strings.ToLower(sev(d.alertSeverity(g))), name, name)}}
	}
	r.Buttons = append(r.Buttons, check)
	return r
}

func ownCheck(s renew.Standing) string {
	if s.Checked.IsZero() {
		return "none yet"
	}
	return fmt.Sprintf("%s on %d of %s, %s", s.Verdict, s.HostsGood, plural(s.Hosts, "host"), stamp(s.Checked))
}

func alertCount(g incident.AlertGroup) string {
	n := g.Count()
	if n == 1 {
		return "1, received " + stamp(g.First)
	}
	return fmt.Sprintf("%d, first received %s, last %s", n, stamp(g.First), stamp(g.Last))
}

// alertLines are a group's kinds, a line each.
func alertLines(g incident.AlertGroup) string {
	var lines []string
	for _, k := range g.Kinds {
		l := incident.SourceName(k.Source) + ": " + clip(oneLine(k.Title), 120)
		if k.Count > 1 {
			l += fmt.Sprintf(" (%d alerts)", k.Count)
		}
		if k.Severity != "" {
			l += ", " + clip(oneLine(k.Severity), 20)
		}
		if k.Started.IsZero() {
			l += ", received " + stamp(k.First)
		} else {
			l += ", since " + stamp(k.Started)
		}
		switch {
		case !k.Over.IsZero():
			l += ", over " + stamp(k.Over)
		case !k.Taken.IsZero():
			l += ", acknowledged there " + stamp(k.Taken)
		}
		if k.Text != "" {
			l += ". " + clip(oneLine(k.Text), 160)
		}
		lines = append(lines, end(l))
	}
	if g.More > 0 {
		lines = append(lines, fmt.Sprintf("And %s of other kinds.", plural(g.More, "alert")))
	}
	return strings.Join(lines, "\n")
}

// joined is what an incident's room is told.
func (t *telling) joined(g incident.AlertGroup) Reply {
	first := g.Kinds[0]
	r := Reply{State: StateWarning, Public: true, Key: "heard/" + g.ID, Body: alertLines(g), Facts: []Fact{{"alerts", alertCount(g)}},
		Headline: fmt.Sprintf("An alert from %s about %s is on the timeline: %s", incident.SourceName(first.Source), g.Certificate, end(clip(first.Title, 120)))}
	if g.Firing() == 0 {
		r.State = StateInfo
		r.Headline = fmt.Sprintf("%s says that it is over for %s: %s The incident stays open until somebody resolves it.", incident.SourceName(first.Source), g.Certificate, end(clip(first.Title, 120)))
	}
	r.Buttons = []Button{{Label: "Check", Command: "/certcheck " + g.Certificate}}
	return r
}

// unmatched is what main is told of alerts that fit no certificate.
func unmatched(g incident.AlertGroup) Reply {
	r := Reply{State: StateWarning, Public: true, Key: "heard/" + g.ID, Facts: []Fact{{"alerts", alertCount(g)}}}
	from := incident.SourceName(g.Source)
	if len(g.Hosts) == 0 && strings.HasPrefix(g.Kinds[0].ID, "left out/") {
		r.Headline = upper(from) + " left alerts out of a delivery: more than are taken at once."
		r.Body = alertLines(g)
		return r
	}
	r.Headline = fmt.Sprintf("%s from %s fit no certificate here.", plural(g.Count(), "alert"), from)
	if g.Count() == 1 {
		r.Headline = fmt.Sprintf("An alert from %s fits no certificate here: %s", from, end(clip(g.Kinds[0].Title, 120)))
	}
	if g.Firing() == 0 {
		r.State = StateInfo
	}
	names := "They name no host."
	if len(g.Hosts) > 0 {
		names = "They name " + listed(g.Hosts, 8) + "."
	}
	r.Body = alertLines(g) + "\n" + names + " Add the certificate to the configuration, or look with: /certcheck host:port"
	return r
}
