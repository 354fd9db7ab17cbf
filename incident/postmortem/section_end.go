package postmortem

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: resolution, messaging and appendix.

// resolution is what was issued, who let it, and each host with its time.
func (w *writer) resolution() {
	for _, r := range w.v.renewals {
		w.oneRenewal(r)
	}
	if len(w.v.renewals) == 0 {
		w.para("No renewal is on the record. %s", w.gap("what was done, by whom and when"))
	}
	w.certificates()
	var rows [][]string
	for _, h := range w.v.inOrder() {
		rows = append(rows, w.v.withWave(h, code(h.name), or(code(h.before.serial), "-"), or(code(h.after.serial), "-"), w.at(h.placed), w.at(h.proven)))
		for _, f := range []struct{ name, value string }{{"serial before on ", h.before.serial}, {"serial after on ", h.after.serial}, {"fingerprint after on ", h.after.sha256}} {
			if f.value != "" {
				w.fact(f.name+h.name, f.value, "check or step", true)
			}
		}
		if h.proven.ID != "" {
			w.fact("verified "+h.name, incident.When(h.proven.At), source(h.proven), true)
		}
	}
	w.waves()
	w.table(w.v.waveHead("Host", "Serial before", "Serial after", "Placed", "Verified"), rows)
	w.temps()
}

// temps are the temporary changes, each with its undoing.
func (w *writer) temps() {
	w.para("### Temporary changes")
	var rows [][]string
	for _, t := range w.d.Incident.Temps {
		undone := "not undone"
		if !t.Open() {
			undone = fmt.Sprintf("%s by %s", w.when(t.Undone), escape(t.UndoneBy.Name))
			if t.How != "" {
				undone += ": " + escape(t.How)
			}
			undone += " (" + t.UndoneIn + ")"
			w.fact(fmt.Sprintf("temporary change %d undone", t.N), incident.When(t.Undone)+" by "+t.UndoneBy.Name, "said by "+t.UndoneBy.Name, false)
		} else if w.d.Incident.Status == incident.Duplicate {
			undone = "see " + escape(or(w.d.Incident.DuplicateOf, "the incident that it is merged into"))
		} else if !w.d.Incident.Status.Open() {
			undone = w.gap(fmt.Sprintf("when temporary change %d was undone, by whom", t.N))
		}
		rows = append(rows, []string{fmt.Sprint(t.N), escape(t.Text), escape(t.By.Name), w.when(t.At) + " (" + t.Entry + ")", or(escape(t.Undo), "-"), undone})
		w.fact(fmt.Sprintf("temporary change %d", t.N), t.Text, "said by "+t.By.Name, false)
	}
	w.table([]string{"Change", "What", "Who", "Made", "To undo", "Undone"}, rows)
	var said []string
	for _, e := range w.v.temps {
		said = append(said, fmt.Sprintf("%s, %s: %s (%s)", w.when(e.At), escape(e.By.Name), escape(e.Text), e.ID))
	}
	w.list(said)
	if len(rows)+len(said) == 0 {
		w.para("None on the record.")
	}
}

func (w *writer) at(e incident.Entry) string {
	if e.ID == "" {
		return "-"
	}
	return w.when(e.At) + " (" + e.ID + ")"
}

// oneRenewal says in sentences what one renewal did.
func (w *writer) oneRenewal(r *renewal) {
	s := []string{"Renewal " + escape(r.id)}
	if r.certificate != "" {
		s[0] += " of " + code(r.certificate)
	}
	if r.askedBy != "" {
		s[0] += " was asked for by " + escape(r.askedBy)
		if r.asked.ID != "" {
			s[0] += " at " + w.when(r.asked.At) + " (" + r.asked.ID + ")"
		}
		w.fact(r.id+" asked by", r.askedBy, "renewal "+r.id, true)
	}
	if r.approved.ID != "" {
		by := or(r.approved.Evidence.Approval.By, r.approved.By.Name)
		text := fmt.Sprintf("%s approved it at %s", escape(by), w.when(r.approved.At))
		if r.wait > 0 {
			text += ", " + incident.Took(r.wait) + " after it was asked"
		}
		s = append(s, text)
		w.fact(r.id+" approved by", by+" at "+incident.When(r.approved.At), "approval of "+r.id, true)
	}
	if r.approved.ID == "" && r.asked.Evidence.Approval.Decision == "not needed" {
		s = append(s, "No approval was needed")
	}
	if r.issued.sha256 != "" {
		text := "It brought the certificate with serial " + code(r.issued.serial)
		if r.issuer != "" {
			text += " from " + escape(r.issuer)
		}
		if r.challenge != "" {
			text += ", control proved by " + code(r.challenge)
		}
		s = append(s, text)
		w.fact(r.id+" serial", r.issued.serial, "renewal "+r.id, true)
	}
	for _, e := range r.steps {
		if e.Evidence.Step.Outcome == "failed" {
			s = append(s, fmt.Sprintf("Its step %s failed at %s (%s)", code(e.Evidence.Step.Step), w.when(e.At), e.ID))
			break
		}
	}
	if r.rolledBack {
		s = append(s, "Hosts were put back to what they served before")
	}
	w.para("%s.", strings.Join(s, ". "))
}

