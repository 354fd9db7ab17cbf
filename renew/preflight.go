package renew

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
)

// This file looks whether a renewal would work, before anything is ordered,
// and makes the private key.

// preflight asks the CA's side and every target.
func (r *Runner) preflight(ctx context.Context, c Certificate, ch Challenge) []Proof {
	ctx, cancel := context.WithTimeout(ctx, preflightFor)
	defer cancel()
	var proofs []Proof
	var targets []Proof
	var both sync.WaitGroup
	both.Go(func() { targets = r.lookAtTargets(ctx, c) })
	issuer := r.issuer(c)
	ca, err := r.ca(ctx, issuer)
	if err != nil {
		proofs = append(proofs, Proof{
			Level: "account", Subject: issuer.Name, Text: sentence(err.Error()), At: r.now(),
			Finding: Finding{ID: "account", Severity: Critical, Cause: sentence(err.Error()), Next: "Mend the issuer in the configuration."},
		})
	} else {
		proofs = append(proofs, ca.Preflight(ctx, c, ch)...)
	}
	both.Wait()
	return append(proofs, targets...)
}

// lookAtTargets reads what every host holds.
func (r *Runner) lookAtTargets(ctx context.Context, c Certificate) []Proof {
	all := c.Hosts()
	proofs := make([]Proof, len(all))
	each(len(all), r.o.Parallel, func(i int) {
		t := all[i]
		p := Proof{Level: "targets", Subject: t.Name, OK: true, At: r.now()}
		held, err := r.o.Deployer.Held(ctx, c.Name, t)
		switch {
		case err != nil:
			p.OK, p.Text = false, sentence(err.Error())
			p.Finding = Finding{
				ID: "target", Severity: Critical, Cause: t.Name + " cannot be given a certificate: " + p.Text,
				Proof: map[string]string{"host": t.Name, "path": t.Directory.Path}, Next: "Mend access to " + t.Directory.Path + " on " + t.Name + ".",
			}
		case held.Leaf.SHA256 == "":
			p.Text = t.Name + " can be read and holds no certificate yet."
		case !held.KeyFits:
			p.Text = t.Name + " holds " + named(held.Leaf) + ", with a key that does not belong to it."
		default:
			p.Text = t.Name + " holds " + named(held.Leaf) + " with its key."
		}
		proofs[i] = p
	})
	return proofs
}

// each calls f(0) to f(n-1), at most width at a time.
func each(n, width int, f func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, max(width, 1))
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}

// faults are the findings of what was not OK.
func faults(proofs []Proof) []Finding {
	var fs []Finding
	for _, p := range proofs {
		if p.OK {
			continue
		}
		f := p.Finding
		if f.ID == "" {
			f = Finding{ID: p.Level, Severity: Critical, Cause: p.Text}
		}
		fs = append(fs, f)
	}
	return fs
}

// doPreflight looks, makes the key and states the intent to order.
func (u *run) doPreflight(ctx, soft context.Context) error {
	d := u.state()
	proofs := u.r.preflight(soft, u.cert, u.challenge)
	if soft.Err() != nil {
		return errPause
	}
	bad := faults(proofs)
	result := Step{Kind: StepPreflight, Outcome: OK, Text: "The rehearsal found nothing in the way: " + plural(len(proofs), "look") + ", all good.", Findings: bad}
	switch {
	case len(bad) > 0 && d.Body.Ask.Force:
		result.Outcome, result.Text = Bad, "In the way: "+sentence(bad[0].Cause)+" Going on, because it was forced."
	case len(bad) > 0:
		result.Outcome, result.Text = Bad, "In the way: "+sentence(bad[0].Cause)
		if err := u.commit(ctx, change{steps: []Step{result}}); err != nil {
			return err
		}
		next := bad[0].Next
		if next != "" {
			next = sentence(next) + " "
		}
		return &ending{
			state: Failed, findings: bad, err: ErrPreflight,
			problem: "The preflight failed: " + sentence(bad[0].Cause) + " Nothing was ordered and no host was touched.",
			next:    next + "Then start again, or take another challenge.",
		}
	}
	if d.Body.Ask.DryRun {
		return u.endRehearsal(ctx, result)
	}
	return u.makeKey(ctx, result)
}

func (u *run) endRehearsal(ctx context.Context, result Step) error {
	text := "A renewal of " + u.cert.Name + " would work now. Nothing was ordered and no host was touched."
	if result.Outcome == Bad {
		text = "The preflight found faults. Nothing was ordered and no host was touched."
	}
	return u.commit(ctx, change{
		edit: func(d *diskRenewal) error {
			d.Body.State, d.Body.Step, d.Body.Ended = Done, StepEnd, u.r.now()
			return nil
		},
		steps: []Step{result, {Kind: StepEnd, Outcome: OK, Text: text}},
		dels:  []string{keyOpen(u.cert.Name)},
	})
}

// makeKey seals a key of its own for the renewal, or takes the last one again.
func (u *run) makeKey(ctx context.Context, result Step) error {
	d := u.state()
	c := change{puts: map[string][]byte{}}
	var key crypto.Signer
	keyOf, text := 0, ""
	if d.Body.Ask.KeepKey {
		var err error
		if key, keyOf, err = u.lastKey(ctx); err != nil {
			return err
		}
		text = "The key of " + idOf(keyOf) + " is used again, as was asked."
	}
	if key == nil {
		var err error
		if key, err = newKey(u.cert.Key); err != nil {
			return &ending{state: Failed, problem: sentence(err.Error()), next: "Mend the key's kind in the inventory and start again.", err: err}
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("private key: %w", err)
		}
		if c.puts[keyKey(d.N)], err = u.r.o.Sealer.Seal("key/"+d.Body.ID, der); err != nil {
			return err
		}
		keyOf, text = 0, "A new private key was made and sealed."
	}
	pub, err := spki(key)
	if err != nil {
		return fmt.Errorf("private key: %w", err)
	}
	c.edit = func(d *diskRenewal) error {
		d.SPKI, d.KeyOf, d.Phase, d.Body.Step = pub, keyOf, StepOrder, StepOrder
		return nil
	}
	c.steps = []Step{
		result, {Kind: StepKey, Outcome: OK, Text: text},
		{Kind: StepOrder, Outcome: Started, Text: "Ordering a certificate for " + list(u.cert.Domains) + " from " + u.issuer.Name + "."},
	}
	return u.commit(ctx, c)
}

// lastKey is the key of the last certificate issued, nil when there is none.
func (u *run) lastKey(ctx context.Context) (crypto.Signer, int, error) {
	is, err := u.r.issued(ctx, u.cert.Name)
	if err != nil || len(is.Entries) == 0 {
		return nil, 0, err
	}
	last, err := u.r.load(ctx, is.Entries[0].N)
	if err != nil {
		return nil, 0, err
	}
	n := last.d.N
	if last.d.KeyOf != 0 {
		n = last.d.KeyOf
	}
	der, err := u.r.storedKey(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	key, err := signer(der)
	return key, n, err
}
