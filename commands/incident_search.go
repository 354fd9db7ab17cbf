package commands

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: searching everything on record, for the verb and for the page.

const (
	searchPlaces = 5   // places shown when few incidents are found
	searchFew    = 3   // incidents; of more one place each is shown
	searchPage   = 100 // incidents on the page: each costs the reading of its places
)

// find searches what somebody may see. Too many words are a Problem.
func (d *Desk) find(ctx context.Context, words string, limit, places int, by Person) (incident.Found, error) {
	found, err := d.o.Book.Search(ctx, incident.Filter{Words: words, Limit: limit}, places, func(i incident.Incident) bool { return d.visible(i, by) })
	if errors.Is(err, incident.ErrState) {
		err = Problem{Code: "too_many_words", Message: fmt.Sprintf("A search takes at most %d words.", incident.MaxWords), Hint: "Say the few that nothing else has, for example: /incident list search media rack 4"}
	}
	return found, err
}

func (c *call) search(ctx context.Context, words string) (Reply, error) {
	found, err := c.d.find(ctx, words, maxRows, searchPlaces, c.r.By)
	if err != nil {
		return Reply{}, err
	}
	r := Reply{State: StateInfo, Headline: plural(found.Total, "incident") + " with " + quote(words) + ".", Links: []Link{{"Found", incidentsPath + "?q=" + url.QueryEscape(words)}}}
	var body []string
	switch {
	case found.Total == 0:
		r.Headline = "No incident with " + quote(words) + "."
		if found.Unread == 0 {
			body = append(body, "Every word must occur on the incident's record: in its title, impact, certificates, people, or a line of its timeline. Parts of words count. Say fewer of them.")
		}
	case found.Total > len(found.Hits):
		body = append(body, fmt.Sprintf("And %d more: see the page.", found.Total-len(found.Hits)))
	}
	if found.Unread > 0 {
		body = append(body, unread(found.Unread))
	}
	if r.Body = strings.Join(body, "\n"); len(found.Hits) == 0 {
		return r, nil
	}
	r.Table = Table{Columns: []string{"incident", "status", "where", "found"}}
	for n, h := range found.Hits {
		if len(found.Hits) > searchFew {
			h.Places = h.Places[:min(len(h.Places), 1)]
		}
		for k, p := range h.Places {
			row := Row{State: incidentState(h.Incident), Cells: []string{h.Incident.ID, c.d.status(h.Incident.Status) + marks(h.Incident), whereOf(p), oneLine(p.Text)}}
			if k > 0 {
				row.Cells[1] = ""
			}
			if len(r.Table.Rows) < maxRows {
				r.Table.Rows = append(r.Table.Rows, row)
			}
		}
		if n < searchFew {
			r.Buttons = append(r.Buttons, Button{Label: "Open " + h.Incident.ID, Command: "/incident show " + h.Incident.ID})
			if len(h.Places) > 0 {
				name, path := placeLink(h.Incident.ID, h.Places[0])
				r.Links = append(r.Links, Link{name, path})
			}
		}
	}
	return r, nil
}

func unread(n int) string {
	return "The timelines of " + plural(n, "incident") + " from before this version are still being read, and are not searched yet. Say it again in a minute."
}

// whereOf says where words were found: "title", "note E-5, 2026-11-22 02:14 UTC".
func whereOf(p incident.Place) string {
	if p.Entry.ID == "" {
		return p.What
	}
	return p.What + " " + p.Entry.ID + ", " + stamp(p.Entry.At)
}

// placeLink leads to where words were found: the line, or the draft for words
// written there.
func placeLink(id string, p incident.Place) (name, path string) {
	switch c := p.Entry.Evidence.Change; {
	case p.Entry.ID == "":
		return id, incidentPath(id)
	case c.What == incident.SectionChange:
		return "Draft of " + id, draftPath(id)
	}
	return id + " " + p.Entry.ID, incidentPath(id) + "?all=1#" + p.Entry.ID
}

// FoundPlace is where the words of a search are in an incident.
type FoundPlace struct {
	Where string // "note E-5, 2026-11-22 02:14:00 UTC"
	Text  string // the line around the words
	Path  string // of the page that has it
}

func foundPlaces(h incident.Hit) (all []FoundPlace) {
	for _, p := range h.Places {
		_, path := placeLink(h.Incident.ID, p)
		all = append(all, FoundPlace{Where: whereOf(p), Text: oneLine(p.Text), Path: path})
	}
	return all
}
