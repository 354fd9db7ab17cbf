package postmortem

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// nights are those in which a zone puts its clocks forward or back: the zone,
// and the moment of the change.
var nights = []struct {
	zone string
	at   time.Time
}{
	{"", time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
	{"Australia/Lord_Howe", time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC)},
	{"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
}

// Random histories of notes, edits, drops, moves, pins, un-pins, temporary
// changes, action items, words and merges, on a real record, in nights in which
// the clocks change: after each few steps and a restart the draft is the same
// bytes as before, shows each line that stands where it belongs, by both
// clocks, none that was dropped, and every temporary change, action item and
// last word.
func TestRandomRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(len(nights)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			for n := range 80 {
				h.step(n)
				if n%20 == 19 {
					h.check()
				}
			}
		})
	}
}

// history is a record, and what the draft must say of it.
type history struct {
	t     *testing.T
	r     *rand.Rand
	now   time.Time
	s     store.Store
	b     *incident.Book
	id    string
	said  map[string]string // by entry: the text that stands
	at    map[string]time.Time
	words map[string]string
	temps []string
	tasks []string
	zone  *time.Location
}

func newHistory(t *testing.T, seed uint64) *history {
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"), store.Options{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	night := nights[seed]
	h := &history{t: t, r: rand.New(rand.NewPCG(seed, 7)), now: night.at.Add(-2 * time.Hour), s: s, zone: time.UTC,
		said: map[string]string{}, at: map[string]time.Time{}, words: map[string]string{}}
	if night.zone != "" {
		h.zone = zone(t, night.zone)
	}
	h.b = incident.NewBook(s, func() time.Time { return h.now })
	i, err := h.b.Declare(t.Context(), incident.Declaration{Title: "t", By: person}, false)
	if err != nil {
		t.Fatal(err)
	}
	h.id = i.ID
	return h
}

var person = incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}

