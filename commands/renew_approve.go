package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/certmedic/certmedic/renew"
)

func approveVerb() *verb {
	return &verb{Verb: Verb{Name: "renew approve", Args: "R-n [reason]", Summary: "approve a renewal that waits for it",
		Example: "/renew approve R-12 expired certificate, names unchanged", Public: true}, text: true, run: decide(true)}
}

func denyVerb() *verb {
	return &verb{Verb: Verb{Name: "renew deny", Args: "R-n [reason]", Summary: "refuse a renewal that waits for approval, or give up a stopped one",
		Example: "/renew deny R-12 another renewal of it is planned for tonight", Public: true}, text: true, run: decide(false)}
}

// decide approves or denies: members of the policy's teams, and not the one
// who asked unless the policy says so.
func decide(approve bool) func(context.Context, *call) (Reply, error) {
	return func(ctx context.Context, c *call) (Reply, error) {
		fits := func(r renew.Renewal) bool { return r.State == renew.Waiting || !approve && r.State == renew.Stopped }
		ren, err := c.renewalArg(ctx, fits)
		if err != nil {
			return Reply{}, err
		}
		if !fits(ren) {
			return Reply{}, Problem{Code: "wrong_state", Message: fmt.Sprintf("%s does not wait for approval: it is %s.", ren.ID, stateWords(ren)), Hint: "Look with: /renew status " + ren.ID}
		}
		if err := c.mayDecide(ctx, ren, approve); err != nil {
			return Reply{}, err
		}
		do := c.d.o.Renewer.Deny
		if approve {
			do = c.d.o.Renewer.Approve
		}
		after, err := do(ctx, ren.ID, c.renewer(), oneLine(c.args.rest()))
		if err != nil {
			return Reply{}, c.stepError(ren, err)
		}
		return c.follow(ctx, after)
	}
}

func (c *call) mayDecide(ctx context.Context, ren renew.Renewal, approve bool) error {
	cert, ok := c.d.o.Renewer.Inventory().Certificate(ren.Ask.Certificate)
	if !ok {
		return Problem{Code: "unknown_certificate", Message: ren.Ask.Certificate + " is not in the inventory any more, so nobody can approve it.", Hint: "Put it back into the configuration, or ask again for another: /renew"}
	}
	if !approve && ren.State == renew.Stopped && len(cert.Approval.Teams) == 0 {
		return nil // what anybody may start, anybody may give up
	}
	if !c.d.memberOf(ctx, c.r.By, cert.Approval.Teams) {
		who := orElse(c.d.whoIsIn(cert.Approval.Teams), "nobody")
		return Problem{Code: "not_approver", Message: fmt.Sprintf("%s may not decide about %s: it is for %s.", c.r.By.Name, ren.ID, listed(cert.Approval.Teams, 4)),
			Hint: fmt.Sprintf("Ask %s to say: /renew approve %s", who, ren.ID)}
	}
	if approve && !cert.Approval.Self && c.sameAsker(ren) {
		return c.selfApproval(ren, cert)
	}
	return nil
}

// sameAsker compares ids, and names too: one person may speak on two platforms.
func (c *call) sameAsker(ren renew.Renewal) bool {
	by := c.d.Who(Person{ID: ren.Ask.By.ID, Name: ren.Ask.By.Name, Platform: ren.Ask.By.Platform})
	return c.d.same(by.ID, c.r.By.ID) || sameName(by.Name, c.r.By.Name)
}

func (c *call) selfApproval(ren renew.Renewal, cert renew.Certificate) error {
	var others []string
	for _, p := range c.d.peopleOf(cert.Approval.Teams) {
		if !sameName(p, ren.Ask.By.Name) {
			others = append(others, p)
		}
	}
	return Problem{Code: "self_approval", Message: fmt.Sprintf("%s asked for %s, so somebody else must approve it.", ren.Ask.By.Name, ren.ID),
		Hint: fmt.Sprintf("Ask %s to say: /renew approve %s", orElse(either(others, 8), "another member of "+listed(cert.Approval.Teams, 4)), ren.ID)}
}

func stateWords(r renew.Renewal) string {
	switch r.State {
	case renew.Done:
		return "done"
	case renew.RolledBack:
		return "rolled back"
	case renew.Denied:
		return "denied"
	}
	return string(r.State)
}

// stepError gives a refusal about one renewal its words.
func (c *call) stepError(ren renew.Renewal, err error) error {
	switch {
	case errors.Is(err, renew.ErrSelfApproval):
		cert, _ := c.d.o.Renewer.Inventory().Certificate(ren.Ask.Certificate)
		return c.selfApproval(ren, cert)
	case errors.Is(err, renew.ErrState):
		return Problem{Code: "wrong_state", Message: fmt.Sprintf("%s is %s: /%s is not possible.", ren.ID, stateWords(ren), c.v.Name), Hint: "Look with: /renew status " + ren.ID}
	case errors.Is(err, renew.ErrForwardOnly):
		return Problem{Code: "forward_only", Message: "What the hosts served before " + ren.ID + " has expired, so it cannot be put back.", Hint: "Only forward is possible: /renew " + ren.Ask.Certificate + " --yes"}
	case errors.Is(err, renew.ErrBusy):
		return Problem{Code: "busy", Message: "Another renewal of " + ren.Ask.Certificate + " is under way.", Hint: "Say /renew to see it."}
	}
	return fmt.Errorf("%s %s: %w", c.v.Name, ren.ID, err)
}
