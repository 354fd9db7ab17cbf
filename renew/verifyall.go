package renew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// This file looks at everything once more before a renewal is done.

// doVerifyAll looks at every host and every endpoint. A host that has gone
// wrong turns the renewal round. An endpoint that is wrong though every host
// is right (an address that no wave has, a name that resolves elsewhere) stops
// it: putting good hosts back would mend nothing.
func (u *run) doVerifyAll(ctx, soft context.Context) error {
	first := u.lookAtEndpoints(soft)
	if err := u.hostsStillRight(ctx, first.sights(u.cert)); err != nil {
		var bad *hostError
		if errors.As(err, &bad) {
			return nil
		}
		return err
	}
	findings := u.endpointsWrong(soft, first)
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

// seen is what one look at every endpoint brought.
type seen struct {
	at      time.Time // when the look began, by the machine's clock
	checked time.Time // when it ended, by the engine's
	reports []Report  // by endpoint
}

// fresh bounds how old a look may be that still says how things stand.
const fresh = time.Second

func (s seen) fresh() bool { return len(s.reports) > 0 && time.Since(s.at) < fresh }

// lookAtEndpoints looks at every endpoint, judging what is served as a check of
// the estate would after the renewal.
func (u *run) lookAtEndpoints(ctx context.Context) seen {
	s := seen{at: time.Now(), reports: make([]Report, len(u.cert.Endpoints))}
	d := u.state()
	declared := u.declared(d)
	if f, err := u.r.facts(ctx, u.cert); err == nil {
		f.issued = f.issued.with(d.N, d.Body.Issued)
		f.st.NotBefore, f.st.NotAfter = d.Body.Issued.NotBefore, d.Body.Issued.NotAfter
		declared = f.declared(u.cert)
	}
	each(len(u.cert.Endpoints), 8, func(i int) {
		s.reports[i] = u.r.o.Prober.Check(ctx, endpointQuery(u.cert.Endpoints[i], declared))
		s.reports[i].Name = u.cert.Name
	})
	s.checked = u.r.now()
	return s
}

// sights are the looks at addresses that are some host's verify address too, by
// that address: the same name, port and protocol, so that a second handshake
// would ask the same question in the same moment.
func (s seen) sights(c Certificate) map[string]sight {
	by := map[string]sight{}
	if !s.fresh() {
		return by
	}
	for _, t := range c.Hosts() {
		for _, verify := range t.Verify {
			q, err := verifyQuery(c, verify)
			if err != nil {
				continue
			}
			for i, e := range c.Endpoints {
				if e.Host != q.Host || e.Port != q.Port || e.StartTLS != q.StartTLS {
					continue
				}
				for _, a := range s.reports[i].Addresses {
					if a.Address == verify {
						by[verify] = sight{address: verify, leaf: a.Leaf, findings: a.Findings}
					}
				}
			}
		}
	}
	return by
}

// hostsStillRight looks at every host again and journals the first that is not.
// first are looks of this moment.
func (u *run) hostsStillRight(ctx context.Context, first map[string]sight) error {
	all, d := u.cert.Hosts(), u.state()
	errs, seen := make([]error, len(all)), make([]Leaf, len(all))
	each(len(all), 8, func(i int) {
		if len(all[i].Verify) == 0 {
			return
		}
		w := wanted{served: map[string]string{}, before: d.Hosts[i].Served, leaf: d.Body.Issued, strict: true, judge: u.declared(d), looks: 1, first: first}
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
// most for VerifyFor, and returns the findings that are left. The first look
// has been made; it counts while it is fresh. A good one is kept as the check
// that follows a renewal.
func (u *run) endpointsWrong(ctx context.Context, look seen) []Finding {
	began := time.Now()
	for {
		if !look.fresh() {
			look = u.lookAtEndpoints(ctx)
		}
		var wrong []Finding
		for i, report := range look.reports {
			e := u.cert.Endpoints[i]
			for _, f := range report.All() {
				if f.Severity != Critical || notItsFault[f.ID] {
					continue
				}
				f.Cause = net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) + ": " + f.Cause
				wrong = append(wrong, f)
			}
		}
		if len(wrong) == 0 {
			u.last = look
		}
		if len(wrong) == 0 || time.Since(began) >= u.r.o.VerifyFor || !pause(ctx, u.r.o.VerifyStep) {
			return wrong
		}
		look = seen{}
	}
}

func endpointQuery(e Endpoint, d Declared) Query {
	return Query{Host: e.Host, Port: e.Port, Addresses: e.Addresses, StartTLS: e.StartTLS, Declared: d}
}
