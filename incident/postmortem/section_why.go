package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: contributing factors, detection, lessons and action items:
// what the record suggests. Nothing here says why a person did something.

// slow is from when on a wait is worth a line.
const slow = 15 * time.Minute

// span returns a metric, if it is known and over.
func (w *writer) span(name string) (incident.Span, bool) {
	for _, s := range w.d.Metrics.Spans {
		if s.Name == name && !s.Open {
			return s, true
		}
	}
	return incident.Span{}, false
}

// factors is what the record shows, then what a person must say.
func (w *writer) factors() {
	var lines []string
	add := func(name, source, text string) {
		lines = append(lines, text)
		w.fact(name, text, source, true)
	}
	w.before(add)
	w.wrongly(add)
	for _, f := range w.v.findings {
		if f.id == "renewal_overdue" && w.v.overdue.ID != "" {
			continue // said above, with its time
		}
		add("finding "+f.id, "check "+f.entry, fmt.Sprintf("Checks found %s on %s: %s (first in %s).", code(f.id), count(len(f.hosts), "host"), codes(some(f.hosts)), f.entry))
	}
	for _, e := range w.v.failures {
		s := e.Evidence.Step
		add("failed step", "renewal "+s.Renewal, fmt.Sprintf("At %s the step %s of %s failed: %s (%s)", w.when(e.At), code(s.Step), escape(s.Renewal), escape(e.Text), e.ID))
	}
	for _, e := range w.v.alerts {
		add("alert", e.Kind+" "+e.ID, w.alert(e))
	}
	if len(w.v.alerts) == 0 {
		add("no alert", "record", "No alert is on the record.")
	}
	if s, ok := w.span("detect"); ok && s.Took > 0 {
		add("time unseen", "computed", fmt.Sprintf("It lasted %s before anybody or anything noticed.", incident.Took(s.Took)))
	}
	if wait := w.d.Metrics.ApprovalWait; wait > 0 {
		add("approval wait", "computed", fmt.Sprintf("Approval was waited for during %s.", incident.Took(wait)))
	}
	if o := w.d.Incident.Owner; o != "" {
		text := "The certificate's owner is " + escape(o)
		if n := w.v.around.OwnerPeople; n == 1 {
			text += ", a team of one person"
		} else if n > 1 {
			text += fmt.Sprintf(", a team of %d", n)
		}
		add("owner", "inventory", text+".")
	} else {
		add("no owner", "inventory", "The certificate has no owner on the record.")
	}
	w.list(lines)
	w.list([]string{w.gap("why the certificate was not renewed in time"), w.gap("what made finding or mending it harder")})
}

// before is what was known before it failed: the renewal that did not come,
// and the rehearsals.
func (w *writer) before(add func(name, source, text string)) {
	if e := w.v.overdue; e.ID != "" {
		since := e.Evidence.Check.Overdue
		text := fmt.Sprintf("The renewal of %s was overdue since %s", code(e.Evidence.Check.Certificate), w.when(since))
		if start, ok := w.d.Incident.Milestone(incident.Started); ok && start.At.After(since) {
			text += ", " + incident.Took(start.At.Sub(since)) + " before it began"
		}
		add("overdue since", "check "+e.ID, text+" ("+e.ID+").")
	}
	good, bad := w.v.rehearsals()
	if bad.ID == "" {
		return
	}
	r := bad.Evidence.Rehearsal
	switch {
	case good.ID != "":
		add("last good rehearsal", "rehearsal "+good.ID, fmt.Sprintf("The last rehearsal that worked was at %s (%s).", w.when(good.At), good.ID))
	case !r.LastGood.IsZero():
		add("last good rehearsal", "rehearsal "+bad.ID, fmt.Sprintf("The last rehearsal that worked was at %s.", w.when(r.LastGood)))
	default:
		add("last good rehearsal", "rehearsal "+bad.ID, "No rehearsal that worked is on the record.")
	}
	text := fmt.Sprintf("The rehearsal of %s failed", w.when(bad.At))
	if len(r.Faults) > 0 {
		f := r.Faults[0]
		text += " with " + code(f.Level)
		if f.Addresses != "" {
			text += " at " + code(f.Addresses)
		}
		text += ": " + escape(strings.TrimRight(f.Cause, "."))
	}
	add("failed rehearsal", "rehearsal "+bad.ID, text+" ("+bad.ID+").")
}

