package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/renew"
)

// EstatePage is what the estate's page shows, worst first.
type EstatePage struct {
	At        time.Time
	Standings []renew.Standing
	Open      []incident.Incident
}

// CertificatePage is what a certificate's page shows.
type CertificatePage struct {
	At        time.Time
	Standing  renew.Standing
	Renewals  []renew.Renewal
	Incidents []incident.Incident
}

// IncidentPage is what an incident's page shows.
type IncidentPage struct {
	At        time.Time
	Incident  incident.Incident
	Metrics   incident.Metrics
	Timeline  []incident.Entry
	Standings []renew.Standing // of its certificates
	Renewals  []renew.Renewal  // of its certificates since it started
	Updates   PageUpdates
	Draft     []byte // HTML fragment
}

// IncidentsPage is the list of incidents.
type IncidentsPage struct {
	At        time.Time
	Words     string
	Incidents []incident.Incident
	Total     int                     // how many fit; more than there are Incidents when they are too many to show
	Places    map[string][]FoundPlace // by incident: where Words are
	Unread    string                  // why something may not be found yet; "": everything was searched
}

// DraftPage is what the page of a postmortem draft shows.
type DraftPage struct {
	At        time.Time
	Incident  incident.Incident
	Template  string // by which it is written
	Templates []string
	Parts     []postmortem.Part
	Marks     []postmortem.Mark // where its gaps are
	Gaps      int               // left to fill in
	Seen      string            // the record's last line: what the reader of this page has seen
	Changed   incident.Entry    // the newest words that were written after it came to its state; zero: none
}

// EstatePage returns the estate. Private incidents are not on it.
func (d *Desk) EstatePage(ctx context.Context, by Person) (EstatePage, error) {
	p := EstatePage{At: d.o.Now().UTC()}
	err := d.mayLook(ctx, d.Who(by), "", nil)
	if err != nil {
		return p, err
	}
	if p.Standings, err = d.o.Renewer.Estate(ctx); err != nil {
		return p, fmt.Errorf("read the estate: %w", err)
	}
	if p.Open, err = d.o.Book.List(ctx, incident.Filter{Open: true}); err != nil {
		return p, fmt.Errorf("list open incidents: %w", err)
	}
	p.Open = withoutPrivate(p.Open)
	return p, nil
}

func withoutPrivate(all []incident.Incident) []incident.Incident {
	return slices.DeleteFunc(all, func(i incident.Incident) bool { return i.Private })
}

// CertificatePage returns one certificate, by name or domain, or a Problem.
func (d *Desk) CertificatePage(ctx context.Context, name string, by Person) (CertificatePage, error) {
	p := CertificatePage{At: d.o.Now().UTC()}
	cert, err := d.certificate(name)
	if err == nil {
		err = d.mayLook(ctx, d.Who(by), cert.Name, nonEmpty(cert.Owner))
	}
	if err != nil {
		return p, err
	}
	if p.Standing, err = d.standing(ctx, cert.Name); err != nil {
		return p, err
	}
	if p.Renewals, err = d.o.Renewer.Renewals(ctx, cert.Name, 50); err != nil {
		return p, fmt.Errorf("renewals of %s: %w", cert.Name, err)
	}
	if p.Incidents, err = d.o.Book.List(ctx, incident.Filter{Certificate: cert.Name, Limit: 50}); err != nil {
		return p, fmt.Errorf("incidents of %s: %w", cert.Name, err)
	}
	p.Incidents = withoutPrivate(p.Incidents)
	return p, nil
}

// IncidentPage returns one incident, or a Problem.
func (d *Desk) IncidentPage(ctx context.Context, id string, by Person) (IncidentPage, error) {
	p := IncidentPage{At: d.o.Now().UTC()}
	var err error
	if p.Incident, err = d.named(ctx, id, by); err != nil {
		return p, err
	}
	if p.Timeline, err = d.o.Book.Timeline(ctx, p.Incident.ID); err != nil {
		return p, fmt.Errorf("timeline of %s: %w", p.Incident.ID, err)
	}
	p.Metrics = incident.MetricsOf(p.Incident, p.Timeline, p.At)
	all, err := d.o.Renewer.Estate(ctx)
	if err != nil {
		return p, fmt.Errorf("read the estate: %w", err)
	}
	since := p.Incident.Declared
	if m, ok := p.Incident.Milestone(incident.Started); ok && m.At.Before(since) {
		since = m.At
	}
	for _, name := range p.Incident.Certificates {
		for _, s := range all {
			if s.Certificate.Name == name {
				p.Standings = append(p.Standings, s)
			}
		}
		rs, err := d.o.Renewer.Renewals(ctx, name, 50)
		if err != nil {
			return p, fmt.Errorf("renewals of %s: %w", name, err)
		}
		for _, r := range rs {
			if !r.Asked.Before(since) {
				p.Renewals = append(p.Renewals, r)
			}
		}
	}
	if p.Updates, err = d.pageUpdates(ctx, p.Incident); err != nil {
		return p, err
	}
	draft, err := d.draft(ctx, p.Incident, nil)
	if err != nil {
		return p, err
	}
	if p.Draft, err = draft.Fragment(); err != nil {
		return p, fmt.Errorf("draw the draft of %s: %w", p.Incident.ID, err)
	}
	return p, nil
}

