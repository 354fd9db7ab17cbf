package renew

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// This file brings the new certificate to the hosts: the canary, the rest of
// its wave, the later waves, and the last look at everything.

// touch marks a host as being worked on.
func (d *diskRenewal) touch(i int, now time.Time) {
	h := &d.Body.Hosts[i]
	h.State, h.At, h.Text = HostDeploying, now, ""
	d.Hosts[i].Step, d.Hosts[i].Reload = StepDeploy, true
}

// touched reports whether a host may have something of this renewal.
func (d *diskRenewal) touched(i int) bool {
	s := d.Body.Hosts[i].State
	return s == HostDeploying || s == HostVerified || s == HostFailed
}

func (u *run) deployBegins(i int, t Target) Step {
	text := "Placing the certificate on " + t.Name + "."
	if i == 0 {
		text = "Placing the certificate on " + t.Name + ", the first host, alone."
	}
	return Step{Kind: StepDeploy, Host: t.Name, Outcome: Started, Text: text}
}

// doRollout works through the waves. It returns nil when every host is
// verified (the phase is then verify_all) or one failed (the phase is then
// rollback), and errPause between hosts.
func (u *run) doRollout(ctx, soft context.Context) error {
	m, err := u.material(ctx)
	if err != nil {
		return err
	}
	for _, group := range u.groups() {
		err := u.rollGroup(ctx, soft, m, group)
		var bad *hostError
		if errors.As(err, &bad) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if u.state().Phase != StepDeploy {
		return nil
	}
	c := change{puts: map[string][]byte{}}
	if err := u.lastLookBegins(ctx, &c); err != nil {
		return err
	}
	c.edit = func(d *diskRenewal) error { d.Phase, d.Body.Step = StepVerifyAll, StepVerifyAll; return nil }
	return u.commit(ctx, c)
}

// groups are the host numbers that may be worked on together, in order: the
// canary, the rest of the first wave, the other waves.
func (u *run) groups() [][]int {
	var groups [][]int
	n := 0
	for _, wave := range u.cert.Waves {
		var g []int
		for range wave {
			if n == 0 {
				groups = append(groups, []int{0})
			} else {
				g = append(g, n)
			}
			n++
		}
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// material is the issued chain with its key.
func (u *run) material(ctx context.Context) (Material, error) {
	pkcs8, err := u.privateKey(ctx)
	if err != nil {
		return Material{}, err
	}
	d := u.state()
	chain, err := u.r.storedChain(ctx, d.N)
	if err == nil && chain == nil {
		err = fmt.Errorf("the chain of %s is not in the record: %w", d.Body.ID, ErrNotFound)
	}
	return Material{Name: u.cert.Name, Chain: chain, Key: keyPEM(pkcs8), SHA256: d.Body.Issued.SHA256}, err
}

// hostError is a host that did not come to serve the new certificate.
type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// rollGroup works on the hosts of a group, Parallel at a time. After the first
// failure, or the end of soft, no further host is begun.
func (u *run) rollGroup(ctx, soft context.Context, m Material, group []int) error {
	d := u.state()
	var todo []int
	for _, i := range group {
		if d.Body.Hosts[i].State != HostVerified {
			todo = append(todo, i)
		}
	}
	// Those begun before a break come first, whatever was asked meanwhile: they
	// are half done.
	slices.SortStableFunc(todo, func(a, b int) int { return begun(d, b) - begun(d, a) })
	var mu sync.Mutex
	var first error
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(todo) == 0 || first != nil {
			return 0, false
		}
		i := todo[0]
		if soft.Err() != nil && begun(d, i) == 0 {
			return 0, false
		}
		todo = todo[1:]
		return i, true
	}
	var workers sync.WaitGroup
	for range min(u.r.o.Parallel, len(todo)) {
		workers.Go(func() {
			for i, ok := next(); ok; i, ok = next() {
				err := u.rollHost(ctx, m, i)
				mu.Lock()
				if err != nil && first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if first == nil && len(todo) > 0 {
		return errPause
	}
	return first
}

func begun(d diskRenewal, i int) int {
	if d.Body.Hosts[i].State == HostDeploying {
		return 1
	}
	return 0
}

// rollHost brings one host to serve the new certificate, or journals why not.
func (u *run) rollHost(ctx context.Context, m Material, i int) error {
	t := u.cert.Hosts()[i]
	d := u.state()
	if d.Body.Hosts[i].State == HostWaiting {
		err := u.commit(ctx, change{
			edit:  func(d *diskRenewal) error { d.touch(i, u.r.now()); return nil },
			steps: []Step{u.deployBegins(i, t)},
		})
		if err != nil {
			return err
		}
	}
	if d.Hosts[i].Step != StepVerify {
		output, reload, err := u.deploy(ctx, t, m, d.Hosts[i].Restore)
		if err != nil {
			return u.hostFailed(ctx, i, StepDeploy, err, Step{Output: output}, reload)
		}
		text := "The certificate is on " + t.Name + " and " + t.Name + " was reloaded."
		if len(t.Reload.Argv) == 0 {
			text = "The certificate is on " + t.Name + "; no reload is configured."
		}
		err = u.commit(ctx, change{
			edit: func(d *diskRenewal) error {
				d.Hosts[i].Step = StepVerify
				return nil
			},
			steps: []Step{
				{Kind: StepDeploy, Host: t.Name, Outcome: OK, Text: text, Output: output, Before: d.Body.Hosts[i].Before, After: d.Body.Issued},
				{Kind: StepVerify, Host: t.Name, Outcome: Started, Text: "Looking at what " + t.Name + " serves."},
			},
		})
		if err != nil {
			return err
		}
	}
	return u.verifyHost(ctx, i, t)
}

// deploy places the files, tests the configuration and reloads. When a command
// fails, the files that were there are put back at once; reload says whether
// the service may have read the new ones.
func (u *run) deploy(ctx context.Context, t Target, m Material, old string) (output string, reload bool, err error) {
	dep := u.r.o.Deployer
	if err := dep.Place(ctx, t, m); err != nil {
		return "", false, fmt.Errorf("the certificate could not be placed on %s: %w", t.Name, err)
	}
	for _, c := range []struct {
		name string
		cmd  Command
	}{{"configuration test", t.Test}, {"reload", t.Reload}} {
		if len(c.cmd.Argv) == 0 {
			continue
		}
		reload = c.name == "reload"
		out, err := dep.Run(ctx, u.cert.Name, t, c.cmd)
		if output += out; err == nil {
			continue
		}
		err = fmt.Errorf("the %s of %s failed: %w", c.name, t.Name, err)
		if old == "" {
			return output, reload, err
		}
		if rerr := dep.Restore(ctx, u.cert.Name, t, old); rerr != nil {
			return output, reload, fmt.Errorf("%w; its old files could not be put back either: %w", err, rerr)
		}
		return output, reload, err
	}
	return output, reload, nil
}

// verifyHost looks until the host serves the new certificate.
func (u *run) verifyHost(ctx context.Context, i int, t Target) error {
	d := u.state()
	fresh := d.Body.Issued
	result := Step{Kind: StepVerify, Host: t.Name, Before: d.Body.Hosts[i].Before}
	if len(t.Verify) == 0 {
		result.Outcome, result.Text = Skipped, t.Name+" has no verify address; the endpoints are looked at in the end."
	} else {
		w := wanted{served: map[string]string{}, before: d.Hosts[i].Served, leaf: fresh, strict: true, judge: u.declared(d)}
		for _, a := range t.Verify {
			w.served[a] = fresh.SHA256
		}
		leaf, findings, err := u.r.await(ctx, u.cert, t, w)
		result.After, result.Findings = leaf, findings
		if err != nil {
			return u.hostFailed(ctx, i, StepVerify, err, result, true)
		}
		result.Outcome, result.Text = OK, t.Name+" serves "+named(leaf)+"."
	}
	c := change{steps: []Step{result}, puts: map[string][]byte{}}
	last := u.othersVerified(i)
	if last {
		if err := u.lastLookBegins(ctx, &c); err != nil {
			return err
		}
	}
	c.edit = func(d *diskRenewal) error {
		h := &d.Body.Hosts[i]
		h.State, h.At, h.After, h.Text = HostVerified, u.r.now(), result.After, result.Text
		if last {
			d.Phase, d.Body.Step = StepVerifyAll, StepVerifyAll
		}
		return nil
	}
	return u.commit(ctx, c)
}

// declared is what a rolled-out host should serve.
func (u *run) declared(d diskRenewal) Declared {
	return Declared{Certificate: u.cert.Name, Domains: u.cert.Domains, Issued: d.Body.Issued}
}

// othersVerified reports whether host i is the last one. Two that end at the
// same moment may both not be; doRollout looks again.
func (u *run) othersVerified(i int) bool {
	for j, h := range u.state().Body.Hosts {
		if j != i && h.State != HostVerified {
			return false
		}
	}
	return true
}

// lastLookBegins adds the last verification's intent. The certificate is then
// the issued one, which the endpoints are measured by.
func (u *run) lastLookBegins(ctx context.Context, c *change) error {
	d := u.state()
	is, err := u.r.issued(ctx, u.cert.Name)
	if err != nil {
		return err
	}
	c.puts[keyIssued(u.cert.Name)] = pack(is.with(d.N, d.Body.Issued))
	c.steps = append(c.steps, Step{Kind: StepVerifyAll, Outcome: Started, Text: "Looking once more at every host and endpoint."})
	return nil
}

// with puts a certificate in front.
func (is diskIssued) with(n int, l Leaf) diskIssued {
	is = is.without(n)
	is.Entries = append([]diskEntry{{N: n, Leaf: l}}, is.Entries...)
	is.Entries = is.Entries[:min(len(is.Entries), keptIssued)]
	return is
}

// without takes a renewal's certificate out.
func (is diskIssued) without(n int) diskIssued {
	is.V = diskVersion
	is.Entries = slices.DeleteFunc(slices.Clone(is.Entries), func(e diskEntry) bool { return e.N == n })
	return is
}

// hostFailed journals a host's failure and turns the renewal round.
func (u *run) hostFailed(ctx context.Context, i int, kind string, err error, s Step, reload bool) error {
	t := u.cert.Hosts()[i]
	s.Kind, s.Host, s.Outcome, s.Text = kind, t.Name, Bad, sentence(err.Error())
	s.Before = u.state().Body.Hosts[i].Before
	cerr := u.commit(ctx, change{
		edit: func(d *diskRenewal) error {
			h := &d.Body.Hosts[i]
			h.State, h.At, h.After, h.Text = HostFailed, u.r.now(), s.After, s.Text
			d.Hosts[i].Reload = reload
			cause := s.Text
			if d.Phase == StepRollback {
				cause = d.Cause + " " + cause
			}
			d.goBack(cause)
			return nil
		},
		steps: []Step{s},
	})
	if cerr != nil {
		return cerr
	}
	return &hostError{err}
}
