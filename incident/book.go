package incident

import (
	"context"
	"time"

	"github.com/certmedic/certmedic/store"
)

// Book is all incidents of one store.
type Book struct {
	s   store.Store
	now func() time.Time
}

// NewBook returns the book kept in s.
func NewBook(s store.Store, now func() time.Time) *Book { return &Book{s: s, now: now} }

// Declaration is what declare needs.
type Declaration struct {
	Key          string // the same key declares once; "" always declares
	Title        string
	Severity     Severity // 0: 2
	Certificates []string
	Owner        string
	By           Person
	Start        time.Time // said by the person; zero: not said
	Drill        bool
	Private      bool
	Link         string
}

// Declare opens an incident. When an open one has one of the certificates, it
// returns that one and ErrDuplicate, unless force.
func (b *Book) Declare(ctx context.Context, d Declaration, force bool) (Incident, error) {
	panic("unwritten")
}

// Incident returns one incident.
func (b *Book) Incident(ctx context.Context, id string) (Incident, error) { panic("unwritten") }

// Filter selects incidents. The zero value selects all.
type Filter struct {
	Open        bool // investigating, identified, monitoring, resolved: not closed
	Certificate string
	Words       string // all words occur in id, title, certificate or impact
	Limit       int
}

// List returns incidents, newest first.
func (b *Book) List(ctx context.Context, f Filter) ([]Incident, error) { panic("unwritten") }

// Append adds a line to the timeline; id, version and hashes are set here. An
// entry with a Key that the timeline has is returned as it is, added false.
// Private keys, tokens and passwords in Text are cut out first; cut says so.
func (b *Book) Append(ctx context.Context, incident string, e Entry) (stored Entry, added, cut bool, err error) {
	panic("unwritten")
}

// Timeline returns the current version of every entry that is not dropped, by
// when it happened (ties: by when it was recorded).
func (b *Book) Timeline(ctx context.Context, incident string) ([]Entry, error) { panic("unwritten") }

// History returns every line ever written, in the order of writing, versions
// and dropped ones included.
func (b *Book) History(ctx context.Context, incident string) ([]Entry, error) { panic("unwritten") }

// Change is a change of an incident by a person.
type Change struct {
	By     Person
	Text   string    // goes on the timeline with it
	Reason string    // for going back in status, or doing it anyway
	At     time.Time // zero: now
	Link   string
	Key    string // the same key changes once
}

// SetStatus moves to a status, any to any; to Resolved see Resolve. Going back
// needs a reason.
func (b *Book) SetStatus(ctx context.Context, id string, to Status, c Change) (Incident, error) {
	panic("unwritten")
}

// SetSeverity sets severity 1 to 4.
func (b *Book) SetSeverity(ctx context.Context, id string, to Severity, c Change) (Incident, error) {
	panic("unwritten")
}

// SetCommander gives the incident to somebody (acknowledged).
func (b *Book) SetCommander(ctx context.Context, id string, to Person, c Change) (Incident, error) {
	panic("unwritten")
}

// SetImpact records what people felt.
func (b *Book) SetImpact(ctx context.Context, id string, impact string, c Change) (Incident, error) {
	panic("unwritten")
}

// SetMilestone records a milestone. A measured time wins over a said one; the
// other is kept as a Conflict when they differ by more than a minute. Detected
// keeps the earliest. Mitigated may be set again while the incident is open
// (it failed again).
func (b *Book) SetMilestone(ctx context.Context, id string, m Milestone) (Incident, error) {
	panic("unwritten")
}

// ClearMitigated takes the mitigated milestone away: an endpoint fails again.
func (b *Book) ClearMitigated(ctx context.Context, id string, why string) (Incident, error) {
	panic("unwritten")
}

// AddCertificate joins another certificate's failure to an open incident.
func (b *Book) AddCertificate(ctx context.Context, id, certificate string, c Change) (Incident, error) {
	panic("unwritten")
}

// Resolve ends the incident. failing names the endpoints that still fail, as
// just measured; with any, Resolve is refused with ErrFailing unless c.Reason
// says why anyway.
func (b *Book) Resolve(ctx context.Context, id string, failing []string, c Change) (Incident, error) {
	panic("unwritten")
}

// Close closes a resolved (or, with a reason, any) incident; an empty impact
// is refused with ErrImpactEmpty unless c.Reason says why anyway.
func (b *Book) Close(ctx context.Context, id string, c Change) (Incident, error) { panic("unwritten") }

// MetricsOf computes the metrics from an incident and its timeline. While the
// incident lasts, open spans end at now.
func MetricsOf(i Incident, timeline []Entry, now time.Time) Metrics { panic("unwritten") }

// Verify checks the hash chain of an incident's history and returns the id of
// the first line that does not fit, or "".
func (b *Book) Verify(ctx context.Context, id string) (broken string, err error) { panic("unwritten") }
