package renew

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// This file drives the order: new order, authorizations, finalize, download
// (RFC 8555 section 7.4). A resumed renewal looks first what the CA has.

// doOrder places the order, once: after a break, and after an answer that was
// lost, it looks for the order before it asks for a new one.
func (u *run) doOrder(ctx, soft context.Context) error {
	d := u.state()
	var o Order
	unsure := u.resumed
	found := false
	err := u.try(ctx, soft, StepOrder, func() error {
		ca, err := u.r.account(soft, u.issuer, false)
		if err != nil {
			return err
		}
		if unsure {
			if o, found, err = ca.FindOrder(soft, u.cert.Domains, d.SPKI); err != nil && !noAccount(err) {
				return fmt.Errorf("look for an order placed before: %w", err)
			}
			if found {
				return nil
			}
			unsure = false
		}
		if soft.Err() != nil {
			return soft.Err()
		}
		req, err := u.request(ctx, d)
		if err != nil {
			return err
		}
		// Not soft: an order whose answer is not waited for may be lost.
		once, cancel := context.WithTimeout(ctx, orderFor)
		defer cancel()
		o, err = ca.NewOrder(once, req)
		if noAccount(err) {
			if ca, err = u.r.account(once, u.issuer, true); err == nil {
				o, err = ca.NewOrder(once, req)
			}
		}
		unsure = err != nil
		return err
	})
	if err != nil {
		return u.refused(StepOrder, err)
	}
	text := "The order is placed at " + u.issuer.Name + "."
	if found {
		text = "The order placed before was found at " + u.issuer.Name + "; there is no second one."
	}
	return u.commit(ctx, change{
		edit: func(d *diskRenewal) error {
			d.Body.Order, d.Phase, d.Body.Step = o.URL, StepChallenge, StepChallenge
			return nil
		},
		steps: []Step{
			{Kind: StepOrder, Outcome: OK, Text: text, Order: o.URL},
			{Kind: StepChallenge, Outcome: Started, Text: "Proving control of " + list(u.cert.Domains) + " by " + u.challenge.Type + ".", Order: o.URL},
		},
	})
}

// request is the order asked for. It names the certificate that it replaces.
func (u *run) request(ctx context.Context, d diskRenewal) (OrderRequest, error) {
	req := OrderRequest{Domains: u.cert.Domains, Profile: u.cert.Profile}
	if d.Body.Ask.Profile != "" {
		req.Profile = d.Body.Ask.Profile
	}
	is, err := u.r.issued(ctx, u.cert.Name)
	if err != nil || len(is.Entries) == 0 {
		return req, err
	}
	chain, err := u.r.storedChain(ctx, is.Entries[0].N)
	if err != nil {
		return req, err
	}
	if leaf := firstPEM(chain); leaf != nil && u.issuedHere(is.Entries[0].N, ctx) {
		req.Replaces = string(leaf)
	}
	return req, nil
}

// issuedHere reports whether a renewal used the issuer of today: another CA
// does not know the certificate.
func (u *run) issuedHere(n int, ctx context.Context) bool {
	last, err := u.r.load(ctx, n)
	return err == nil && (last.d.Issuer == "" || last.d.Issuer == u.issuer.Name)
}

// doChallenge proves control of every domain.
func (u *run) doChallenge(ctx, soft context.Context) error {
	o, ca, err := u.order(ctx, soft, StepChallenge)
	if err != nil {
		return err
	}
	result := Step{Kind: StepChallenge, Outcome: OK, Text: "The CA has verified " + list(u.cert.Domains) + " by " + u.challenge.Type + "."}
	if o.Status == "pending" {
		err := u.try(ctx, soft, StepChallenge, func() error {
			bound, cancel := context.WithTimeout(soft, issueFor)
			defer cancel()
			return u.talking(ctx, StepChallenge, func(say func(string)) error {
				return ca.Authorize(bound, o, u.challenge, say)
			})
		})
		if err != nil {
			return u.decided(soft, ca, StepChallenge, err)
		}
	} else {
		result.Outcome, result.Text = Skipped, "The CA had verified "+list(u.cert.Domains)+" already."
	}
	return u.commit(ctx, change{
		edit: func(d *diskRenewal) error { d.Phase, d.Body.Step = StepFinalize, StepFinalize; return nil },
		steps: []Step{
			result,
			{Kind: StepFinalize, Outcome: Started, Text: "Asking the CA to issue."},
		},
	})
}

// order fetches the order that is on the record.
func (u *run) order(ctx, soft context.Context, kind string) (o Order, ca CA, err error) {
	err = u.try(ctx, soft, kind, func() error {
		if ca, err = u.r.account(soft, u.issuer, false); err != nil {
			return err
		}
		o, err = ca.Order(soft, u.state().Body.Order)
		o.Domains = u.cert.Domains // what was ordered, whatever the CA says now
		return err
	})
	if err != nil {
		return o, ca, u.refused(kind, err)
	}
	if o.Status == "invalid" {
		return o, ca, u.failed(kind, errors.New("the CA has closed this order; it may have looked for the proof while certmedic was not running"))
	}
	return o, ca, nil
}

