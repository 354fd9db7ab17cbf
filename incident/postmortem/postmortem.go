// Package postmortem draws the draft of a postmortem from an incident's record
// alone: the same bytes for the same record.
package postmortem

// In this file: the draft and its forms. What the record says is gathered in
// gather.go, the sections are written in section_*.go with the words of
// markdown.go, the chart is drawn in picture.go, the page in html.go.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Record is all that a draft is made from.
type Record struct {
	Incident incident.Incident `json:"incident"`
	Timeline []incident.Entry  `json:"timeline"`
	History  []incident.Entry  `json:"history"`
	Updates  []incident.Update `json:"updates"` // status updates, in the order of writing
	Zone     *time.Location    `json:"-"`       // the zone shown beside UTC; nil: UTC alone
	Statuses incident.Names    `json:"-"`       // what people call the statuses
	Template string            `json:"-"`       // one of BuiltIn, or of Templates; "": standard
}

// Fact is one statement of the draft. Unaided is true when nobody typed it.
type Fact struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Value   string `json:"value"`
	Source  string `json:"source"` // "check E-4", "renewal R-1", "said by ana"
	Unaided bool   `json:"unaided"`
}

// Draft is a postmortem draft. Its JSON form is documented in docs/postmortem.md.
type Draft struct {
	Incident incident.Incident `json:"incident"`
	Metrics  incident.Metrics  `json:"metrics"`
	Facts    []Fact            `json:"facts"`
	Gaps     []string          `json:"gaps"` // what a person must fill
	Sections []Section         `json:"sections"`
	Timeline []incident.Entry  `json:"timeline"`
	Updates  []incident.Update `json:"updates"`        // what was told, without addresses
	Zone     string            `json:"zone,omitempty"` // the zone shown beside UTC
	Template string            `json:"template"`       // "standard", "brief", "blog", "status-page" or an own one

	statuses incident.Names
}

// Section is one section, its body in Markdown (CommonMark with tables).
type Section struct {
	Name  string `json:"name"` // "header", "summary", "impact", ...
	Title string `json:"title"`
	Body  string `json:"body"`
}

// sections of a draft in their order. The header counts the gaps of the
// others, hence it is written last.
var sections = []struct {
	name, title string
	write       func(*writer)
}{
	{"header", "", nil},
	{"summary", "Summary", (*writer).summary},
	{"impact", "Impact", (*writer).impact},
	{"timeline", "Timeline", (*writer).timeline},
	{"picture", "Picture", (*writer).picture},
	{"factors", "Contributing factors", (*writer).factors},
	{"detection", "Detection", (*writer).detection},
	{"resolution", "Resolution", (*writer).resolution},
	{"lessons", "What went well, what went poorly, where we got lucky", (*writer).lessons},
	{"actions", "Action items", (*writer).actions},
	{"messaging", "Messaging", (*writer).messaging},
	{"appendix", "Appendix", (*writer).appendix},
}

// BuiltIn are the names of the templates that come with the program.
var BuiltIn = []string{"standard", "brief", "blog", "status-page"}

// brief is what the template of that name holds.
var brief = []string{"header", "summary", "impact", "timeline", "actions"}

// Settable returns the names of the sections that people can write words for,
// in their order.
func Settable() (names []string) {
	for _, s := range sections {
		if s.write != nil {
			names = append(names, s.name)
		}
	}
	return names
}

// New makes the draft of a record by a template that comes with the program;
// by another, see Templates. While the incident lasts, durations run to the
// record's last change: no clock is read.
func New(r Record) Draft {
	d, err := (*Templates)(nil).Draft(r)
	if err != nil { // no such template; those of the program do not fail
		r.Template = ""
		return plainDraft(r)
	}
	return d
}

// plainDraft makes the draft by standard or brief.
func plainDraft(r Record) Draft {
	d := Draft{
		Incident: r.Incident,
		Metrics:  incident.MetricsOf(r.Incident, r.Timeline, r.Incident.Updated),
		Facts:    []Fact{},
		Gaps:     []string{},
		Timeline: discreetLines(r.Timeline),
		Updates:  discreet(r.Updates),
		Template: or(r.Template, "standard"),
	}
	w := newWriter(r, &d)
	for _, s := range sections {
		if d.Template == "brief" && !slices.Contains(brief, s.name) {
			continue
		}
		section := Section{Name: s.name, Title: s.title}
		if s.write != nil {
			section.Body = w.section(s.name, s.write)
		}
		d.Sections = append(d.Sections, section)
	}
	d.Sections[0].Title = "Postmortem of " + r.Incident.ID + ": " + plain(r.Incident.Title)
	d.Sections[0].Body = w.section("header", (*writer).header)
	return d
}

// newWriter returns a writer of d's sections.
func newWriter(r Record, d *Draft) *writer {
	if r.Zone != nil && r.Zone != time.UTC && r.Zone.String() != "UTC" {
		d.Zone = r.Zone.String()
	} else {
		r.Zone = nil
	}
	d.statuses = r.Statuses
	return &writer{d: d, zone: r.Zone, history: discreetLines(r.History), told: tell(d.Updates, d.Timeline), v: gather(r.Incident, d.Timeline)}
}

// Markdown, HTML (one file, no request to anywhere) and JSON are the forms.
func (d Draft) Markdown() []byte {
	var b bytes.Buffer
	for n, s := range d.Sections {
		level := "##"
		if n == 0 {
			level = "#"
		}
		fmt.Fprintf(&b, "%s %s\n\n%s\n", level, escape(s.Title), s.Body)
		if n+1 < len(d.Sections) {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// JSON returns the draft as indented JSON.
func (d Draft) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the draft of %s: %w", d.Incident.ID, err)
	}
	return append(b, '\n'), nil
}
