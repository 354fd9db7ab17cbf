package postmortem

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: header and summary.

// header is a table of the incident's facts.
func (w *writer) header() {
	i := w.d.Incident
	authors := escape(strings.Join(w.authors(), ", "))
	if authors == "" {
		authors = w.gap("authors")
	}
	rows := [][]string{{"Incident", escape(i.ID)}, {"Title", escape(i.Title)}}
	w.fact("title", i.Title, "said by "+i.DeclaredBy.Name, false)
	row := func(name, value, shown, source string, unaided bool) {
		rows = append(rows, []string{name, shown})
		if value != "" {
			w.fact(strings.ToLower(name), value, source, unaided)
		}
	}
	if i.Drill {
		rows = append(rows, []string{"Drill", "yes: this was practised, not suffered"})
	}
	if i.Private {
		rows = append(rows, []string{"Private", "yes: for those involved only"})
	}
	row("Severity", severity(i), severity(i), "said by "+i.DeclaredBy.Name, false)
	row("Status", w.d.statuses.Of(i.Status), escape(w.d.statuses.Of(i.Status)), "record", true)
	for _, m := range i.Milestones {
		name := strings.ToUpper(m.Kind[:1]) + m.Kind[1:]
		row(name, incident.When(m.At), w.when(m.At)+", "+escape(why(m)), m.Source, m.Source != "said")
	}
	if _, known := i.Milestone(incident.Started); !known {
		rows = append(rows, []string{"Started", w.gap("when it started")})
	}
	if d, to, ok := w.duration(); ok {
		row("Duration", d, d+", from started to "+to, "computed", true)
	}
	if i.Commander.ID != "" {
		row("Commander", i.Commander.Name, escape(i.Commander.Name), "said", false)
	} else {
		rows = append(rows, []string{"Commander", "none on the record"})
	}
	for _, r := range i.Roles {
		row(strings.ToUpper(r.Name[:1])+r.Name[1:], r.Person.Name, escape(r.Person.Name), "said", false)
	}
	if i.DuplicateOf != "" {
		row("Duplicate of", i.DuplicateOf, escape(i.DuplicateOf), "record", true)
	}
	rows = append(rows, []string{"Declared by", escape(i.DeclaredBy.Name)}, []string{"Authors", authors})
	if len(i.Certificates) > 0 {
		row("Certificate", strings.Join(i.Certificates, ", "), codes(i.Certificates), "record", true)
	}
	if i.Owner != "" {
		row("Owner", i.Owner, escape(i.Owner), "inventory", true)
	} else {
		rows = append(rows, []string{"Owner", w.gap("owner of the certificate")})
	}
	zone := "UTC"
	if w.zone != nil {
		zone = "UTC, beside it " + escape(w.zone.String())
	}
	gaps := len(w.d.Gaps)
	if w.known != nil {
		gaps = *w.known
	}
	rows = append(rows, []string{"Times", zone}, []string{"State", w.state()},
		[]string{"Draft", "made from the record; " + count(gaps, "gap") + " to fill, each marked TO FILL"})
	w.table([]string{"Field", "Value"}, rows)
	var lines []string
	for _, c := range i.Conflicts {
		lines = append(lines, escape(c.Text))
	}
	if len(lines) > 0 {
		w.para("Times that do not agree:")
		w.list(lines)
	}
}

func severity(i incident.Incident) string { return "SEV" + strconv.Itoa(int(i.Severity)) }

// why says where a milestone's time is from.
func why(m incident.Milestone) string {
	s := m.Source
	if m.Source == "said" {
		s = "said by " + m.By.Name
	}
	if m.Text != "" && m.Text != s {
		s += " (" + m.Text + ")"
	}
	return s
}

// how says by what a milestone came, then of what kind that is.
func how(m incident.Milestone) string {
	if m.Source == "said" || m.Text == "" {
		return why(m)
	}
	return m.Text + " (" + m.Source + ")"
}

