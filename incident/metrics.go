package incident

import (
	"strconv"
	"strings"
	"time"
)

// In this file: durations worked out from milestones and lines.

// spans are the metrics between milestones. The first four pass the baton; the
// last two are what people felt, hence from the start.
var spans = []struct{ name, from, to string }{
	{"detect", Started, Detected},
	{"declare", Detected, Declared},
	{"acknowledge", Declared, Acknowledged},
	{"identify", Declared, IdentifiedAt},
	{"mitigate", Started, Mitigated},
	{"resolve", Started, ResolvedAt},
}

// MetricsOf computes the metrics from an incident and its timeline. While the
// incident lasts, open spans end at now.
//
//	detect       started to detected
//	declare      detected to declared
//	acknowledge  declared to acknowledged (a commander is set)
//	identify     declared to identified
//	mitigate     started to mitigated (every endpoint good again)
//	resolve      started to resolved
//
// A span whose end lies before its beginning by more than a minute is left out
// (the contradiction is in Conflicts); by less, it is 0. BySeverity counts the
// time from declared to resolved, ByStatus from declared to closed, both by
// when the changes happened; after a reopening the parts are added up.
//
// ApprovalWait adds up, over renewals, the time from asked to decided.
// ApprovalToLast is, of the last renewal that had a host verified, the time
// from its approval (or from the record that it needed none) to that.
func MetricsOf(i Incident, timeline []Entry, now time.Time) Metrics {
	m := Metrics{Spans: []Span{}, BySeverity: []Span{}, ByStatus: []Span{}}
	for _, s := range spans {
		if span, ok := between(i, s.name, s.from, s.to, now); ok {
			m.Spans = append(m.Spans, span)
		}
	}
	m.walk(i, timeline, now)
	m.approvals(i, timeline, now)
	return m
}

// between returns the span between two milestones.
func between(i Incident, name, from, to string, now time.Time) (Span, bool) {
	a, known := i.Milestone(from)
	if !known {
		return Span{}, false
	}
	s := Span{Name: name, From: a.At}
	if b, ok := i.Milestone(to); ok {
		s.To = b.At
	} else if i.Status.Open() && now.After(a.At) {
		s.To, s.Open = now, true
	} else {
		return Span{}, false
	}
	if s.Took = s.To.Sub(s.From); s.Took < 0 {
		if s.Took < -slack {
			return Span{}, false
		}
		s.Took = 0
	}
	return s, true
}

// walk adds up the time in each status and severity.
func (m *Metrics) walk(i Incident, timeline []Entry, now time.Time) {
	status, severity := Investigating, firstSeverity(i, timeline)
	at, end := i.Declared, now
	if c, ok := i.Milestone(ClosedAt); ok && i.Status == Closed {
		end = c.At
	}
	pass := func(to time.Time) {
		if to.After(end) {
			to = end
		}
		if !to.After(at) {
			return
		}
		add(&m.ByStatus, string(status), at, to)
		if status.Open() {
			add(&m.BySeverity, severity, at, to)
		}
		at = to
	}
	var over time.Time // when it was closed, cancelled or a duplicate; until reopened nothing counts
	for _, e := range timeline {
		switch c := e.Evidence.Change; c.What {
		case "status":
			if Status(c.To).over() {
				over = e.At
				if c.To == string(Closed) {
					continue // its time is the milestone's, unless it is reopened
				}
			}
			if c.From == "" {
				continue // declared: its time is the milestone's
			}
			if Status(c.From).over() && !over.IsZero() {
				pass(over)
				if over = (time.Time{}); e.At.After(at) {
					at = e.At
				}
			}
			pass(e.At)
			status = Status(c.To)
		case "severity":
			pass(e.At)
			severity = c.To
		}
	}
	if !status.over() {
		pass(end)
	}
	if i.Status.Open() {
		mark(m.ByStatus, string(status))
		mark(m.BySeverity, severity)
	}
}

// add puts a stretch of time to the span of that name.
func add(list *[]Span, name string, from, to time.Time) {
	for n := range *list {
		if s := &(*list)[n]; s.Name == name {
			s.To = to
			s.Took += to.Sub(from)
			return
		}
	}
	*list = append(*list, Span{Name: name, From: from, To: to, Took: to.Sub(from)})
}

func mark(list []Span, name string) {
	for n := range list {
		list[n].Open = list[n].Open || list[n].Name == name
	}
}

// firstSeverity is the severity declared: what the first change written came from.
func firstSeverity(i Incident, timeline []Entry) string {
	first, at := "SEV"+strconv.Itoa(int(i.Severity)), time.Time{}
	for _, e := range timeline {
		c := e.Evidence.Change
		if c.What == "severity" && strings.HasPrefix(c.From, "SEV") && (at.IsZero() || e.Recorded.Before(at)) {
			first, at = c.From, e.Recorded
		}
	}
	return first
}

// approvals computes the two spans about approval.
func (m *Metrics) approvals(i Incident, timeline []Entry, now time.Time) {
	type renewal struct {
		asked, decided, approved, verified time.Time
	}
	byID := map[string]*renewal{}
	var order []*renewal
	of := func(id string) *renewal {
		if byID[id] == nil {
			byID[id] = &renewal{}
			order = append(order, byID[id])
		}
		return byID[id]
	}
	for _, e := range timeline {
		a, s := e.Evidence.Approval, e.Evidence.Step
		if a.Decision != "" {
			r := of(a.Renewal)
			if a.Decision != "not needed" && r.asked.IsZero() {
				if r.asked = a.Asked; r.asked.IsZero() {
					r.asked = e.At
				}
			}
			if a.Decision != "asked" && r.decided.IsZero() {
				r.decided = e.At
				if a.Decision != "denied" {
					r.approved = e.At
				}
			}
		}
		if s.Step == "verify" && s.Outcome == "ok" {
			of(s.Renewal).verified = e.At
		}
	}
	var last time.Time
	for _, r := range order {
		end := r.decided
		if end.IsZero() && i.Status.Open() {
			end = now
		}
		if !r.asked.IsZero() && end.After(r.asked) {
			m.ApprovalWait += end.Sub(r.asked)
		}
		if !r.approved.IsZero() && r.verified.After(r.approved) && r.verified.After(last) {
			last = r.verified
			m.ApprovalToLast = r.verified.Sub(r.approved)
		}
	}
}
