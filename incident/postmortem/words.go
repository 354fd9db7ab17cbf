package postmortem

import (
	"cmp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: what people wrote for a section. It is on the record as a line
// of its own (incident.Book.SetSection), so that every drawing of the draft
// has it again.

// prompting are the sections whose gaps ask for a person's words: they are
// filled when somebody wrote some. Elsewhere a gap is a missing fact.
var prompting = []string{"summary", "impact", "factors", "detection", "lessons", "messaging"}

// lastWords returns the line that set a section's words; a zero one when nobody
// wrote any.
func (w *writer) lastWords(section string) (last incident.Entry) {
	for _, e := range w.v.entries {
		if c := e.Evidence.Change; c.What == incident.SectionChange && c.From == section &&
			cmp.Or(e.Recorded.Compare(last.Recorded), cmp.Compare(len(e.ID), len(last.ID)), cmp.Compare(e.ID, last.ID)) > 0 {
			last = e
		}
	}
	return last
}

// words writes what people wrote last for a section, and reports whether
// somebody did.
func (w *writer) words(section string) bool {
	last := w.lastWords(section)
	if last.ID == "" {
		return false
	}
	text := w.paragraphs(last)
	w.para("%s", "Written by "+escape(last.By.Name)+" at "+w.when(last.At)+" ("+last.ID+").")
	w.fact("words", text, "said by "+last.By.Name, false)
	return true
}

// onlyWords returns what people wrote for a section as Markdown.
func (w *writer) onlyWords(section string) string {
	last := w.lastWords(section)
	if last.ID == "" {
		return ""
	}
	w.b.Reset()
	w.paragraphs(last)
	return strings.TrimSpace(w.b.String())
}

// authors are those who wrote words for a section, in the order of writing.
func (w *writer) authors() (names []string) {
	var lines []incident.Entry
	for _, s := range sections {
		if last := w.lastWords(s.name); last.ID != "" {
			lines = append(lines, last)
		}
	}
	slices.SortStableFunc(lines, func(a, b incident.Entry) int { return a.Recorded.Compare(b.Recorded) })
	for _, e := range lines {
		if !slices.Contains(names, e.By.Name) {
			names = append(names, e.By.Name)
		}
	}
	return names
}

// paragraphs writes a person's words, which may have several, and returns them
// as they were written.
func (w *writer) paragraphs(last incident.Entry) string {
	text := strings.TrimSpace(last.Evidence.Change.To)
	for part := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(part, "\n") {
			lines = append(lines, escapeLine(line))
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		w.para("%s", strings.Join(lines, "\\\n"))
	}
	return text
}

// state says how far the draft is.
func (w *writer) state() string {
	last := w.d.Incident.LastDraft()
	if last.State == "" {
		return "draft"
	}
	s := last.State + " by " + escape(last.By.Name) + " at " + w.when(last.At)
	if last.Reason != "" {
		s += " all the same: " + escape(last.Reason)
	}
	changed := w.changed()
	if changed.ID != "" {
		s += "; changed since by " + escape(changed.By.Name) + " at " + w.when(changed.At)
	}
	return s
}

// changed returns the newest words that were written after the draft came to
// its state; a zero entry when none were.
func (w *writer) changed() (newest incident.Entry) {
	last := w.d.Incident.LastDraft()
	if last.State == "" {
		return newest
	}
	for _, one := range sections {
		if e := w.lastWords(one.name); e.ID != "" && e.Recorded.After(last.Recorded) && e.Recorded.After(newest.Recorded) {
			newest = e
		}
	}
	return newest
}
