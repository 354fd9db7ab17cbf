package incident

import "time"

// Person is somebody, or the bot (Platform "bot").
type Person struct {
	ID       string `json:"id"` // for example "web:ana"
	Name     string `json:"name"`
	Platform string `json:"platform"`
}

// Bot is certmedic itself.
var Bot = Person{ID: "bot:certmedic", Name: "certmedic", Platform: "bot"}

// Status of an incident.
type Status string

// Statuses in order; then Closed.
const (
	Investigating Status = "investigating"
	Identified    Status = "identified"
	Monitoring    Status = "monitoring"
	Resolved      Status = "resolved"
	Closed        Status = "closed"
	Cancelled     Status = "cancelled"
	Duplicate     Status = "duplicate"
)

// Open reports whether work on the incident is not over (resolved is not
// open; it still waits to be closed).
func (s Status) Open() bool { return s == Investigating || s == Identified || s == Monitoring }

// Severity is 1 (worst) to 4.
type Severity int

// Kinds of milestone.
const (
	Started      = "started"
	Detected     = "detected"
	Declared     = "declared"
	Acknowledged = "acknowledged"
	IdentifiedAt = "identified"
	Mitigated    = "mitigated"
	ResolvedAt   = "resolved"
	ClosedAt     = "closed"
)

