package postmortem

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// States of a host in the picture and the tables.
const (
	good    = "good"
	failing = "failing"
	renewed = "new certificate"
	unseen  = "not checked"
)

// view is what the record says, gathered from the evidence of its entries.
type view struct {
	i         incident.Incident
	entries   []incident.Entry
	from, to  time.Time // what the picture spans
	hosts     []*host   // by first appearance
	groups    []group   // the same by wave
	byName    map[string]*host
	around    incident.Around
	waves     map[string]int // of hosts by the steps of renewals
	renewals  []*renewal
	checks    []incident.Entry
	alerts    []incident.Entry
	reports   []incident.Entry
	temps     []incident.Entry
	rehearsed []incident.Entry // rehearsals, by when
	overdue   incident.Entry   // since when the renewal was overdue
	failures  []incident.Entry // failed steps
	bad       []incident.Entry // checks with a critical verdict
	failedIn  string           // first check in which a host failed
	firstGood incident.Entry   // first check after bad ones with every host good
	findings  []finding        // by how many hosts, then name
}

// host is one host and what it served over time.
type host struct {
	name           string
	states         []stretch
	before, after  leaf
	placed, proven incident.Entry
	failed         bool
	checked        bool
	wave           int // of the rollout, from 1; 0: not on the record
}

// stretch is a state from a moment on.
type stretch struct {
	at    time.Time
	state string
	entry string
	how   string // of failing: expired, wrong, down or ""
}

type leaf struct {
	serial, sha256, issuer string
	until                  time.Time
}

// renewal is what the entries say of one renewal.
type renewal struct {
	id, certificate, order, challenge, issuer string
	asked, approved                           incident.Entry
	askedBy                                   string
	wait                                      time.Duration
	issued                                    leaf
	steps                                     []incident.Entry
	rolledBack                                bool
}

type finding struct {
	id    string
	hosts []string
	entry string
}

// gather reads the timeline once, in order.
func gather(i incident.Incident, timeline []incident.Entry) view {
	v := view{i: i, entries: timeline, byName: map[string]*host{}, waves: map[string]int{}, from: i.Declared, to: i.Declared}
	for _, e := range timeline {
		switch e.Kind {
		case incident.Alert:
			if e.Evidence.Alert.State == "" { // not that one is over
				v.alerts = append(v.alerts, e)
			}
		case incident.Report:
			v.reports = append(v.reports, e)
		case incident.TempKind:
			if e.Evidence.Change.What == "" { // said as a line alone, without its undoing
				v.temps = append(v.temps, e)
			}
		}
		if e.Evidence.Rehearsal.Certificate != "" {
			v.rehearsed = append(v.rehearsed, e)
		}
		if !e.Evidence.Check.Overdue.IsZero() && v.overdue.ID == "" {
			v.overdue = e
		}
		if e.Evidence.Step.Step != "" && e.Evidence.Step.Renewal != "" {
			v.step(e)
		}
		if e.Evidence.Approval.Decision != "" {
			v.approval(e)
		}
	}
	for _, e := range timeline { // after the steps: they say which certificate is the new one
		if len(e.Evidence.Check.Hosts) > 0 || e.Evidence.Check.Verdict != "" {
			v.check(e)
		}
	}
	for _, h := range v.hosts {
		h.wave = cmp.Or(v.waves[h.name], h.wave)
		sort.SliceStable(h.states, func(a, b int) bool { return h.states[a].at.Before(h.states[b].at) })
	}
	v.groups = intoWaves(v.hosts)
	v.frame()
	return v
}

// frame sets what the picture spans: from the first milestone or failure to
// the resolution and the last change of a host. What people wrote down the day
// after, and the close, are outside.
func (v *view) frame() {
	for _, m := range v.i.Milestones {
		if m.Kind != incident.ClosedAt {
			v.span(m.At)
		}
	}
	for _, h := range v.hosts {
		for _, s := range h.states {
			v.span(s.at)
		}
	}
	if n := len(v.entries); n > 0 && v.i.Status.Open() {
		v.span(v.entries[n-1].At)
	}
}

func (v *view) span(at time.Time) {
	if at.Before(v.from) {
		v.from = at
	}
	if at.After(v.to) {
		v.to = at
	}
}

func (v *view) host(name string) *host {
	h := v.byName[name]
	if h == nil {
		h = &host{name: name}
		v.byName[name] = h
		v.hosts = append(v.hosts, h)
	}
	return h
}

func (v *view) renewal(id string) *renewal {
	for _, r := range v.renewals {
		if r.id == id {
			return r
		}
	}
	r := &renewal{id: id}
	v.renewals = append(v.renewals, r)
	return r
}

func (v *view) find(id, host, entry string) {
	for n := range v.findings {
		if f := &v.findings[n]; f.id == id {
			if !slices.Contains(f.hosts, host) {
				f.hosts = append(f.hosts, host)
			}
			return
		}
	}
	v.findings = append(v.findings, finding{id, []string{host}, entry})
}

// found returns the finding of that id, or a zero one.
func (v *view) found(id string) finding {
	for _, f := range v.findings {
		if f.id == id {
			return f
		}
	}
	return finding{}
}

// failed and proven count hosts that failed and that serve the new certificate.
func (v *view) failed() (names []string) {
	for _, h := range v.hosts {
		if h.failed {
			names = append(names, h.name)
		}
	}
	return names
}

func (v *view) proven() (names []string, last incident.Entry) {
	for _, h := range v.hosts {
		if h.proven.ID != "" {
			names = append(names, h.name)
			if last.ID == "" || h.proven.At.After(last.At) {
				last = h.proven
			}
		}
	}
	return names, last
}

// rehearsals returns the last good rehearsal that the record knows and the
// first bad one after it; zero ones when there were none.
func (v *view) rehearsals() (good, bad incident.Entry) {
	for _, e := range v.rehearsed {
		switch {
		case e.Evidence.Rehearsal.OK && bad.ID == "":
			good = e
		case !e.Evidence.Rehearsal.OK && bad.ID == "":
			bad = e
		}
	}
	return good, bad
}

// answered returns the first line by a person at or after an alert.
func (v *view) answered(alert incident.Entry) (incident.Entry, bool) {
	for _, e := range v.entries {
		if !e.At.Before(alert.At) && !unaided(e) {
			return e, true
		}
	}
	return incident.Entry{}, false
}

// renewalDone returns the last renewal that issued something, or nil.
func (v *view) renewalDone() *renewal {
	for _, r := range slices.Backward(v.renewals) {
		if r.issued.sha256 != "" && !r.rolledBack {
			return r
		}
	}
	return nil
}

// stateAt returns what a host served at a moment.
func (h *host) stateAt(at time.Time) string {
	state := unseen
	for _, s := range h.states {
		if s.at.After(at) {
			break
		}
		state = s.state
	}
	return state
}
