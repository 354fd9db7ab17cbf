package renew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// This file puts hosts back to what they served before, in reverse order, and
// says plainly when only forward is possible.

// How far the rollback of a host is, in diskHost.Step, beside StepRollback
// (begun). One that was put back is HostRolledBack.
const (
	backFailed = "rollback failed"
	backKept   = "kept" // only forward is possible
)

// forwardOnly says why a host cannot go back, "" when it can.
func (d *diskRenewal) forwardOnly(i int, now time.Time) string {
	b := d.Body.Hosts[i].Before
	switch {
	case b.SHA256 == "":
		return "nothing was served there before"
	case expired(b, now):
		return "what it served before (" + serial(b) + ") expired " + until(b)
	case d.Hosts[i].Restore == "":
		return "what it served before (" + serial(b) + ") is not held there"
	}
	return ""
}

// whoHasWhat is one sentence about every host.
func (d *diskRenewal) whoHasWhat() string {
	by, order := map[string][]string{}, []string{}
	for _, h := range d.Body.Hosts {
		what := "was not touched"
		switch h.State {
		case HostVerified:
			what = "has the new certificate"
		case HostRolledBack:
			what = "was put back"
		case HostFailed:
			what = "failed"
		case HostDeploying:
			what = "is half done"
		}
		if by[what] == nil {
			order = append(order, what)
		}
		by[what] = append(by[what], h.Host)
	}
	if len(order) == 0 || (len(order) == 1 && order[0] == "was not touched") {
		return "No host was touched."
	}
	var parts []string
	for _, what := range order {
		w := what
		if len(by[what]) > 1 {
			w = strings.NewReplacer("was ", "were ", "has ", "have ", "is ", "are ").Replace(w)
		}
		parts = append(parts, list(by[what])+" "+w)
	}
	return strings.Join(parts, "; ") + "."
}

// doRollback puts the touched hosts back, the last touched first, and ends the
// renewal. A host that fails does not keep the others from being put back.
func (u *run) doRollback(ctx, soft context.Context) error {
	all := u.cert.Hosts()
	for i := len(all) - 1; i >= 0; i-- {
		d := u.state()
		if !d.touched(i) || d.Hosts[i].Step == backFailed || d.Hosts[i].Step == backKept {
			continue
		}
		if soft.Err() != nil {
			return errPause
		}
		var err error
		if why := d.forwardOnly(i, u.r.now()); why != "" {
			err = u.forward(ctx, i, all[i], why)
		} else {
			err = u.putBack(ctx, i, all[i])
		}
		if err != nil {
			return err
		}
	}
	return u.endRollback(ctx)
}

// putBack restores one host's files, reloads it and looks.
func (u *run) putBack(ctx context.Context, i int, t Target) error {
	d := u.state()
	h, before := d.Hosts[i], d.Body.Hosts[i].Before
	if h.Step != StepRollback {
		err := u.commit(ctx, change{
			edit:  func(d *diskRenewal) error { d.Hosts[i].Step = StepRollback; return nil },
			steps: []Step{{Kind: StepRollback, Host: t.Name, Outcome: Started, Text: "Putting " + t.Name + " back to " + named(before) + "."}},
		})
		if err != nil {
			return err
		}
	}
	result := Step{Kind: StepRollback, Host: t.Name, Before: d.Body.Issued}
	output, err := u.restore(ctx, t, h)
	result.Output = output
	var hook *hostError
	if err != nil && !errors.As(err, &hook) {
		return u.rolled(ctx, i, result, HostFailed, err)
	}
	if len(t.Verify) > 0 {
		w := wanted{served: h.Served, also: h.Restore, before: map[string]string{}, judge: Declared{Certificate: u.cert.Name, Domains: u.cert.Domains}}
		for _, a := range t.Verify {
			w.before[a] = d.Body.Issued.SHA256
		}
		leaf, findings, lerr := u.r.await(ctx, u.cert, t, w)
		result.After, result.Findings = leaf, findings
		if lerr != nil {
			return u.rolled(ctx, i, result, HostFailed, errors.Join(lerr, err))
		}
		result.Text = t.Name + " serves " + named(leaf) + " again."
		if leaf.SHA256 == "" {
			result.Text = t.Name + " has its old files again and serves nothing, as before."
		}
		if err != nil {
			result.Text += " Its commands failed all the same: " + sentence(err.Error())
		}
		return u.rolled(ctx, i, result, HostRolledBack, nil)
	}
	if err != nil {
		return u.rolled(ctx, i, result, HostFailed, err)
	}
	result.Text = t.Name + " has the files of " + named(before) + " again; it has no verify address to look at."
	return u.rolled(ctx, i, result, HostRolledBack, nil)
}

