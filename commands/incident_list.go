package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func listVerb() *verb {
	return &verb{Verb: Verb{Name: "incident list", Args: "[open | all | search words]", Summary: "incidents, newest first",
		Example: "/incident list search media"}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		word, ok := c.args.peek()
		switch w := strings.ToLower(word); {
		case !ok || w == "open" && len(c.args.words) == 1:
			return c.list(ctx, incident.Filter{Open: true}, "open")
		case w == "all" && len(c.args.words) == 1:
			return c.list(ctx, incident.Filter{}, "on record")
		case w == "search":
			_, _ = c.args.take()
		}
		words := oneLine(c.args.rest())
		if words == "" {
			return Reply{}, c.v.problem("missing_words", "Say the words to search for.")
		}
		return c.search(ctx, words)
	}}
}

func (c *call) list(ctx context.Context, f incident.Filter, what string) (Reply, error) {
	f.Limit = maxRows
	all, total, err := c.d.o.Book.Find(ctx, f, func(i incident.Incident) bool { return c.d.visible(i, c.r.By) })
	if err != nil {
		return Reply{}, fmt.Errorf("list incidents: %w", err)
	}
	r := Reply{State: StateInfo, Headline: plural(total, "incident") + " " + what + ".", Links: []Link{{"Incidents", incidentsPath}}}
	if len(all) == 0 {
		r.Headline = "No incident " + what + "."
		if f.Open {
			r.State = StateGood
			r.Body = "To declare one: " + lookup("incident declare").Example
		}
		return r, nil
	}
	if total > len(all) {
		r.Body = fmt.Sprintf("And %d more: see the page.", total-len(all))
	}
	r.Table = Table{Columns: []string{"incident", "severity", "status", "title", "commander", "declared"}}
	for n, i := range all {
		r.Table.Rows = append(r.Table.Rows, Row{State: incidentState(i), Cells: []string{i.ID, sev(i.Severity), c.d.status(i.Status) + marks(i), clip(i.Title, 60), orElse(i.Commander.Name, "nobody"), stamp(i.Declared)}})
		if n < 3 {
			r.Buttons = append(r.Buttons, Button{Label: "Open " + i.ID, Command: "/incident show " + i.ID})
		}
	}
	return r, nil
}
