package renew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file drives one renewal from its phase on: the loop over phases, its
// safe points, and the ways it ends. The phases are in preflight.go, issue.go,
// baseline.go, rollout.go and rollback.go.

// phases are what the engine does at each step whose intent it has written.
// Each phase journals its result and the next one's intent together.
var phases = map[string]func(u *run, ctx, soft context.Context) error{
	StepPreflight: (*run).doPreflight,
	StepOrder:     (*run).doOrder,
	StepChallenge: (*run).doChallenge,
	StepFinalize:  (*run).doFinalize,
	StepBaseline:  (*run).doBaseline,
	StepDeploy:    (*run).doRollout,
	StepVerifyAll: (*run).doVerifyAll,
	StepRollback:  (*run).doRollback,
}

// An ending is how a phase says that the renewal goes no further.
type ending struct {
	state    State // Stopped or Failed
	problem  string
	next     string
	findings []Finding
	err      error // behind it
}

func (e *ending) Error() string { return e.problem }
func (e *ending) Unwrap() error { return e.err }

// errPause: a phase was cut short at a safe point, because soft ended.
var errPause = errors.New("cut short at a safe point")

// drive runs a renewal until it ends, stops, or ctx ends. soft ends earlier
// than ctx when a person wants something else of the renewal.
func (r *Runner) drive(ctx, soft context.Context, u *run) {
	again := false
	defer func() { r.untake(u, again) }()
	hard := context.WithoutCancel(ctx)
	log := r.o.Log.With("renewal", idOf(u.n), "certificate", u.cert.Name)
	lease, err := u.lock(ctx)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("the certificate's name could not be locked", "error", err)
		}
		return
	}
	held, drop := context.WithCancel(soft)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		if !keepLease(held, lease) {
			log.Error("the lock of the certificate's name was lost; the renewal pauses")
			drop()
		}
	}()
	err = u.begin(hard)
	if err == nil {
		err = u.loop(hard, held, ctx)
	}
	drop()
	<-kept
	if rerr := lease.Release(hard); rerr != nil && !errors.Is(rerr, store.ErrLeaseLost) {
		log.Warn("the lock of the certificate's name was not released", "error", rerr)
	}
	if err != nil && !errors.Is(err, errPause) {
		log.Error("the renewal could not go on and will be resumed", "error", err)
	}
	again = err == nil
	if err == nil && u.state().Body.State.Final() {
		r.afterRenewal(ctx, u)
	}
}

