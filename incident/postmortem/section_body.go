package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: impact, timeline and the picture's words.

// impact is what the person said, what the record computes, and what only a
// person can fill.
func (w *writer) impact() {
	i := w.d.Incident
	if i.Impact != "" {
		w.para("%s", quote(i.Impact))
		w.fact("impact", i.Impact, "said", false)
	} else {
		w.para("%s", w.gap("what people felt"))
	}
	var rows [][]string
	row := func(name, value string) {
		rows = append(rows, []string{name, value})
		w.fact(strings.ToLower(name), value, "computed", true)
	}
	if d, to, ok := w.duration(); ok {
		row("Duration", d+" (started to "+to+")")
	}
	for _, s := range w.d.Metrics.BySeverity {
		row("Time in "+s.Name, incident.Took(s.Took)+lasts(s))
	}
	if n := len(w.v.hosts); n > 0 {
		row("Hosts that failed", fmt.Sprintf("%d of %d", len(w.v.failed()), n))
	}
	if failed, all := w.endpoints(); all > 0 {
		row("Addresses that failed", fmt.Sprintf("%d of %d", failed, all))
	}
	row("Alerts", fmt.Sprint(len(w.v.alerts)))
	row("Reports", fmt.Sprint(len(w.v.reports)))
	if s := w.toldInShort(); s != "" {
		row("Updates sent outside", s)
	}
	w.table([]string{"Measure", "Value"}, rows)
	w.states()
	w.list([]string{
		w.gap("customers affected"), w.gap("requests lost"), w.gap("support tickets"), w.gap("cost"),
	})
}

func lasts(s incident.Span) string {
	if s.Open {
		return " so far"
	}
	return ""
}

// endpoints counts the addresses that checks looked at, and those that failed.
func (w *writer) endpoints() (failed, all int) {
	seen := map[string]bool{}
	for _, e := range w.v.checks {
		for _, h := range e.Evidence.Check.Hosts {
			at := or(h.Address, h.Host)
			seen[at] = seen[at] || h.State == "critical"
		}
	}
	for _, bad := range seen {
		if all++; bad {
			failed++
		}
	}
	return failed, all
}

// maxStates is how many rows hosts by state may have.
const maxStates = 40

// states is how many hosts were in which state over time.
func (w *writer) states() {
	var rows [][]string
	last := ""
	for _, at := range w.v.moments() {
		n := map[string]int{}
		for _, h := range w.v.hosts {
			n[h.stateAt(at)]++
		}
		cells := []string{fmt.Sprint(n[good]), fmt.Sprint(n[failing]), fmt.Sprint(n[renewed]), fmt.Sprint(n[unseen])}
		now := strings.Join(cells, " ")
		if now == last {
			continue
		}
		last = now
		row := append([]string{w.when(at)}, cells...)
		if n := len(rows) - 1; n >= 0 && rows[n][0] == row[0] { // within a second
			rows[n] = row
		} else {
			rows = append(rows, row)
		}
	}
	if len(rows) > maxStates {
		w.para("Hosts by state over time, the first %d of %d changes:", maxStates, len(rows))
		rows = rows[:maxStates]
	} else if len(rows) > 0 {
		w.para("Hosts by state over time:")
	}
	w.table([]string{"From", "Good", "Failing", "New certificate", "Not checked"}, rows)
}

// timeline has a row for each entry; the date stands where the day changes.
func (w *writer) timeline() {
	head := []string{"UTC"}
	if w.zone != nil {
		head = append(head, escape(w.zone.String()))
	}
	var rows [][]string
	day, localDay := "", ""
	for _, e := range w.v.entries {
		if aboutDraft(e) {
			continue
		}
		row := []string{clock(e.At.UTC(), &day, "")}
		if w.zone != nil {
			row = append(row, clock(e.At.In(w.zone), &localDay, " MST"))
		}
		rows = append(rows, append(row, escape(e.Text), who(e), evidence(e)))
		w.fact("timeline "+e.ID, e.Text, source(e), unaided(e))
	}
	w.table(append(head, "What", "Who", "Entry and proof"), rows)
}

// who said an entry, and who corrected it when that was somebody else.
func who(e incident.Entry) string {
	if e.CorrectedBy.ID != "" && e.CorrectedBy.ID != e.By.ID {
		return escape(e.By.Name) + ", corrected by " + escape(e.CorrectedBy.Name)
	}
	return escape(e.By.Name)
}

