package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func incidentVerb() *verb {
	return &verb{Verb: Verb{Name: "incident", Summary: "in an incident's room its card, elsewhere the open incidents",
		Example: "/incident"}, run: func(ctx context.Context, c *call) (Reply, error) {
		if isIncident(c.r.Room) {
			return show(ctx, c)
		}
		return c.list(ctx, incident.Filter{Open: true}, "open")
	}}
}

func showVerb() *verb {
	return &verb{Verb: Verb{Name: "incident show", Args: "[INC]", Summary: "an incident's card and its milestones",
		Example: "/incident show INC-7"}, max: 1, run: show}
}

func show(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	if len(c.args.words) > 0 {
		return Reply{}, c.v.problem("bad_incident", quote(c.args.rest())+" is not the id of an incident.")
	}
	r := c.d.card(ctx, i)
	r.Public, r.Incident = false, ""
	var lines []string
	for _, m := range i.Milestones {
		line := m.Kind + ": " + stamp(m.At) + ", " + m.Source
		if m.Text != "" {
			line += ", " + clip(oneLine(m.Text), 120)
		}
		lines = append(lines, line)
	}
	for _, x := range i.Conflicts[:min(len(i.Conflicts), 5)] {
		lines = append(lines, "not agreed: "+clip(oneLine(x.Text), 200))
	}
	r.Body = strings.TrimSpace(r.Body + "\n" + strings.Join(lines, "\n"))
	return r, nil
}

func timelineVerb() *verb {
	return &verb{Verb: Verb{Name: "incident timeline", Args: "[INC]", Summary: "what happened, by when it happened",
		Example: "/incident timeline INC-7"}, max: 1, run: timeline}
}

// maxTimeline is how many lines a reply shows.
const maxTimeline = 25

func timeline(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	if len(c.args.words) > 0 {
		return Reply{}, c.v.problem("bad_incident", quote(c.args.rest())+" is not the id of an incident.")
	}
	es, err := c.d.o.Book.Timeline(ctx, i.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("timeline of %s: %w", i.ID, err)
	}
	r := Reply{State: incidentState(i), Headline: fmt.Sprintf("%s %s, %s: %s.", i.ID, i.Status, plural(len(es), "line"), strings.TrimRight(i.Title, ".")),
		Table: Table{Columns: []string{"line", "when", "who", "what"}}, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	if n := len(es) - maxTimeline; n > 0 {
		r.Body = fmt.Sprintf("The last %d; %d earlier: see the page.", maxTimeline, n)
		es = es[n:]
	}
	for _, e := range es {
		r.Table.Rows = append(r.Table.Rows, Row{State: entryState(e), Cells: []string{e.ID, stamp(e.At), who(e.By.Name), clip(oneLine(e.Text), 160)}})
	}
	return r, nil
}

// entryState colours lines that say good or bad; the others have none.
func entryState(e incident.Entry) string {
	switch {
	case e.Evidence.Check.Verdict != "":
		return map[string]string{"good": StateGood, "warning": StateWarning, "critical": StateCritical}[e.Evidence.Check.Verdict]
	case e.Kind == incident.Alert, e.Evidence.Step.Outcome == "failed":
		return StateCritical
	case e.Evidence.Rehearsal.Certificate != "":
		return map[bool]string{true: StateGood, false: StateWarning}[e.Evidence.Rehearsal.OK]
	case e.Evidence.Step.Outcome == "ok":
		return StateGood
	}
	return ""
}
