package commands

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

func TestTimelineJSON(t *testing.T) {
	t.Parallel()
	es := []incident.Entry{{ID: "E-1", Text: "=x", At: time.Unix(1, 0).UTC(), Version: 2, Dropped: true, Hash: "h"}}
	b, err := timelineJSON(incident.Incident{ID: "INC-1"}, es)
	var got struct {
		Incident incident.Incident
		Lines    []incident.Entry
	}
	if err != nil || json.Unmarshal(b, &got) != nil || got.Incident.ID != "INC-1" || len(got.Lines) != 1 || got.Lines[0].Text != "=x" || !got.Lines[0].Dropped {
		t.Errorf("%v %s", err, b)
	}
}

// FuzzTimelineCSV: whatever is on the timeline, the file has one row a line,
// every cell reads back as it was, and none begins as a formula does.
func FuzzTimelineCSV(f *testing.F) {
	for _, s := range []string{"=1+1", "+1", "-1", "@x", "\t=1", " =1", "a,b\"c\nd", "", "'x", "＝1", "\r=1"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		clean := func(s string) string { s, _ = incident.Clean(s, 4000); return s } // as the record has it
		text, name = clean(text), clean(name)
		b, err := timelineCSV([]incident.Entry{{ID: "E-1", Text: text, By: incident.Person{Name: name}}, {ID: "E-2"}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil || len(rows) != 3 || len(rows[1]) != len(csvColumns) {
			t.Fatalf("%d rows, %v:\n%s", len(rows), err, b)
		}
		for n, want := range map[int]string{9: text, 5: name} {
			want = strings.ReplaceAll(want, "\r\n", "\n")
			if got := rows[1][n]; got != want && got != "'"+want {
				t.Fatalf("%q reads back as %q", want, got)
			}
		}
		for _, row := range rows[1:] {
			for _, cell := range row {
				if s := strings.TrimLeft(cell, " \t\r\n"); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
					t.Fatalf("a formula: %q", cell)
				}
			}
		}
	})
}
