package incident

// What is on disk: keys and encodings. The types here are apart from the ones
// people see (incident.go), so that either can change alone.
//
// Keys, all under "incident/" (numbers padded so that they sort):
//
//	incident/counter                   the last incident number
//	incident/record/00000007           diskIncident of INC-7
//	incident/index/00000007            what List looks at, a few bytes
//	incident/open/<certificate>/00000007   of each incident that is not closed
//	incident/key/<sum>                 number of the incident declared with that key
//	incident/alert/<certificate>       diskAlert, the last one posted about it
//	incident/tasks                     the last number of an action item
//	incident/task/00000003             number of the incident of T-3
//	incident/taskopen/00000003         the same, while it is not done
//	incident/draft/00000007            "7" while INC-7 is closed and its postmortem not shared
//	incident/export/00000003           diskRead of T-3, while it is to be exported or read in its tracker
//	incident/remind/00000007           diskReminders
//	incident/out/00000007              "7" while an update of INC-7 is under way, or a target shows it
//	incident/INC-7/update/00000002     diskUpdate of its U-2
//	incident/publish/00000007          diskPublish, see publish.go
//	incident/publishdue/00000007       "7" while its publication is to be worked off
//	incident/INC-7/line/00000001       diskLine, in the order of writing
//	incident/INC-7/key/<sum>           number of the line written with that key
//	incident/pin/<sum>                 number of the incident that has that chat message
//	incident/gone/00000007             diskGone: INC-7 was removed by rule, see retire.go
//	image/INC-7/...                    images of pinned messages, see image.go
//	words/00000007/00000042            words to search, see words.go
//
// The rule for changing a type: a new field is added with omitempty or
// omitzero, so that an old value still encodes to the same bytes (Verify
// depends on it); any other change raises V, keeps the old type beside the new
// one for reading, and never rewrites a line.

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

const (
	diskVersion = 1

	keyCounter = "incident/counter"
	keyRecord  = "incident/record/"
	keyIndex   = "incident/index/"
	keyOpen    = "incident/open/"
	keyDeclare = "incident/key/"
	keyAlert   = "incident/alert/"
	keyPin     = "incident/pin/"
	keyGone    = "incident/gone/"
	keyImage   = "image/"

	keyTasks    = "incident/tasks"
	keyTask     = "incident/task/"
	keyTaskOpen = "incident/taskopen/"
	keyDraft    = "incident/draft/"
	keyRemind   = "incident/remind/"
	keyExport   = "incident/export/"
	keyOut      = "incident/out/"

	keyPublish    = "incident/publish/"
	keyPublishDue = "incident/publishdue/"
)

// diskIncident is an incident's record, version 1.
type diskIncident struct {
	V            int              `json:"v"`
	Num          int              `json:"num"`
	Title        string           `json:"title"`
	Severity     int              `json:"severity"`
	Status       string           `json:"status"`
	Drill        bool             `json:"drill,omitempty"`
	Private      bool             `json:"private,omitempty"`
	Certificates []string         `json:"certificates,omitempty"`
	Owner        string           `json:"owner,omitempty"`
	Commander    diskPerson       `json:"commander,omitzero"`
	DeclaredBy   diskPerson       `json:"declared_by,omitzero"`
	Declared     time.Time        `json:"declared"`
	Impact       string           `json:"impact,omitempty"`
	Claims       []diskClaim      `json:"claims,omitempty"` // at most one of each kind and source
	Temps        []diskTemp       `json:"temps,omitempty"`
	Tasks        []diskTask       `json:"tasks,omitempty"`
	Roles        []diskRole       `json:"roles,omitempty"`
	Invited      []diskPerson     `json:"invited,omitempty"`
	DuplicateOf  int              `json:"duplicate_of,omitempty"`
	OtherOpen    bool             `json:"other_open,omitempty"` // DuplicateOf is not private: a private one names it
	Spoke        time.Time        `json:"spoke,omitzero"`
	DraftDone    time.Time        `json:"draft_done,omitzero"`
	DraftStates  []diskDraftState `json:"draft_states,omitempty"`
	Sections     map[string]int   `json:"sections,omitempty"` // by section of the postmortem: the last entry with words for it
	Disputes     []diskClaim      `json:"disputes,omitempty"` // times people said that do not count; at most one of each kind
	ImageBytes   int64            `json:"image_bytes,omitempty"`
	Entries      int              `json:"entries"`         // number of the last entry
	Lines        int              `json:"lines"`           // number of the last line
	Head         string           `json:"head"`            // hash of the last line
	Words        int              `json:"words,omitempty"` // number of the last line whose words are noted, see words.go
	Updated      time.Time        `json:"updated"`

	// Status updates, see update.go.
	Updates int          `json:"updates,omitempty"` // number of the last one
	Asking  []diskAsking `json:"asking,omitempty"`  // those that wait for approval
	Out     *diskOut     `json:"out,omitempty"`     // what is under way outside
}

