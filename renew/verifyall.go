package renew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// This file looks at everything once more before a renewal is done.

// doVerifyAll looks at every host and every endpoint. A host that has gone
// wrong turns the renewal round. An endpoint that is wrong though every host
// is right (an address that no wave has, a name that resolves elsewhere) stops
// it: putting good hosts back would mend nothing.
func (u *run) doVerifyAll(ctx, soft context.Context) error {
	if err := u.hostsStillRight(ctx); err != nil {
		var bad *hostError
		if errors.As(err, &bad) {
			return nil
		}
		return err
	}
	findings := u.endpointsWrong(soft)
	if soft.Err() != nil {
		return errPause
	}
	if len(findings) > 0 {
		problem := "Every host serves the new certificate, but an endpoint does not: " + sentence(findings[0].Cause)
		if len(u.cert.Hosts()) == 0 {
			problem = "The certificate is issued, but an endpoint does not serve it: " + sentence(findings[0].Cause)
		}
		err := u.commit(ctx, change{steps: []Step{{Kind: StepVerifyAll, Outcome: Bad, Text: problem, Findings: findings}}})
		if err != nil {
			return err
		}
		next := "Mend that and resume " + u.state().Body.ID + ", which looks again, or deny it to leave it so."
		return &ending{state: Stopped, problem: problem, next: next, findings: findings}
	}
	d := u.state()
	looked := fmt.Sprintf("%s and %s serve %s.", hosts(len(d.Body.Hosts)), plural(len(u.cert.Endpoints), "endpoint"), named(d.Body.Issued))
	end := "Done: " + looked
	c := change{
		edit: func(d *diskRenewal) error {
			d.Body.State, d.Body.Step, d.Body.Ended = Done, StepEnd, u.r.now()
			d.Body.Problem, d.Body.Next = "", ""
			return nil
		},
		steps: []Step{
			{Kind: StepVerifyAll, Outcome: OK, Text: "Verified: " + looked, After: d.Body.Issued},
			{Kind: StepEnd, Outcome: OK, Text: end, After: d.Body.Issued},
		},
		dels: []string{keyOpen(u.cert.Name)},
	}
	return u.commit(ctx, c)
}

// hostsStillRight looks at every host again and journals the first that is not.
func (u *run) hostsStillRight(ctx context.Context) error {
	all, d := u.cert.Hosts(), u.state()
	errs, seen := make([]error, len(all)), make([]Leaf, len(all))
	each(len(all), 8, func(i int) {
		if len(all[i].Verify) == 0 {
			return
		}
		w := wanted{served: map[string]string{}, before: d.Hosts[i].Served, leaf: d.Body.Issued, strict: true, judge: u.declared(d), looks: 1}
		for _, a := range all[i].Verify {
			w.served[a] = d.Body.Issued.SHA256
		}
		seen[i], _, errs[i] = u.r.await(ctx, u.cert, all[i], w)
	})
	for i, err := range errs {
		if err != nil {
			return u.hostFailed(ctx, i, StepVerifyAll, err, Step{After: seen[i]}, true)
		}
	}
	return nil
}

// endpointsWrong looks at the endpoints until none has a critical finding, at
// most for VerifyFor, and returns the findings that are left.
func (u *run) endpointsWrong(ctx context.Context) []Finding {
	began := time.Now()
	for {
		var mu sync.Mutex
		var wrong []Finding
		each(len(u.cert.Endpoints), 8, func(i int) {
			e := u.cert.Endpoints[i]
			d := u.declared(u.state())
			report := u.r.o.Prober.Check(ctx, endpointQuery(e, d))
			for _, f := range report.All() {
				if f.Severity != Critical || notItsFault[f.ID] {
					continue
				}
				f.Cause = net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) + ": " + f.Cause
				mu.Lock()
				wrong = append(wrong, f)
				mu.Unlock()
			}
		})
		if len(wrong) == 0 || time.Since(began) >= u.r.o.VerifyFor || !pause(ctx, u.r.o.VerifyStep) {
			return wrong
		}
	}
}

func endpointQuery(e Endpoint, d Declared) Query {
	return Query{Host: e.Host, Port: e.Port, Addresses: e.Addresses, StartTLS: e.StartTLS, Declared: d}
}
