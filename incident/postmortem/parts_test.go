package postmortem

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// The parts together are the page, each gap counted has a mark that can be
// jumped to, and the words are as they were written.
func TestParts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	i := incident.Incident{ID: "INC-1", Title: "a <b> title", Status: incident.Closed, Declared: at, Updated: at}
	words := "**TO FILL: mine** <strong class=\"gap\">TO FILL: x</strong>\n\n# two"
	tl := []incident.Entry{spoken(9, at, "actions", words)}
	for _, r := range []Record{{Incident: i, Timeline: tl, History: tl}, sample()} {
		for _, r.Template = range BuiltIn {
			d := New(r)
			parts, marks, err := d.Parts()
			if err != nil {
				t.Fatal(err)
			}
			page, err := d.Fragment()
			if err != nil {
				t.Fatal(err)
			}
			texts := map[string]bool{}
			for _, m := range marks {
				texts[m.Text] = true
				if n := bytes.Count(page, []byte(`id="`+m.ID+`"`)); n != 1 {
					t.Errorf("%s: %s is there %d times", r.Template, m.ID, n)
				}
			}
			if len(texts) != len(d.Gaps) {
				t.Errorf("%s: %d gaps, %d marked: %q and %v", r.Template, len(d.Gaps), len(texts), d.Gaps, marks)
			}
			if n := bytes.Count(page, []byte(`<strong class="gap"`)); n != len(marks) {
				t.Errorf("%s: %d in the page, %d marks", r.Template, n, len(marks))
			}
			for _, p := range parts {
				if !bytes.Contains(page, p.HTML) || !bytes.Contains(page, []byte(` id="`+p.ID+`"`)) {
					t.Errorf("%s: %s is not in the page", r.Template, p.Name)
				}
				if p.Name == "actions" && r.Incident.ID == "INC-1" && len(tl) == len(r.Timeline) && (p.Words != words || p.By != "ana" || p.Entry != "E-9" || !p.At.Equal(at) || !p.Settable) {
					t.Errorf("%s: %+v", r.Template, p)
				}
				if p.Name == "header" && p.Settable {
					t.Error("the header can be written")
				}
			}
			if r.Template == "standard" && len(r.Timeline) > 1 && !strings.Contains(string(page), `class="permalink" aria-label="Link to E-`) {
				t.Error("entries have no link")
			}
		}
	}
}
