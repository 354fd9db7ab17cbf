// Package commands is the one table of verbs that people type, and the one
// room where a renewal step becomes a timeline entry. It knows nothing of
// platforms: a Request comes in, Replies go out.
package commands

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/renew"
)

// Person is who typed.
type Person struct {
	ID       string `json:"id"` // unique across platforms, for example "web:ana"
	Name     string `json:"name"`
	Platform string `json:"platform"`       // "web", "console", "cli", "slack", "discord"
	Zone     string `json:"zone,omitempty"` // IANA name; "": UTC
}

// Request is one line typed, or one button pressed.
type Request struct {
	ID   string    `json:"id"`   // delivery id: the same id is the same request; "" is never the same
	Text string    `json:"text"` // for example "/renew media --yes"
	By   Person    `json:"by"`
	Room string    `json:"room"` // "INC-7" in an incident's room, else "main"
	At   time.Time `json:"at"`
	Link string    `json:"link,omitempty"` // to the message, where the platform has links
	Wait bool      `json:"wait,omitempty"` // answer only when what was started has ended (certmedic run)

	Cut bool `json:"-"` // a secret was cut out of Text before it came here: who wrote it is told
}

// States of a reply, shown as colour, symbol and word.
const (
	StateGood     = "good"
	StateWarning  = "warning"
	StateCritical = "critical"
	StateRunning  = "running"
	StateUnknown  = "unknown"
	StateInfo     = "info" // neutral
)

// Reply is what goes back, or what the bot says unasked. First line (Headline)
// is the answer, then the proof, then what to do next (Buttons).
type Reply struct {
	State    string          `json:"state"`
	Headline string          `json:"headline"`        // plain text, one sentence
	Body     string          `json:"body,omitempty"`  // plain text, lines
	Facts    []Fact          `json:"facts,omitempty"` // at most five
	Table    Table           `json:"table,omitzero"`
	Steps    []Line          `json:"steps,omitempty"` // progress: what is done, what runs, what waits
	Done     int             `json:"done,omitempty"`  // hosts done
	Of       int             `json:"of,omitempty"`    // of hosts; 0: no progress bar
	Buttons  []Button        `json:"buttons,omitempty"`
	Links    []Link          `json:"links,omitempty"`
	Files    []File          `json:"files,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`     // the same for programs, where a table is not enough
	Problem  Problem         `json:"problem,omitzero"`   // set when the request was refused or failed
	Public   bool            `json:"public"`             // changes the record: everybody sees it; else only who asked
	Incident string          `json:"incident,omitempty"` // echo it in this incident's room too
	Key      string          `json:"key,omitempty"`      // the same key edits the earlier message instead of adding one
}

// Fact is a short field.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Line is one line with a state.
type Line struct {
	State string `json:"state"`
	Text  string `json:"text"`
}

// Table is rows of cells. A row's State (may be "") colours it.
type Table struct {
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Row of a Table.
type Row struct {
	State string   `json:"state,omitempty"`
	Cells []string `json:"cells"`
}

// IsZero reports a table without columns.
func (t Table) IsZero() bool { return len(t.Columns) == 0 }

// Button runs Command as if its presser had typed it.
type Button struct {
	Label   string `json:"label"`
	Command string `json:"command"`
	Style   string `json:"style,omitempty"`   // "primary", "danger" or ""
	Confirm string `json:"confirm,omitempty"` // asked before it is done; "": nothing is asked
}

// Link is a page of the web room: Path is absolute on certmedic's own listener.
type Link struct {
	Label string `json:"label"`
	Path  string `json:"path"`
}

// File is a document handed over.
type File struct {
	Name string `json:"name"`
	Type string `json:"type"` // media type
	Data []byte `json:"data"`
	Alt  string `json:"alt,omitempty"` // of an image: what it shows, in words
}

// Post is something said unasked, or progress: a Reply for a room.
type Post struct {
	Room  string    `json:"room"` // "main" or "INC-7"
	Reply Reply     `json:"reply"`
	At    time.Time `json:"at"`
	For   string    `json:"for,omitempty"` // only this person id is to see it; "": everybody
}

// Team is a group of people of the configuration.
type Team struct {
	Name     string   `json:"name"`
	People   []string `json:"people"`
	Groups   []string `json:"groups,omitempty"` // groups of chat platforms: "slack:S0123ABCD" or "slack:handle", "discord:<role id>" or "discord:<role>"
	Escalate []string `json:"escalate"`         // teams asked next
}

// Renewer is what the verbs need of renew.Runner.
type Renewer interface {
	Inventory() renew.Inventory
	Plan(ctx context.Context, a renew.Ask) (renew.Plan, error)
	Start(ctx context.Context, a renew.Ask) (renew.Renewal, error)
	Approve(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error)
	Deny(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error)
	Stop(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error)
	Resume(ctx context.Context, id string, by renew.Person) (renew.Renewal, error)
	Rollback(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error)
	Renewal(ctx context.Context, id string) (renew.Renewal, error)
	Renewals(ctx context.Context, certificate string, limit int) ([]renew.Renewal, error)
	Steps(ctx context.Context, id string) ([]renew.Step, error)
	Wait(ctx context.Context, id string) (renew.Renewal, error)
	Check(ctx context.Context, certificate string) (renew.Standing, error)
	CheckEndpoint(ctx context.Context, q renew.Query) renew.Report
	Rehearse(ctx context.Context, certificate string) (renew.Standing, error)
	Estate(ctx context.Context) ([]renew.Standing, error)
}

// Options are what a Desk is made of.
type Options struct {
	Book    *incident.Book
	Renewer Renewer
	Teams   []Team
	People  []Linked // who is one person on several platforms
	Policy  Policy   // who may do what
	Now     func() time.Time
	Log     *slog.Logger
	Drill   bool // incidents declared here are drills

	Templates *postmortem.Templates // of postmortem drafts; nil: those that come with the program
	Template  string                // of the draft that close hands over; "": standard

	Publisher Publisher // of drafts, to a repository; nil: none is configured

	// GroupsOf, which may be nil, returns the groups of its platform that an
	// identity is in, as Team.Groups names them; a group with an id and a
	// handle is returned as both. It is asked while somebody waits, so it
	// answers from what is at hand; what it cannot find out it leaves out.
	GroupsOf func(ctx context.Context, p Person) []string
	Updates  Updates   // how status updates leave the rooms
	Trackers []Tracker // where action items can be kept too

	// Statuses are what people call the statuses of an incident.
	Statuses incident.Names

	// Severities says which severity an alert's own word means, beside the
	// usual ones (alertSeverity).
	Severities map[string]incident.Severity

	// Explain, which may be nil, turns an error that only the program's roof
	// can know (a full record, a lost disk) into words for people. It is asked
	// before anything else.
	Explain func(error) (Problem, bool)
}

// Desk answers requests and turns the engine's events into timeline entries
// and posts. It is safe for concurrent use.
type Desk struct {
	o      Options
	people people
	seen   seen // replies by request id
	alerts alertWork
	papers chan struct{} // something is to be published
}

// New makes a Desk.
func New(o Options) *Desk {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{o: o, people: newPeople(o.People), papers: make(chan struct{}, 1)}
}
