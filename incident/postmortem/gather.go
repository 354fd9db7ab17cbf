package postmortem

import (
	"slices"
	"sort"
	"strings"
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
	byName    map[string]*host
	renewals  []*renewal
	checks    []incident.Entry
	alerts    []incident.Entry
	reports   []incident.Entry
	temps     []incident.Entry
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
}

// stretch is a state from a moment on.
type stretch struct {
	at    time.Time
	state string
	entry string
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
	v := view{i: i, entries: timeline, byName: map[string]*host{}, from: i.Declared, to: i.Declared}
	for _, e := range timeline {
		switch e.Kind {
		case incident.Alert:
			v.alerts = append(v.alerts, e)
		case incident.Report:
			v.reports = append(v.reports, e)
		case "temp":
			v.temps = append(v.temps, e)
		}
		if e.Evidence.Step.Step != "" {
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
		sort.SliceStable(h.states, func(a, b int) bool { return h.states[a].at.Before(h.states[b].at) })
	}
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

// step reads a step of a renewal.
func (v *view) step(e incident.Entry) {
	s := e.Evidence.Step
	r := v.renewal(s.Renewal)
	r.steps = append(r.steps, e)
	for _, set := range []struct {
		to   *string
		from string
	}{{&r.certificate, s.Certificate}, {&r.order, s.Order}, {&r.challenge, s.Challenge}, {&r.issuer, s.Issuer}} {
		if set.from != "" {
			*set.to = set.from
		}
	}
	if s.AfterSHA256 != "" && s.Step != "rollback" {
		r.issued = leaf{s.AfterSerial, s.AfterSHA256, s.Issuer, s.AfterUntil}
	}
	if s.Step == "ask" && r.askedBy == "" {
		r.askedBy = e.By.Name
	}
	if s.Outcome == "failed" {
		v.failures = append(v.failures, e)
	}
	if s.Host == "" || s.Outcome != "ok" {
		return
	}
	h := v.host(s.Host)
	if s.BeforeSHA256 != "" && h.before.sha256 == "" {
		h.before = leaf{serial: s.BeforeSerial, sha256: s.BeforeSHA256, until: s.BeforeUntil}
	}
	switch s.Step {
	case "deploy":
		h.placed = e
	case "verify":
		h.proven = e
		if s.AfterSHA256 != "" {
			h.after = leaf{s.AfterSerial, s.AfterSHA256, s.Issuer, s.AfterUntil}
		}
		h.states = append(h.states, stretch{e.At, renewed, e.ID})
	case "rollback":
		r.rolledBack = true
		h.placed, h.proven, h.after = incident.Entry{}, incident.Entry{}, leaf{}
		h.states = append(h.states, stretch{e.At, unseen, e.ID})
	}
}

// approval reads a decision.
func (v *view) approval(e incident.Entry) {
	a := e.Evidence.Approval
	r := v.renewal(a.Renewal)
	if a.AskedBy != "" {
		r.askedBy = a.AskedBy
	}
	switch a.Decision {
	case "asked":
		if r.asked.ID == "" {
			r.asked = e
		}
	case "approved":
		r.approved = e
		asked := a.Asked
		if asked.IsZero() {
			asked = r.asked.At
		}
		if !asked.IsZero() && e.At.After(asked) {
			r.wait = e.At.Sub(asked)
		}
	}
}

// check reads what hosts served.
func (v *view) check(e incident.Entry) {
	c := e.Evidence.Check
	v.checks = append(v.checks, e)
	if c.Verdict == "critical" {
		v.bad = append(v.bad, e)
	} else if c.Verdict == "good" && len(v.bad) > 0 {
		if v.firstGood.ID == "" || v.firstGood.At.Before(v.bad[len(v.bad)-1].At) {
			v.firstGood = e
		}
	}
	for _, hc := range c.Hosts {
		h := v.host(nameOf(hc))
		l := leaf{hc.Serial, hc.SHA256, hc.Issuer, hc.NotAfter}
		state := unseen
		switch {
		case hc.State == "critical":
			state, h.failed = failing, true
			v.failedIn = or(v.failedIn, e.ID)
			expired := slices.Contains(hc.Findings, "expired")
			if expired && !h.checked && !hc.NotAfter.IsZero() && hc.NotAfter.Before(e.At) {
				h.states = append(h.states, stretch{hc.NotAfter, failing, e.ID})
			}
		case hc.State == "good", hc.State == "warning":
			if state = good; v.isNew(hc.SHA256) {
				state = renewed
			}
		}
		switch {
		case l.sha256 == "":
		case v.isNew(l.sha256):
			if h.after.sha256 == "" {
				h.after = l
			}
			h.after.issuer = or(h.after.issuer, l.issuer)
		case h.before.sha256 == "" || h.before.sha256 == l.sha256:
			h.before = l
		}
		h.checked = true
		h.states = append(h.states, stretch{e.At, state, e.ID})
		for _, id := range hc.Findings {
			v.find(id, h.name, e.ID)
		}
	}
}

func nameOf(h incident.HostCheck) string { return or(h.Host, h.Address) }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// isNew reports whether a renewal of this record issued the certificate.
func (v *view) isNew(sha256 string) bool {
	return sha256 != "" && slices.ContainsFunc(v.renewals, func(r *renewal) bool { return strings.EqualFold(r.issued.sha256, sha256) })
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
