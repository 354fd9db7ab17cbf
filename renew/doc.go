// Package renew renews certificates: the inventory, the journalled renewal
// with its rollout host by host, the watch over the estate and the rehearsal.
// It reaches the world through three plugs: a CA (renew/acme), a Deployer
// (renew/deploy) and a Prober (renew/probe).
//
// A renewal is a journal in the store. Each step's intent is written before it
// is acted on and its result after; the result of one step and the intent of
// the next are one transaction, with the events that tell them. A process that
// is killed anywhere resumes from there: it looks what the CA and the hosts
// have before it does anything again, so there is no second order and no host
// with a certificate whose key it does not have.
//
// What is where: run.go the Runner; start.go and decide.go what people ask;
// drive.go the loop over phases, with preflight.go, issue.go, material.go,
// baseline.go, rollout.go, verifyall.go and rollback.go; look.go what a host
// serves; check.go, window.go, estate.go and watch.go the estate; journal.go,
// events.go, keys.go and disk.go the record; account.go and seal.go keys.
package renew

import "errors"

var (
	// ErrNotFound: no such certificate or renewal.
	ErrNotFound = errors.New("not found")
	// ErrBusy: another renewal of the certificate is not final.
	ErrBusy = errors.New("another renewal of this certificate is running")
	// ErrSelfApproval: the policy wants somebody else to approve.
	ErrSelfApproval = errors.New("the one who asked may not approve")
	// ErrState: the renewal is not in a state that allows this.
	ErrState = errors.New("not possible in this state")
	// ErrForwardOnly: what was served before cannot be put back.
	ErrForwardOnly = errors.New("what was served before has expired, only forward is possible")
	// ErrPreflight: the preflight failed and Force was not given.
	ErrPreflight = errors.New("the preflight failed")
	// ErrNotDue: the certificate is good and its renewal window has not begun;
	// Force goes on all the same.
	ErrNotDue = errors.New("not due yet")
	// ErrChallenge: the asked challenge is not configured for the certificate.
	ErrChallenge = errors.New("challenge is not configured")
)
