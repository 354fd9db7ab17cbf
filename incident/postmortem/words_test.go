package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// spoken is a line that sets words for a section.
func spoken(n int, at time.Time, section, text string) incident.Entry {
	return incident.Entry{ID: fmt.Sprintf("E-%d", n), At: at, Recorded: at, By: incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}, Version: 1, Kind: incident.NoteKind,
		Text: "Postmortem, " + section, Evidence: incident.Evidence{Change: incident.ChangeEvidence{What: incident.SectionChange, From: section, To: text}}}
}

// Words stand in their section in every drawing, the last ones alone; they
// fill the prompts of that section and can neither end a table nor become HTML.
func TestWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	i := incident.Incident{ID: "INC-1", Title: "t", Status: incident.Closed, Declared: at, Updated: at}
	bare := New(Record{Incident: i})
	words := "# The <b>alert</b> went unseen\n1. twice\n\nAgain | and again"
	tl := []incident.Entry{spoken(9, at, "lessons", "old words"), spoken(10, at, "lessons", words), spoken(11, at.Add(time.Second), "summary", "All was well.")}
	d := New(Record{Incident: i, Timeline: tl, History: tl})
	var body string
	for _, s := range d.Sections {
		if s.Name == "lessons" {
			body = s.Body
		}
		if s.Name == "timeline" && strings.Contains(s.Body, "Postmortem,") {
			t.Error("the words are on the draft's timeline too")
		}
		if s.Name == "summary" && (!strings.HasPrefix(s.Body, "All was well.") || strings.Contains(s.Body, "TO FILL: what ended it")) {
			t.Errorf("summary:\n%s", s.Body)
		}
	}
	want := "\\# The \\<b\\>alert\\</b\\> went unseen\\\n1\\. twice\n\nAgain \\| and again\n\nWritten by ana at 2026-11-22 02:00 UTC (E-10)."
	if !strings.HasPrefix(body, want) || strings.Contains(body, "old words") || strings.Contains(body, "TO FILL") {
		t.Errorf("lessons:\n%s\nwant at its start\n%s", body, want)
	}
	html, err := d.HTML()
	if err != nil || strings.Contains(string(html), "<b>alert") {
		t.Errorf("became HTML: %v", err)
	}
	if len(d.Gaps) >= len(bare.Gaps) || string(New(Record{Incident: i, Timeline: tl, History: tl}).Markdown()) != string(d.Markdown()) {
		t.Errorf("%d gaps with words, %d without", len(d.Gaps), len(bare.Gaps))
	}
	marked(t, d)
}

// marked: every gap that is counted is marked, and the other way round.
func marked(t *testing.T, d Draft) {
	t.Helper()
	md := string(d.Markdown())
	for _, g := range d.Gaps {
		if !strings.Contains(md, "**TO FILL: "+g+"**") {
			t.Errorf("the gap %q is counted and not marked", g)
		}
	}
	for _, part := range strings.Split(md, "**TO FILL: ")[1:] {
		if g, _, _ := strings.Cut(part, "**"); !slices.Contains(d.Gaps, g) {
			t.Errorf("the gap %q is marked and not counted", g)
		}
	}
}

// Every section takes words, and the brief template is whole by itself.
func TestTemplates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	i := incident.Incident{ID: "INC-1", Title: "t", Status: incident.Closed, Declared: at, Updated: at}
	var tl []incident.Entry
	for n, name := range Settable() {
		tl = append(tl, spoken(n+1, at, name, "words for "+name))
	}
	full, short := New(Record{Incident: i, Timeline: tl, Template: "standard"}), New(Record{Incident: i, Timeline: tl, Template: "brief"})
	for _, s := range full.Sections[1:] {
		if !strings.HasPrefix(s.Body, "words for "+s.Name+"\n\nWritten by ana") {
			t.Errorf("%s: %s", s.Name, s.Body)
		}
	}
	var names []string
	for _, s := range short.Sections {
		names = append(names, s.Name)
	}
	if fmt.Sprint(names) != "[header summary impact timeline actions]" || short.Template != "brief" || full.Template != "standard" {
		t.Errorf("brief: %v", names)
	}
	marked(t, short)
	for _, f := range short.Facts {
		if f.Section == "appendix" {
			t.Errorf("a fact of a section that is not there: %+v", f)
		}
	}
	if _, err := short.HTML(); err != nil {
		t.Error(err)
	}
}
