package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func statusVerb() *verb {
	return &verb{Verb: Verb{Name: "incident status", Args: "[INC] investigating|identified|monitoring|resolved [text]", Summary: "say where it stands, with what was found; going back needs --reason",
		Example: "/incident status identified the certificate expired, the order is under way", Public: true,
		Flags: []Flag{{"reason", "text", "why it goes back a status"}, {"anyway", "text", "resolve although an endpoint fails: why"}}}, text: true, run: setStatus}
}

func setStatus(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	word, ok := c.args.take()
	if !ok {
		return Reply{}, c.v.problem("missing_status", i.ID+" is "+string(i.Status)+". Name the new status: investigating, identified, monitoring or resolved.")
	}
	to, err := statusOf(word, i)
	if err != nil {
		return Reply{}, err
	}
	if to == incident.Resolved {
		return c.resolve(ctx, i)
	}
	text := c.args.rest()
	ch := c.change(text)
	ch.Reason = c.args.value("reason")
	from := i.Status
	if i, err = c.d.o.Book.SetStatus(ctx, i.ID, to, ch); err != nil {
		return Reply{}, c.bookError(i0(i, from), err)
	}
	if i.Status == from {
		return c.same(ctx, i, string(i.Status), text+ch.Reason), nil
	}
	return c.changed(ctx, i, fmt.Sprintf("%s is %s now, was %s.", i.ID, i.Status, from)), nil
}

// same answers a change to what the incident was already: what was said with
// it is on the timeline all the same.
func (c *call) same(ctx context.Context, i incident.Incident, state, text string) Reply {
	said := i.ID + " is " + state + " already."
	if text != "" {
		said = i.ID + " is " + state + " already; what you say is on its timeline."
	}
	return c.changed(ctx, i, said)
}

// i0 keeps the status that was refused, for the words of the refusal.
func i0(i incident.Incident, from incident.Status) incident.Incident {
	i.Status = from
	return i
}

func statusOf(word string, i incident.Incident) (incident.Status, error) {
	all := []string{string(incident.Investigating), string(incident.Identified), string(incident.Monitoring), string(incident.Resolved)}
	w := strings.ToLower(strings.TrimRight(word, ",.:"))
	for _, s := range all {
		if w == s || len(w) >= 3 && strings.HasPrefix(s, w) {
			return incident.Status(s), nil
		}
	}
	p := Problem{Code: "bad_status", Message: quote(word) + " is not a status.", Hint: "There are " + listed(all, 4) + ". For example: /incident status " + i.ID + " identified the certificate expired"}
	if n := nearest(w, all); n != "" {
		p.Hint = "Did you mean " + n + "? For example: /incident status " + i.ID + " " + n
	}
	if w == "closed" || w == "close" {
		p.Hint = "To close it: /incident close " + i.ID
	}
	return "", p
}
