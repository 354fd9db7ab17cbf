package renew

import (
	"encoding/json"
	"fmt"
	"time"
)

// What is on disk, in JSON. Every record has a version V. The rule: a field
// may be added under the same version when its zero value means what was true
// before; anything else (a field taken away, another meaning) needs version 2
// and a reader for version 1 here. A record with a higher version than
// diskVersion is refused, not guessed at. The small value types inside (Leaf,
// Finding, Person, Ask, Window, Proof, Report) are written as they are in the
// API, so the rule holds for their fields as well; disk_test.go keeps a record
// of version 1 that must stay readable.
const diskVersion = 1

// diskBody is a Renewal on disk: the same fields, so that one is converted to
// the other, and the compiler says when they part.
type diskBody struct {
	ID       string      `json:"id"`
	Ask      Ask         `json:"ask"`
	State    State       `json:"state"`
	Step     string      `json:"step"`
	Asked    time.Time   `json:"asked"`
	Approved time.Time   `json:"approved"`
	Approver Person      `json:"approver"`
	Ended    time.Time   `json:"ended"`
	Order    string      `json:"order,omitempty"`
	Issued   Leaf        `json:"issued"`
	Hosts    []HostState `json:"hosts"`
	Problem  string      `json:"problem,omitempty"`
	Next     string      `json:"next,omitempty"`
}

// diskRenewal is a renewal with what the engine needs to go on with it.
type diskRenewal struct {
	V      int        `json:"v"`
	N      int        `json:"n"`
	Body   diskBody   `json:"body"`
	Seq    int        `json:"seq"`              // of the last step
	Phase  string     `json:"phase"`            // the step whose intent is written: where to go on
	SPKI   []byte     `json:"spki,omitempty"`   // of the key, DER
	KeyOf  int        `json:"keyOf,omitempty"`  // renewal whose key is used (KeepKey); 0: own
	Hosts  []diskHost `json:"hosts"`            // beside Body.Hosts
	Stop   diskWish   `json:"stop,omitzero"`    // a person asked to stop
	Back   diskWish   `json:"back,omitzero"`    // a person asked to roll back
	Cause  string     `json:"cause,omitempty"`  // why it is being rolled back
	Done   bool       `json:"done,omitempty"`   // it had been done before it was rolled back
	Issued bool       `json:"held,omitempty"`   // chain is stored
	Issuer string     `json:"issuer,omitempty"` // that issued it
}

// diskWish is what a person asked of a running renewal.
type diskWish struct {
	By     Person    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

func (w diskWish) asked() bool { return !w.At.IsZero() }

// diskHost is what the engine knows of a host beside its HostState.
type diskHost struct {
	Served  map[string]string `json:"served,omitempty"`  // address to fingerprint, before
	Restore string            `json:"restore,omitempty"` // fingerprint that can be put back
	Step    string            `json:"step,omitempty"`    // StepDeploy or StepVerify: the intent written last
	Reload  bool              `json:"reload,omitempty"`  // the service may have been reloaded
}

// diskStep is a Step on disk, convertible like diskBody.
type diskStep struct {
	Renewal     string        `json:"renewal"`
	Certificate string        `json:"certificate"`
	Seq         int           `json:"seq"`
	At          time.Time     `json:"at"`
	Kind        string        `json:"kind"`
	Host        string        `json:"host,omitempty"`
	Outcome     string        `json:"outcome"`
	Text        string        `json:"text"`
	By          Person        `json:"by"`
	Took        time.Duration `json:"took,omitempty"`
	Before      Leaf          `json:"before"`
	After       Leaf          `json:"after"`
	Order       string        `json:"order,omitempty"`
	Output      string        `json:"output,omitempty"`
	Findings    []Finding     `json:"findings,omitempty"`
	Drill       bool          `json:"drill,omitempty"`
}

type diskStepRecord struct {
	V    int      `json:"v"`
	Step diskStep `json:"step"`
}

// diskEvent is an Event that waits to be delivered.
type diskEvent struct {
	V        int           `json:"v"`
	Key      string        `json:"key"`
	Kind     string        `json:"kind"`
	At       time.Time     `json:"at"`
	Step     diskStep      `json:"step,omitzero"`
	Renewal  diskBody      `json:"renewal,omitzero"`
	Name     string        `json:"name"` // certificate: the order of delivery is kept for one
	Standing *diskStanding `json:"standing,omitempty"`
	Issued   Leaf          `json:"issued,omitzero"`
	Open     string        `json:"open,omitempty"`
	Before   Severity      `json:"before,omitempty"`
}

// diskIssued is what certmedic issued and rolled out for a certificate, newest first.
type diskIssued struct {
	V       int         `json:"v"`
	Entries []diskEntry `json:"entries"`
}

type diskEntry struct {
	N    int  `json:"n"`
	Leaf Leaf `json:"leaf"`
}

// keptIssued bounds diskIssued.
const keptIssued = 20

// diskStanding is how a certificate stood when last looked at.
type diskStanding struct {
	V           int       `json:"v"`
	Reports     []Report  `json:"reports"`
	Verdict     Severity  `json:"verdict"`
	Checked     time.Time `json:"checked"`
	Since       time.Time `json:"since"`
	LastGood    time.Time `json:"lastGood"`
	NotAfter    time.Time `json:"notAfter"`
	NotBefore   time.Time `json:"notBefore"`
	HostsGood   int       `json:"hostsGood"`
	Hosts       int       `json:"hosts"`
	Window      Window    `json:"window"`
	WindowOf    string    `json:"windowOf"` // fingerprint of the leaf that the window is for
	WindowAsked time.Time `json:"windowAsked"`
	RenewAt     time.Time `json:"renewAt"`
	Rehearsal   []Proof   `json:"rehearsal"`
	Rehearsed   time.Time `json:"rehearsed"`
	RehearsedOK time.Time `json:"rehearsedOK"`
}

// diskAccount is the ACME account of an issuer.
type diskAccount struct {
	V   int    `json:"v"`
	Key []byte `json:"key"` // PKCS #8, sealed
	URL string `json:"url"`
}

// pack encodes a record of this package. Its types cannot fail to encode.
func pack(record any) []byte {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("renew: encode %T: %v", record, err))
	}
	return b
}

// versioned is a record that says its version.
type versioned interface{ version() int }

func (d diskRenewal) version() int    { return d.V }
func (d diskStepRecord) version() int { return d.V }
func (d diskEvent) version() int      { return d.V }
func (d diskIssued) version() int     { return d.V }
func (d diskStanding) version() int   { return d.V }
func (d diskAccount) version() int    { return d.V }

// unpack decodes a record and refuses one of a newer version. A nil value
// leaves record, a pointer, as it is.
func unpack(key string, value []byte, record versioned) error {
	if value == nil {
		return nil
	}
	err := json.Unmarshal(value, record)
	v := record.version()
	if err != nil {
		var head struct {
			V int `json:"v"`
		}
		_ = json.Unmarshal(value, &head) // what cannot be read at all has version 0
		v = head.V
	}
	if v > diskVersion {
		return fmt.Errorf("record %s has version %d and this certmedic reads up to %d: use a newer certmedic", key, v, diskVersion)
	}
	if err != nil {
		return fmt.Errorf("record %s cannot be read: %w", key, err)
	}
	if v < 1 {
		return fmt.Errorf("record %s has no version", key)
	}
	return nil
}