// duration is what people felt: from started to mitigated, else to resolved.
func (w *writer) duration() (took, to string, ok bool) {
	for _, s := range []struct{ name, to string }{{"mitigate", "mitigated"}, {"resolve", "resolved"}} {
		for _, span := range w.d.Metrics.Spans {
			if span.Name == s.name && !span.Open {
				return incident.Took(span.Took), s.to, true
			}
		}
	}
	return "", "", false
}

// summary is three sentences: what stopped, since when and why, what ended it.
func (w *writer) summary() {
	w.para("%s %s %s", w.what(), w.since(), w.ended())
}

func (w *writer) what() string {
	i, failed := w.d.Incident, w.v.failed()
	what := escape(w.sentence(strings.TrimRight(i.Title, ".")))
	if len(failed) == 0 {
		return "What stopped: " + what + "."
	}
	w.fact("hosts that failed", strings.Join(failed, ", "), "check "+w.v.failedIn, true)
	return fmt.Sprintf("%s: %s failed on %d of %s (%s).", what, or(codes(i.Certificates), "the certificate"), len(failed), count(len(w.v.hosts), "host"), codes(some(failed)))
}

// sentence gives a title a capital, unless it begins with a name: of a
// certificate, a host, or anything written with more than small letters.
func (w *writer) sentence(title string) string {
	first, _, _ := strings.Cut(title, " ")
	if strings.Trim(strings.TrimRight(first, ",:;"), "abcdefghijklmnopqrstuvwxyz") != "" || slices.Contains(w.d.Incident.Certificates, strings.TrimRight(first, ",:;")) {
		return title
	}
	if title != "" && title[0] >= 'a' && title[0] <= 'z' {
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	return title
}

// some names at most eight, then says how many more.
func some(names []string) []string {
	if len(names) <= 8 {
		return names
	}
	return append(append([]string{}, names[:7]...), fmt.Sprintf("%d more", len(names)-7))
}

func (w *writer) since() string {
	start, known := w.d.Incident.Milestone(incident.Started)
	since := "**TO FILL: when it started**" // the header counts it
	if known {
		since = w.when(start.At)
	}
	cause := ""
	for _, e := range w.v.bad {
		if cause == "" && e.Evidence.Check.Cause != "" {
			cause = e.Evidence.Check.Cause
			w.fact("cause", cause, "check "+e.ID, true)
		}
	}
	if cause == "" {
		return fmt.Sprintf("It began at %s: %s.", since, w.gap("the cause"))
	}
	if known && start.Source == "measured" && w.v.found("expired").id != "" { // its time is that of the start
		serial := ""
		for _, h := range w.v.hosts {
			if h.failed && h.before.until.Equal(start.At) {
				serial = " (serial " + code(h.before.serial) + ")"
				break
			}
		}
		if serial != "" {
			return fmt.Sprintf("It began at %s, when the certificate%s expired.", since, serial)
		}
	}
	if rest, ok := strings.CutPrefix(cause, "The "); ok {
		cause = "the " + rest
	}
	return fmt.Sprintf("It began at %s: %s.", since, escape(strings.TrimRight(cause, ".")))
}

func (w *writer) ended() string {
	i := w.d.Incident
	names, last := w.v.proven()
	r := w.v.renewalDone()
	took, to, known := w.duration()
	switch {
	case r != nil && len(names) > 0:
		w.fact("what ended it", "a new certificate, serial "+r.issued.serial, "renewal "+r.id, true)
		s := fmt.Sprintf("A new certificate (serial %s, renewal %s) was verified on %d of %s, the last at %s", code(r.issued.serial), escape(r.id), len(names), count(len(w.v.hosts), "host"), w.when(last.At))
		if known {
			s += fmt.Sprintf("; the incident was %s %s after it began", to, took)
		}
		return s + "."
	case i.Status.Open():
		return "It has not ended: the status is " + escape(w.d.statuses.Of(i.Status)) + "."
	case w.v.firstGood.ID != "":
		return fmt.Sprintf("Every endpoint checked good again at %s; what was done: %s.", w.when(w.v.firstGood.At), w.gap("what ended it"))
	}
	return w.gap("what ended it") + "."
}