func (h *history) step(n int) {
	t, ctx := h.t, h.t.Context()
	h.now = h.now.Add(time.Duration(1+h.r.IntN(400)) * time.Second)
	c := incident.Change{By: person}
	text := fmt.Sprintf("line%dx", n) // no text is part of another
	var err error
	switch what := h.r.IntN(13); {
	case what == 12: // another incident with a line of its own, merged in
		err = h.merge(text)
	case what == 9: // a chat message, pinned and perhaps again
		var p incident.Pinned
		p, err = h.b.Pin(ctx, h.id, incident.Pin{Message: fmt.Sprint("m", h.r.IntN(4)), Author: person, Text: text, By: person, At: h.now.Add(-time.Minute)})
		if err == nil && (p.Added || p.Back || p.Changed) {
			h.said[p.Entry.ID], h.at[p.Entry.ID] = p.Entry.Text, p.Entry.At
		}
	case what == 10:
		p, done, e := h.b.Repin(ctx, fmt.Sprint("m", h.r.IntN(4)), text, false, h.now)
		if e == nil && done {
			h.said[p.Entry.ID] = text
		}
	case what == 11:
		p, done, e := h.b.Unpin(ctx, fmt.Sprint("m", h.r.IntN(4)), person)
		if e == nil && done {
			delete(h.said, p.Entry.ID)
		}
	case what < 3 || len(h.said) == 0:
		var e incident.Entry
		e, _, _, err = h.b.Append(ctx, h.id, incident.Entry{By: person, Text: text, At: h.now.Add(-time.Duration(h.r.IntN(5000)) * time.Second)})
		h.said[e.ID], h.at[e.ID] = text, e.At
	case what < 6:
		ids := make([]string, 0, len(h.said))
		for id := range h.said {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		id := ids[h.r.IntN(len(ids))]
		switch h.r.IntN(3) {
		case 0:
			_, err = h.b.Correct(ctx, h.id, id, incident.Correction{Text: text}, c)
			h.said[id] = text
		case 1:
			_, err = h.b.Correct(ctx, h.id, id, incident.Correction{Drop: true, Why: "no"}, c)
			delete(h.said, id)
		default:
			c.At = h.now.Add(-time.Duration(h.r.IntN(9000)) * time.Second)
			_, err = h.b.Correct(ctx, h.id, id, incident.Correction{}, c)
			h.at[id] = c.At
		}
	case what == 6:
		c.Text = text
		_, _, err = h.b.AddTemp(ctx, h.id, "", c)
		h.temps = append(h.temps, text)
	case what == 7:
		_, _, err = h.b.AddTask(ctx, h.id, incident.Task{Text: text}, c)
		h.tasks = append(h.tasks, text)
	default:
		name := Settable()[h.r.IntN(len(Settable()))]
		_, err = h.b.SetSection(ctx, h.id, name, text, c)
		h.words[name] = text
	}
	if err != nil {
		t.Fatal(err)
	}
}

// merge declares another incident with a line and merges it into this one.
func (h *history) merge(text string) error {
	ctx := h.t.Context()
	o, err := h.b.Declare(ctx, incident.Declaration{Title: "another", By: person}, true)
	if err != nil {
		return err
	}
	at := h.now.Add(-time.Duration(h.r.IntN(5000)) * time.Second)
	if _, _, _, err = h.b.Append(ctx, o.ID, incident.Entry{By: person, Text: text, At: at}); err != nil {
		return err
	}
	if _, _, err = h.b.Merge(ctx, o.ID, h.id, incident.Change{By: person}); err != nil {
		return err
	}
	tl, err := h.b.Timeline(ctx, h.id)
	for _, e := range tl {
		if strings.Contains(e.Text, text) {
			h.said[e.ID], h.at[e.ID] = e.Text, at
			return err
		}
	}
	h.t.Errorf("%q did not come with the incident merged in", text)
	return err
}

func (h *history) draft(b *incident.Book) Draft {
	t, ctx := h.t, h.t.Context()
	i, err := b.Incident(ctx, h.id)
	if err != nil {
		t.Fatal(err)
	}
	tl, err := b.Timeline(ctx, h.id)
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.History(ctx, h.id)
	if err != nil {
		t.Fatal(err)
	}
	return New(Record{Incident: i, Timeline: tl, History: all, Zone: h.zone})
}

func (h *history) check() {
	t := h.t
	d := h.draft(h.b)
	if again := h.draft(incident.NewBook(h.s, func() time.Time { return h.now.Add(time.Hour) })); !bytes.Equal(again.Markdown(), d.Markdown()) {
		t.Error("after a restart the draft is another")
	}
	body := map[string]string{}
	for _, s := range d.Sections {
		body[s.Name] = s.Body
	}
	rows := strings.Count(body["timeline"], "line")
	for id, text := range h.said {
		row := ""
		for l := range strings.SplitSeq(body["timeline"], "\n") {
			if strings.Contains(l, "| "+text+" |") {
				row = l
			}
		}
		cells := strings.Split(row, " | ")
		if !strings.HasSuffix(strings.TrimPrefix(cells[0], "| "), h.at[id].UTC().Format("15:04")) && !strings.Contains(cells[0], h.at[id].UTC().Format("15:04:05")) || !strings.Contains(row, id) {
			t.Errorf("%s %q at %s has the row %q", id, text, h.at[id], row)
		}
		there := h.at[id].In(h.zone)
		if h.zone != time.UTC && (len(cells) < 2 || !strings.HasSuffix(cells[1], there.Format("15:04 MST")) && !strings.HasSuffix(cells[1], there.Format("15:04:05 MST"))) {
			t.Errorf("%s %q at %s is not at %s in the row %q", id, text, h.at[id], there, row)
		}
	}
	want := len(h.said) + len(h.temps) + len(h.tasks)
	if w := h.words["timeline"]; w != "" {
		want++
	}
	if rows != want {
		t.Errorf("the timeline has %d texts, want %d: a dropped or replaced one stands there", rows, want)
	}
	for name, text := range h.words {
		if !strings.HasPrefix(body[name], text+"\n") {
			t.Errorf("words of %s are lost: %.60q", name, body[name])
		}
	}
	for _, text := range h.temps {
		if !strings.Contains(body["resolution"], "| "+text+" |") {
			t.Errorf("temporary change %q is not in the draft", text)
		}
	}
	for _, text := range h.tasks {
		if !strings.Contains(body["actions"], ": "+text+" |") {
			t.Errorf("action item %q is not in the draft", text)
		}
	}
	if broken, err := h.b.Verify(t.Context(), h.id); err != nil || broken != "" {
		t.Errorf("chain broken at %s %v", broken, err)
	}
}
