// Package postmortem draws the draft of a postmortem from an incident's record
// alone: the same bytes for the same record.
package postmortem

import (
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Record is all that a draft is made from.
type Record struct {
	Incident incident.Incident `json:"incident"`
	Timeline []incident.Entry  `json:"timeline"`
	History  []incident.Entry  `json:"history"`
	Zone     *time.Location    `json:"-"` // the zone shown beside UTC; nil: UTC alone
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
}

// Section is one section, its body in Markdown (CommonMark with tables).
type Section struct {
	Name  string `json:"name"` // "header", "summary", "impact", ...
	Title string `json:"title"`
	Body  string `json:"body"`
}

// New makes the draft of a record.
func New(r Record) Draft { panic("unwritten") }

// Markdown, HTML (one file, no request to anywhere) and JSON are the forms.
func (d Draft) Markdown() []byte { panic("unwritten") }

// HTML returns the draft as one self-contained page.
func (d Draft) HTML() ([]byte, error) { panic("unwritten") }

// Fragment returns the draft's body alone, as sanitized HTML to stand inside another page.
func (d Draft) Fragment() ([]byte, error) { panic("unwritten") }

// JSON returns the draft as indented JSON.
func (d Draft) JSON() ([]byte, error) { panic("unwritten") }
