package renew

import "time"

// Person is who asked for something, in the words of the floor above.
type Person struct {
	ID       string `json:"id"`       // unique across platforms, for example "web:ana"
	Name     string `json:"name"`     // shown
	Platform string `json:"platform"` // "web", "console", "slack", "cli", "bot"
}

// State of a renewal.
type State string

// States. Waiting, Running and Stopped are not final.
const (
	Waiting    State = "waiting" // for approval
	Running    State = "running"
	Stopped    State = "stopped"     // by a person or an error, resumable
	Done       State = "done"        // every host verified
	RolledBack State = "rolled_back" // every touched host serves what it served before
	Failed     State = "failed"      // ended without touching or with a host that could not be put back; Problem says which
	Denied     State = "denied"
)

// Final reports whether nothing will happen to the renewal any more.
func (s State) Final() bool { return s == Done || s == RolledBack || s == Failed || s == Denied }

// Steps of a renewal, in order. Deploy, reload and verify occur once a host.
const (
	StepAsk       = "ask"      // a person asked
	StepApproval  = "approval" // approved, denied
	StepPreflight = "preflight"
	StepKey       = "key" // private key made and sealed
	StepOrder     = "order"
	StepChallenge = "challenge"
	StepFinalize  = "finalize"
	StepMaterial  = "material" // checks of key and chain before a host is touched
	StepBaseline  = "baseline" // what every host served before
	StepDeploy    = "deploy"   // files placed, config tested, reloaded
	StepVerify    = "verify"   // the host serves the new certificate
	StepVerifyAll = "verify_all"
	StepRollback  = "rollback" // one host put back
	StepEnd       = "end"      // done, rolled back, failed, stopped
)

// Outcomes of a step.
const (
	Started = "started"
	OK      = "ok"
	Bad     = "failed"
	Skipped = "skipped"
	Note    = "note" // something worth knowing inside a running step
)

// Step is one line of a renewal's journal. Started lines are the intent, the
// others the result.
type Step struct {
	Renewal     string        `json:"renewal"` // "R-1"
	Certificate string        `json:"certificate"`
	Seq         int           `json:"seq"` // 1, 2, ... within the renewal
	At          time.Time     `json:"at"`
	Kind        string        `json:"kind"`           // StepAsk ...
	Host        string        `json:"host,omitempty"` // target name, for deploy, verify and rollback
	Outcome     string        `json:"outcome"`
	Text        string        `json:"text"`             // one sentence for people
	By          Person        `json:"by"`               // zero: the bot
	Took        time.Duration `json:"took,omitempty"`   // nanoseconds, of a finished step
	Before      Leaf          `json:"before"`           // served before, where it applies
	After       Leaf          `json:"after"`            // served after, where it applies
	Order       string        `json:"order,omitempty"`  // order URL
	Output      string        `json:"output,omitempty"` // capped output of a command
	Findings    []Finding     `json:"findings,omitempty"`
	Drill       bool          `json:"drill,omitempty"`
}

// Host states within a renewal.
const (
	HostWaiting    = "waiting"
	HostDeploying  = "deploying"
	HostVerified   = "verified"
	HostFailed     = "failed"
	HostRolledBack = "rolled_back"
)

// HostState is how far one host is.
type HostState struct {
	Host   string    `json:"host"`
	Wave   int       `json:"wave"` // from 0; host 0 of wave 0 is the canary
	State  string    `json:"state"`
	Before Leaf      `json:"before"`
	After  Leaf      `json:"after"`
	At     time.Time `json:"at"` // of the last change
	Text   string    `json:"text,omitempty"`
}

// Ask is what a person asks for.
type Ask struct {
	Key         string `json:"key,omitempty"` // the same key is the same ask: it starts one renewal; "" is never the same
	Certificate string `json:"certificate"`
	By          Person `json:"by"`
	Reason      string `json:"reason,omitempty"`
	Challenge   string `json:"challenge,omitempty"` // HTTP01 or DNS01; "": the first configured
	DryRun      bool   `json:"dry_run,omitempty"`   // stop before the order
	KeepKey     bool   `json:"keep_key,omitempty"`  // use the last issued certificate's key again
	Profile     string `json:"profile,omitempty"`
	Force       bool   `json:"force,omitempty"` // although the preflight failed or it is not due
}

