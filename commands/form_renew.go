package commands

import (
	"context"
	"fmt"

	"github.com/certmedic/certmedic/renew"
)

// This file holds the forms about renewals: approve.

// approveForm says what is approved, and asks for a reason.
func approveForm(ctx context.Context, c *call, ask FormAsk) (Form, error) {
	ren, err := c.waiting(ctx)
	if err != nil {
		return Form{}, err
	}
	intro := fmt.Sprintf("Renews %s and rolls it out to %s. %s asked for it at %s", ren.Ask.Certificate, plural(len(ren.Hosts), "host"), who(ren.Ask.By.Name), stamp(ren.Asked))
	if ren.Ask.Reason != "" {
		intro += ": " + clip(oneLine(ren.Ask.Reason), 300)
	}
	return Form{Subject: ren.ID, Title: "Approve " + ren.ID, Submit: "Approve", Intro: end(intro),
		Fields: []FormField{{Param: Param{Name: "reason", Kind: ParamText, Summary: "It is on the record."}, Label: "Reason", Long: true, Max: 500}}}, nil
}

// waiting is the renewal that a form is about, if it waits and its person may
// decide about it.
func (c *call) waiting(ctx context.Context) (renew.Renewal, error) {
	ren, err := c.renewalArg(ctx, func(r renew.Renewal) bool { return r.State == renew.Waiting })
	if err != nil {
		return ren, err
	}
	if ren.State != renew.Waiting {
		return ren, Problem{Code: "wrong_state", Message: fmt.Sprintf("%s does not wait for approval: it is %s.", ren.ID, stateWords(ren)), Hint: "Look with: /renew status " + ren.ID}
	}
	return ren, c.mayDecide(ctx, ren, true)
}

func approveLines(_ context.Context, _ *call, f Form, v map[string]string) ([]string, map[string]string, error) {
	return []string{Compose("renew approve", []Param{{Name: "renewal", Kind: ParamRenewal}, {Name: "reason", Kind: ParamText}},
		map[string]string{"renewal": f.Subject, "reason": v["reason"]})}, nil, nil
}
