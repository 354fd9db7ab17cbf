package commands

import (
	"context"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

func renewStatusVerb() *verb {
	return &verb{Verb: Verb{Name: "renew status", Args: "R-n", Summary: "how far a renewal is: its steps, the hosts before and after",
		Example: "/renew status R-12"}, max: 1, run: func(ctx context.Context, c *call) (Reply, error) {
		if s, ok := c.args.peek(); ok && !isRenewal(s) {
			if cert, err := c.d.certificate(s); err == nil {
				if last, err := c.d.o.Renewer.Renewals(ctx, cert.Name, 1); err == nil && len(last) > 0 {
					return c.renewStatus(ctx, last[0].ID)
				}
			}
		}
		ren, err := c.renewalArg(ctx, func(renew.Renewal) bool { return true })
		if err != nil {
			return Reply{}, err
		}
		return c.renewStatus(ctx, ren.ID)
	}}
}

// renewStatus is a renewal's card for one person.
func (c *call) renewStatus(ctx context.Context, id string) (Reply, error) {
	ren, err := c.d.renewalByID(ctx, strings.ToUpper(id))
	if err != nil {
		return Reply{}, err
	}
	r, err := c.d.progressOf(ctx, ren)
	r.Public = false
	r.Key = "" // a new message: the running card stays where it is
	return r, err
}
