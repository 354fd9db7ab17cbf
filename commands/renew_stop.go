package commands

import (
	"context"
	"fmt"

	"github.com/certmedic/certmedic/renew"
)

func stopVerb() *verb {
	return &verb{Verb: Verb{Name: "renew stop", Args: "R-n [reason]", Summary: "stop a renewal at the next safe point, no host half done",
		Example: "/renew stop R-12 the canary logs errors", Public: true}, text: true, run: stop}
}

func stop(ctx context.Context, c *call) (Reply, error) {
	ren, err := c.renewalArg(ctx, func(r renew.Renewal) bool { return r.State == renew.Running })
	if err != nil {
		return Reply{}, err
	}
	if ren.State == renew.Waiting {
		return Reply{}, Problem{Code: "wrong_state", Message: ren.ID + " has not started: it waits for approval.", Hint: "To end it: /renew deny " + ren.ID}
	}
	after, err := c.d.o.Renewer.Stop(ctx, ren.ID, c.renewer(), oneLine(c.args.rest()))
	if err != nil {
		return Reply{}, c.stepError(ren, err)
	}
	r, err := c.follow(ctx, after)
	if err == nil && after.State == renew.Running {
		r.Headline = fmt.Sprintf("%s: %s asked to stop; it ends at the next safe point.", ren.ID, c.r.By.Name)
		r.Buttons = nil
	}
	if r.Problem.Code == "renewal_stopped" {
		r.Problem = Problem{} // as asked
	}
	return r, err
}
