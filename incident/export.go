package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: action items that are kept in a tracker outside too. That one
// is to be exported stands here before it is, and the link that came of it
// after; how it is made there is not known here (bot/tracker).

// States of an export.
const (
	ExportPending = "pending"
	ExportDone    = "done"
	ExportFailed  = "failed" // and not tried again unless somebody says so
)

// States of an item in a tracker.
const (
	ThereOpen = "open"
	ThereDone = "done"
)

// readFor is how long after it is done an item is still read in its tracker.
const readFor = 90 * day

// Export is an action item in a tracker.
type Export struct {
	Tracker string    `json:"tracker"` // "github" or "jira"
	State   string    `json:"state"`
	By      Person    `json:"by"` // who asked for it
	At      time.Time `json:"at"` // when
	Ref     string    `json:"ref,omitempty"`
	URL     string    `json:"url,omitempty"`
	Text    string    `json:"text,omitempty"`  // why it failed
	There   string    `json:"there,omitempty"` // its state there as read last
	Seen    time.Time `json:"seen,omitzero"`   // when it was read last; only Exports fills it
	Try     int       `json:"try,omitempty"`
}

// IsZero reports that it was never to be exported.
func (e Export) IsZero() bool { return e.State == "" }

// diskExport is an Export in the record, version 1.
type diskExport struct {
	Tracker string     `json:"tracker"`
	State   string     `json:"state"`
	By      diskPerson `json:"by"`
	At      time.Time  `json:"at"`
	Ref     string     `json:"ref,omitempty"`
	URL     string     `json:"url,omitempty"`
	Text    string     `json:"text,omitempty"`
	There   string     `json:"there,omitempty"`
	Try     int        `json:"try,omitempty"`
}

// IsZero keeps it out of the record of an item that was never exported.
func (d diskExport) IsZero() bool { return d.State == "" }

func (d diskExport) export() Export {
	if d.IsZero() {
		return Export{}
	}
	return Export{Tracker: d.Tracker, State: d.State, By: d.By.person(), At: d.At, Ref: d.Ref, URL: d.URL, Text: d.Text, There: d.There, Try: d.Try}
}

// diskRead is what the index has of an item that is to be exported or read,
// version 1.
type diskRead struct {
	V        int       `json:"v"`
	Incident int       `json:"incident"`
	Seen     time.Time `json:"seen,omitzero"`
}

func readKey(task int) string { return keyExport + padded(task) }

func putRead(tx store.Tx, task int, d diskRead) error {
	d.V = diskVersion
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode the export of %s: %w", taskName(task), err)
	}
	return tx.Put(readKey(task), v)
}

// changeTask changes one action item together with its incident's record.
func (b *Book) changeTask(ctx context.Context, id string, c Change, fn func(p *page, d *diskTask, c Change) error) (Incident, Task, error) {
	n, err := taskNumber(id)
	if err != nil {
		return Incident{}, Task{}, err
	}
	num, err := b.incidentOfTask(ctx, n)
	if err != nil {
		return Incident{}, Task{}, err
	}
	i, err := b.change(ctx, idOf(num), c, func(p *page, c Change) error {
		at := slices.IndexFunc(p.r.Tasks, func(d diskTask) bool { return d.Num == n })
		if at < 0 {
			return fmt.Errorf("task %s: %w", taskName(n), ErrNotFound)
		}
		d := p.r.Tasks[at]
		if err := fn(p, &d, c); err != nil {
			return err
		}
		p.r.Tasks = slices.Clone(p.r.Tasks)
		p.r.Tasks[at] = d
		return nil
	})
	if err != nil {
		return i, Task{}, err
	}
	for _, t := range i.Tasks {
		if t.ID == taskName(n) {
			return i, t, nil
		}
	}
	return i, Task{}, fmt.Errorf("task %s: %w", taskName(n), ErrNotFound)
}

// incidentOfTask returns the number of the incident that has an action item.
func (b *Book) incidentOfTask(ctx context.Context, n int) (num int, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get(keyTask + padded(n))
		if err != nil {
			return err
		}
		if v == nil {
			return fmt.Errorf("task %s: %w", taskName(n), ErrNotFound)
		}
		num, err = strconv.Atoi(string(v))
		return err
	})
	return num, err
}

