package commands

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// briefs say what each role is for, and the first things to do.
var briefs = map[string]string{
	"commander":      "You decide what is done next, keep the status true, give the other roles away and close the incident. You need not repair anything yourself.\nFirst: /incident show, then /incident status when the cause is known. To hand over: /incident handoff NAME.",
	"scribe":         "You keep the timeline whole: what happened, with its time, who did it.\nFor example: /incident note first report in support @ 01:52Z. Corrections: /incident edit, /incident move.",
	"communications": "You tell those outside what is known, and nobody else does. Say when you will speak next, and do.\nWhat is on record: /incident show. A statement to start from: /incident postmortem.",
	"approver":       "You answer when a renewal waits for approval: read the plan, then approve or deny.\nFor example: /renew approve R-1 expired certificate, names unchanged.",
}

// holds says in words that somebody has a role.
var holds = map[string]string{"commander": "the commander", "scribe": "the scribe", "communications": "in charge of communications", "approver": "the certificate approver"}

// brief tells who got a role what it is for, in private. Who had it already,
// and who is the bot, is told nothing.
func (c *call) brief(i incident.Incident, role string, from, to incident.Person) {
	if c.d.same(from.ID, to.ID) {
		return
	}
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("You are %s for %s now: %s", holds[role], i.ID, end(i.Title)), Body: briefs[role],
		Facts: []Fact{{"severity", sev(i.Severity)}, {"status", c.d.status(i.Status)}, {"given by", who(c.r.By.Name)}},
		Links: []Link{{i.ID, incidentPath(i.ID)}}, Buttons: []Button{{Label: "Show", Command: "/incident show " + i.ID}}}
	r.Key = strings.Join([]string{"brief", i.ID, role, fmt.Sprint(i.Entries)}, "/")
	c.tell(i.ID, to, r)
}
