package renew

import (
	"context"
	"fmt"
	"slices"

	"github.com/certmedic/certmedic/store"
)

// This file holds what people decide about a renewal that exists: approve,
// deny, stop, resume, roll back.

// decide runs one decision on the renewal as it stands, driven or not.
func (r *Runner) decide(ctx context.Context, id string, f func(u *run) (change, error)) (*run, Renewal, error) {
	n, ok := numberOf(id)
	if !ok {
		return nil, Renewal{}, fmt.Errorf("renewal %q: %w", id, ErrNotFound)
	}
	r.people.Lock()
	defer r.people.Unlock()
	u := r.driven(n)
	if u == nil {
		var err error
		if u, err = r.load(ctx, n); err != nil {
			return nil, Renewal{}, err
		}
	}
	c, err := f(u)
	if err != nil {
		return nil, Renewal{}, err
	}
	if err := u.commit(ctx, c); err != nil {
		return nil, Renewal{}, err
	}
	return u, Renewal(u.state().Body), nil
}

func notIn(d *diskRenewal, want ...State) error {
	if slices.Contains(want, d.Body.State) {
		return nil
	}
	return fmt.Errorf("%s is %s: %w", d.Body.ID, d.Body.State, ErrState)
}

// Approve starts a waiting renewal. Who may approve is the caller's affair,
// except that the one who asked is refused with ErrSelfApproval unless the
// policy says otherwise.
func (r *Runner) Approve(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	u, rn, err := r.decide(ctx, id, func(u *run) (change, error) {
		return change{
			edit: func(d *diskRenewal) error {
				if err := notIn(d, Waiting); err != nil {
					return err
				}
				if by.ID == d.Body.Ask.By.ID && !u.cert.Approval.Self {
					return fmt.Errorf("%s asked for %s: %w", who(by), d.Body.ID, ErrSelfApproval)
				}
				d.Body.State, d.Body.Approver, d.Body.Approved = Running, by, r.now()
				d.Phase, d.Body.Step, d.Body.Next = StepPreflight, StepPreflight, ""
				return nil
			},
			steps: []Step{
				{Kind: StepApproval, Outcome: OK, By: by, Text: who(by) + " approved" + because(reason)},
				u.preflightBegins(),
			},
		}, nil
	})
	if err != nil {
		return Renewal{}, err
	}
	r.enqueue(u.n)
	return rn, nil
}

// Deny ends a waiting renewal. A stopped one can be given up so as well: it
// ends as failed, and its hosts stay as they are.
func (r *Runner) Deny(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	_, rn, err := r.decide(ctx, id, func(u *run) (change, error) {
		c := change{dels: []string{keyOpen(u.cert.Name)}}
		kind, text := StepApproval, who(by)+" denied"+because(reason)
		if u.state().Body.State == Stopped {
			kind, text = StepEnd, who(by)+" gave it up"+because(reason)
		}
		c.steps = []Step{{Kind: kind, Outcome: Bad, By: by, Text: text}}
		c.edit = func(d *diskRenewal) error {
			if err := notIn(d, Waiting, Stopped); err != nil {
				return err
			}
			was := d.Body.State
			d.Body.State, d.Body.Ended, d.Body.Next = Denied, r.now(), ""
			d.Body.Problem = text
			if was == Stopped {
				d.Body.State = Failed
				d.Body.Problem += " " + d.whoHasWhat()
			}
			return nil
		}
		return c, nil
	})
	return rn, err
}

// Stop ends a running renewal at the next safe point (no host half done). It
// returns as soon as the wish is on the record; Wait returns when it is done.
func (r *Runner) Stop(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	u, rn, err := r.decide(ctx, id, func(u *run) (change, error) {
		return change{
			edit: func(d *diskRenewal) error {
				if err := notIn(d, Running); err != nil {
					return err
				}
				if d.Phase == StepRollback {
					return fmt.Errorf("%s is being rolled back, which is not stopped half way: %w", d.Body.ID, ErrState)
				}
				d.Stop = diskWish{By: by, At: r.now(), Reason: reason}
				return nil
			},
			steps: []Step{{Kind: u.state().Body.Step, Outcome: Note, By: by, Text: who(by) + " asked to stop" + because(reason) + " It stops when no host is half done."}},
		}, nil
	})
	if err != nil {
		return Renewal{}, err
	}
	r.interrupt(u)
	return rn, nil
}

