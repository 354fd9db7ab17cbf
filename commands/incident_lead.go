package commands

import (
	"context"
	"fmt"
)

func leadVerb() *verb {
	return &verb{Verb: Verb{Name: "incident lead", Args: "[INC] person|me", Summary: "give the incident to one commander",
		Example: "/incident lead me", Public: true}, max: 3, run: lead}
}

func lead(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	name := c.args.rest()
	if name == "" {
		return Reply{}, c.v.problem("missing_person", "Name the commander, or say me.")
	}
	to, err := c.person(ctx, name, i)
	if err != nil {
		return Reply{}, err
	}
	from := i
	if i, err = c.d.o.Book.SetCommander(ctx, i.ID, to, c.change("")); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	c.brief(i, "commander", from.Commander, to)
	r := c.changed(ctx, i, fmt.Sprintf("%s leads %s now.", to.Name, i.ID))
	r.Body = "The commander decides what is done next, keeps the status true and closes the incident.\n" + r.Body
	return r, nil
}
