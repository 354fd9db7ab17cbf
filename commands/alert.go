package commands

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// hostsGood is how many hosts are good, of those that were found.
func hostsGood(s renew.Standing) string {
	if s.Hosts == 0 {
		return "no host was found"
	}
	return fmt.Sprintf("%d of %d", s.HostsGood, s.Hosts)
}

// alert is what main is told of a check, if anything.
func (d *Desk) alert(e renew.Event, open []incident.Incident) (Reply, bool) {
	s, now := e.Standing, d.o.Now().UTC()
	name := s.Certificate.Name
	r := Reply{State: stateOf(s.Verdict), Headline: diagnosis(name, s.Certificate, s.Reports, now), Public: true, Key: alertKey(s),
		Facts: []Fact{{"hosts good", hostsGood(s)}, {"since", stamp(s.Since)}, {"owner", orNone(s.Certificate.Owner)}},
		Links: []Link{{name, certificatePath(name)}}}
	switch {
	case s.Verdict == renew.Critical:
		if !s.LastGood.IsZero() {
			r.Facts = append(r.Facts, Fact{"last good", stamp(s.LastGood)})
		}
		if s.Renewal != "" {
			r.Facts = append(r.Facts, Fact{"renewal", s.Renewal + " under way"})
		}
		var mine []incident.Incident
		for _, i := range open {
			if !i.Private {
				mine = append(mine, i)
			}
		}
		if len(mine) > 0 {
			r.Buttons = []Button{{Label: "Open " + mine[0].ID, Command: "/incident show " + mine[0].ID}}
			r.Links = append(r.Links, Link{mine[0].ID, incidentPath(mine[0].ID)})
		} else {
			r.Buttons = []Button{declareButton(s)}
		}
		r.Buttons = append(r.Buttons, Button{Label: "Renew", Command: "/renew " + name, Style: "primary"}, Button{Label: "Check", Command: "/certcheck " + name})
		return r, true
	case e.Before == renew.Critical:
		r.Headline = strings.TrimRight(r.Headline, ".") + ". It failed before."
		if s.Verdict == renew.Good || s.Verdict == renew.Info {
			r.Headline = fmt.Sprintf("%s is good again on %d of %s, until %s.", name, s.HostsGood, plural(s.Hosts, "host"), stamp(s.NotAfter))
		}
		for _, i := range open {
			if !i.Private && i.Status.Open() {
				r.Buttons = append(r.Buttons, Button{Label: "Resolve " + i.ID, Command: "/incident resolve " + i.ID, Style: style(len(r.Buttons) == 0)})
			}
		}
		r.Buttons = append(r.Buttons, Button{Label: "Check", Command: "/certcheck " + name})
		return r, true
	case s.Verdict == renew.Warning && e.Before != renew.Warning:
		r.Buttons = []Button{{Label: "Renew", Command: "/renew " + name, Style: "primary"}, {Label: "Check", Command: "/certcheck " + name}}
		return r, true
	}
	return Reply{}, false
}
