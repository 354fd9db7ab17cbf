package postmortem

import (
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// The draft has each temporary change with its undoing; one that stands at the
// end is a gap.
func TestTempsInDraft(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	p := incident.Person{ID: "web:ana", Name: "ana | x", Platform: "web"}
	i := incident.Incident{ID: "INC-1", Title: "t", Status: incident.Closed, Declared: at, Updated: at.Add(time.Hour), Temps: []incident.Temp{
		{N: 1, Text: "CDN | moved", Undo: "CNAME back", By: p, At: at, Entry: "E-2", Undone: at.Add(time.Minute), UndoneBy: p, UndoneIn: "E-4"},
		{N: 2, Text: "quiet", By: p, At: at, Entry: "E-3"},
	}}
	d := New(Record{Incident: i})
	md := string(d.Markdown())
	for _, want := range []string{`| 1 | CDN \| moved | ana \| x | 2026-11-22 02:00 UTC (E-2) | CNAME back | 2026-11-22 02:01 UTC by ana \| x (E-4) |`, "**TO FILL: when temporary change 2 was undone, by whom**"} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft lacks %q", want)
		}
	}
	i.Temps = i.Temps[:1]
	if n := len(New(Record{Incident: i}).Gaps); n != len(d.Gaps)-1 {
		t.Errorf("%d gaps, with one standing %d", n, len(d.Gaps))
	}
}

// Action items stand in the draft before the proposals; what they lack is a gap.
func TestTasksInDraft(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	p := incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	i := incident.Incident{ID: "INC-1", Title: "t", Status: incident.Closed, Declared: at, Updated: at, Tasks: []incident.Task{
		{ID: "T-1", Text: "a | b", Kind: "detect", Owner: p, Due: at.Truncate(24 * time.Hour), By: p, At: at, Entry: "E-2", Done: at, DoneBy: p},
		{ID: "T-2", Text: "c", Kind: "prevent", By: p, At: at, Entry: "E-3"},
	}}
	md := string(New(Record{Incident: i}).Markdown())
	one := strings.Index(md, `| T-1: a \| b | detect | ana | 2026-11-22 | E-2 | done 2026-11-22 02:00 UTC by ana |`)
	two := strings.Index(md, "| T-2: c | prevent | **TO FILL: owner of T-2** | **TO FILL: due day of T-2** | E-3 | open |")
	proposal := strings.Index(md, "| Proposal: Give")
	if one < 0 || two < one || proposal < two || strings.Contains(md, "which action items are taken on") {
		t.Errorf("at %d, %d, %d:\n%s", one, two, proposal, md[strings.Index(md, "## Action"):])
	}
}