type diskPerson struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Platform string `json:"platform,omitempty"`
}

// diskClaim is one time claimed for a milestone by one source. Which one counts
// is worked out when the record is read (milestone.go).
type diskClaim struct {
	Kind     string     `json:"kind"`
	Source   string     `json:"source"`
	At       time.Time  `json:"at"`
	Recorded time.Time  `json:"recorded"`
	Text     string     `json:"text,omitempty"`
	By       diskPerson `json:"by,omitzero"`
}

// diskLine is a line of a timeline, version 1. It is written once. Who, text
// and evidence enter the hash through salted digests: taking a person's name
// out later replaces the part and leaves its digest, and the chain still fits.
type diskLine struct {
	V        int             `json:"v"`
	Line     int             `json:"line"`
	Entry    int             `json:"entry"`
	Version  int             `json:"version"`
	At       time.Time       `json:"at"`
	Recorded time.Time       `json:"recorded"`
	Kind     string          `json:"kind"`
	Link     string          `json:"link,omitempty"`
	Key      string          `json:"key,omitempty"`
	Dropped  bool            `json:"dropped,omitempty"`
	By       diskPerson      `json:"by,omitzero"`
	Text     string          `json:"text,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"` // as written: Evidence in JSON
	Salts    diskParts       `json:"salts"`
	Digests  diskParts       `json:"digests,omitzero"` // of a part that was taken out; its salt is then empty
	Prev     string          `json:"prev,omitempty"`
	Hash     string          `json:"hash"`
}

