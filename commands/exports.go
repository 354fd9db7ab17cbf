package commands

// This file holds action items in trackers outside: what bot/tracker is to make
// and to read (Exports), and what became of it (Exported, Saw, Unread). What
// people type is in task_export.go.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Tracker is where action items can be kept too.
type Tracker struct {
	Name    string // "github" or "jira"
	Where   string // "example/certs", or "TLS at jira.example.com"
	AtClose bool   // open items go there when their incident is closed
}

// Export is an action item to be made in a tracker, or to be read there.
type Export struct {
	Key      string    `json:"key"` // "T-3/0": the same key is the same export
	Tracker  string    `json:"tracker"`
	Read     bool      `json:"read"` // it is there: read its state
	Task     string    `json:"task"`
	Incident string    `json:"incident"`
	Marker   string    `json:"marker"` // what is written into it, so that it is found again
	Title    string    `json:"title"`
	Text     string    `json:"text"` // lines, plain text
	Kind     string    `json:"kind"`
	Due      time.Time `json:"due,omitzero"` // midnight UTC of the day
	Since    time.Time `json:"since"`        // when it was written down here: it is not in the tracker before
	Asked    time.Time `json:"asked"`        // when it was to be exported
	Ref      string    `json:"ref,omitempty"`
	Done     bool      `json:"done"` // here
}

// Exported is what became of an Export that made something.
type Exported struct {
	Failed bool // for good
	Text   string
	Next   string // what to do, after an error
	Ref    string
	URL    string
}

// There is an item's state in its tracker.
type There struct {
	Done bool
	At   time.Time // when it was done or reopened there; zero: not known
	By   string    // who did so; "": not known
	How  string    // "completed", "" when the tracker does not say
}

const (
	// readEvery is how often an item is read in its tracker.
	readEvery = 24 * time.Hour
	// closedLately is how long after the close open items still go out by
	// themselves: those of long ago stay when a tracker is configured anew.
	closedLately = 7 * 24 * time.Hour
)