// certificates lists every certificate seen: replaced ones, then new ones.
func (w *writer) certificates() {
	var rows [][]string
	seen := map[string]bool{}
	add := func(what string, l leaf) {
		if l.sha256 == "" || seen[l.sha256] {
			return
		}
		seen[l.sha256] = true
		until := ""
		if !l.until.IsZero() {
			until = incident.When(l.until)
		}
		rows = append(rows, []string{what, code(l.serial), code(l.sha256), escape(l.issuer), until})
		w.fact(what+" certificate", "serial "+l.serial+", SHA-256 "+l.sha256, "check or step", true)
	}
	for _, h := range w.v.hosts {
		add("before", h.before)
	}
	for _, h := range w.v.hosts {
		add("after", h.after)
	}
	for _, r := range w.v.renewals {
		add("issued", r.issued)
	}
	w.table([]string{"Which", "Serial", "SHA-256", "Issuer", "Valid until"}, rows)
}

// messaging tells what was said, then drafts a note for those inside and a statement for those outside.
func (w *writer) messaging() {
	i := w.d.Incident
	span := "When it began is not on the record."
	if start, known := i.Milestone(incident.Started); known {
		span = "It began at " + incident.When(start.At) + "."
		if took, to, ok := w.duration(); ok {
			span = "It began at " + incident.When(start.At) + " and was " + to + " " + took + " later."
		}
	}
	state := "It is over."
	if i.Status.Open() {
		state = "It is not over; the status is " + w.d.statuses.Of(i.Status) + "."
	}
	w.account()
	drill := ""
	if i.Drill {
		drill = "DRILL. "
	}
	w.para("### Internal note (draft)")
	w.para("%s", quote(fmt.Sprintf(drill+"%s (%s): %s. %s %s The draft of the postmortem is ready for your corrections; what only people know is marked in it.",
		i.ID, severity(i), strings.TrimRight(plain(i.Title), "."), span, state)))
	w.para("### External statement (draft)")
	if took, _, ok := w.duration(); ok {
		start, _ := i.Milestone(incident.Started)
		span = "It began at " + incident.When(start.At) + " and lasted " + took + "."
		if i.Status.Open() {
			state = "We are still watching it."
		}
	}
	w.para("%s", quote(fmt.Sprintf(drill+"Our service had a fault: a TLS certificate was not valid, so secure connections failed. %s %s", span, state)))
	w.list([]string{w.gap("what customers could not do"), w.gap("an apology in your own words"), w.gap("what will be done so that it does not happen again")})
}