// alert says where an alert went and which person answered first; when nobody
// did, that is a gap.
func (w *writer) alert(e incident.Entry) string {
	where := ""
	if room := e.Evidence.Alert.Room; room != "" {
		where = " to the room " + code(room)
	}
	text := fmt.Sprintf("The alert was sent%s at %s (%s). ", where, w.when(e.At), e.ID)
	if where == "" {
		text = fmt.Sprintf("An alert came at %s: %s (%s). ", w.when(e.At), escape(strings.TrimRight(e.Text, ".")), e.ID)
	}
	p, ok := w.v.answered(e)
	if !ok {
		return text + "Nobody's answer is on the record: " + w.missing("who saw the alert of "+e.ID+", and when")
	}
	return text + fmt.Sprintf("The first answer by a person on the record was %s's at %s, %s later (%s).", escape(p.By.Name), w.when(p.At), incident.Took(p.At.Sub(e.At)), p.ID)
}

// detection says how it was noticed.
func (w *writer) detection() {
	m, known := w.d.Incident.Milestone(incident.Detected)
	if !known {
		w.para("%s", w.missing("how it was noticed"))
	} else {
		w.para("It was noticed at %s: %s.", w.when(m.At), escape(how(m)))
	}
	var rows [][]string
	for _, s := range []struct{ name, title string }{
		{"detect", "Started to detected"}, {"declare", "Detected to declared"}, {"acknowledge", "Declared to acknowledged"},
		{"identify", "Declared to identified"}, {"mitigate", "Started to mitigated"}, {"resolve", "Started to resolved"},
	} {
		if span, ok := w.span(s.name); ok {
			rows = append(rows, []string{s.title, incident.Took(span.Took)})
			w.fact("time to "+s.name, incident.Took(span.Took), "computed", true)
		}
	}
	for _, s := range w.d.Metrics.ByStatus {
		rows = append(rows, []string{"In status " + escape(w.d.statuses.Of(incident.Status(s.Name))), incident.Took(s.Took) + lasts(s)})
	}
	if d := w.d.Metrics.ApprovalWait; d > 0 {
		rows = append(rows, []string{"Approval asked to decided", incident.Took(d)})
		w.fact("approval wait", incident.Took(d), "computed", true)
	}
	if d := w.d.Metrics.ApprovalToLast; d > 0 {
		from := "Asked"
		if w.v.approved() {
			from = "Approval"
		}
		rows = append(rows, []string{from + " to the last host verified", incident.Took(d)})
		w.fact("approval to verified", incident.Took(d), "computed", true)
	}
	w.table([]string{"Span", "Time"}, rows)
	w.para("%s", w.gap("what should have noticed it sooner"))
}

// approved reports whether somebody approved a renewal.
func (v *view) approved() bool {
	return slices.ContainsFunc(v.renewals, func(r *renewal) bool { return r.approved.ID != "" })
}

// lessons are proposals; people decide.
func (w *writer) lessons() {
	well, poor, luck := w.proposedLessons()
	for _, part := range []struct {
		title string
		list  []string
		gap   string
	}{{"What went well", well, "what went well"}, {"What went poorly", poor, "what went poorly"}, {"Where we got lucky", luck, "where we got lucky"}} {
		w.para("### %s", part.title)
		for n := range part.list {
			part.list[n] = "Proposal: " + part.list[n]
		}
		w.list(append(part.list, w.gap(part.gap)))
	}
}

