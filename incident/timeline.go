package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/store"
)

// In this file: adding, correcting and reading lines. The hash chain is in
// chain.go.

// Append adds a line to the timeline; id, version and hashes are set here. An
// entry with a Key that the timeline has is returned as it is, added false.
// Private keys, tokens and passwords in Text are cut out first; cut says so.
//
// A report, an alert or a critical check that is earlier than the milestone
// detected becomes it. Appending costs the same however long the timeline is.
func (b *Book) Append(ctx context.Context, incident string, e Entry) (stored Entry, added, cut bool, err error) {
	num, err := number(incident)
	if err != nil {
		return Entry{}, false, false, err
	}
	cut = e.clean()
	if e.Text == "" && !e.Evidence.filled() {
		return Entry{}, false, cut, fmt.Errorf("%s: the text is empty: %w", idOf(num), ErrState)
	}
	_, err = b.change(ctx, incident, Change{At: e.At}, func(p *page, c Change) error {
		added = false
		if e.Key != "" {
			old, err := p.once(e.Key)
			if err != nil || old.Line > 0 {
				stored, err = old.entryOr(num, err)
				return err
			}
		}
		e := e
		e.At = p.at
		l, err := p.write(e)
		if err != nil {
			return err
		}
		if stored, err = l.entry(num); err != nil {
			return err
		}
		added = true
		p.detect(stored)
		return nil
	})
	return stored, added, cut, err
}

// clean makes what strangers wrote fit for the record; cut says that there was
// a secret in it.
func (e *Entry) clean() (cut bool) {
	if e.Kind = oneLine(e.Kind, maxTitle); e.Kind == "" {
		e.Kind = NoteKind
	}
	var inText, inLink, inEvidence bool
	e.Text, inText = Clean(e.Text, maxText)
	e.Link, inLink = Clean(e.Link, maxText)
	e.Evidence, inEvidence = cleanEvidence(e.Evidence)
	return inText || inLink || inEvidence
}

// detect moves the milestone detected to an entry that is earlier evidence.
func (p *page) detect(e Entry) {
	m := Milestone{Kind: Detected, At: e.At, Recorded: p.now, Source: sourceMeasured, By: e.By}
	switch {
	case e.Kind == Report:
		m.Source, m.Text = sourceSaid, "first report, "+e.ID
	case e.Kind == Alert && e.Evidence.Alert.State == "": // not that it is over
		m.Text = "first alert, " + e.ID
	case e.Kind == Check && e.Evidence.Check.Verdict == "critical":
		m.Text = "first failing check, " + e.ID
	default:
		return
	}
	p.r.claim(m)
}

// once returns the line that was written with key, or a zero line.
func (p *page) once(key string) (l diskLine, err error) {
	v, err := p.tx.Get(onceKey(p.r.Num, key))
	if err != nil || v == nil {
		return l, err
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		return l, fmt.Errorf("decode key of %s: %w", idOf(p.r.Num), err)
	}
	if v, err = p.tx.Get(lineKey(p.r.Num, n)); err != nil {
		return l, err
	}
	if err = json.Unmarshal(v, &l); err != nil {
		return l, fmt.Errorf("decode line %d of %s: %w", n, idOf(p.r.Num), err)
	}
	return l, nil
}

func (l diskLine) entryOr(num int, err error) (Entry, error) {
	if err != nil {
		return Entry{}, err
	}
	return l.entry(num)
}

// Correction is a new version of an entry.
type Correction struct {
	Text string // "": as it is
	Drop bool   // off the timeline; the lines stay readable in History
	Why  string // why it is dropped; kept in the evidence of the dropped version
}

