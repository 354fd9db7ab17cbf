package commands

// This file has the ways out of an incident that are not resolve and close,
// and the way back.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func reopenVerb() *verb {
	return &verb{Verb: Verb{Name: "incident reopen", Args: "[INC] reason", Summary: "take a resolved, closed, cancelled or duplicate incident up again",
		Example: "/incident reopen INC-7 one host fails again", Public: true, Rare: true}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		ch := c.change("")
		ch.Reason = c.args.rest()
		if i.Status.Open() && !c.repeated(ctx, i.ID) {
			return Reply{}, Problem{Code: "open", Message: fmt.Sprintf("%s is %s, so it is open.", i.ID, c.d.status(i.Status)), Hint: "To go back a status: /incident status " + i.ID + " " + c.d.status(incident.Investigating) + " --reason one host fails again"}
		}
		if ch.Reason == "" {
			return Reply{}, c.v.problem("reason_needed", "Say why "+i.ID+" is taken up again.")
		}
		from := i
		if i, err = c.d.o.Book.Reopen(ctx, i.ID, ch); err != nil {
			return Reply{}, c.bookError(from, err)
		}
		return c.changed(ctx, i, fmt.Sprintf("%s is open again: %s, was %s.", i.ID, c.d.status(i.Status), c.d.status(from.Status))), nil
	}}
}

func cancelVerb() *verb {
	return &verb{Verb: Verb{Name: "incident cancel", Args: "[INC] reason", Summary: "end what was no incident; it stays readable and counts in no metric",
		Example: "/incident cancel INC-7 declared by mistake", Public: true, Rare: true}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		ch := c.change("")
		if ch.Reason = c.args.rest(); ch.Reason == "" {
			return Reply{}, c.v.problem("reason_needed", "Say why "+i.ID+" was no incident.")
		}
		from := i
		if i, err = c.d.o.Book.Cancel(ctx, i.ID, ch); err != nil {
			return Reply{}, c.leaveError(from, err)
		}
		r := c.changed(ctx, i, i.ID+" is cancelled.")
		r.Body, r.Buttons = "To take it up again: /incident reopen "+i.ID+" with the reason.", []Button{{Label: "Timeline", Command: "/incident timeline " + i.ID}}
		return r, nil
	}}
}

func duplicateVerb() *verb {
	return &verb{Verb: Verb{Name: "incident duplicate", Args: "[INC] INC-n [text]", Summary: "end it as a duplicate of another, which goes on",
		Example: "/incident duplicate INC-7 INC-6", Public: true, Rare: true}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		i, of, err := c.twoIncidents(ctx)
		if err != nil {
			return Reply{}, err
		}
		ch := c.change(c.args.rest())
		from := i
		if i, err = c.d.o.Book.MarkDuplicate(ctx, i.ID, of.ID, ch); err != nil {
			return Reply{}, c.pairError(from, of, err)
		}
		r := Reply{State: StateInfo, Headline: fmt.Sprintf("%s is a duplicate of %s, which goes on.", i.ID, of.ID), Public: c.public(i), Incident: i.ID,
			Body:    "Its lines stay readable. To carry them over: /incident reopen " + i.ID + " with the reason, then /incident merge " + i.ID + " " + of.ID + ".",
			Buttons: []Button{{Label: "Open " + of.ID, Command: "/incident show " + of.ID, Style: "primary"}}, Links: []Link{{i.ID, incidentPath(i.ID)}, {of.ID, incidentPath(of.ID)}}}
		if i.Private && of.Private {
			return c.apart(r, i, of, "a duplicate of"), nil
		}
		c.echoPair(i, of, r)
		return r, nil
	}}
}

func mergeVerb() *verb {
	return &verb{Verb: Verb{Name: "incident merge", Args: "[INC] INC-n [text]", Summary: "carry its lines, certificates and temporary changes over to another, and end it as a duplicate",
		Example: "/incident merge INC-7 INC-6", Public: true, Rare: true}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		if len(c.args.words) > 1 && strings.EqualFold(c.args.words[1].text, "into") {
			c.args.words = append(c.args.words[:1:1], c.args.words[2:]...)
		} else if s, ok := c.args.peek(); ok && strings.EqualFold(s, "into") {
			_, _ = c.args.take()
		}
		i, into, err := c.twoIncidents(ctx)
		if err != nil {
			return Reply{}, err
		}
		target, n, err := c.d.o.Book.Merge(ctx, i.ID, into.ID, c.change(c.args.rest()))
		if err != nil {
			return Reply{}, c.pairError(i, into, err)
		}
		if i, err = c.d.o.Book.Incident(ctx, i.ID); err != nil {
			return Reply{}, err
		}
		r := c.changed(ctx, target, fmt.Sprintf("%s is merged into %s: %s carried over.", i.ID, target.ID, plural(n, "line")))
		r.Public = c.public(i) && c.public(target)
		r.Body = i.ID + " stays readable as a duplicate; its action items stay with it.\n" + r.Body
		if i.Private && target.Private {
			return c.apart(r, i, target, "merged into"), nil
		}
		c.echoPair(target, i, r)
		return r, nil
	}}
}