// lock takes the certificate's name, waiting while somebody else holds it.
func (u *run) lock(ctx context.Context) (store.Lease, error) {
	for {
		lease, err := u.r.o.Store.Lock(ctx, "renew/"+u.cert.Name, owner(), lockFor)
		var taken *store.LockedError
		if !errors.As(err, &taken) {
			return lease, err
		}
		if !pause(ctx, 200*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// keepLease renews a lease until ctx ends; false when it was lost.
func keepLease(ctx context.Context, lease store.Lease) bool {
	for pause(ctx, lockFor/3) {
		if err := lease.Renew(context.WithoutCancel(ctx)); errors.Is(err, store.ErrLeaseLost) {
			return false
		}
	}
	return true
}

// begin looks again, under the lock, whether the work is still wanted, and
// says when it goes on after a break.
func (u *run) begin(ctx context.Context) error {
	fresh, err := u.r.load(ctx, u.n)
	if err != nil {
		return err
	}
	u.mu.Lock()
	moved := fresh.d.Seq != u.d.Seq
	if moved {
		u.d = fresh.d
	}
	d := u.d.clone()
	u.mu.Unlock()
	if d.Body.State != Running {
		return nil
	}
	if _, ok := u.r.o.Inventory.Certificate(u.cert.Name); !ok {
		return u.end(ctx, &ending{state: Stopped, problem: u.cert.Name + " is no longer in the inventory.", next: "Put it back and resume, or deny " + d.Body.ID + "."})
	}
	if err := u.sameHosts(d); err != nil {
		return u.end(ctx, &ending{state: Stopped, problem: sentence(err.Error()), next: "Put the hosts back as they were and resume, or deny " + d.Body.ID + "."})
	}
	if d.Phase == StepPreflight {
		u.resumed = false // nothing has been done yet
		return nil
	}
	u.note(Step{Kind: d.Phase, Text: "It goes on at " + spoken(d.Phase) + "."})
	return nil
}

// sameHosts refuses a renewal whose hosts were changed in the inventory.
func (u *run) sameHosts(d diskRenewal) error {
	now := u.cert.Hosts()
	if len(now) != len(d.Body.Hosts) {
		return fmt.Errorf("%s has %s in the inventory and had %s when it was asked for", u.cert.Name, hosts(len(now)), hosts(len(d.Body.Hosts)))
	}
	for i, t := range now {
		if t.Name != d.Body.Hosts[i].Host {
			return fmt.Errorf("host %s was %s when the renewal was asked for", t.Name, d.Body.Hosts[i].Host)
		}
	}
	return nil
}

// loop runs phases until the renewal is no longer Running. parent is the
// context whose end means that the process stops.
func (u *run) loop(hard, soft, parent context.Context) error {
	for {
		d := u.state()
		if d.Body.State != Running {
			return nil
		}
		if done, err := u.safePoint(hard, soft, parent, d); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		phase, ok := phases[d.Phase]
		if !ok {
			return fmt.Errorf("%s is at %q, which this certmedic does not know", d.Body.ID, d.Phase)
		}
		cut := soft
		if d.Phase == StepRollback {
			cut = parent // a person's wish does not stop a rollback half way
		}
		err := phase(u, hard, cut)
		u.resumed = false
		var e *ending
		switch {
		case err == nil, errors.Is(err, errPause):
		case errors.As(err, &e):
			if err := u.end(hard, e); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// safePoint does what people or the process asked for meanwhile. done: look
// at the renewal again.
func (u *run) safePoint(hard, soft, parent context.Context, d diskRenewal) (done bool, err error) {
	turning := d.Phase == StepRollback
	switch {
	case d.Back.asked() && !turning:
		return true, u.commit(hard, change{edit: func(d *diskRenewal) error {
			d.goBack(who(d.Back.By) + " asked to roll back" + because(d.Back.Reason))
			return nil
		}})
	case d.Stop.asked() && !turning:
		return true, u.end(hard, &ending{
			state:   Stopped,
			problem: who(d.Stop.By) + " stopped it" + because(d.Stop.Reason) + " " + d.whoHasWhat(),
			next:    d.goOn(),
		})
	case parent.Err() != nil, soft.Err() != nil && !turning:
		if err := u.flush(hard); err != nil {
			return false, err
		}
		return false, errPause
	}
	return false, nil
}

// goOn is what can be done with a stopped renewal.
func (d *diskRenewal) goOn() string {
	s := "Resume " + d.Body.ID + " to go on"
	if d.Body.Order != "" {
		s += " with the same order"
	}
	for i := range d.Body.Hosts {
		if d.touched(i) {
			return s + ", or roll it back."
		}
	}
	return s + ", or deny it to give it up."
}

// end journals how a renewal stopped or failed.
func (u *run) end(ctx context.Context, e *ending) error {
	c := change{
		edit: func(d *diskRenewal) error {
			d.Body.State, d.Body.Problem, d.Body.Next = e.state, e.problem, e.next
			if e.state.Final() {
				d.Body.Ended = u.r.now()
			}
			d.Body.Step = d.Phase
			return nil
		},
		steps: []Step{{Kind: StepEnd, Outcome: Bad, Text: sentence(e.problem), Findings: e.findings}},
	}
	if e.state.Final() {
		c.dels = []string{keyOpen(u.cert.Name)}
	}
	return u.commit(ctx, c)
}

// afterRenewal looks at the certificate again, so that its standing is true.
func (r *Runner) afterRenewal(ctx context.Context, u *run) {
	if ctx.Err() != nil || u.state().Body.Ask.DryRun {
		return
	}
	if err := r.checkSeen(ctx, u.cert, u.last); err != nil && ctx.Err() == nil {
		r.o.Log.Warn("the certificate could not be checked after its renewal", "certificate", u.cert.Name, "error", err)
	}
	r.watch.askWindow(u.cert.Name)
}
