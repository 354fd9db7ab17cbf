package renew

import (
	"context"
	"log/slog"
	"time"

	"github.com/certmedic/certmedic/store"
)

// Options are what a Runner is made of.
type Options struct {
	Store     store.Store
	Inventory Inventory
	CAs       CAs
	Deployer  Deployer
	Prober    Prober
	Sealer    *Sealer
	// Emit is handed every Event, one at a time and in order for one
	// certificate; an error makes the engine hand it over again later.
	Emit func(ctx context.Context, e Event) error
	Now  func() time.Time
	Log  *slog.Logger

	CheckEvery    time.Duration // between checks of the estate; default 1 min. A check also runs just after a served certificate expires.
	RehearseEvery time.Duration // between rehearsals; default 24 h; negative: never
	VerifyFor     time.Duration // how long a reloaded host may take to serve the new certificate; default 30 s
	VerifyStep    time.Duration // between looks; default 1 s, the first few quicker
	Parallel      int           // hosts of one wave at a time; default 4
}

// Runner runs renewals and watches the estate.
type Runner struct {
	o Options
}

// New makes a Runner. Nothing happens before Run.
func New(o Options) (*Runner, error) { panic("unwritten") }

// Run resumes what was running, watches the estate, delivers events, and
// returns after ctx ends and every renewal has reached a safe point. stopped
// names the renewals that will be resumed at the next start.
func (r *Runner) Run(ctx context.Context) (stopped []string, err error) { panic("unwritten") }

// Inventory returns the configured inventory.
func (r *Runner) Inventory() Inventory { return r.o.Inventory }

// Plan rehearses and says what a renewal would do.
func (r *Runner) Plan(ctx context.Context, a Ask) (Plan, error) { panic("unwritten") }

// Start journals a renewal and starts it, or leaves it waiting for approval
// where the policy wants one. A second one for the same certificate is refused
// with ErrBusy while one is not final.
func (r *Runner) Start(ctx context.Context, a Ask) (Renewal, error) { panic("unwritten") }

// Approve starts a waiting renewal. Who may approve is the caller's affair,
// except that the one who asked is refused with ErrSelfApproval unless the
// policy says otherwise.
func (r *Runner) Approve(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	panic("unwritten")
}

// Deny ends a waiting renewal.
func (r *Runner) Deny(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	panic("unwritten")
}

// Stop ends a running renewal at the next safe point (no host half done).
func (r *Runner) Stop(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	panic("unwritten")
}

// Resume goes on with a stopped renewal, with the same order and key.
func (r *Runner) Resume(ctx context.Context, id string, by Person) (Renewal, error) {
	panic("unwritten")
}

// Rollback puts every host that a renewal touched back to what it served
// before; refused with ErrForwardOnly when that has expired.
func (r *Runner) Rollback(ctx context.Context, id string, by Person, reason string) (Renewal, error) {
	panic("unwritten")
}

// Renewal returns one renewal, or ErrNotFound.
func (r *Runner) Renewal(ctx context.Context, id string) (Renewal, error) { panic("unwritten") }

// Renewals returns the last limit renewals (0: all), newest first, of one
// certificate or ("") of all.
func (r *Runner) Renewals(ctx context.Context, certificate string, limit int) ([]Renewal, error) {
	panic("unwritten")
}

// Steps returns a renewal's journal in order.
func (r *Runner) Steps(ctx context.Context, id string) ([]Step, error) { panic("unwritten") }

// Wait returns when the renewal is final, stopped or waiting for approval.
func (r *Runner) Wait(ctx context.Context, id string) (Renewal, error) { panic("unwritten") }

// Check probes every endpoint of a certificate now, keeps the result and
// returns how it stands.
func (r *Runner) Check(ctx context.Context, certificate string) (Standing, error) { panic("unwritten") }

// CheckEndpoint probes a host and port that need not be in the inventory.
func (r *Runner) CheckEndpoint(ctx context.Context, q Query) Report { panic("unwritten") }

// Rehearse runs the preflight of every configured challenge now, keeps the
// result and returns how the certificate stands.
func (r *Runner) Rehearse(ctx context.Context, certificate string) (Standing, error) {
	panic("unwritten")
}

// Estate returns how every certificate stands, worst first.
func (r *Runner) Estate(ctx context.Context) ([]Standing, error) { panic("unwritten") }