// diskParts is one value, in hexadecimal, for each part that can be taken out.
type diskParts struct {
	By       string `json:"by,omitempty"`
	Text     string `json:"text,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

func toDisk(p Person) diskPerson { return diskPerson(p) }

func (p diskPerson) person() Person { return Person(p) }

// number returns 7 for "INC-7", or ErrNotFound.
func number(id string) (int, error) {
	digits, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(id)), "INC-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != digits {
		return 0, fmt.Errorf("incident %.40q: %w", id, ErrNotFound)
	}
	return n, nil
}

func idOf(num int) string { return "INC-" + strconv.Itoa(num) }

func padded(n int) string { return fmt.Sprintf("%08d", n) }

func linePrefix(num int) string { return "incident/" + idOf(num) + "/line/" }

func lineKey(num, line int) string { return linePrefix(num) + padded(line) }

// onceKey is where the line with an idempotence key is noted. Keys are
// strangers' text, hence the sum.
func onceKey(num int, key string) string { return "incident/" + idOf(num) + "/key/" + sum(key) }

func openPrefix(certificate string) string { return keyOpen + url.PathEscape(certificate) + "/" }

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// getIncident reads a record, or returns ErrNotFound.
func getIncident(tx store.Tx, num int) (diskIncident, error) {
	var r diskIncident
	v, err := tx.Get(keyRecord + padded(num))
	if err != nil {
		return r, fmt.Errorf("read %s: %w", idOf(num), err)
	}
	if v == nil {
		return r, fmt.Errorf("incident %s: %w", idOf(num), ErrNotFound)
	}
	return decodeIncident(num, v)
}

func decodeIncident(num int, v []byte) (diskIncident, error) {
	var r diskIncident
	if err := json.Unmarshal(v, &r); err != nil {
		return r, fmt.Errorf("decode %s: %w", idOf(num), err)
	}
	if r.V != diskVersion {
		return r, fmt.Errorf("decode %s: version %d is not known here", idOf(num), r.V)
	}
	return r, nil
}

// putIncident writes a record and keeps the indexes beside it right. Keys put
// or deleted: the record, the mark that its number is due (numbers.go), at most
// one index, and when it ends, opens or is joined by a certificate one for each
// certificate.
func putIncident(tx store.Tx, r diskIncident) error {
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", idOf(r.Num), err)
	}
	if err := tx.Put(keyRecord+padded(r.Num), v); err != nil {
		return err
	}
	if err := numberDue(tx, r.Num); err != nil {
		return err
	}
	index := indexOf(r)
	old, err := tx.Get(keyIndex + padded(r.Num))
	if err != nil || string(old) == index {
		return err
	}
	if err := tx.Put(keyIndex+padded(r.Num), []byte(index)); err != nil {
		return err
	}
	if parseIndex(old).opens(parseIndex([]byte(index))) {
		return nil
	}
	certificates := r.Certificates
	if len(certificates) == 0 {
		certificates = []string{""}
	}
	for _, c := range certificates {
		k := openPrefix(c) + padded(r.Num)
		if Status(r.Status).over() {
			err = tx.Delete(k)
		} else {
			err = tx.Put(k, []byte{'1'})
		}
		if err != nil {
			return err
		}
	}
	if len(r.Certificates) > 0 && old != nil { // declared without a certificate, joined by one since
		return tx.Delete(openPrefix("") + padded(r.Num))
	}
	return nil
}

// over reports whether nothing is left to do.
func (s Status) over() bool { return s == Closed || s == Cancelled || s == Duplicate }

// getCounter and putCounter hold the last incident number.
func getCounter(tx store.Tx) (int, error) {
	v, err := tx.Get(keyCounter)
	if err != nil || v == nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		return 0, fmt.Errorf("decode %s: %w", keyCounter, err)
	}
	return n, nil
}

func putCounter(tx store.Tx, n int) error { return tx.Put(keyCounter, []byte(strconv.Itoa(n))) }

// incident turns a record into what people see.
func (r diskIncident) incident() Incident {
	i := Incident{
		ID: idOf(r.Num), Title: r.Title, Severity: Severity(r.Severity), Status: Status(r.Status),
		Drill: r.Drill, Private: r.Private, Certificates: append([]string{}, r.Certificates...),
		Owner: r.Owner, Commander: r.Commander.person(), DeclaredBy: r.DeclaredBy.person(),
		Declared: r.Declared, Impact: r.Impact, Entries: r.Entries, Updated: r.Updated,
	}
	i.Milestones, i.Conflicts = r.milestones()
	i.Temps = []Temp{}
	for n, t := range r.Temps {
		i.Temps = append(i.Temps, t.temp(n+1))
	}
	i.Spoke, i.DraftDone, i.DraftStates = r.Spoke, r.DraftDone, r.draftStates()
	i.Roles = []Role{}
	for _, o := range r.Roles {
		i.Roles = append(i.Roles, Role{Name: o.Name, Person: o.Person.person()})
	}
	for _, p := range r.Invited {
		i.Invited = append(i.Invited, p.person())
	}
	if r.DuplicateOf > 0 && (!r.Private || r.OtherOpen) {
		i.DuplicateOf = idOf(r.DuplicateOf)
	}
	for _, a := range r.Asking {
		i.Asking = append(i.Asking, Asking{Update: updateName(a.N), Since: a.Since, By: a.By.person()})
	}
	i.Updates, i.Shown = r.Updates, slices.Clone(r.out().Open)
	i.Tasks = []Task{}
	for _, t := range r.Tasks {
		i.Tasks = append(i.Tasks, t.task(r.Num))
	}
	return i
}

// entry turns a line into what people see.
func (l diskLine) entry(num int) (Entry, error) {
	e := Entry{
		ID: "E-" + strconv.Itoa(l.Entry), Incident: idOf(num), At: l.At, Recorded: l.Recorded,
		By: l.By.person(), Kind: l.Kind, Text: l.Text, Link: l.Link, Key: l.Key,
		Version: l.Version, Dropped: l.Dropped, Prev: l.Prev, Hash: l.Hash,
	}
	if len(l.Evidence) > 0 {
		if err := json.Unmarshal(l.Evidence, &e.Evidence); err != nil {
			return e, fmt.Errorf("decode evidence of %s %s: %w", e.Incident, e.ID, err)
		}
	}
	return e, nil
}