// Milestone is one moment of the lifecycle. Text says where its time is from.
type Milestone struct {
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`
	Recorded time.Time `json:"recorded"`
	Source   string    `json:"source"` // "measured", "said" or "derived"
	Text     string    `json:"text"`   // for example "notAfter of serial 1a2b, served by 4 of 4 addresses"
	By       Person    `json:"by"`
}

// Conflict is two times for one milestone that do not agree; both are kept.
type Conflict struct {
	Kind  string    `json:"kind"`
	Used  Milestone `json:"used"`
	Other Milestone `json:"other"`
	Text  string    `json:"text"`
}

// Incident is one incident as people see it.
type Incident struct {
	ID           string       `json:"id"` // "INC-7"
	Title        string       `json:"title"`
	Severity     Severity     `json:"severity"`
	Status       Status       `json:"status"`
	Drill        bool         `json:"drill"`
	Private      bool         `json:"private"`
	Certificates []string     `json:"certificates"`           // names in the inventory
	Owner        string       `json:"owner"`                  // team of the first certificate
	Commander    Person       `json:"commander"`              // zero: none
	Roles        []Role       `json:"roles"`                  // beside the commander
	Invited      []Person     `json:"invited,omitempty"`      // made part of it without a role
	DuplicateOf  string       `json:"duplicate_of,omitempty"` // of a duplicate, also of one merged: "INC-6"; "" of a private one when the other is private too
	DeclaredBy   Person       `json:"declared_by"`
	Declared     time.Time    `json:"declared"`
	Impact       string       `json:"impact"`     // said by a person; "" until then
	Milestones   []Milestone  `json:"milestones"` // at most one of each kind, in lifecycle order
	Conflicts    []Conflict   `json:"conflicts"`
	Temps        []Temp       `json:"temps"`                  // temporary changes, in the order of making
	Tasks        []Task       `json:"tasks"`                  // action items
	Updates      int          `json:"updates,omitempty"`      // how many status updates were written
	Asking       []Asking     `json:"asking,omitempty"`       // those that wait for approval
	Shown        []string     `json:"shown,omitempty"`        // targets outside that show an incident of it
	Spoke        time.Time    `json:"spoke,omitzero"`         // when a person last wrote something; zero: nobody did
	DraftDone    time.Time    `json:"draft_done,omitzero"`    // when the postmortem was said to be finished
	DraftStates  []DraftState `json:"draft_states,omitempty"` // what the postmortem came to, in order
	Entries      int          `json:"entries"`                // number of timeline entries, dropped ones included
	Updated      time.Time    `json:"updated"`
}

// Milestone returns the milestone of a kind.
func (i Incident) Milestone(kind string) (Milestone, bool) {
	for _, m := range i.Milestones {
		if m.Kind == kind {
			return m, true
		}
	}
	return Milestone{}, false
}

// Kinds of timeline entry.
const (
	Report        = "report"
	NoteKind      = "note"
	StatusKind    = "status"
	SeverityKind  = "severity"
	RoleKind      = "role"
	UpdateKind    = "update"
	Check         = "check"
	RenewalStep   = "renewal step"
	Approval      = "approval"
	Deploy        = "deploy"
	Alert         = "alert"
	TempKind      = "temp"
	TaskKind      = "task"
	Rehearsal     = "rehearsal"
	MilestoneKind = "milestone"
)

// Entry is one line of a timeline.
type Entry struct {
	ID       string    `json:"id"` // "E-5", within the incident
	Incident string    `json:"incident"`
	At       time.Time `json:"at"`       // when it happened
	Recorded time.Time `json:"recorded"` // when it was written down
	By       Person    `json:"by"`
	Kind     string    `json:"kind"`
	Text     string    `json:"text"`
	Evidence Evidence  `json:"evidence"`
	Link     string    `json:"link,omitempty"` // where it was said
	Key      string    `json:"key,omitempty"`  // the same key is the same entry: appending it twice appends it once
	Version  int       `json:"version"`        // from 1; a correction adds a version
	Dropped  bool      `json:"dropped,omitempty"`

	CorrectedBy Person `json:"corrected_by,omitzero"` // who wrote this version, when it is not the first; set by Timeline

	Prev string `json:"prev"` // hash of the record's last line before this one
	Hash string `json:"hash"` // SHA-256 over this line and Prev, hexadecimal
}

// Evidence is what stands behind an entry. At most one part is filled.
type Evidence struct {
	Check     CheckEvidence     `json:"check,omitzero"`
	Step      StepEvidence      `json:"step,omitzero"`
	Approval  ApprovalEvidence  `json:"approval,omitzero"`
	Change    ChangeEvidence    `json:"change,omitzero"`
	Rehearsal RehearsalEvidence `json:"rehearsal,omitzero"`
	Alert     AlertEvidence     `json:"alert,omitzero"`
	Pin       PinEvidence       `json:"pin,omitzero"`
	Forgotten ForgottenEvidence `json:"forgotten,omitzero"`
}

// CheckEvidence is a check of a certificate's endpoints.
type CheckEvidence struct {
	Certificate string      `json:"certificate"`
	Verdict     string      `json:"verdict"` // good, warning, critical
	Cause       string      `json:"cause"`   // one sentence
	Hosts       []HostCheck `json:"hosts"`
	Overdue     time.Time   `json:"overdue,omitzero"` // end of the renewal window that nothing newer came in (RFC 9773 section 4.2)
	Around      Around      `json:"around,omitzero"`  // of the first check of an incident
}

// Around is what stood beside a certificate when its incident was declared.
type Around struct {
	Looked      bool  `json:"looked"`                 // false: written down before this was
	OwnerPeople int   `json:"owner_people,omitempty"` // how many are in the owner's team; 0: not known
	Kin         []Kin `json:"kin,omitempty"`          // other certificates that may have the same fault
}

// Kin is another certificate, and what it has in common.
type Kin struct {
	Certificate string   `json:"certificate"`
	Same        []string `json:"same"` // "flaw", "owner", "zone", "issuer"
}

// HostCheck is what one host served.
type HostCheck struct {
	Host     string    `json:"host"`     // target name, or the address
	Address  string    `json:"address"`  // ip:port
	State    string    `json:"state"`    // good, warning, critical, unknown
	Findings []string  `json:"findings"` // ids
	Cause    string    `json:"cause"`
	Serial   string    `json:"serial"`
	SHA256   string    `json:"sha256"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	Wave     int       `json:"wave,omitempty"` // of the rollout, from 1; 0: none, or written down before this was
}

