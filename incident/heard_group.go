package incident

// In this file: alerts filed in groups. Those about one certificate that come
// in quick succession are one group; within it, alerts of one source with one
// title are one kind. A group is bounded however many alerts it holds: it
// counts them.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// AlertPause is how long after the last alert another one is still of the
// same group.
const AlertPause = 15 * time.Minute

// policies from the one that does least to the one that does most.
var policies = []string{"", "entry", "suggest", "declare"}

// maxKinds and maxGroupHosts bound a group.
const (
	maxKinds      = 8
	maxGroupHosts = 10
	maxEvents     = 16
)

// AlertGroup is alerts of one cause.
type AlertGroup struct {
	ID          string
	Certificate string    // name in the inventory; "": they fit none
	Source      string    // of the first alert
	Policy      string    // that of its alerts which does most
	First, Last time.Time // received
	Kinds       []AlertKind
	More        int      // alerts of further kinds
	Hosts       []string // that they name, some of them
	Rev         int      // grows with each change
	InMain      bool     // a message of it stands in main
	Incident    string   // declared because of it
}

// AlertKind is the alerts of a group that say the same.
type AlertKind struct {
	Source   string    `json:"source"`
	Title    string    `json:"title"`
	Text     string    `json:"text,omitempty"` // of the first
	Link     string    `json:"link,omitempty"`
	Severity string    `json:"severity,omitempty"`
	Policy   string    `json:"policy,omitempty"` // of its source
	ID       string    `json:"id"`               // of the first
	Started  time.Time `json:"started,omitzero"`
	First    time.Time `json:"first"` // received
	Count    int       `json:"count"` // how many alerts
	Firing   int       `json:"firing"`
	Over     time.Time `json:"over,omitzero"` // when it was received that the last one is over
	OverBy   string    `json:"over_by,omitempty"`
	Cycle    int       `json:"cycle,omitempty"` // how often all were over and one fired again
	Taken    time.Time `json:"taken,omitzero"`  // when it was received that somebody took it on
	TakenBy  string    `json:"taken_by,omitempty"`
}

// diskGroup is a group, version 1. AlertKind on disk is as people see it: its
// fields follow the rule of disk.go.
type diskGroup struct {
	V           int         `json:"v"`
	Certificate string      `json:"certificate,omitempty"`
	Source      string      `json:"source"`
	Policy      string      `json:"policy,omitempty"`
	First       time.Time   `json:"first"`
	Last        time.Time   `json:"last"`
	Kinds       []AlertKind `json:"kinds"`
	More        int         `json:"more,omitempty"`
	Hosts       []string    `json:"hosts,omitempty"`
	Rev         int         `json:"rev"`
	InMain      bool        `json:"in_main,omitempty"`
	Incident    string      `json:"incident,omitempty"`
}

// diskKnown is what is known of one alert, version 1.
type diskKnown struct {
	V        int       `json:"v"`
	Group    string    `json:"g"`
	Kind     int       `json:"n"` // in the group; -1: none of its own
	State    string    `json:"s"`
	Happened time.Time `json:"h,omitzero"`
	Heard    time.Time `json:"t"`
	Events   []string  `json:"e,omitempty"` // the last ones, shortened sums
}

func (g diskGroup) group(id string) AlertGroup {
	return AlertGroup{ID: id, Certificate: g.Certificate, Source: g.Source, Policy: g.Policy, First: g.First, Last: g.Last, Kinds: g.Kinds, More: g.More, Hosts: g.Hosts, Rev: g.Rev, InMain: g.InMain, Incident: g.Incident}
}

// Count is how many alerts the group holds, Firing how many of the kinds that
// it tells apart are not over.
func (g AlertGroup) Count() int {
	n := g.More
	for _, k := range g.Kinds {
		n += k.Count
	}
	return n
}

// Firing is how many alerts are not over, as far as kinds are told apart.
func (g AlertGroup) Firing() int {
	n := 0
	for _, k := range g.Kinds {
		n += k.Firing
	}
	return n
}