// apart keeps an answer that names two private incidents to who asked, and
// tells the rooms of both: who is part of one need not know of the other.
func (c *call) apart(r Reply, i, to incident.Incident, word string) Reply {
	r.Public, r.Incident, r.Key = false, "", ""
	for _, in := range []struct{ id, said string }{
		{i.ID, i.ID + " is " + word + " another private incident, which goes on."},
		{to.ID, "Another private incident is " + word + " " + to.ID + "."},
	} {
		c.post(in.id, Reply{State: StateInfo, Headline: in.said, Public: true, Links: []Link{{in.id, incidentPath(in.id)}}})
	}
	return r
}

// echoPair shows an answer in the second incident's room too; the first one's
// is the reply's own. What is private stays in its room.
func (c *call) echoPair(first, second incident.Incident, r Reply) {
	if first.Private && !second.Private || strings.EqualFold(c.r.Room, second.ID) {
		return
	}
	r.Incident, r.Public = second.ID, true
	c.post(second.ID, r)
}

// twoIncidents reads the incident that ends and the one that goes on: two ids,
// or one id where the room or the only open incident is the first.
func (c *call) twoIncidents(ctx context.Context) (from, to incident.Incident, err error) {
	ws := c.args.words
	if len(ws) == 0 || !isIncident(ws[0].text) {
		return from, to, c.v.problem("missing_incident", "Name the incident that goes on.")
	}
	if len(ws) > 1 && isIncident(ws[1].text) {
		if from, err = c.incident(ctx); err != nil {
			return from, to, err
		}
	} else {
		if !isIncident(c.r.Room) {
			return from, to, c.v.problem("missing_incident", "Name both: the one that ends, then the one that goes on.")
		}
		if from, err = c.incidentNamed(ctx, strings.ToUpper(c.r.Room)); err != nil {
			return from, to, err
		}
	}
	id, _ := c.args.take()
	if to, err = c.d.incidentByID(ctx, strings.ToUpper(id), c.r.By); err != nil {
		return from, to, err
	}
	if c.v.Name == "incident merge" { // its lines are written there
		if err := c.mine(ctx, to); err != nil {
			return from, to, err
		}
	}
	if from.ID == to.ID {
		return from, to, c.v.problem("same_incident", from.ID+" cannot be a duplicate of itself.")
	}
	return from, to, nil
}

// leaveError gives what keeps an incident from being ended its words.
func (c *call) leaveError(i incident.Incident, err error) error {
	if errors.Is(err, incident.ErrTemps) {
		p := Problem{Code: "temps_open"}
		p.Message, p.Hint = tempsStand(i, "ended")
		return p
	}
	return c.bookError(i, err)
}

// pairError gives refusals of duplicate and merge their words.
func (c *call) pairError(i, to incident.Incident, err error) error {
	switch {
	case errors.Is(err, incident.ErrPrivate) && to.Private:
		return Problem{Code: "private", Message: fmt.Sprintf("%s is private and %s is not, so %s cannot point at it.", to.ID, i.ID, i.ID), Hint: "To end it alone: /incident cancel " + i.ID + " it is handled elsewhere"}
	case errors.Is(err, incident.ErrPrivate):
		return Problem{Code: "private", Message: fmt.Sprintf("%s is private and %s is not, so its lines are not carried over.", i.ID, to.ID), Hint: "To end it alone: /incident duplicate " + i.ID + " " + to.ID}
	case errors.Is(err, incident.ErrTemps):
		p := c.leaveError(i, err).(Problem)
		p.Hint += ". Or carry it over: /incident merge " + i.ID + " " + to.ID
		return p
	case errors.Is(err, incident.ErrState) && to.Status == incident.Duplicate && to.DuplicateOf == "":
		return Problem{Code: "wrong_state", Message: to.ID + " is itself a duplicate.", Hint: "Look with: /incident show " + to.ID}
	case errors.Is(err, incident.ErrState) && to.DuplicateOf != "":
		return Problem{Code: "wrong_state", Message: fmt.Sprintf("%s is itself a duplicate, of %s.", to.ID, to.DuplicateOf), Hint: "Name that one: /" + c.v.Name + " " + i.ID + " " + to.DuplicateOf}
	case errors.Is(err, incident.ErrState) && !to.Status.Open() && to.Status != incident.Resolved && c.v.Name == "incident merge":
		return Problem{Code: "wrong_state", Message: fmt.Sprintf("%s is %s, so nothing is carried over to it.", to.ID, to.Status), Hint: "Take it up again first: /incident reopen " + to.ID + " with the reason"}
	}
	return c.bookError(i, err)
}
