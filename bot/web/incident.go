package web

import (
	"bytes"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds the incidents: the list, the page of one, its card. The draft is in draft.go.

// incidentRow is an incident in a list.
type incidentRow struct {
	ID, Title, Severity, Status, State, Commander, Owner string
	Certificates                                         []string
	Declared, Started, Ended                             time.Time
	Drill                                                bool
	Hosts                                                string // "1 of 4 hosts good"; "": not known
	Places                                               []commands.FoundPlace
}

func (s *Site) incidentRows(p commands.IncidentsPage) []incidentRow {
	var rows []incidentRow
	for _, i := range p.Incidents {
		row := incidentRow{
			ID: i.ID, Title: i.Title, Severity: fmt.Sprintf("SEV%d", i.Severity), Status: s.statusName(string(i.Status)),
			State: incidentState(string(i.Status), int(i.Severity)), Commander: i.Commander.Name, Owner: i.Owner,
			Certificates: i.Certificates, Declared: i.Declared, Drill: i.Drill, Started: i.Declared, Places: p.Places[i.ID],
		}
		if m, ok := i.Milestone("started"); ok {
			row.Started = m.At
		}
		if m, ok := i.Milestone("resolved"); ok {
			row.Ended = m.At
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Site) statusName(status string) string {
	if s.o.StatusName == nil {
		return status
	}
	return s.o.StatusName(status)
}

// incidentState is the colour of a status.
func incidentState(status string, severity int) string {
	switch status {
	case "monitoring":
		return commands.StateRunning
	case "resolved":
		return commands.StateGood
	case "closed", "cancelled", "duplicate":
		return commands.StateInfo
	}
	if severity > 2 {
		return commands.StateWarning
	}
	return commands.StateCritical
}

// card is an incident in its room: the state first, then a few facts.
type card struct {
	ID, Title, State, Class, Commander string
	Drill                              bool
	Facts                              []commands.Fact
	Started                            time.Time
	Good, Of                           int
}

func (s *Site) cardOf(p commands.IncidentPage, now time.Time) card {
	row := s.incidentRows(commands.IncidentsPage{Incidents: append(commands.IncidentsPage{}.Incidents, p.Incident)})[0]
	c := card{ID: row.ID, Title: row.Title, Class: row.State, Commander: row.Commander, Drill: row.Drill, Started: row.Started}
	c.State = row.ID + " " + row.Severity + " " + row.Status
	for _, s := range p.Standings {
		c.Good, c.Of = c.Good+s.HostsGood, c.Of+s.Hosts
	}
	commander := row.Commander
	if commander == "" {
		commander = "nobody yet"
	}
	c.Facts = []commands.Fact{{Name: "Commander", Value: commander}, {Name: "Started", Value: stamp(row.Started)}}
	if row.Ended.IsZero() {
		c.Facts = append(c.Facts, commands.Fact{Name: "Elapsed", Value: took(now.Sub(row.Started).Truncate(time.Second))})
	} else {
		c.Facts = append(c.Facts, commands.Fact{Name: "Lasted", Value: took(row.Ended.Sub(row.Started))})
	}
	if c.Of > 0 {
		c.Facts = append(c.Facts, commands.Fact{Name: "Hosts good", Value: fmt.Sprintf("%d of %d", c.Good, c.Of)})
	}
	return c
}

type incidentsPage struct {
	page
	Words  string
	Rows   []incidentRow
	More   int    // that fit and are not among the rows
	Unread string // why something may not be found yet
}

func (s *Site) incidents(w http.ResponseWriter, r *http.Request) {
	words := clip(strings.TrimSpace(r.URL.Query().Get("q")), 200)
	i, err := s.o.Pages.IncidentsPage(r.Context(), words, person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := incidentsPage{page: s.page(w, r, ""), Words: words, Rows: s.incidentRows(i), More: max(0, i.Total-len(i.Incidents)), Unread: i.Unread}
	open := 0
	for _, row := range p.Rows {
		if row.State != commands.StateInfo && row.State != commands.StateGood {
			open++
		}
	}
	p.Title, p.Here = fmt.Sprintf("Incidents: %d open", open), "incidents"
	s.show(w, r, http.StatusOK, "incidents", p)
}

// shownEntries is how many entries of a long timeline are shown at first.
const shownEntries = 200

type incidentPage struct {
	page
	I         commands.IncidentPage
	Card      card
	Entries   []entryView
	Hidden    int
	Addresses []addressRow
	Rows      []estateRow
	Picture   template.HTML
}

// Late reports that a day is over everywhere.
func (p incidentPage) Late(due time.Time) bool { return p.Now.After(due.Add(24 * time.Hour)) }

// picture is the chart of the outage, as the draft draws it, or "".
func picture(draft []byte) template.HTML {
	from := bytes.Index(draft, []byte(`<svg xmlns="http://www.w3.org/2000/svg" class="picture"`))
	if from < 0 {
		return ""
	}
	to := bytes.Index(draft[from:], []byte("</svg>"))
	if to < 0 {
		return ""
	}
	return template.HTML(draft[from : from+to+len("</svg>")]) // escaped by incident/postmortem, like all of the draft
}

func (s *Site) incident(w http.ResponseWriter, r *http.Request) {
	i, err := s.o.Pages.IncidentPage(r.Context(), r.PathValue("id"), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := incidentPage{page: s.page(w, r, ""), I: i}
	p.Card = s.cardOf(i, p.Now)
	p.Title, p.Here, p.Room = p.Card.State, "incidents", i.Incident.ID
	p.Entries = entryViews(i)
	if n := len(p.Entries); n > shownEntries && r.URL.Query().Get("all") != "1" {
		p.Hidden = n - shownEntries
		p.Entries = p.Entries[p.Hidden:]
		p.Entries[0].NewDay = true
	}
	e := commands.EstatePage{At: i.At, Standings: i.Standings}
	p.Rows, p.Addresses, p.Picture = estateRows(e), addressRows(e), picture(i.Draft)
	s.show(w, r, http.StatusOK, "incident", p)
}

// imageTypes are the media types of images that are served, to be looked at
// and never run.
var imageTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// image is an image of a pinned message. Its address is its content, so a
// browser keeps it.
func (s *Site) image(w http.ResponseWriter, r *http.Request) {
	f, err := s.o.Pages.Image(r.Context(), r.PathValue("id"), r.PathValue("sha256"), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !slices.Contains(imageTypes, f.Type) {
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.Type)
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": fileName(f.Name)}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=3600")
	w.Write(f.Data)
}
