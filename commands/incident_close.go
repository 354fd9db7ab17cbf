package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func closeVerb() *verb {
	return &verb{Verb: Verb{Name: "incident close", Args: "[INC] [text]", Summary: "close a resolved incident and hand over the postmortem draft",
		Example: "/incident close INC-7", Public: true,
		Flags: []Flag{{"anyway", "text", "although the impact is empty, a temporary change stands or it is not resolved: why"}}}, text: true, run: closeIncident}
}

func closeIncident(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	ch := c.change(c.args.rest())
	ch.Reason = c.args.value("anyway")
	from := i
	i, err = c.d.o.Book.Close(ctx, i.ID, ch)
	if errors.Is(err, incident.ErrState) && from.Status.Open() {
		return Reply{}, Problem{Code: "not_resolved", Message: fmt.Sprintf("%s is %s, not resolved.", from.ID, from.Status),
			Hint: "Resolve it first: /incident resolve " + from.ID + ". Or close it all the same: /incident close " + from.ID + " --anyway declared by mistake"}
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	r, err := c.draftReply(ctx, i, []string{"md", "html", "json"})
	if err != nil {
		return Reply{}, err
	}
	r.Headline = fmt.Sprintf("%s is closed. The postmortem draft is ready, with %s to fill in.", i.ID, r.Facts[0].Value)
	r.Public, r.Incident = c.public(i), i.ID
	return r, nil
}

func postmortemVerb() *verb {
	return &verb{Verb: Verb{Name: "incident postmortem", Args: "[INC] [md | html | json | finished]", Summary: "the postmortem draft, drawn from the record at any time",
		Example: "/incident postmortem INC-7 md"}, max: 2, run: func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		forms := []string{"md"}
		if w, ok := c.args.take(); ok && strings.EqualFold(w, "finished") {
			return c.finished(ctx, i)
		} else if ok {
			form, err := formOf(w)
			if err != nil {
				return Reply{}, err
			}
			forms = []string{form}
		}
		if len(c.args.words) > 0 {
			return Reply{}, c.v.problem("extra_words", "/"+c.v.Name+" does not take "+quote(c.args.rest())+".")
		}
		return c.draftReply(ctx, i, forms)
	}}
}

// finished records that the postmortem is finished: nobody is reminded of it.
func (c *call) finished(ctx context.Context, i incident.Incident) (Reply, error) {
	from := i
	i, err := c.d.o.Book.FinishDraft(ctx, i.ID, c.change(""))
	if errors.Is(err, incident.ErrState) {
		return Reply{}, Problem{Code: "not_closed", Message: fmt.Sprintf("%s is %s, so its postmortem is not finished.", from.ID, from.Status), Hint: "Close it first: /incident close " + from.ID}
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	return Reply{State: StateGood, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("The postmortem of %s is finished.", i.ID), Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}}, nil
}

// draftReply hands the draft over as files and as a page.
func (c *call) draftReply(ctx context.Context, i incident.Incident, forms []string) (Reply, error) {
	draft, err := c.d.draft(ctx, i, zoneOf(c.r.By.Zone))
	if err != nil {
		return Reply{}, err
	}
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("%s: the postmortem draft, with %s to fill in.", i.ID, plural(len(draft.Gaps), "gap")),
		Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}}
	for _, form := range forms {
		f, err := fileOf(i.ID, draft, form)
		if err != nil {
			return Reply{}, err
		}
		r.Files = append(r.Files, f)
	}
	unaided := 0
	for _, f := range draft.Facts {
		if f.Unaided {
			unaided++
		}
	}
	r.Facts = []Fact{{"to fill in", plural(len(draft.Gaps), "gap")}, {"facts", fmt.Sprintf("%d of %d that nobody typed", unaided, len(draft.Facts))}}
	for _, s := range draft.Metrics.Spans {
		if s.Name == "detect" || s.Name == "mitigate" || s.Name == "resolve" {
			r.Facts = append(r.Facts, Fact{"time to " + s.Name, took(s.Took)})
		}
	}
	return r, nil
}