// proposedLessons are what the record suggests.
func (w *writer) proposedLessons() (well, poor, luck []string) {
	propose := func(list *[]string, format string, args ...any) {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
	names, _ := w.v.proven()
	if len(names) > 0 && len(names) == len(w.v.hosts) {
		propose(&well, "every host was verified by itself (%d of %d).", len(names), len(names))
	}
	detect, ok := w.span("detect")
	switch {
	case ok && detect.Took <= 5*time.Minute:
		propose(&well, "it was noticed %s after it began.", incident.Took(detect.Took))
	case ok && detect.Took >= slow:
		propose(&poor, "it was noticed only %s after it began.", incident.Took(detect.Took))
	}
	if s, ok := w.span("acknowledge"); ok && s.Took <= 5*time.Minute {
		propose(&well, "there was a commander %s after the declaration.", incident.Took(s.Took))
	} else if ok && s.Took >= slow {
		propose(&poor, "the first commander came %s after the declaration.", incident.Took(s.Took))
	}
	if w.d.Metrics.ApprovalWait >= slow {
		propose(&poor, "approval was waited for during %s.", incident.Took(w.d.Metrics.ApprovalWait))
	}
	if start, ok := w.d.Incident.Milestone(incident.Started); ok {
		if e := w.v.overdue; e.ID != "" && start.At.Sub(e.Evidence.Check.Overdue) >= slow {
			propose(&poor, "the renewal of %s was overdue for %s before it began (%s).", code(e.Evidence.Check.Certificate), incident.Took(start.At.Sub(e.Evidence.Check.Overdue)), e.ID)
		}
		if _, bad := w.v.rehearsals(); bad.ID != "" && start.At.Sub(bad.At) >= slow {
			propose(&poor, "a rehearsal had failed %s before it began (%s).", incident.Took(start.At.Sub(bad.At)), bad.ID)
		}
	}
	if len(w.v.alerts) == 0 {
		propose(&poor, "no alert is on the record.")
	}
	for _, e := range w.v.failures {
		propose(&poor, "the step %s of %s failed at %s (%s).", code(e.Evidence.Step.Step), escape(e.Evidence.Step.Renewal), w.when(e.At), e.ID)
	}
	for _, s := range w.failedTold() {
		propose(&poor, "%s", s)
	}
	if len(w.d.Incident.Conflicts) > 0 {
		propose(&poor, "%s on the record did not agree; see the header.", count(len(w.d.Incident.Conflicts), "pair")+" of times")
	}
	if m, ok := w.d.Incident.Milestone(incident.Detected); ok && m.Source == "said" && len(w.v.reports) > 0 {
		propose(&luck, "a person reported it (%s) before anything automatic did.", w.v.reports[0].ID)
	}
	return well, poor, luck
}

// actions proposes action items from what was found.
func (w *writer) actions() {
	owner := or(escape(w.d.Incident.Owner), "-")
	rows := w.tasks()
	for _, p := range w.proposedActions() {
		rows = append(rows, []string{"Proposal: " + p.text, p.kind, owner, "-", "", "proposed"})
	}
	w.table([]string{"What", "Kind", "Owner", "Due", "Link", "Status"}, rows)
	if len(w.d.Incident.Tasks) == 0 {
		w.para("%s", w.gap("which action items are taken on, by whom, until when"))
	}
}

// proposal is an action item that the record suggests.
type proposal struct{ kind, text string }

func (w *writer) proposedActions() (all []proposal) {
	propose := func(kind, format string, args ...any) {
		all = append(all, proposal{kind, fmt.Sprintf(format, args...)})
	}
	certificates := or(codes(w.d.Incident.Certificates), "the certificate")
	expired := w.v.found("expired").id != ""
	if _, bad := w.v.rehearsals(); bad.ID != "" {
		propose("prevent", "Mend what made the rehearsal of %s fail (%s), or name another challenge first.", w.when(bad.At), bad.ID)
	}
	if expired {
		propose("prevent", "Renew %s without a person, well before it expires.", certificates)
	}
	if len(w.v.failures) > 0 {
		e := w.v.failures[0]
		propose("prevent", "Mend what made the step %s fail (%s), and rehearse it daily.", code(e.Evidence.Step.Step), e.ID)
	}
	wrongly := len(w.v.misplaced()) > 0
	if wrongly {
		propose("prevent", "Check what is served after each deployment, and let the deployment fail when it is another certificate than %s.", certificates)
	}
	if s, ok := w.span("detect"); !wrongly && (len(w.v.alerts) == 0 || ok && s.Took >= slow) {
		propose("detect", "Alert the owner when the renewal of %s is overdue, until somebody acknowledges.", certificates)
	}
	if w.d.Metrics.ApprovalWait >= slow {
		propose("mitigate", "Name who approves when the first approver does not answer.")
	}
	if w.v.found("node_divergence").id != "" || w.v.found("not_deployed").id != "" {
		propose("prevent", "Deploy to every host that serves %s, from one list.", certificates)
	}
	if w.d.Incident.Owner == "" {
		propose("prevent", "Give %s an owner that is a team.", certificates)
	} else if w.v.around.OwnerPeople == 1 {
		propose("prevent", "Give %s an owner of more than one person.", certificates)
	}
	w.kin(propose)
	return all
}

// kin proposes to look at the other certificates that may have the same fault.
func (w *writer) kin(propose func(kind, format string, args ...any)) {
	a := w.v.around
	if !a.Looked { // written down before this was
		if o := w.d.Incident.Owner; o != "" {
			propose("prevent", "Check the other certificates of %s for the same flaw.", escape(o))
		}
		return
	}
	var parts []string
	for _, by := range []string{"flaw", "owner", "zone", "issuer"} {
		var names []string
		for _, k := range a.Kin {
			if slices.Contains(k.Same, by) {
				names = append(names, k.Certificate)
			}
		}
		if len(names) > 0 {
			parts = append(parts, "the same "+by+": "+codes(some(names)))
		}
	}
	if len(parts) > 0 {
		propose("prevent", "Check the other certificates that may have the same fault; %s.", strings.Join(parts, "; "))
	}
}

// misplaced are the hosts that served another certificate than the right one,
// each with the check that first saw it.
func (v *view) misplaced() (all []*host) {
	for _, h := range v.hosts {
		if slices.ContainsFunc(h.states, func(s stretch) bool { return s.how == wrong }) {
			all = append(all, h)
		}
	}
	return all
}

// wrongly says since when which hosts served another certificate.
func (w *writer) wrongly(add func(name, source, text string)) {
	hosts := w.v.misplaced()
	if len(hosts) == 0 {
		return
	}
	var names []string
	var seen stretch
	for _, h := range hosts {
		names = append(names, h.name)
		for _, s := range h.states {
			if s.how == wrong && (seen.entry == "" || s.at.Before(seen.at)) {
				seen = s
			}
		}
	}
	text := "Another certificate than the right one was on " + codes(some(names))
	if s := hosts[0].before.serial; s != "" {
		text += " (serial " + code(s) + ")"
	}
	text += ", first seen at " + w.when(seen.at) + " (" + seen.entry + ")"
	if start, ok := w.d.Incident.Milestone(incident.Started); ok && start.Source == "measured" && start.At.Before(seen.at) {
		text += "; it was deployed after " + w.when(start.At) + ", the last time when all was good"
	}
	add("wrong certificate", "check "+seen.entry, text+".")
}

// tasks are the action items that people wrote down.
func (w *writer) tasks() (rows [][]string) {
	for _, t := range w.d.Incident.Tasks {
		due, status, owner := "", "open", escape(t.Owner.Name)
		if owner == "" {
			owner = w.gap("owner of " + t.ID)
		}
		if !t.Due.IsZero() {
			due = t.Due.Format(time.DateOnly)
		} else if t.Open() {
			due = w.gap("due day of " + t.ID)
		}
		if !t.Open() {
			status = "done " + w.when(t.Done) + " by " + escape(t.DoneBy.Name)
			if t.How != "" {
				status += ": " + escape(t.How)
			}
		}
		where := t.Entry
		if l := link(escape(or(t.Export.Ref, t.Export.Tracker)), t.Export.URL); l != "" {
			where += ", " + l
		}
		rows = append(rows, []string{t.ID + ": " + escape(t.Text), t.Kind, owner, due, where, status})
		w.fact("action item "+t.ID, t.Text, "said by "+t.By.Name, false)
	}
	return rows
}
