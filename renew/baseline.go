package renew

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// This file keeps what every host served before it is touched: that is what a
// rollback goes back to.

// baseline is what one host served and holds.
type baseline struct {
	leaf    Leaf
	served  map[string]string
	restore string
	note    string
	err     error
}

// doBaseline looks at every host and states the intent to touch the canary.
func (u *run) doBaseline(ctx, soft context.Context) error {
	all := u.cert.Hosts()
	seen := make([]baseline, len(all))
	each(len(all), max(u.r.o.Parallel, 4), func(i int) { seen[i] = u.lookBefore(soft, all[i]) })
	if soft.Err() != nil {
		return errPause
	}
	var broken, notes []string
	for i, b := range seen {
		if b.err != nil {
			broken = append(broken, all[i].Name+": "+b.err.Error())
		}
		if b.note != "" {
			notes = append(notes, b.note)
		}
	}
	if len(broken) > 0 {
		return u.stopped(StepBaseline, errors.New(strings.Join(broken, "; ")), 0)
	}
	c := change{steps: []Step{{Kind: StepBaseline, Outcome: OK, Text: summary(all, seen)}}}
	for _, n := range notes {
		c.steps = append(c.steps, Step{Kind: StepBaseline, Outcome: Note, Text: n})
	}
	c.edit = func(d *diskRenewal) error {
		for i, b := range seen {
			d.Body.Hosts[i].Before, d.Hosts[i].Served, d.Hosts[i].Restore = b.leaf, b.served, b.restore
		}
		d.Phase, d.Body.Step = StepDeploy, StepDeploy
		if len(all) == 0 {
			d.Phase, d.Body.Step = StepVerifyAll, StepVerifyAll
			return nil
		}
		d.touch(0, u.r.now())
		return nil
	}
	if len(all) == 0 {
		c.steps = append(c.steps, Step{Kind: StepVerifyAll, Outcome: Started, Text: "No host is configured; looking at the endpoints."})
	} else {
		c.steps = append(c.steps, u.deployBegins(0, all[0]))
	}
	return u.commit(ctx, c)
}

// lookBefore reads what a host serves and holds.
func (u *run) lookBefore(ctx context.Context, t Target) baseline {
	held, err := u.r.o.Deployer.Held(ctx, u.cert.Name, t)
	if err != nil {
		return baseline{err: err}
	}
	b := baseline{served: map[string]string{}}
	for _, s := range u.r.look(ctx, u.cert, t, Declared{Certificate: u.cert.Name, Domains: u.cert.Domains}) {
		b.served[s.address] = s.leaf.SHA256
		if b.leaf.SHA256 == "" {
			b.leaf = s.leaf
		}
	}
	if b.leaf.SHA256 == "" {
		b.leaf = held.Leaf
	}
	current := held.Leaf.SHA256 != "" && held.KeyFits
	switch {
	case b.leaf.SHA256 == "":
	case current && held.Leaf.SHA256 == b.leaf.SHA256, slices.Contains(held.Versions, b.leaf.SHA256):
		b.restore = b.leaf.SHA256
	case current:
		b.restore = held.Leaf.SHA256
		b.note = fmt.Sprintf("%s serves %s, which its directory does not hold; a rollback can only put its files back to %s.", t.Name, named(b.leaf), named(held.Leaf))
	default:
		b.note = fmt.Sprintf("%s serves %s, and holds nothing that could be put back.", t.Name, named(b.leaf))
	}
	return b
}

// summary is one sentence about what the hosts serve.
func summary(all []Target, seen []baseline) string {
	by, order := map[string][]string{}, []string{}
	for i, b := range seen {
		what := named(b.leaf)
		if by[what] == nil {
			order = append(order, what)
		}
		by[what] = append(by[what], all[i].Name)
	}
	var parts []string
	for _, what := range order {
		verb := " serve "
		if len(by[what]) == 1 {
			verb = " serves "
		}
		parts = append(parts, list(by[what])+verb+what)
	}
	if len(parts) == 0 {
		return "There is no host to look at."
	}
	return strings.Join(parts, "; ") + "."
}