// clock writes a time, with its date when it is another day than the last one.
func clock(at time.Time, day *string, zone string) string {
	form := clockForm(at) + zone
	if d := at.Format("2006-01-02"); d != *day {
		*day = d
		form = "2006-01-02 " + form
	}
	return at.Format(form)
}

// unaided reports whether nobody typed an entry.
func unaided(e incident.Entry) bool { return e.By.Platform == incident.Bot.Platform }

// source names where an entry is from.
func source(e incident.Entry) string {
	ev := e.Evidence
	switch {
	case ev.Step.Renewal != "":
		return "renewal " + ev.Step.Renewal
	case ev.Approval.Renewal != "":
		return "approval of " + ev.Approval.Renewal
	case e.Kind == incident.Check:
		return "check " + e.ID
	case e.Kind == incident.Rehearsal:
		return "rehearsal " + e.ID
	case unaided(e):
		return e.Kind + " " + e.ID
	}
	return "said by " + e.By.Name
}

// evidence is an entry's id, its proof in a few words, and its link.
func evidence(e incident.Entry) string {
	if l := link("where it was said", e.Link); l != "" {
		return proof(e) + ", " + l
	}
	return proof(e)
}

// proof is an entry's id and its proof in a few words.
func proof(e incident.Entry) string {
	parts := []string{escape(e.ID)}
	ev := e.Evidence
	switch {
	case len(ev.Check.Hosts) > 0:
		n := 0
		for _, h := range ev.Check.Hosts {
			if h.State == "good" || h.State == "warning" {
				n++
			}
		}
		parts = append(parts, fmt.Sprintf("check: %d of %s good", n, count(len(ev.Check.Hosts), "host")))
	case ev.Step.Step != "":
		s := ev.Step.Renewal + " " + ev.Step.Step + " " + ev.Step.Outcome
		if ev.Step.Took > 0 {
			s += " in " + incident.Took(ev.Step.Took)
		}
		parts = append(parts, escape(s))
	case ev.Rehearsal.Certificate != "":
		parts = append(parts, "rehearsal: "+map[bool]string{true: "good", false: "failed"}[ev.Rehearsal.OK])
	case ev.Alert.Source != "":
		parts = append(parts, strings.TrimSpace("alert of "+escape(incident.SourceName(ev.Alert.Source))+" "+ev.Alert.State))
	case ev.Alert.Certificate != "":
		parts = append(parts, "alert")
		if ev.Alert.Room != "" {
			parts = append(parts, "room "+escape(ev.Alert.Room))
		}
	case !ev.Check.Overdue.IsZero():
		parts = append(parts, "check: renewal overdue")
	case ev.Approval.Decision != "":
		word := ev.Approval.Decision
		if word == "asked" || word == "not needed" {
			word = "approval " + word
		}
		parts = append(parts, escape(ev.Approval.Renewal+" "+word))
	case ev.Pin.Message != "":
		parts = append(parts, "pinned by "+escape(ev.Pin.By.Name))
	case ev.Change.What == "update" || ev.Change.What == "update approved" || ev.Change.What == "update denied":
		parts = append(parts, strings.TrimSpace("update "+escape(ev.Change.To)+strings.TrimPrefix(ev.Change.What, "update")))
	case ev.Change.What == "delivery":
		parts = append(parts, map[string]string{incident.DeliveryDone: "delivered", incident.DeliveryFailed: "not delivered"}[ev.Change.To])
		parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	case e.Kind != "":
		parts = append(parts, escape(e.Kind))
	}
	if e.Version > 1 {
		parts = append(parts, fmt.Sprintf("corrected, version %d", e.Version))
	}
	return strings.Join(parts, ", ")
}

// picture is the chart in words, and its small table.
func (w *writer) picture() {
	w.para("%s", escape(w.v.inWords()))
	var rows [][]string
	for _, h := range w.v.inOrder() {
		first, fresh := "", ""
		for _, s := range h.states {
			if s.state == failing && first == "" {
				first = incident.When(s.at)
			}
			if s.state == renewed && fresh == "" {
				fresh = incident.When(s.at)
			}
		}
		rows = append(rows, w.v.withWave(h, code(h.name), or(first, "-"), or(fresh, "-"), h.stateAt(w.v.to)))
		if fresh != "" {
			w.fact("new certificate on "+h.name, fresh, "check or step", true)
		}
	}
	w.table(w.v.waveHead("Host", "Failing from", "New certificate from", "At the end"), rows)
}
