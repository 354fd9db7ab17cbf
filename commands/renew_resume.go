package commands

import (
	"context"

	"github.com/certmedic/certmedic/renew"
)

func resumeVerb() *verb {
	return &verb{Verb: Verb{Name: "renew resume", Args: "R-n", Summary: "go on with a stopped renewal, with the same order and key",
		Example: "/renew resume R-12", Public: true}, max: 1, run: resume}
}

func resume(ctx context.Context, c *call) (Reply, error) {
	ren, err := c.renewalArg(ctx, func(r renew.Renewal) bool { return r.State == renew.Stopped })
	if err != nil {
		return Reply{}, err
	}
	after, err := c.d.o.Renewer.Resume(ctx, ren.ID, c.renewer())
	if err != nil {
		return Reply{}, c.stepError(ren, err)
	}
	return c.follow(ctx, after)
}
