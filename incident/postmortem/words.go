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

// words writes what people wrote last for a section, and reports whether
// somebody did.
func (w *writer) words(section string) bool {
	var last incident.Entry
	for _, e := range w.v.entries {
		if c := e.Evidence.Change; c.What == incident.SectionChange && c.From == section &&
			cmp.Or(e.Recorded.Compare(last.Recorded), cmp.Compare(len(e.ID), len(last.ID)), cmp.Compare(e.ID, last.ID)) > 0 {
			last = e
		}
	}
	if last.ID == "" {
		return false
	}
	text := strings.TrimSpace(last.Evidence.Change.To)
	for part := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(part, "\n") {
			lines = append(lines, escapeLine(line))
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		w.para("%s", strings.Join(lines, "\\\n"))
	}
	w.para("%s", "Written by "+escape(last.By.Name)+" at "+w.when(last.At)+" ("+last.ID+").")
	w.fact("words", text, "said by "+last.By.Name, false)
	return true
}
