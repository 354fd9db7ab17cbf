package commands

import (
	"context"

	"github.com/certmedic/certmedic/renew"
)

func rollbackVerb() *verb {
	return &verb{Verb: Verb{Name: "renew rollback", Args: "R-n [reason]", Summary: "put every host that a renewal touched back to what it served before",
		Example: "/renew rollback R-12 clients refuse the new chain", Public: true}, text: true, run: rollback}
}

func rollback(ctx context.Context, c *call) (Reply, error) {
	ren, err := c.renewalArg(ctx, touched)
	if err != nil {
		return Reply{}, err
	}
	after, err := c.d.o.Renewer.Rollback(ctx, ren.ID, c.renewer(), oneLine(c.args.rest()))
	if err != nil {
		return Reply{}, c.stepError(ren, err)
	}
	r, err := c.follow(ctx, after)
	if after.State == renew.RolledBack || r.Problem.Code == "renewal_rolled_back" {
		r.Problem = Problem{} // as asked
	}
	return r, err
}