func (d *Desk) tracker(name string) (Tracker, bool) {
	for _, t := range d.o.Trackers {
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return Tracker{}, false
}

// exportTitle is an item's title in a tracker.
func exportTitle(t incident.Task) string { return clip(oneLine(t.Text), 200) }

// exportText is what is written below it: facts, line by line, as plain text.
func (d *Desk) exportText(i incident.Incident, t incident.Task) string {
	lines := []string{fmt.Sprintf("Action item %s (%s) of %s, %s: %s", t.ID, t.Kind, i.ID, sev(i.Severity), oneLine(i.Title)), "Owner: " + orElse(t.Owner.Name, "nobody yet")}
	if exportTitle(t) != t.Text { // it was cut
		lines = append([]string{t.Text, ""}, lines...)
	}
	if !t.Due.IsZero() {
		lines = append(lines, "Due: "+t.Due.Format(time.DateOnly))
	}
	lines = append(lines, fmt.Sprintf("Written down by %s at %s.", t.By.Name, minute(t.At)))
	return strings.Join(lines, "\n")
}

// Exports returns what is to be made in trackers, and what is to be read there
// at now: each item once a day. Before, open items of incidents closed lately
// are put on their way where the configuration says so.
func (d *Desk) Exports(ctx context.Context, now time.Time) ([]Export, error) {
	if err := d.exportClosed(ctx, now); err != nil {
		return nil, err
	}
	ts, err := d.o.Book.Exports(ctx)
	if err != nil {
		return nil, err
	}
	var all []Export
	for _, t := range ts {
		read := t.Export.State == incident.ExportDone
		if gone := now.Sub(t.Export.Seen); read && gone < readEvery && gone > -readEvery {
			continue
		}
		i, err := d.o.Book.Incident(ctx, t.Incident)
		if err != nil {
			return nil, err
		}
		all = append(all, Export{Key: fmt.Sprintf("%s/%d", t.ID, t.Export.Try), Tracker: t.Export.Tracker, Read: read, Task: t.ID, Incident: t.Incident, Kind: t.Kind, Due: t.Due, Since: t.At, Asked: t.Export.At, Ref: t.Export.Ref, Done: !t.Open(),
			Marker: fmt.Sprintf("certmedic-%s-%s-%d", strings.ToLower(t.ID), strings.ToLower(t.Incident), i.Declared.Unix()), Title: exportTitle(t), Text: d.exportText(i, t)})
	}
	return all, nil
}

// exportClosed puts open items of incidents that were closed lately on their
// way, except those of private ones and of drills.
func (d *Desk) exportClosed(ctx context.Context, now time.Time) error {
	at := slices.IndexFunc(d.o.Trackers, func(t Tracker) bool { return t.AtClose })
	if at < 0 {
		return nil
	}
	ts, err := d.o.Book.Tasks(ctx, false)
	if err != nil {
		return err
	}
	for _, t := range ts {
		if !t.Export.IsZero() {
			continue
		}
		i, err := d.o.Book.Incident(ctx, t.Incident)
		if err != nil {
			return err
		}
		m, closed := i.Milestone(incident.ClosedAt)
		if i.Status != incident.Closed || !closed || i.Private || i.Drill || now.Sub(m.Recorded) > closedLately {
			continue
		}
		if _, _, err := d.o.Book.ExportTask(ctx, t.ID, d.o.Trackers[at].Name, incident.Change{By: incident.Bot, Key: "export/" + t.ID}); err != nil {
			return err
		}
	}
	return nil
}

// Exported says in the incident's room what became of an export, and records it.
func (d *Desk) Exported(ctx context.Context, e Export, o Exported, post func(Post)) error {
	to := incident.Export{State: incident.ExportDone, Ref: o.Ref, URL: o.URL}
	if o.Failed {
		to = incident.Export{State: incident.ExportFailed, Text: o.Text}
	}
	r := Reply{State: StateGood, Headline: fmt.Sprintf("%s of %s is %s in %s.", e.Task, e.Incident, o.Ref, e.Tracker), Body: o.URL}
	if o.Failed {
		r = Reply{State: StateWarning, Headline: fmt.Sprintf("%s of %s did not get into %s: %s", e.Task, e.Incident, e.Tracker, end(o.Text)), Body: o.Next,
			Buttons: []Button{{Label: "Try again", Command: "/incident task export " + e.Task + " --to " + e.Tracker}}}
	}
	d.sayExport(e, "export/"+e.Key, r, post) // before it is recorded: a kill in between does not leave it unsaid
	_, _, err := d.o.Book.ExportedTask(ctx, e.Task, to, incident.Change{By: incident.Bot, Key: "exported/" + e.Key})
	if err != nil {
		return fmt.Errorf("record the export of %s: %w", e.Task, err)
	}
	return nil
}

// ExportDelayed says in the incident's room that an export is tried again.
func (d *Desk) ExportDelayed(e Export, o Exported, again time.Time, post func(Post)) {
	d.sayExport(e, "export/"+e.Key, Reply{State: StateWarning, Body: o.Next,
		Headline: fmt.Sprintf("%s of %s is not in %s yet: %s It is tried again from %s on.", e.Task, e.Incident, e.Tracker, end(o.Text), again.UTC().Format("15:04:05 UTC"))}, post)
}

func (d *Desk) sayExport(e Export, key string, r Reply, post func(Post)) {
	r.Public, r.Key, r.Links = true, key, []Link{{e.Incident, incidentPath(e.Incident)}}
	if post != nil {
		post(Post{Room: e.Incident, Reply: clean(r), At: d.o.Now().UTC()})
	}
}

// Saw records an item's state as read in its tracker. Done there is done here,
// by who did it there and when; reopened there is shown, and stays done here.
func (d *Desk) Saw(ctx context.Context, e Export, s There, post func(Post)) error {
	now := d.o.Now().UTC()
	by := incident.Person{ID: e.Tracker, Name: e.Tracker, Platform: e.Tracker}
	if s.By != "" {
		by = incident.Person{ID: e.Tracker + ":" + s.By, Name: s.By, Platform: e.Tracker}
	}
	there := incident.ThereOpen
	if s.Done {
		there = incident.ThereDone
	}
	i, err := d.o.Book.Incident(ctx, e.Incident)
	if err != nil {
		return err
	}
	was := ""
	var task incident.Task
	for _, t := range i.Tasks {
		if t.ID == e.Task {
			task, was = t, t.Export.There
		}
	}
	at := s.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	if at.Before(task.At) {
		at = task.At
	}
	if s.Done && task.Open() {
		d.sayExport(e, "there/"+e.Key+"/"+at.Format(time.RFC3339), Reply{State: StateGood, Headline: fmt.Sprintf("%s of %s is done: %s closed %s in %s at %s.", e.Task, e.Incident, by.Name, e.Ref, e.Tracker, minute(at))}, post)
		how := "done as " + e.Ref + " in " + e.Tracker
		if s.How != "" {
			how += ", " + s.How
		}
		if _, _, err := d.o.Book.DoTask(ctx, e.Task, incident.Change{By: by, At: at, Text: how, Key: "there/" + e.Key + "/" + at.Format(time.RFC3339)}); err != nil {
			return err
		}
	}
	if !s.Done && was == incident.ThereDone {
		d.sayExport(e, "there/"+e.Key+"/"+at.Format(time.RFC3339), Reply{State: StateWarning, Headline: fmt.Sprintf("%s of %s was reopened as %s in %s; here it is done.", e.Task, e.Incident, e.Ref, e.Tracker)}, post)
	}
	_, _, err = d.o.Book.SawTask(ctx, e.Task, there, now, incident.Change{By: by, At: at})
	return err
}

// Unread says in the incident's room that an item cannot be read in its
// tracker any more, and has it read again tomorrow.
func (d *Desk) Unread(ctx context.Context, e Export, o Exported, post func(Post)) error {
	now := d.o.Now().UTC()
	i, err := d.o.Book.Incident(ctx, e.Incident)
	if err != nil {
		return err
	}
	for _, t := range i.Tasks {
		if t.ID == e.Task {
			d.sayExport(e, "unread/"+e.Key, Reply{State: StateWarning, Headline: fmt.Sprintf("%s of %s cannot be read as %s in %s: %s", e.Task, e.Incident, e.Ref, e.Tracker, end(o.Text)), Body: o.Next}, post)
			_, _, err = d.o.Book.SawTask(ctx, e.Task, t.Export.There, now, incident.Change{By: incident.Bot})
		}
	}
	return err
}
