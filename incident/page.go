package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// page is one incident's record open for writing inside a transaction.
type page struct {
	tx   store.Tx
	r    diskIncident
	now  time.Time // recorded
	at   time.Time // happened
	seed [32]byte
	done bool // something was written

	names Names // of statuses

	asked bool // the publication is as it is to be (publish.go)
}

// change opens the incident's record, lets fn change it and write lines, and
// commits both together. A key that the timeline has, or an fn that writes
// nothing, leaves everything as it was. fn is given c with its person filled
// in, and may be run again.
func (b *Book) change(ctx context.Context, id string, c Change, fn func(p *page, c Change) error) (Incident, error) {
	num, err := number(id)
	if err != nil {
		return Incident{}, err
	}
	if c.By == (Person{}) {
		c.By = Bot
	}
	c.By = cleanPerson(c.By)
	seed := newSeed()
	var i Incident
	err = b.s.Update(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		i = r.incident()
		if c.Key != "" {
			if v, err := tx.Get(onceKey(num, c.Key)); err != nil || v != nil {
				return err
			}
		}
		p := &page{tx: tx, r: r, now: b.clock(), seed: seed, names: b.names}
		if p.at, err = happened(c.At, p.now); err != nil {
			return err
		}
		if err := fn(p, c); err != nil || !p.done {
			return err
		}
		p.r.Updated = p.now
		i = p.r.incident()
		if !p.asked {
			if err := publishAgain(tx, p.r, p.now); err != nil {
				return err
			}
		}
		return putIncident(tx, p.r)
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", idOf(num), err)
	}
	return i, err
}

// entryOfKey returns the entry that was written with a key, "" when none was.
func (b *Book) entryOfKey(ctx context.Context, id, key string) (entry string, err error) {
	num, err := number(id)
	if err != nil || key == "" {
		return "", err
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		l, err := (&page{tx: tx, r: diskIncident{Num: num}}).once(key)
		if err == nil && l.Line > 0 {
			entry = entryName(l.Entry)
		}
		return err
	})
	return entry, err
}

// Has reports whether a change with that key is on an incident's timeline.
func (b *Book) Has(ctx context.Context, id, key string) (bool, error) {
	entry, err := b.entryOfKey(ctx, id, key)
	return entry != "", err
}

// clock returns now in UTC without the monotonic part.
func (b *Book) clock() time.Time { return b.now().UTC().Round(0) }

// happened reads the time that a person or caller gave; zero is now.
func happened(at, now time.Time) (time.Time, error) {
	switch {
	case at.IsZero():
		return now, nil
	case at.After(now.Add(time.Minute)):
		return at, fmt.Errorf("%s is after %s: %w", When(at), When(now), ErrFuture)
	case at.Year() < 1970:
		return at, fmt.Errorf("%s is before 1970: %w", When(at), ErrState)
	}
	return at.UTC().Round(0), nil
}

// write adds a line: a new entry, or, when e has an ID's number in l.Entry, a
// version of one. It returns the line as stored.
func (p *page) write(e Entry) (diskLine, error) {
	p.r.Entries++
	return p.writeLine(diskLine{Entry: p.r.Entries, Version: 1}, e)
}

// writeLine adds l with the contents of e to the chain.
func (p *page) writeLine(l diskLine, e Entry) (diskLine, error) {
	if e.By == (Person{}) {
		e.By = Bot
	}
	if e.At.IsZero() {
		e.At = p.at
	}
	e.Text, _ = Clean(e.Text, maxText)
	e.Link, _ = Clean(e.Link, maxText)
	e.By, e.Key = cleanPerson(e.By), strings.ToValidUTF8(e.Key, "?")
	l.V, l.Line, l.Prev = diskVersion, p.r.Lines+1, p.r.Head
	l.At, l.Recorded, l.Kind, l.Link, l.Key, l.Text, l.By = e.At, p.now, e.Kind, e.Link, e.Key, e.Text, toDisk(e.By)
	if e.Evidence.filled() {
		v, err := json.Marshal(e.Evidence)
		if err != nil {
			return l, fmt.Errorf("encode evidence: %w", err)
		}
		l.Evidence = v
	}
	if c := e.Evidence.Change; c.What == SectionChange { // also of a line that a merged incident brought
		p.r.Sections = maps.Clone(p.r.Sections)
		if p.r.Sections == nil {
			p.r.Sections = map[string]int{}
		}
		p.r.Sections[c.From] = max(p.r.Sections[c.From], l.Entry)
	}
	l.Salts = saltsFrom(p.seed, l.Line)
	var err error
	if l.Hash, err = hashOf(p.r.Num, l); err != nil {
		return l, fmt.Errorf("hash line %d: %w", l.Line, err)
	}
	v, err := json.Marshal(l)
	if err != nil {
		return l, fmt.Errorf("encode line %d: %w", l.Line, err)
	}
	if err := p.tx.Put(lineKey(p.r.Num, l.Line), v); err != nil {
		return l, err
	}
	if l.Key != "" {
		if err := p.tx.Put(onceKey(p.r.Num, l.Key), []byte(strconv.Itoa(l.Line))); err != nil {
			return l, err
		}
	}
	p.r.Lines, p.r.Head, p.done = l.Line, l.Hash, true
	if err := p.keepWords(l, e); err != nil {
		return l, err
	}
	if e.By.Platform != Bot.Platform {
		p.r.Spoke = p.now
	}
	return l, nil
}

// note writes the line of a change of the incident itself.
func (p *page) note(c Change, kind, text string, ev ChangeEvidence) error {
	if c.Text != "" {
		text += " " + c.Text
	}
	_, err := p.write(Entry{At: p.at, By: c.By, Kind: kind, Text: text, Link: c.Link, Key: c.Key, Evidence: Evidence{Change: ev}})
	return err
}
