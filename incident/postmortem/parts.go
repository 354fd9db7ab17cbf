package postmortem

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: the draft in parts, for a page that stands something of its own
// between them, and where its gaps are.

// Part is a section of the draft as sanitized HTML.
type Part struct {
	Name, Title string
	ID          string    // of its heading: "pm-" and the name
	HTML        []byte    // without its heading
	Settable    bool      // people can write words for it
	Words       string    // what they wrote last, as they wrote it; "": nothing
	By, Entry   string    // who wrote them, and in which line of the record
	At          time.Time // when
}

// Mark is where a gap is marked.
type Mark struct {
	ID      string // of the element
	Text    string // what a person must fill, in plain text
	Section string // title of the section; "" of the header
}

// Parts returns the draft's sections in their order, the first being the
// header, and the marks of its gaps in the order of the page.
func (d Draft) Parts() ([]Part, []Mark, error) {
	var parts []Part
	var marks []Mark
	v := gather(d.Incident, d.Timeline)
	w := &writer{v: v}
	for n, s := range d.Sections {
		p := Part{Name: s.Name, Title: s.Title, ID: "pm-" + s.Name, Settable: slices.Contains(Settable(), s.Name)}
		body, err := toHTML(s)
		if err != nil {
			return nil, nil, fmt.Errorf("section %s of %s: %w", s.Name, d.Incident.ID, err)
		}
		if s.Name == "picture" {
			drawn := "<figure class=\"scroll\" tabindex=\"0\">\n" + v.layout("", zoneWords(d.Zone, v.from)).svg() + "</figure>\n"
			body = append([]byte(drawn), body...)
		}
		p.HTML = gapOpen.ReplaceAllFunc(body, func(m []byte) []byte {
			found := gapOpen.FindSubmatch(m)
			one := Mark{ID: fmt.Sprintf("pm-gap-%d", len(marks)+1), Text: strings.TrimSpace(html.UnescapeString(string(anyTag.ReplaceAll(found[1], nil))))}
			if n > 0 {
				one.Section = s.Title
			}
			marks = append(marks, one)
			return bytes.Replace(m, []byte("<strong class=\"gap\">"), []byte("<strong class=\"gap\" id=\""+one.ID+"\">"), 1)
		})
		if last := w.lastWords(s.Name); p.Settable && last.ID != "" {
			p.Words, p.By, p.Entry, p.At = strings.TrimSpace(last.Evidence.Change.To), last.By.Name, last.ID, last.At
		}
		parts = append(parts, p)
	}
	return parts, marks, nil
}

// Changed returns the newest words that were written after the draft was
// finished, reviewed or shared; a zero entry when none were.
func (d Draft) Changed() incident.Entry {
	return (&writer{d: &d, v: gather(d.Incident, d.Timeline)}).changed()
}

var (
	gapOpen = regexp.MustCompile(`<strong class="gap">TO FILL:? ?(.*?)</strong>`)
	anyTag  = regexp.MustCompile(`<[^>]*>`)
)
