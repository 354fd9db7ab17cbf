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
		return Reply{}, c.v.problem("missing_status", i.ID+" is "+c.d.status(i.Status)+". Name the new status: "+c.d.statusNames()+".")
	}
	to, err := c.d.statusOf(word, i)
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
		return c.same(ctx, i, c.d.status(i.Status), text+ch.Reason), nil
	}
	return c.changed(ctx, i, fmt.Sprintf("%s is %s now, was %s.", i.ID, c.d.status(i.Status), c.d.status(from))), nil
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

// status is what people call a status.
func (d *Desk) status(s incident.Status) string { return d.o.Statuses.Of(s) }

// statusNames are the statuses to choose from: "investigating, identified,
// monitoring or resolved".
func (d *Desk) statusNames() string {
	return either(d.o.Statuses.Words()[:len(incident.Named)], len(incident.Named))
}

// statusOf finds the status of a word: its name, or its own word.
func (d *Desk) statusOf(word string, i incident.Incident) (incident.Status, error) {
	w := strings.ToLower(strings.TrimRight(word, ",.:"))
	if s, ok := d.o.Statuses.Find(w); ok {
		return s, nil
	}
	all := d.o.Statuses.Words()
	p := Problem{Code: "bad_status", Message: quote(word) + " is not a status.", Hint: "There are " + listed(all[:len(incident.Named)], 4) + ". For example: /incident status " + i.ID + " " + d.status(incident.Identified) + " the certificate expired"}
	if n := nearest(w, all); n != "" {
		p.Hint = "Did you mean " + n + "? For example: /incident status " + i.ID + " " + n
	}
	if w == "closed" || w == "close" {
		p.Hint = "To close it: /incident close " + i.ID
	}
	return "", p
}
