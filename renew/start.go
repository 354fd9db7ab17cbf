package renew

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file begins renewals: Plan and Start, and whether one is due.

// pickChallenge returns the configured challenge of a type; "" is the first.
func pickChallenge(c Certificate, kind string) (Challenge, error) {
	for _, ch := range c.Challenges {
		if kind == "" || ch.Type == kind {
			return ch, nil
		}
	}
	if kind == "" {
		return Challenge{}, fmt.Errorf("%s has no challenge: %w", c.Name, ErrChallenge)
	}
	return Challenge{}, fmt.Errorf("%s has no %s: %w", c.Name, kind, ErrChallenge)
}

// Plan rehearses and says what a renewal would do. What the preflight finds is
// in the plan; it is no error.
func (r *Runner) Plan(ctx context.Context, a Ask) (Plan, error) {
	c, err := r.certificate(a.Certificate)
	if err != nil {
		return Plan{}, err
	}
	ch, err := pickChallenge(c, a.Challenge)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Certificate: c, Issuer: r.issuer(c), Challenge: ch, Approval: len(c.Approval.Teams) > 0}
	p.Proofs = r.preflight(ctx, c, ch)
	p.OK = len(faults(p.Proofs)) == 0
	for _, o := range c.Challenges {
		if o.Type == ch.Type {
			continue
		}
		p.Others = append(p.Others, o)
		if !p.OK && len(faults(r.preflight(ctx, c, o))) == 0 {
			p.OthersOK = append(p.OthersOK, o.Type)
		}
	}
	if err := ctx.Err(); err != nil {
		return Plan{}, err
	}
	p.Standing, err = r.standing(ctx, c)
	return p, err
}

// Start journals a renewal and starts it, or leaves it waiting for approval
// where the policy wants one. A second one for the same certificate is refused
// with ErrBusy while one is not final; one that nothing asks for with
// ErrNotDue unless a.Force. It runs while Run does.
func (r *Runner) Start(ctx context.Context, a Ask) (Renewal, error) {
	c, err := r.certificate(a.Certificate)
	if err != nil {
		return Renewal{}, err
	}
	ch, err := pickChallenge(c, a.Challenge)
	if err != nil {
		return Renewal{}, err
	}
	a.Certificate, a.Challenge = c.Name, ch.Type
	if a.Key != "" {
		if started, err := r.askedBefore(ctx, a.Key); err != nil || started.ID != "" {
			return started, err
		}
	}
	if err := r.busy(ctx, c.Name); err != nil {
		return Renewal{}, err
	}
	if !a.Force && !a.DryRun {
		if err := r.due(ctx, c); err != nil {
			return Renewal{}, err
		}
	}
	u := &run{r: r, cert: c, issuer: r.issuer(c), challenge: ch, began: map[string]time.Time{}}
	steps := u.firstSteps(a)
	if err := r.create(ctx, u, steps); err != nil {
		if a.Key != "" { // the same ask may have come in twice at once
			if started, again := r.askedBefore(ctx, a.Key); again == nil && started.ID != "" {
				return started, nil
			}
		}
		return Renewal{}, err
	}
	poke(r.wakeSend)
	if u.d.Body.State == Running {
		r.enqueue(u.n)
	}
	return Renewal(u.d.Body), nil
}

// firstSteps fills in a new renewal and returns how its journal begins.
func (u *run) firstSteps(a Ask) []Step {
	now := u.r.now()
	d := diskRenewal{V: diskVersion, Phase: StepPreflight, Body: diskBody{
		Ask: a, State: Running, Step: StepPreflight, Asked: now, Approved: now,
	}}
	for w, wave := range u.cert.Waves {
		for _, t := range wave {
			d.Body.Hosts = append(d.Body.Hosts, HostState{Host: t.Name, Wave: w, State: HostWaiting, At: now})
			d.Hosts = append(d.Hosts, diskHost{})
		}
	}
	what := "renew " + u.cert.Name + " by " + a.Challenge
	if a.DryRun {
		what = "rehearse the renewal of " + u.cert.Name + " by " + a.Challenge + ", without an order"
	}
	if a.Force {
		what += ", forced"
	}
	steps := []Step{{Kind: StepAsk, Outcome: OK, By: a.By, Text: who(a.By) + " asked to " + what + because(a.Reason)}}
	switch {
	case a.DryRun || len(u.cert.Approval.Teams) == 0:
		steps = append(steps, u.preflightBegins())
	default:
		d.Body.State, d.Body.Step, d.Phase, d.Body.Approved = Waiting, StepApproval, StepApproval, time.Time{}
		d.Body.Next = "A member of " + list(u.cert.Approval.Teams) + " approves or denies it."
		steps = append(steps, Step{Kind: StepApproval, Outcome: Started, Text: "It waits for approval by " + list(u.cert.Approval.Teams) + "."})
	}
	u.d = d
	return steps
}

