package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// card is an incident in a room: its state and what to do next, at most five
// facts, buttons. The same order everywhere.
func (d *Desk) card(ctx context.Context, i incident.Incident) Reply {
	now := d.o.Now().UTC()
	r := Reply{State: incidentState(i), Public: true, Incident: i.ID, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	hosts, good, cause, cert := d.cardStanding(ctx, i, now)
	next, buttons := nextStep(i, cert, good)
	if good && i.Status.Open() {
		r.State = StateWarning // nothing fails any more
	}
	r.Headline = end(fmt.Sprintf("%s %s %s%s: %s", i.ID, sev(i.Severity), d.status(i.Status), marks(i), strings.TrimRight(i.Title, ".")))
	if next != "" {
		r.Headline += " Next: " + end(next)
	}
	r.Body = cause
	r.Facts = []Fact{{"commander", orElse(i.Commander.Name, "nobody yet")}, {"started", d.startedWords(i, now)}}
	if hosts != "" {
		r.Facts = append(r.Facts, Fact{"hosts good", hosts})
	}
	if len(i.Certificates) > 0 {
		owner := listed(i.Certificates, 3)
		if i.Owner != "" {
			owner += ", owner " + i.Owner
		}
		r.Facts = append(r.Facts, Fact{"certificate", owner})
	}
	r.Facts = append(r.Facts, lastFact(i, cert))
	r.Buttons = buttons
	return r
}

func incidentState(i incident.Incident) string {
	switch {
	case i.Status == incident.Resolved || i.Status == incident.Closed:
		return StateGood
	case i.Status == incident.Monitoring || i.Severity >= 3:
		return StateWarning
	case i.Status == incident.Cancelled || i.Status == incident.Duplicate:
		return StateInfo
	}
	return StateCritical
}

func marks(i incident.Incident) string {
	s := ""
	if i.Drill {
		s += ", drill"
	}
	if i.Private {
		s += ", private"
	}
	return s
}

func (d *Desk) startedWords(i incident.Incident, now time.Time) string {
	m, ok := i.Milestone(incident.Started)
	if !ok {
		return "not known; declared " + stamp(i.Declared)
	}
	return fmt.Sprintf("%s, %s (%s)", stamp(m.At), ago(now, m.At), m.Source)
}

// cardStanding is how the incident's certificates stand by the last check.
func (d *Desk) cardStanding(ctx context.Context, i incident.Incident, now time.Time) (hosts string, allGood bool, cause string, cert renew.Certificate) {
	good, all := 0, 0
	for n, name := range i.Certificates {
		s, err := d.standing(ctx, name)
		if err != nil {
			continue
		}
		good, all = good+s.HostsGood, all+s.Hosts
		if n == 0 {
			cert, cause = s.Certificate, diagnosis(name, s.Certificate, s.Reports, now)
		}
	}
	if all > 0 {
		hosts = fmt.Sprintf("%d of %d", good, all)
	}
	return hosts, all > 0 && good == all, cause, cert
}

func lastFact(i incident.Incident, cert renew.Certificate) Fact {
	if s := tempsWord(i); s != "" {
		return Fact{"temporary", s}
	}
	if i.Impact != "" {
		return Fact{"impact", clip(oneLine(i.Impact), 120)}
	}
	if cert.Runbook != "" {
		return Fact{"runbook", cert.Runbook}
	}
	return Fact{"impact", "not said yet"}
}

// nextStep is what to do next, and the buttons of a card.
func nextStep(i incident.Incident, cert renew.Certificate, good bool) (string, []Button) {
	var b []Button
	add := func(label, command, style string) {
		b = append(b, Button{Label: label, Command: command, Style: style})
	}
	_, mitigated := i.Milestone(incident.Mitigated)
	mitigated = mitigated || good
	next := ""
	switch {
	case i.Status == incident.Closed:
		add("Postmortem", "/incident postmortem "+i.ID, "")
		return "fill in the draft", b
	case i.Status == incident.Cancelled || i.Status == incident.Duplicate:
		if i.DuplicateOf != "" {
			add("Open "+i.DuplicateOf, "/incident show "+i.DuplicateOf, "primary")
			next = "go on in " + i.DuplicateOf
		}
		add("Timeline", "/incident timeline "+i.ID, "")
		return next, b
	case i.Status == incident.Resolved && len(i.OpenTemps()) > 0:
		t := i.OpenTemps()[0]
		add("Timeline", "/incident timeline "+i.ID, "")
		b = append([]Button{undoButton(i, t)}, b...)
		return fmt.Sprintf("undo temporary change %d (%s), then say: /incident temp undo %s %d", t.N, clip(oneLine(t.Text), 80), i.ID, t.N), b
	case !i.Status.Open():
		next = "close it"
		if i.Impact == "" {
			next = "say the impact, for example: /incident impact " + i.ID + " images did not load for 40 minutes. Then close it"
			if text := measuredImpact(i); text != "" {
				b = append(b, Button{Label: "Impact as measured", Command: "/incident impact " + i.ID + " " + text, Style: "primary", Confirm: "Put this impact on the record: " + text + "?"})
			}
		}
		add("Close", "/incident close "+i.ID, style(i.Impact != ""))
		add("Timeline", "/incident timeline "+i.ID, "")
		return next, b
	case i.Commander.ID == "":
		next = "somebody takes the lead"
		add("Lead me", "/incident lead "+i.ID+" me", "primary")
	case mitigated:
		next = "resolve it"
	case cert.Name != "":
		next = "/renew " + cert.Name
	}
	switch {
	case mitigated, len(i.Certificates) == 0: // while an endpoint fails, resolve is refused
		add("Resolve", "/incident resolve "+i.ID, style(mitigated && i.Commander.ID != ""))
	case cert.Name != "":
		add("Renew plan", "/renew "+cert.Name, style(i.Commander.ID != ""))
	}
	if i.Status == incident.Investigating && !mitigated {
		add("Cause found", "/incident status "+i.ID+" identified", "")
	}
	add("Timeline", "/incident timeline "+i.ID, "")
	return next, b
}

// measuredImpact is what the record measured of the impact, for people to put
// down with one press; "" when it did not measure any.
func measuredImpact(i incident.Incident) string {
	from, started := i.Milestone(incident.Started)
	to, mitigated := i.Milestone(incident.Mitigated)
	if !started || !mitigated || to.At.Before(from.At) || len(i.Certificates) == 0 {
		return ""
	}
	return fmt.Sprintf("secure connections to %s failed for %s", listed(i.Certificates, 3), took(to.At.Sub(from.At)))
}

// changed answers a change of an incident: what was done, then the card's
// facts. While the incident is open the answer has no state of its own: "critical"
// beside "ana leads now" would say something else.
func (c *call) changed(ctx context.Context, i incident.Incident, said string) Reply {
	r := c.d.card(ctx, i)
	r.Headline, r.Body, r.Public = said, "", c.public(i)
	if i.Status.Open() {
		r.State = StateInfo
	}
	_, good, _, cert := c.d.cardStanding(ctx, i, c.now())
	if next, _ := nextStep(i, cert, good); next != "" {
		r.Body = "Next: " + end(next)
	}
	return r
}

// public reports whether everybody in the room may see an answer about an
// incident: of a private one only in its own room.
func (c *call) public(i incident.Incident) bool {
	return !i.Private || strings.EqualFold(c.r.Room, i.ID)
}

// bookError gives the record's refusals their words.
func (c *call) bookError(i incident.Incident, err error) error {
	for _, s := range sentinels {
		if !errors.Is(err, s.err) {
			continue
		}
		p := s.p
		switch p.Code {
		case "wrong_state":
			p.Message = fmt.Sprintf("%s is %s: /%s is not possible.", i.ID, c.d.status(i.Status), c.v.Name)
			p.Hint = "Look with: /incident show " + i.ID
		case "reason_needed":
			p.Message = fmt.Sprintf("%s is %s already; going back needs a reason.", i.ID, c.d.status(i.Status))
			p.Hint = "For example: " + c.retype() + " --reason one host fails again"
		case "temps_open":
			p.Message, p.Hint = tempsStand(i, "closed")
			p.Hint += ". Or close all the same: /incident close " + i.ID + " --anyway it stays until Monday"
		case "impact_empty":
			p.Message = "Nobody has said what the impact of " + i.ID + " was."
			p.Hint = "For example: /incident impact " + i.ID + " images did not load for 40 minutes. Or close all the same: /incident close " + i.ID + " --anyway nobody was affected"
		}
		return p
	}
	return fmt.Errorf("%s: %w", i.ID, err)
}