// named finds an incident by an id from outside, if who asks may look at it.
func (d *Desk) named(ctx context.Context, id string, by Person) (incident.Incident, error) {
	if !isIncident(id) {
		return incident.Incident{}, Problem{Code: "unknown_incident", Message: quote(id) + " is not the id of an incident.", Hint: "See all of them with: /incident list all"}
	}
	by = d.Who(by)
	i, err := d.incidentByID(ctx, strings.ToUpper(id), by)
	if err == nil {
		err = d.mayLook(ctx, by, i.ID, d.ownersOf(i))
	}
	return i, err
}

// IncidentsPage returns incidents that hold all words anywhere on their record. Private ones are on it
// for those who are part of them.
func (d *Desk) IncidentsPage(ctx context.Context, words string, by Person) (IncidentsPage, error) {
	p := IncidentsPage{At: d.o.Now().UTC(), Words: clip(oneLine(words), 200)}
	by = d.Who(by)
	if err := d.mayLook(ctx, by, "", nil); err != nil {
		return p, err
	}
	limit := 500
	if p.Words != "" {
		limit = searchPage
	}
	found, err := d.find(ctx, p.Words, limit, 2, by)
	if err != nil {
		return p, err
	}
	if p.Total, p.Places = found.Total, map[string][]FoundPlace{}; found.Unread > 0 {
		p.Unread = unread(found.Unread)
	}
	for _, h := range found.Hits {
		p.Incidents = append(p.Incidents, h.Incident)
		p.Places[h.Incident.ID] = foundPlaces(h)
	}
	return p, nil
}

// DraftPage returns an incident's postmortem draft by a template ("": the one
// that close hands over), in parts, or a Problem.
func (d *Desk) DraftPage(ctx context.Context, id, template string, by Person) (DraftPage, error) {
	p := DraftPage{At: d.o.Now().UTC(), Templates: d.o.Templates.Names()}
	var err error
	if p.Incident, err = d.named(ctx, id, by); err != nil {
		return p, err
	}
	// What is drawn below holds at least this line.
	p.Seen = fmt.Sprintf("E-%d", p.Incident.Entries)
	draft, err := d.draftBy(ctx, p.Incident, template)
	if err != nil {
		return p, err
	}
	p.Template, p.Gaps = draft.Template, len(draft.Gaps)
	if p.Parts, p.Marks, err = draft.Parts(); err != nil {
		return p, fmt.Errorf("draw the draft of %s: %w", p.Incident.ID, err)
	}
	p.Changed = draft.Changed()
	return p, nil
}

// draftBy is the draft by a template that somebody named on a page; one that
// is not there, or fails, is a Problem.
func (d *Desk) draftBy(ctx context.Context, i incident.Incident, template string) (postmortem.Draft, error) {
	template = strings.ToLower(orElse(template, d.o.Template))
	if names := d.o.Templates.Names(); template != "" && !slices.Contains(names, template) {
		return postmortem.Draft{}, Problem{Code: "bad_template", Message: quote(template) + " is not a template: there are " + listed(names, 12) + ".", Hint: "The standard form is on " + draftPath(i.ID) + "?template=standard"}
	}
	draft, err := d.draftOf(ctx, i, nil, template)
	if bad := (*postmortem.TemplateError)(nil); errors.As(err, &bad) {
		return draft, Problem{Code: "template_failed", Message: "The template " + bad.Template + " could not be written: " + clip(bad.Error(), 300) + ".", Hint: "The standard form is on " + draftPath(i.ID) + "?template=standard"}
	}
	return draft, err
}