// decided asks the CA whether an error was the order's end.
func (u *run) decided(soft context.Context, ca CA, kind string, err error) error {
	if errors.Is(err, errPause) {
		return err
	}
	if o, oerr := ca.Order(soft, u.state().Body.Order); oerr == nil && o.Status == "invalid" {
		var e *ending
		if errors.As(err, &e) && e.err != nil {
			err = e.err
		}
		return u.failed(kind, err)
	}
	return u.refused(kind, err)
}

// talking runs f and writes what it says as notes, soon but not one by one.
func (u *run) talking(ctx context.Context, kind string, f func(say func(string)) error) error {
	said := make(chan struct{}, 1)
	ended := make(chan struct{})
	written := make(chan error, 1)
	go func() {
		for {
			select {
			case <-ended:
				written <- nil
				return
			case <-said:
			}
			select {
			case <-ended:
				written <- nil
				return
			case <-time.After(100 * time.Millisecond):
			}
			if err := u.flush(ctx); err != nil {
				written <- err
				return
			}
		}
	}()
	err := f(func(text string) {
		u.note(Step{Kind: kind, Text: sentence(text)})
		poke(said)
	})
	close(ended)
	if werr := <-written; werr != nil && err == nil {
		return werr
	}
	return err
}

// doFinalize sends the CSR, downloads the chain and checks both before any
// host is touched. The material is on the record before it goes on.
func (u *run) doFinalize(ctx, soft context.Context) error {
	pkcs8, err := u.privateKey(ctx)
	if err != nil {
		return err
	}
	o, ca, err := u.order(ctx, soft, StepFinalize)
	if err != nil {
		return err
	}
	if o.Status == "pending" && u.resumed { // the authorizations have expired meanwhile
		return u.commit(ctx, change{
			edit:  func(d *diskRenewal) error { d.Phase, d.Body.Step = StepChallenge, StepChallenge; return nil },
			steps: []Step{{Kind: StepFinalize, Outcome: Bad, Text: "The CA wants the domains proved once more."}, {Kind: StepChallenge, Outcome: Started, Text: "Proving control of " + list(u.cert.Domains) + " by " + u.challenge.Type + "."}},
		})
	}
	if o, err = u.valid(ctx, soft, ca, o, pkcs8); err != nil {
		return err
	}
	var chain []byte
	if err := u.try(ctx, soft, StepFinalize, func() (err error) {
		chain, err = ca.Chain(soft, o)
		return err
	}); err != nil {
		return u.refused(StepFinalize, err)
	}
	return u.checkMaterial(ctx, chain, pkcs8)
}

// valid brings the order to valid: it finalizes a ready one, and waits for one
// that is processing.
func (u *run) valid(ctx, soft context.Context, ca CA, o Order, pkcs8 []byte) (Order, error) {
	csr, err := request(u.cert.Domains, pkcs8)
	if err != nil {
		return o, err
	}
	bound, cancel := context.WithTimeout(soft, issueFor)
	defer cancel()
	err = u.try(ctx, soft, StepFinalize, func() error {
		for wait := 100 * time.Millisecond; o.Status == "processing" || o.Status == "pending"; wait = min(2*wait, 5*time.Second) {
			if !pause(bound, wait) {
				return bound.Err()
			}
			next, err := ca.Order(bound, o.URL)
			if err != nil {
				return err
			}
			o = next
		}
		if o.Status != "ready" {
			return nil
		}
		next, err := ca.Finalize(bound, o, csr)
		if err == nil {
			o = next
			return nil
		}
		// It may have been heard all the same.
		if seen, serr := ca.Order(bound, o.URL); serr == nil && seen.Status != "ready" {
			o = seen
			if o.Status == "processing" || o.Status == "valid" {
				return fmt.Errorf("the CA is still issuing: %w", context.DeadlineExceeded)
			}
		}
		return err
	})
	switch {
	case err != nil && o.Status == "invalid":
		return o, u.failed(StepFinalize, err)
	case err != nil:
		return o, u.refused(StepFinalize, err)
	case o.Status != "valid":
		return o, u.failed(StepFinalize, fmt.Errorf("the CA ended the order as %s", o.Status))
	}
	return o, nil
}

// request makes the CSR (RFC 2986, DER): the domains as SANs, the first one
// that fits as common name.
func request(domains []string, pkcs8 []byte) ([]byte, error) {
	key, err := signer(pkcs8)
	if err != nil {
		return nil, err
	}
	t := &x509.CertificateRequest{}
	for _, d := range domains {
		if a, err := netip.ParseAddr(d); err == nil {
			t.IPAddresses = append(t.IPAddresses, a.AsSlice())
			continue
		}
		t.DNSNames = append(t.DNSNames, d)
		if t.Subject.CommonName == "" && len(d) <= 64 {
			t.Subject = pkix.Name{CommonName: d}
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, t, key)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	return csr, nil
}