// restore puts the files back and reloads where the service may have read the
// new ones. A failing command is a hostError: what is served decides.
func (u *run) restore(ctx context.Context, t Target, h diskHost) (output string, err error) {
	dep := u.r.o.Deployer
	held, err := dep.Held(ctx, u.cert.Name, t)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", t.Name, err)
	}
	if held.Leaf.SHA256 != h.Restore || !held.KeyFits {
		if err := dep.Restore(ctx, u.cert.Name, t, h.Restore); err != nil {
			return "", fmt.Errorf("the old files of %s could not be put back: %w", t.Name, err)
		}
	}
	if !h.Reload {
		return "", nil
	}
	for _, c := range []struct {
		name string
		cmd  Command
	}{{"configuration test", t.Test}, {"reload", t.Reload}} {
		if len(c.cmd.Argv) == 0 {
			continue
		}
		out, err := dep.Run(ctx, u.cert.Name, t, c.cmd)
		output += out
		if err != nil {
			return output, &hostError{fmt.Errorf("the %s of %s failed: %w", c.name, t.Name, err)}
		}
	}
	return output, nil
}

// rolled journals how a host's rollback ended.
func (u *run) rolled(ctx context.Context, i int, s Step, state string, err error) error {
	s.Outcome = OK
	if err != nil {
		s.Outcome, s.Text = Bad, "It could not be put back: "+sentence(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return u.commit(ctx, change{
		edit: func(d *diskRenewal) error {
			h := &d.Body.Hosts[i]
			h.State, h.At, h.After, h.Text = state, u.r.now(), s.After, s.Text
			if err != nil {
				d.Hosts[i].Step = backFailed
			}
			return nil
		},
		steps: []Step{s},
	})
}

// forward leaves a host that cannot go back: a verified one keeps the new
// certificate; a failed one gets its old files back when they are held and it
// does not serve the new certificate, so that disk and service agree.
func (u *run) forward(ctx context.Context, i int, t Target, why string) error {
	d := u.state()
	s := Step{Kind: StepRollback, Host: t.Name, Outcome: Skipped, After: d.Body.Issued}
	state := HostVerified
	if d.Body.Hosts[i].State == HostVerified {
		s.Text = t.Name + " keeps the new certificate: " + why + "."
	} else {
		state = HostFailed
		s.After = Leaf{}
		s.Text = "Only forward is possible on " + t.Name + ": " + why + "."
		serves := d.Body.Hosts[i].After
		for _, seen := range u.r.look(ctx, u.cert, t, Declared{}) {
			if seen.leaf.SHA256 != "" {
				serves = seen.leaf
			}
		}
		s.After = serves
		switch {
		case serves.SHA256 == d.Body.Issued.SHA256:
			s.Text += " It serves the new certificate."
		case d.Hosts[i].Restore == "":
			s.Text += " It serves " + named(serves) + "; the new files stay in place."
		default:
			held, err := u.r.o.Deployer.Held(ctx, u.cert.Name, t)
			if err == nil && (held.Leaf.SHA256 != d.Hosts[i].Restore || !held.KeyFits) {
				err = u.r.o.Deployer.Restore(ctx, u.cert.Name, t, d.Hosts[i].Restore)
			}
			s.Text += " It serves " + named(serves) + " and has the old files again."
			if err != nil {
				s.Outcome, s.Text = Bad, "Only forward is possible on "+t.Name+": "+why+". Its old files could not be put back: "+sentence(err.Error())
			}
		}
	}
	return u.commit(ctx, change{
		edit: func(d *diskRenewal) error {
			h := &d.Body.Hosts[i]
			h.State, h.At, h.After, h.Text = state, u.r.now(), s.After, s.Text
			d.Hosts[i].Step = backKept
			return nil
		},
		steps: []Step{s},
	})
}

// endRollback says how it ended.
func (u *run) endRollback(ctx context.Context) error {
	d := u.state()
	var back, stuck, kept []string
	for i, h := range d.Body.Hosts {
		switch {
		case h.State == HostRolledBack:
			back = append(back, h.Host)
		case h.State == HostVerified:
			kept = append(kept, h.Host)
		case d.touched(i):
			stuck = append(stuck, h.Host)
		}
	}
	state, outcome := RolledBack, OK
	text, next := "Rolled back: "+list(back)+" serve what they served before.", "Mend the cause and start again."
	switch {
	case len(stuck)+len(kept) > 0:
		state, outcome = Failed, Bad
		text = d.whoHasWhat()
		next = "Mend " + list(stuck) + " and start again; forced, where the certificate is good again."
		if len(stuck) == 0 {
			next = "Start again for the hosts that were put back."
		}
	case len(back) == 0:
		text = "Nothing had been touched, so nothing was put back."
	case len(back) == 1:
		text = "Rolled back: " + back[0] + " serves what it served before."
	}
	c := change{dels: []string{keyOpen(u.cert.Name)}, puts: map[string][]byte{}}
	is, err := u.r.issued(ctx, u.cert.Name)
	if err != nil {
		return err
	}
	if len(kept) > 0 { // some hosts serve it, and nobody should be alarmed by that
		c.puts[keyIssued(u.cert.Name)] = pack(is.with(d.N, d.Body.Issued))
	} else {
		c.puts[keyIssued(u.cert.Name)] = pack(is.without(d.N))
	}
	c.edit = func(d *diskRenewal) error {
		d.Body.State, d.Body.Step, d.Body.Ended = state, StepEnd, u.r.now()
		d.Body.Problem, d.Body.Next = d.Cause+" "+text, next
		return nil
	}
	c.steps = []Step{{Kind: StepEnd, Outcome: outcome, Text: d.Cause + " " + text}}
	return u.commit(ctx, c)
}
