// Package incident keeps incidents and their append-only timelines: declare,
// status, severity, roles, notes, milestones, metrics, resolve and close. It
// knows nothing of certificates' checks or renewals; the room above tells it.
package incident

import "errors"

var (
	// ErrNotFound: no such incident or entry.
	ErrNotFound = errors.New("not found")
	// ErrState: the incident is not in a state that allows this.
	ErrState = errors.New("not possible in this state")
	// ErrFailing: an endpoint of the incident's certificates still fails.
	ErrFailing = errors.New("endpoints still fail")
	// ErrImpactEmpty: nobody has said what the impact was.
	ErrImpactEmpty = errors.New("the impact is empty")
	// ErrFuture: a time in the future without plan.
	ErrFuture = errors.New("the time is in the future")
	// ErrReason: going back in status needs a reason.
	ErrReason = errors.New("a reason is needed")
	// ErrOrder: the time is before what it must come after.
	ErrOrder = errors.New("the order of times is wrong")
	// ErrDuplicate: an open incident for the certificate exists.
	ErrDuplicate = errors.New("an open incident for this certificate exists")
)