// appendix is the proof: checks, the ACME exchange, participants, corrections.
func (w *writer) appendix() {
	w.para("### Checks")
	var rows [][]string
	for _, e := range w.v.checks {
		for _, h := range e.Evidence.Check.Hosts {
			until := ""
			if !h.NotAfter.IsZero() {
				until = incident.When(h.NotAfter)
			}
			rows = append(rows, []string{incident.When(e.At), e.ID, code(nameOf(h)), code(h.Address), escape(h.State), codes(h.Findings), code(h.Serial), code(h.SHA256), until, escape(h.Cause)})
		}
	}
	w.table([]string{"UTC", "Entry", "Host", "Address", "State", "Findings", "Serial", "SHA-256", "Valid until", "Cause"}, rows)
	w.none(rows, "check")

	w.para("### Steps of renewals, the ACME exchange among them")
	rows = nil
	for _, r := range w.v.renewals {
		if r.order != "" {
			w.para("Order of %s: %s", escape(r.id), code(r.order))
			w.fact("order of "+r.id, r.order, "renewal "+r.id, true)
		}
		for _, e := range r.steps {
			s, took := e.Evidence.Step, ""
			if s.Took > 0 {
				took = incident.Took(s.Took)
			}
			rows = append(rows, []string{incident.When(e.At), e.ID, escape(s.Renewal), code(s.Step), code(s.Host), escape(s.Outcome), took, escape(e.Text)})
		}
	}
	w.table([]string{"UTC", "Entry", "Renewal", "Step", "Host", "Outcome", "Took", "Text"}, rows)
	w.none(rows, "step")
	for _, e := range w.v.failures {
		if out := strings.TrimSpace(e.Evidence.Step.Output); out != "" {
			w.para("What the failed step %s printed:", e.ID)
			w.para("%s", fence(out))
		}
	}
	w.images()
	w.participants()
	w.corrections()
}

// images are what pinned messages came with; only their names and fingerprints
// are in the draft. Without any there is no such part.
func (w *writer) images() {
	var rows [][]string
	for _, e := range w.v.entries {
		for _, i := range e.Evidence.Pin.Images {
			kept := code(i.SHA256)
			if i.SHA256 == "" {
				kept = "not kept: " + escape(i.Left)
			}
			rows = append(rows, []string{e.ID, incident.When(e.At), escape(e.By.Name), escape(i.Name), escape(i.Type), fmt.Sprintf("%d KiB", (i.Size+1023)>>10), kept})
		}
	}
	if len(rows) > 0 {
		w.para("### Images")
		w.table([]string{"Entry", "UTC", "Written by", "Name", "Type", "Size", "SHA-256"}, rows)
	}
}

func (w *writer) none(rows [][]string, what string) {
	if len(rows) == 0 {
		w.para("No %s is on the record.", what)
	}
}

// participants are the people on the timeline, in the order of appearance.
func (w *writer) participants() {
	w.para("### Participants")
	n := map[string]int{}
	var people []incident.Person
	add := func(p incident.Person, entries int) {
		if p.ID == "" || p.ID == incident.Bot.ID {
			return
		}
		if _, known := n[p.ID]; !known {
			people = append(people, p)
		}
		n[p.ID] += entries
	}
	for _, e := range w.v.entries {
		if aboutDraft(e) {
			add(e.By, 0)
		} else {
			add(e.By, 1)
		}
	}
	add(w.d.Incident.Commander, 0)
	for _, r := range w.d.Incident.Roles {
		add(r.Person, 0)
	}
	var rows [][]string
	for _, p := range people {
		role := ""
		if p.ID == w.d.Incident.Commander.ID {
			role = "commander"
		}
		for _, r := range w.d.Incident.Roles {
			if r.Person.ID == p.ID {
				role = strings.TrimPrefix(role+", "+escape(r.Name), ", ")
			}
		}
		rows = append(rows, []string{escape(p.Name), escape(p.Platform), role, fmt.Sprint(n[p.ID])})
		w.fact("participant", p.Name, "record", true)
	}
	w.table([]string{"Name", "Platform", "Role", "Entries"}, rows)
	w.none(rows, "person")
}

// corrections are the lines that a later version replaced or dropped.
func (w *writer) corrections() {
	w.para("### Corrected entries")
	last := map[string]int{}
	for _, e := range w.history {
		last[e.ID] = max(last[e.ID], e.Version)
	}
	var rows [][]string
	for _, e := range w.history {
		if last[e.ID] < 2 {
			continue
		}
		text := escape(e.Text)
		if e.Dropped {
			text = "dropped: " + text
		}
		rows = append(rows, []string{e.ID, fmt.Sprint(e.Version), incident.When(e.At), incident.When(e.Recorded), escape(e.By.Name), text})
	}
	w.table([]string{"Entry", "Version", "Happened", "Recorded", "Written by", "Text"}, rows)
	if len(rows) == 0 {
		w.para("None.")
	}
}