// subject is what a group's key is made of.
func subject(certificate, source string) string {
	if certificate == "" {
		return sum("source\x00" + source)[:32]
	}
	return sum("certificate\x00" + certificate)[:32]
}

// FileAlerts files a parcel's alerts. certificateOf says which certificate an
// alert is about, "" for none. An alert that says nothing new changes nothing,
// so filing a parcel twice is filing it once. It returns how many were new.
func (b *Book) FileAlerts(ctx context.Context, p Parcel, certificateOf func(HeardAlert) string) (fresh int, err error) {
	type filed struct {
		a    HeardAlert
		cert string
		subj string
	}
	var all []filed
	for _, a := range p.Alerts {
		cert := certificateOf(a)
		all = append(all, filed{a, cert, subject(cert, a.Source)})
	}
	slices.SortStableFunc(all, func(x, y filed) int { return strings.Compare(x.subj, y.subj) }) // fewer groups in a transaction
	for len(all) > 0 {
		done, count := 0, 0
		err := b.s.Update(ctx, func(tx store.Tx) error {
			done, count = 0, 0
			f := &filing{tx: tx, groups: map[string]*diskGroup{}, newest: map[string]string{}}
			for _, x := range all {
				if done+2*len(f.touched)+3 > store.MaxKeys { // a key for each alert, two for each group
					break
				}
				changed, err := f.file(x.a, x.cert, x.subj)
				if err != nil {
					return err
				}
				if done++; changed {
					count++
				}
			}
			return f.flush()
		})
		if err != nil {
			return fresh, fmt.Errorf("file alerts: %w", err)
		}
		fresh, all = fresh+count, all[done:]
	}
	return fresh, nil
}

// filing is the groups open for writing inside a transaction.
type filing struct {
	tx      store.Tx
	groups  map[string]*diskGroup // by id
	newest  map[string]string     // id of the newest group of a subject
	touched []string
}

// file files one alert.
func (f *filing) file(a HeardAlert, cert, subj string) (changed bool, err error) {
	key := keyHeardID + sum(a.Source + "\x00" + a.ID)[:32]
	var old diskKnown
	v, err := f.tx.Get(key)
	if err != nil {
		return false, err
	}
	if v != nil {
		if err := json.Unmarshal(v, &old); err != nil {
			return false, fmt.Errorf("decode %s: %w", key, err)
		}
	}
	event := ""
	if a.Event != "" {
		event = sum(a.Event)[:12]
	}
	stale := !a.Happened.IsZero() && a.Happened.Before(old.Happened)
	if v != nil && (event == "" && old.State == a.State || event != "" && slices.Contains(old.Events, event) || stale) {
		if a.At.Sub(old.Heard) < day {
			return false, nil
		}
		old.Heard = a.At
		return false, f.put(key, old)
	}
	id, g, err := f.groupFor(a, old, cert, subj)
	if err != nil {
		return false, err
	}
	know := diskKnown{V: diskVersion, Group: id, Kind: g.take(a, old, id), State: a.State, Happened: a.Happened, Heard: a.At, Events: old.Events}
	if event != "" {
		know.Events = append(know.Events, event)
		know.Events = know.Events[max(0, len(know.Events)-maxEvents):]
	}
	return true, f.put(key, know)
}

func (f *filing) put(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return f.tx.Put(key, b)
}

// groupFor finds the group of an alert: what becomes of an alert is told where
// it fired; what fires joins the newest group of its certificate, or begins
// one when nothing was heard for AlertPause.
func (f *filing) groupFor(a HeardAlert, old diskKnown, cert, subj string) (string, *diskGroup, error) {
	if old.Group != "" && a.State != Firing {
		g, err := f.group(old.Group)
		if err != nil {
			return "", nil, err
		}
		if g != nil {
			return old.Group, f.touch(old.Group, g), nil
		}
	}
	id, known := f.newest[subj]
	if !known {
		err := f.tx.Scan(store.Range{Prefix: keyHeardGroup + subj + "/", Reverse: true, Limit: 1}, func(key string, _ []byte) error {
			id = key[len(keyHeardGroup):]
			return nil
		})
		if err != nil {
			return "", nil, err
		}
	}
	if id != "" {
		g, err := f.group(id)
		if err != nil {
			return "", nil, err
		}
		if g != nil && a.At.Sub(g.Last) <= AlertPause && a.At.Sub(g.Last) >= -day {
			return id, f.touch(id, g), nil
		}
	}
	id = fmt.Sprintf("%s/%020d", subj, a.At.UnixNano())
	for f.groups[id] != nil {
		id += "x" // two groups of one moment
	}
	f.newest[subj] = id
	g := &diskGroup{V: diskVersion, Certificate: cert, Source: a.Source, First: a.At, Last: a.At}
	f.groups[id] = g
	return id, f.touch(id, g), nil
}