// StepEvidence is a step of a renewal.
type StepEvidence struct {
	Renewal      string        `json:"renewal"`
	Certificate  string        `json:"certificate"`
	Step         string        `json:"step"`
	Outcome      string        `json:"outcome"`
	Host         string        `json:"host"`
	Order        string        `json:"order"`
	Challenge    string        `json:"challenge"`
	BeforeSHA256 string        `json:"before_sha256"`
	BeforeSerial string        `json:"before_serial"`
	BeforeUntil  time.Time     `json:"before_until,omitzero"`
	AfterSHA256  string        `json:"after_sha256"`
	AfterSerial  string        `json:"after_serial"`
	AfterUntil   time.Time     `json:"after_until,omitzero"`
	Issuer       string        `json:"issuer"`
	Took         time.Duration `json:"took"` // nanoseconds
	Output       string        `json:"output"`
	HostsDone    int           `json:"hosts_done"`
	Hosts        int           `json:"hosts"`
	Wave         int           `json:"wave,omitempty"` // of Host in the rollout, from 1; 0: no host, or written down before this was
}

// ApprovalEvidence is a decision about a renewal.
type ApprovalEvidence struct {
	Renewal  string    `json:"renewal"`
	Decision string    `json:"decision"` // "asked", "approved", "denied", "not needed"
	Asked    time.Time `json:"asked"`
	AskedBy  string    `json:"asked_by"`
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
}

// RehearsalEvidence is a rehearsal: whether a renewal would have worked then.
type RehearsalEvidence struct {
	Certificate string           `json:"certificate"`
	OK          bool             `json:"ok"`
	LastGood    time.Time        `json:"last_good,omitzero"` // the last one without a fault; zero: never
	Faults      []RehearsalFault `json:"faults,omitempty"`
}

// RehearsalFault is one level of a rehearsal that failed.
type RehearsalFault struct {
	Level     string `json:"level"`     // "http-01", "dns-01", "directory", ...
	Subject   string `json:"subject"`   // domain, host or URL
	Addresses string `json:"addresses"` // the ones that failed, "192.0.2.1, 192.0.2.2"; "": not about addresses
	Finding   string `json:"finding"`   // id, for example "http01_path"
	Cause     string `json:"cause"`     // one sentence
}

// AlertEvidence is an alert that went out about a certificate.
type AlertEvidence struct {
	Certificate string `json:"certificate"`
	Room        string `json:"room"` // where it was posted, for example "main"
	Key         string `json:"key"`  // the same key is the same alert

	// Of an alert that another system sent:
	Source   string    `json:"source,omitempty"` // "alertmanager", "pagerduty", or what the sender calls itself
	ID       string    `json:"id,omitempty"`     // theirs
	Link     string    `json:"link,omitempty"`   // theirs
	Severity string    `json:"severity,omitempty"`
	State    string    `json:"state,omitempty"`   // "resolved" or "acknowledged"; "": it fires
	Started  time.Time `json:"started,omitzero"`  // by their account
	Resolved time.Time `json:"resolved,omitzero"` // when it was received that it is over
	Count    int       `json:"count,omitempty"`   // how many alerts of one kind it was
}

// ChangeEvidence is a change of the incident itself: status, severity, role.
type ChangeEvidence struct {
	What string `json:"what"` // "status", "severity", "commander", "impact", "certificate", or a kind of milestone
	From string `json:"from"`
	To   string `json:"to"`
}

// Metrics are spans between milestones; see MetricsOf for which. A span whose
// ends are not both known is not in Spans.
type Metrics struct {
	Spans          []Span        `json:"spans"`
	BySeverity     []Span        `json:"by_severity"` // time in each severity, from declared to resolved
	ByStatus       []Span        `json:"by_status"`
	ApprovalWait   time.Duration `json:"approval_wait"`        // 0: no approval was asked
	ApprovalToLast time.Duration `json:"approval_to_verified"` // from approval to the last host verified
}

// Span is a named duration, in nanoseconds.
type Span struct {
	Name string        `json:"name"` // "detect", "declare", "acknowledge", "identify", "mitigate", "resolve"; "SEV1"; "investigating"
	From time.Time     `json:"from"`
	To   time.Time     `json:"to"`
	Took time.Duration `json:"took"`
	Open bool          `json:"open,omitempty"` // To is the moment of looking: it lasts
}
