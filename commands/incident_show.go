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
		Example: "/incident timeline INC-7", Flags: []Flag{{"history", "", "every version of every line, in the order of writing"}}}, max: 1, run: timeline}
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
	if c.args.has("history") {
		return c.history(ctx, i)
	}
	es, err := c.d.o.Book.Timeline(ctx, i.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("timeline of %s: %w", i.ID, err)
	}
	r := Reply{State: incidentState(i), Headline: fmt.Sprintf("%s %s, %s: %s.", i.ID, c.d.status(i.Status), plural(len(es), "line"), strings.TrimRight(i.Title, ".")),
		Table: Table{Columns: []string{"line", "when", "who", "what"}}, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	if n := len(es) - maxTimeline; n > 0 {
		r.Body = fmt.Sprintf("The last %d; %d earlier: see the page.", maxTimeline, n)
		es = es[n:]
	}
	for _, e := range es {
		r.Table.Rows = append(r.Table.Rows, Row{State: entryState(e), Cells: []string{e.ID, stamp(e.At), whoSaid(e), clip(oneLine(e.Text), 160)}})
	}
	return r, nil
}

// whoSaid names who said a line, and who corrected it when somebody else did.
func whoSaid(e incident.Entry) string {
	switch {
	case e.Version < 2:
		return who(e.By.Name)
	case e.CorrectedBy.ID == e.By.ID || e.CorrectedBy.ID == "":
		return who(e.By.Name) + ", corrected"
	}
	return who(e.By.Name) + ", corrected by " + who(e.CorrectedBy.Name)
}

// history answers with every line ever written.
func (c *call) history(ctx context.Context, i incident.Incident) (Reply, error) {
	es, err := c.d.o.Book.History(ctx, i.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("history of %s: %w", i.ID, err)
	}
	last, replaced := map[string]int{}, 0
	for _, e := range es {
		if e.Version > 1 {
			replaced++
		}
		last[e.ID] = e.Version
	}
	r := Reply{State: incidentState(i), Headline: fmt.Sprintf("%s: %s written, %d replaced or dropped.", i.ID, plural(len(es), "line"), replaced),
		Table: Table{Columns: []string{"line", "version", "happened", "recorded", "who", "what"}}, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	if n := len(es) - maxTimeline; n > 0 {
		r.Body = fmt.Sprintf("The last %d; %d earlier: see the appendix of the draft, or /incident export %s csv.", maxTimeline, n, i.ID)
		es = es[n:]
	}
	for _, e := range es {
		text := clip(oneLine(e.Text), 160)
		switch {
		case e.Dropped:
			text = "dropped" + because(e.Evidence.Change.To) + ": " + text
		case e.Version < last[e.ID]:
			text = "replaced: " + text
		}
		r.Table.Rows = append(r.Table.Rows, Row{Cells: []string{e.ID, fmt.Sprint(e.Version), stamp(e.At), stamp(e.Recorded), who(e.By.Name), text}})
	}
	return r, nil
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + clip(oneLine(why), 80) + ")"
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