// Resume goes on with a stopped renewal, with the same order and key.
func (r *Runner) Resume(ctx context.Context, id string, by Person) (Renewal, error) {
	u, rn, err := r.decide(ctx, id, func(u *run) (change, error) {
		return change{
			edit: func(d *diskRenewal) error {
				if err := notIn(d, Stopped); err != nil {
					return err
				}
				d.Body.State, d.Body.Problem, d.Body.Next, d.Stop = Running, "", "", diskWish{}
				for i := range d.Body.Hosts {
					if h := &d.Body.Hosts[i]; h.State == HostFailed {
						h.State, h.Text, d.Hosts[i].Step = HostDeploying, "", StepDeploy
					}
				}
				return nil
			},
			steps: []Step{{Kind: u.state().Phase, Outcome: Note, By: by, Text: who(by) + " resumed it at " + spoken(u.state().Phase) + "."}},
		}, nil
	})
	if err != nil {
		return Renewal{}, err
	}
	r.enqueue(u.n)
	return rn, nil
}

// Rollback puts every host that a renewal touched back to what it served
// before; refused with ErrForwardOnly when that has expired. A running renewal
// is rolled back from its next safe point on. A stopped one that touched no
// host is given up.
func (r *Runner) Rollback(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	u, rn, err := r.decide(ctx, id, func(u *run) (change, error) {
		d := u.state()
		if err := r.mayRollBack(ctx, d); err != nil {
			return change{}, err
		}
		c := change{
			steps: []Step{{Kind: StepRollback, Outcome: Note, By: by, Text: who(by) + " asked to roll back" + because(reason)}},
			puts:  map[string][]byte{keyOpen(u.cert.Name): fmt.Append(nil, d.N)},
			guard: func(tx store.Tx) error {
				v, err := tx.Get(keyOpen(u.cert.Name))
				if err != nil || v == nil || string(v) == fmt.Sprint(d.N) {
					return err
				}
				return refuseOpen(tx, u.cert.Name)
			},
		}
		c.edit = func(d *diskRenewal) error {
			if err := notIn(d, Running, Stopped, Done, Failed); err != nil {
				return err
			}
			d.Back = diskWish{By: by, At: r.now(), Reason: reason}
			if d.Body.State != Running {
				d.Done = d.Done || d.Body.State == Done
				d.goBack(who(by) + " asked to roll back" + because(reason))
			}
			return nil
		}
		return c, nil
	})
	if err != nil {
		return Renewal{}, err
	}
	r.interrupt(u)
	return rn, nil
}

// goBack turns a renewal round.
func (d *diskRenewal) goBack(cause string) {
	d.Body.State, d.Phase, d.Body.Step = Running, StepRollback, StepRollback
	d.Cause, d.Stop = cause, diskWish{}
	d.Body.Problem, d.Body.Next = cause, ""
	for i := range d.Hosts {
		if d.touched(i) {
			d.Hosts[i].Step = ""
		}
	}
}

// mayRollBack refuses what cannot or must not be rolled back.
func (r *Runner) mayRollBack(ctx context.Context, d diskRenewal) error {
	if err := notIn(&d, Running, Stopped, Done, Failed); err != nil {
		return err
	}
	if d.Phase == StepRollback && d.Body.State == Running {
		return fmt.Errorf("%s is being rolled back already: %w", d.Body.ID, ErrState)
	}
	touched := false
	for i, h := range d.Body.Hosts {
		if !d.touched(i) {
			continue
		}
		touched = true
		if why := d.forwardOnly(i, r.now()); why != "" {
			return fmt.Errorf("%s: %s: %w", h.Host, why, ErrForwardOnly)
		}
	}
	if !touched && d.Body.State == Failed {
		return fmt.Errorf("%s touched no host: %w", d.Body.ID, ErrState)
	}
	if d.Body.State == Running || d.Body.State == Stopped {
		return nil
	}
	return r.o.Store.View(ctx, func(tx store.Tx) error {
		if err := refuseOpen(tx, d.Body.Ask.Certificate); err != nil {
			return err
		}
		var is diskIssued
		if err := readIssued(tx, d.Body.Ask.Certificate, &is); err != nil {
			return err
		}
		if len(is.Entries) > 0 && is.Entries[0].N > d.N {
			return fmt.Errorf("%s was rolled out after %s: %w", idOf(is.Entries[0].N), d.Body.ID, ErrState)
		}
		return nil
	})
}

// interrupt brings a driver to its next safe point, or has one look.
func (r *Runner) interrupt(u *run) {
	if u.cancel != nil {
		u.cancel()
	}
	r.enqueue(u.n) // nothing happens while it is driven
}

// spoken is a phase in words.
func spoken(phase string) string {
	switch phase {
	case StepVerifyAll:
		return "the last verification"
	case StepDeploy:
		return "the rollout"
	}
	return phase
}