// ExportTask records that an action item is to be made in a tracker. One that
// is on its way or there already stays as it is; one that is in another tracker
// is refused with ErrState.
func (b *Book) ExportTask(ctx context.Context, id, tracker string, c Change) (Incident, Task, error) {
	tracker = oneLine(tracker, maxTitle)
	return b.changeTask(ctx, id, c, func(p *page, d *diskTask, c Change) error {
		e := d.Export
		switch {
		case e.State != "" && e.State != ExportFailed && e.Tracker != tracker:
			return fmt.Errorf("%s is in %s: %w", taskName(d.Num), e.Tracker, ErrState)
		case e.State != "" && e.State != ExportFailed:
			return nil
		}
		try := e.Try
		if e.State == ExportFailed {
			try++
		}
		d.Export = diskExport{Tracker: tracker, State: ExportPending, By: toDisk(c.By), At: p.now, Try: try}
		c.Text = ""
		if err := p.note(c, TaskKind, fmt.Sprintf("Action item %s goes to %s.", taskName(d.Num), tracker), ChangeEvidence{What: "task export", From: tracker, To: taskName(d.Num)}); err != nil {
			return err
		}
		return putRead(p.tx, d.Num, diskRead{Incident: p.r.Num})
	})
}

// ExportedTask records what became of an export: to.State (done or failed),
// Ref, URL and Text are taken. One that is settled already stays as it is.
func (b *Book) ExportedTask(ctx context.Context, id string, to Export, c Change) (Incident, Task, error) {
	if to.State != ExportDone && to.State != ExportFailed {
		return Incident{}, Task{}, fmt.Errorf("an export is settled as done or failed, not %.20q: %w", to.State, ErrState)
	}
	return b.changeTask(ctx, id, c, func(p *page, d *diskTask, c Change) error {
		if d.Export.State != ExportPending {
			return nil
		}
		d.Export.State, d.Export.Ref, d.Export.URL, d.Export.Text = to.State, oneLine(to.Ref, maxTitle), oneLine(to.URL, 2*maxTitle), oneLine(to.Text, maxText)
		c.Text = ""
		said := fmt.Sprintf("Action item %s is %s in %s: %s", taskName(d.Num), d.Export.Ref, d.Export.Tracker, d.Export.URL)
		if to.State == ExportFailed {
			said = fmt.Sprintf("Action item %s did not get into %s: %s", taskName(d.Num), d.Export.Tracker, d.Export.Text)
		} else {
			d.Export.There = ThereOpen
		}
		if err := p.note(c, TaskKind, said, ChangeEvidence{What: "task export", From: d.Export.Tracker, To: to.State}); err != nil {
			return err
		}
		if to.State == ExportFailed {
			return p.tx.Delete(readKey(d.Num))
		}
		return putRead(p.tx, d.Num, diskRead{Incident: p.r.Num, Seen: p.now})
	})
}

// SawTask records an item's state in its tracker, as read at now. Only a state
// that changed makes a line; who changed it there is c.By.
func (b *Book) SawTask(ctx context.Context, id, there string, now time.Time, c Change) (Incident, Task, error) {
	return b.changeTask(ctx, id, c, func(p *page, d *diskTask, c Change) error {
		if d.Export.State != ExportDone {
			return nil
		}
		read := func() error { return putRead(p.tx, d.Num, diskRead{Incident: p.r.Num, Seen: now.UTC()}) }
		if !d.Done.IsZero() && now.Sub(d.Done) > readFor {
			read = func() error { return p.tx.Delete(readKey(d.Num)) }
		}
		if err := read(); err != nil || d.Export.There == there {
			return err
		}
		d.Export.There = there
		word := "is done"
		if there == ThereOpen {
			word = "was reopened"
		}
		c.Text = ""
		said := fmt.Sprintf("Action item %s %s in %s (%s).", taskName(d.Num), word, d.Export.Tracker, d.Export.Ref)
		return p.note(c, TaskKind, said, ChangeEvidence{What: "task there", From: d.Export.Tracker, To: there})
	})
}

// Exports returns the action items that are to be exported or read in their
// tracker, by number; Export.Seen says when each was read last.
func (b *Book) Exports(ctx context.Context) ([]Task, error) {
	var list []Task
	err := b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyExport}, func(key string, v []byte) error {
			var d diskRead
			if err := json.Unmarshal(v, &d); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if d.V != diskVersion {
				return fmt.Errorf("decode %s: version %d is not known here", key, d.V)
			}
			r, err := getIncident(tx, d.Incident)
			if errors.Is(err, ErrNotFound) {
				return nil // removed: nothing is left to be exported
			}
			if err != nil {
				return err
			}
			for _, t := range r.incident().Tasks {
				if strings.HasSuffix(key, "/"+padded(mustNumber(t.ID))) {
					t.Export.Seen = d.Seen
					list = append(list, t)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	return list, nil
}

// mustNumber is the number of an id made here.
func mustNumber(id string) int { n, _ := taskNumber(id); return n }