// Correct writes a new version of an entry: its text, its time (c.At) or both,
// or drops it. What it replaces stays in History. Who corrected is c.By; a
// dropped entry can be brought back by a correction without Drop.
func (b *Book) Correct(ctx context.Context, incident, entry string, to Correction, c Change) (Entry, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(entry, "E-"))
	if err != nil || "E-"+strconv.Itoa(number) != entry {
		return Entry{}, fmt.Errorf("entry %.40q: %w", entry, ErrNotFound)
	}
	var stored Entry
	_, err = b.change(ctx, incident, c, func(p *page, c Change) error {
		old, err := p.current(number)
		if err != nil {
			return err
		}
		e, err := old.entry(p.r.Num)
		if err != nil {
			return err
		}
		e.By, e.Key = c.By, c.Key
		if c.Link != "" {
			e.Link = c.Link
		}
		if !c.At.IsZero() {
			e.At = p.at
		}
		pin := &e.Evidence.Pin
		if !blank(to.Text) {
			if pin.Message != "" && pin.Said == "" {
				pin.Said = e.Text
			}
			e.Text = to.Text
		}
		if pin.Message != "" {
			if err := p.bringBack(old, pin.Message, to.Drop); err != nil {
				return err
			}
			pin.Why = ""
			if to.Drop {
				pin.Why = oneLine(to.Why, maxText)
			}
		}
		if why := oneLine(to.Why, maxText); to.Drop && why != "" && !e.Evidence.filled() {
			e.Evidence.Change = ChangeEvidence{What: "dropped", To: why}
		} else if e.Evidence.Change.What == "dropped" {
			e.Evidence.Change = ChangeEvidence{}
		}
		l, err := p.writeLine(diskLine{Entry: number, Version: old.Version + 1, Dropped: to.Drop}, e)
		if err != nil {
			return err
		}
		stored, err = l.entry(p.r.Num)
		if !l.Dropped {
			p.detect(stored)
		}
		return err
	})
	if err != nil || stored.ID != "" {
		return stored, err
	}
	history, err := b.History(ctx, incident) // corrected before, with the same key
	for _, e := range history {
		if e.ID == entry {
			stored = e
		}
	}
	return stored, err
}

// Entry returns the current version of an entry, also a dropped one, or
// ErrNotFound.
func (b *Book) Entry(ctx context.Context, incident, entry string) (e Entry, err error) {
	num, err := number(incident)
	if err != nil {
		return e, err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(entry, "E-"))
	if err != nil || "E-"+strconv.Itoa(n) != entry {
		return e, fmt.Errorf("entry %.40q: %w", entry, ErrNotFound)
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		l, err := (&page{tx: tx, r: r}).current(n)
		e, err = l.entryOr(num, err)
		return err
	})
	return e, err
}

// current returns the last version of an entry, or ErrNotFound. It looks from
// the end: what is corrected was mostly written just now.
func (p *page) current(entry int) (found diskLine, err error) {
	err = p.tx.Scan(store.Range{Prefix: linePrefix(p.r.Num), Reverse: true}, func(key string, v []byte) error {
		var l diskLine
		if err := json.Unmarshal(v, &l); err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		if l.Entry == entry {
			found = l
			return store.ErrStop
		}
		return nil
	})
	if err == nil && found.Line == 0 {
		err = fmt.Errorf("entry E-%d: %w", entry, ErrNotFound)
	}
	return found, err
}

// Timeline returns the current version of every entry that is not dropped, by
// when it happened (ties: by when it was recorded). By is who said it first,
// CorrectedBy who wrote the version that counts.
func (b *Book) Timeline(ctx context.Context, incident string) ([]Entry, error) {
	history, err := b.History(ctx, incident)
	if err != nil {
		return nil, err
	}
	last := map[string]int{}    // line of each entry's current version
	said := map[string]Person{} // who wrote its first
	for n, e := range history {
		if last[e.ID] = n; e.Version == 1 {
			said[e.ID] = e.By
		}
	}
	list := []Entry{}
	for n, e := range history {
		if last[e.ID] == n && !e.Dropped {
			if e.Version > 1 {
				e.By, e.CorrectedBy = said[e.ID], e.By
			}
			list = append(list, e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if !list[i].At.Equal(list[j].At) {
			return list[i].At.Before(list[j].At)
		}
		return list[i].Recorded.Before(list[j].Recorded)
	})
	return list, nil
}

// History returns every line ever written, in the order of writing, versions
// and dropped ones included.
func (b *Book) History(ctx context.Context, incident string) ([]Entry, error) {
	num, err := number(incident)
	if err != nil {
		return nil, err
	}
	var list []Entry
	err = b.s.View(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		list = make([]Entry, 0, r.Lines)
		return tx.Scan(store.Range{Prefix: linePrefix(num)}, func(key string, v []byte) error {
			var l diskLine
			if err := json.Unmarshal(v, &l); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if l.V != diskVersion {
				return fmt.Errorf("decode %s: version %d is not known here", key, l.V)
			}
			e, err := l.entry(num)
			list = append(list, e)
			return err
		})
	})
	return list, err
}

// filled reports whether something stands behind the entry.
func (e Evidence) filled() bool {
	c := e.Check
	return c.Certificate != "" || c.Verdict != "" || c.Cause != "" || len(c.Hosts) > 0 ||
		e.Step != StepEvidence{} || e.Approval != ApprovalEvidence{} || e.Change != ChangeEvidence{} ||
		e.Rehearsal.Certificate != "" || e.Alert != AlertEvidence{} || e.Pin.Message != "" || len(e.Forgotten.Lines) > 0
}