func (u *run) preflightBegins() Step {
	return Step{Kind: StepPreflight, Outcome: Started, Text: "Looking whether " + u.challenge.Type + " for " + u.cert.Name + " would work now."}
}

// create writes a new renewal under the next number, unless one is open.
func (r *Runner) create(ctx context.Context, u *run, steps []Step) error {
	base := u.d
	return r.o.Store.Update(ctx, func(tx store.Tx) error {
		if err := refuseOpen(tx, u.cert.Name); err != nil {
			return err
		}
		n, err := count(tx, keyRunCount, 1)
		if err != nil {
			return err
		}
		d := base.clone()
		d.N = n + 1
		d.Body.ID = idOf(d.N)
		events := make([][]byte, len(steps))
		for i, s := range steps {
			u.stamp(&s, &d, d.Body.Asked)
			if err := tx.Put(keyStep(d.N, s.Seq), pack(diskStepRecord{V: diskVersion, Step: diskStep(s)})); err != nil {
				return err
			}
			events[i] = pack(diskEvent{
				V: diskVersion, Key: fmt.Sprintf("%s/%d", d.Body.ID, s.Seq), Kind: EventStep, At: s.At,
				Step: diskStep(s), Renewal: d.Body, Name: u.cert.Name,
			})
		}
		if err := putEvents(tx, events); err != nil {
			return err
		}
		if u.d.Body.Ask.Key != "" {
			if err := tx.Put(keyAsk(u.d.Body.Ask.Key), fmt.Append(nil, d.N)); err != nil {
				return err
			}
		}
		for k, v := range map[string][]byte{
			keyRun(d.N): pack(d), keyOpen(u.cert.Name): fmt.Append(nil, d.N), keyOf(u.cert.Name, d.N): {'1'},
		} {
			if err := tx.Put(k, v); err != nil {
				return err
			}
		}
		u.n, u.d = d.N, d // the last run of this function is the one that counts
		return nil
	})
}

// refuseOpen returns ErrBusy when a renewal of the certificate is not final.
func refuseOpen(tx store.Tx, cert string) error {
	v, err := tx.Get(keyOpen(cert))
	if err != nil || v == nil {
		return err
	}
	id := "R-" + string(v)
	n, _ := numberOf(id)
	var d diskRenewal
	if err := readRun(tx, n, &d); err != nil {
		return err
	}
	return fmt.Errorf("%s is %s at %s: %w", id, d.Body.State, d.Body.Step, ErrBusy)
}

// askedBefore returns the renewal that an ask with this key has started, or the
// zero one.
func (r *Runner) askedBefore(ctx context.Context, key string) (Renewal, error) {
	var started Renewal
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get(keyAsk(key))
		if err != nil || v == nil {
			return err
		}
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return fmt.Errorf("the renewal behind %s: %w", keyAsk(key), err)
		}
		var d diskRenewal
		err = readRun(tx, n, &d)
		started = Renewal(d.Body)
		return err
	})
	return started, err
}

func (r *Runner) busy(ctx context.Context, cert string) error {
	return r.o.Store.View(ctx, func(tx store.Tx) error { return refuseOpen(tx, cert) })
}

// due returns ErrNotDue when every endpoint is good and the renewal window has
// not begun. A certificate that was not checked since its last renewal is
// checked first.
func (r *Runner) due(ctx context.Context, c Certificate) error {
	st, err := r.standing(ctx, c)
	if err != nil {
		return err
	}
	last, err := r.Renewals(ctx, c.Name, 1)
	if err != nil {
		return err
	}
	stale := st.Checked.IsZero() || (len(last) > 0 && !st.Checked.After(last[0].Ended))
	if stale && len(c.Endpoints) > 0 {
		if st, err = r.Check(ctx, c.Name); err != nil {
			return err
		}
	}
	now := r.now()
	switch {
	case st.Verdict != Good, st.NotAfter.IsZero(), st.Overdue:
		return nil
	case !st.RenewAt.IsZero() && !now.Before(st.RenewAt):
		return nil
	case !st.Window.Start.IsZero() && !now.Before(st.Window.Start):
		return nil
	}
	begins := st.RenewAt
	if !st.Window.Start.IsZero() {
		begins = st.Window.Start
	}
	return fmt.Errorf("%s is good until %s and its renewal begins %s: %w", c.Name, when(st.NotAfter), when(begins), ErrNotDue)
}
