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