// group reads a group; nil when it is not kept any more.
func (f *filing) group(id string) (*diskGroup, error) {
	if g := f.groups[id]; g != nil {
		return g, nil
	}
	v, err := f.tx.Get(keyHeardGroup + id)
	if err != nil || v == nil {
		return nil, err
	}
	g := &diskGroup{}
	if err := json.Unmarshal(v, g); err != nil {
		return nil, fmt.Errorf("decode %s: %w", keyHeardGroup+id, err)
	}
	if g.V != diskVersion {
		return nil, fmt.Errorf("decode %s: version %d is not known here", keyHeardGroup+id, g.V)
	}
	f.groups[id] = g
	return g, nil
}

func (f *filing) touch(id string, g *diskGroup) *diskGroup {
	if !slices.Contains(f.touched, id) {
		f.touched = append(f.touched, id)
	}
	return g
}

// flush writes the groups that changed, each with its mark that something is
// to be done about it.
func (f *filing) flush() error {
	for _, id := range f.touched {
		g := f.groups[id]
		g.Rev++
		if err := f.put(keyHeardGroup+id, *g); err != nil {
			return err
		}
		if err := f.tx.Put(keyHeardDue+id, []byte{'1'}); err != nil {
			return err
		}
	}
	return nil
}

// take counts an alert in and returns its kind's number.
func (g *diskGroup) take(a HeardAlert, old diskKnown, id string) int {
	if a.At.After(g.Last) {
		g.Last = a.At
	}
	if slices.Index(policies, a.Policy) > slices.Index(policies, g.Policy) {
		g.Policy = a.Policy
	}
	for _, h := range a.Hosts {
		if len(g.Hosts) < maxGroupHosts && !slices.Contains(g.Hosts, h) {
			g.Hosts = append(g.Hosts, h)
		}
	}
	same := old.Group == id && old.Kind >= 0 && old.Kind < len(g.Kinds)
	n := -1
	if same {
		n = old.Kind
	} else {
		n = slices.IndexFunc(g.Kinds, func(k AlertKind) bool { return k.Source == a.Source && k.Title == a.Title })
	}
	if n < 0 {
		if len(g.Kinds) >= maxKinds {
			if old.Group != id {
				g.More++
			}
			return -1
		}
		n = len(g.Kinds)
		g.Kinds = append(g.Kinds, AlertKind{Source: a.Source, Title: a.Title, Text: a.Text, Link: a.Link, Severity: a.Severity, Policy: a.Policy, ID: a.ID, Started: a.Started, First: a.At})
	}
	k := &g.Kinds[n]
	if !same {
		k.Count++
	}
	if !a.Started.IsZero() && (k.Started.IsZero() || a.Started.Before(k.Started)) {
		k.Started = a.Started
	}
	wasFiring := same && old.State != Over
	switch a.State {
	case Firing:
		if !k.Over.IsZero() {
			k.Cycle, k.Over, k.OverBy = k.Cycle+1, time.Time{}, ""
		}
		if !wasFiring {
			k.Firing++
		}
	case AlertHandled:
		if !wasFiring { // it fired before we heard of it
			k.Firing++
		}
		if k.Taken.IsZero() {
			k.Taken, k.TakenBy = a.At, a.By
		}
	case Over:
		if wasFiring {
			k.Firing--
		}
		if k.Firing == 0 {
			k.Over, k.OverBy = a.At, a.By
		}
	}
	return n
}
