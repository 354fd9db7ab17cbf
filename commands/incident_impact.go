package commands

import (
	"context"
	"fmt"
)

func impactVerb() *verb {
	return &verb{Verb: Verb{Name: "incident impact", Args: "[INC] text", Summary: "say what people felt, for the postmortem",
		Example: "/incident impact images did not load for 40 minutes", Public: true}, text: true, run: impact}
}

func impact(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	text := c.args.rest()
	if text == "" {
		return Reply{}, c.v.problem("missing_text", "Say what people felt, for how long.")
	}
	from := i
	if i, err = c.d.o.Book.SetImpact(ctx, i.ID, text, c.change("")); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	return c.changed(ctx, i, fmt.Sprintf("The impact of %s is on the record.", i.ID)), nil
}