// Draft returns an incident's postmortem draft in the form "md", "html",
// "json" or "png", by the template that close hands over.
func (d *Desk) Draft(ctx context.Context, id, form string, by Person) (File, error) {
	return d.DraftAs(ctx, id, form, "", by)
}

// DraftAs is Draft by a template.
func (d *Desk) DraftAs(ctx context.Context, id, form, template string, by Person) (File, error) {
	i, err := d.named(ctx, id, by)
	if err != nil {
		return File{}, err
	}
	if form, err = formOf(form); err != nil {
		return File{}, err
	}
	draft, err := d.draftBy(ctx, i, template)
	if err != nil {
		return File{}, err
	}
	return fileOf(i.ID, draft, form)
}

// Image returns an image of a message pinned to an incident, by its SHA-256 in
// hexadecimal, or a Problem.
func (d *Desk) Image(ctx context.Context, id, sha256 string, by Person) (File, error) {
	i, err := d.named(ctx, id, by)
	if err != nil {
		return File{}, err
	}
	data, kind, err := d.o.Book.Image(ctx, i.ID, sha256)
	if errors.Is(err, incident.ErrNotFound) {
		return File{}, Problem{Code: "unknown_image", Message: i.ID + " has no such image.", Hint: "Its page shows the ones that it has."}
	}
	if err != nil {
		return File{}, fmt.Errorf("read an image of %s: %w", i.ID, err)
	}
	return File{Name: i.ID + "-" + short16(strings.ToLower(sha256)) + "." + strings.TrimPrefix(kind, "image/"), Type: kind, Data: data}, nil
}

// draft draws the postmortem from the record alone.
func (d *Desk) draft(ctx context.Context, i incident.Incident, zone *time.Location) (postmortem.Draft, error) {
	return d.draftOf(ctx, i, zone, "")
}

// draftOf is draft by a template.
func (d *Desk) draftOf(ctx context.Context, i incident.Incident, zone *time.Location, template string) (postmortem.Draft, error) {
	timeline, err := d.o.Book.Timeline(ctx, i.ID)
	if err != nil {
		return postmortem.Draft{}, fmt.Errorf("timeline of %s: %w", i.ID, err)
	}
	history, err := d.o.Book.History(ctx, i.ID)
	if err != nil {
		return postmortem.Draft{}, fmt.Errorf("history of %s: %w", i.ID, err)
	}
	updates, err := d.o.Book.Updates(ctx, i.ID)
	if err != nil {
		return postmortem.Draft{}, fmt.Errorf("updates of %s: %w", i.ID, err)
	}
	draft, err := d.o.Templates.Draft(postmortem.Record{Incident: i, Timeline: timeline, History: history, Updates: updates, Zone: zone, Template: template, Statuses: d.o.Statuses})
	if err != nil {
		return draft, fmt.Errorf("draft of %s: %w", i.ID, err)
	}
	return draft, nil
}

// zoneOf is a person's zone; nil when it is UTC or not known.
func zoneOf(name string) *time.Location {
	if name == "" || name == "UTC" {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || isUTC(loc) {
		return nil
	}
	return loc
}

// isUTC reports that a zone is UTC under another name, as Etc/UTC is.
func isUTC(loc *time.Location) bool {
	short, offset := time.Unix(0, 0).In(loc).Zone()
	return short == "UTC" && offset == 0
}

func formOf(s string) (string, error) {
	switch f := strings.ToLower(s); f {
	case "md", "html", "json", "png":
		return f, nil
	case "markdown":
		return "md", nil
	}
	return "", Problem{Code: "bad_form", Message: quote(s) + " is not a form of the draft: there are md, html, json and png (the picture).", Hint: "For example: /incident postmortem INC-7 md"}
}

// fileOf makes a file of a draft.
func fileOf(id string, draft postmortem.Draft, form string) (File, error) {
	f := File{Name: id + "-postmortem." + form}
	var err error
	switch form {
	case "md":
		f.Type, f.Data = "text/markdown; charset=utf-8", draft.Markdown()
	case "html":
		f.Type = "text/html; charset=utf-8"
		f.Data, err = draft.HTML()
	case "json":
		f.Type = "application/json"
		f.Data, err = draft.JSON()
	case "png":
		f.Name, f.Type, f.Alt = id+"-picture.png", "image/png", draft.Alt()
		f.Data, err = draft.PNG()
	}
	if err != nil {
		return f, fmt.Errorf("draw the draft of %s as %s: %w", id, form, err)
	}
	return f, nil
}
