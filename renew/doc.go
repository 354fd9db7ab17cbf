// Package renew renews certificates: the inventory, the journalled renewal
// with its rollout host by host, the watch over the estate and the rehearsal.
// It reaches the world through three plugs: a CA (renew/acme), a Deployer
// (renew/deploy) and a Prober (renew/probe).
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