// Renewal is one renewal as people see it.
type Renewal struct {
	ID       string      `json:"id"` // "R-1"
	Ask      Ask         `json:"ask"`
	State    State       `json:"state"`
	Step     string      `json:"step"` // the current or last step's kind
	Asked    time.Time   `json:"asked"`
	Approved time.Time   `json:"approved"` // zero: not yet; without a policy the time it was asked
	Approver Person      `json:"approver"`
	Ended    time.Time   `json:"ended"`
	Order    string      `json:"order,omitempty"` // order URL
	Issued   Leaf        `json:"issued"`
	Hosts    []HostState `json:"hosts"`
	Problem  string      `json:"problem,omitempty"` // why it stopped, failed or was rolled back
	Next     string      `json:"next,omitempty"`    // what to do about it
}

// Standing is how one certificate stands in the estate.
type Standing struct {
	Certificate Certificate `json:"certificate"`
	Reports     []Report    `json:"reports"`    // the last check of each endpoint
	Verdict     Severity    `json:"verdict"`    // worst of Reports; Good before the first check is impossible: see Checked
	Checked     time.Time   `json:"checked"`    // zero: never
	Since       time.Time   `json:"since"`      // when Verdict last changed
	LastGood    time.Time   `json:"last_good"`  // last check with every endpoint good
	NotAfter    time.Time   `json:"not_after"`  // earliest of the leaves served
	NotBefore   time.Time   `json:"not_before"` // of that leaf
	HostsGood   int         `json:"hosts_good"` // addresses without a critical finding
	Hosts       int         `json:"hosts"`      // addresses looked at
	Window      Window      `json:"window"`     // zero: not known
	RenewAt     time.Time   `json:"renew_at"`   // drawn once per window
	Overdue     bool        `json:"overdue"`
	Rehearsal   []Proof     `json:"rehearsal"`         // of the last rehearsal
	Rehearsed   time.Time   `json:"rehearsed"`         // zero: never
	RehearsedOK time.Time   `json:"rehearsed_ok"`      // last one without a fault
	Renewal     string      `json:"renewal,omitempty"` // id of the one that is not final
	Issued      Leaf        `json:"issued"`            // last issued by certmedic
}

// Plan is what a renewal would do.
type Plan struct {
	Certificate Certificate `json:"certificate"`
	Issuer      Issuer      `json:"issuer"`
	Challenge   Challenge   `json:"challenge"`
	Proofs      []Proof     `json:"proofs"` // of the preflight
	OK          bool        `json:"ok"`     // the preflight found nothing in the way
	Standing    Standing    `json:"standing"`
	Others      []Challenge `json:"others"`    // the other configured challenges, for when this one's path is broken
	OthersOK    []string    `json:"others_ok"` // types of those whose preflight passed (asked only when OK is false)
	Approval    bool        `json:"approval"`  // an approval is needed
}

// Kinds of Event.
const (
	EventStep      = "step"      // Step and Renewal are set
	EventCheck     = "check"     // a check's result differs from the one before: Standing and Before are set
	EventRehearsal = "rehearsal" // a rehearsal's result differs: Standing is set
)

// Event rises from the engine, after it has been journalled. It is delivered
// at least once: Key is the same for the same event.
type Event struct {
	Key      string    `json:"key"`
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`
	Step     Step      `json:"step"`
	Renewal  Renewal   `json:"renewal"`
	Standing Standing  `json:"standing"`
	Before   Severity  `json:"before"` // verdict before
	// More: a later event of the same renewal follows at once, so that what
	// shows how it stands may wait for that one.
	More bool `json:"more,omitempty"`
}
