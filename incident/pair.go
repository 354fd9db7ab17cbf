package incident

// In this file: two incidents that are one: an incident ends as a duplicate of
// another, or is merged into it. The other ends are in lifecycle.go.

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/store"
)

// MarkDuplicate ends an incident as a duplicate of another, which gets a line
// that says so (not when only the duplicate is private). Of a private one, while
// it is not itself, is refused with ErrPrivate; of itself or of a duplicate with ErrState, while a temporary change stands with
// ErrTemps: Merge carries it over.
func (b *Book) MarkDuplicate(ctx context.Context, id, of string, c Change) (Incident, error) {
	return b.duplicate(ctx, id, of, c, "a duplicate of", false)
}

func (b *Book) duplicate(ctx context.Context, id, of string, c Change, word string, carried bool) (Incident, error) {
	other, err := number(of)
	if err != nil {
		return Incident{}, err
	}
	seed := newSeed()
	return b.change(ctx, id, c, func(p *page, c Change) error {
		o, err := getIncident(p.tx, other)
		switch {
		case err != nil:
			return err
		case other == p.r.Num:
			return fmt.Errorf("%s of itself: %w", idOf(other), ErrState)
		case Status(p.r.Status) == Duplicate && p.r.DuplicateOf == other:
			return nil
		case o.Private && !p.r.Private:
			return fmt.Errorf("%s would name %s: %w", idOf(p.r.Num), idOf(other), ErrPrivate)
		case Status(o.Status) == Duplicate:
			return fmt.Errorf("%s is itself a duplicate, of %s: %w", idOf(other), idOf(o.DuplicateOf), ErrState)
		}
		if carried {
			err = p.notOver()
		} else {
			err = p.leave()
		}
		if err != nil {
			return err
		}
		p.r.DuplicateOf, p.r.OtherOpen = other, !o.Private
		here, there := called(idOf(p.r.Num), p.r.Private), called(idOf(other), o.Private)
		if err := p.setStatus(Duplicate, c, fmt.Sprintf("Status: duplicate, was %s: %s %s.", p.status(), word, there)); err != nil {
			return err
		}
		if p.r.Private && !o.Private {
			return nil
		}
		q := &page{tx: p.tx, r: o, now: p.now, at: p.at, seed: seed}
		to := Change{By: c.By, Link: c.Link}
		if c.Key != "" {
			to.Key = c.Key + "/other"
		}
		said, evidence := fmt.Sprintf("%s is %s this: %s", here, word, p.r.Title), ChangeEvidence{What: "duplicate", From: idOf(p.r.Num)}
		if p.r.Private {
			said, evidence.From = "A"+strings.TrimPrefix(here, "a")+" is "+word+" this.", ""
		}
		if err := q.note(to, NoteKind, said, evidence); err != nil {
			return err
		}
		q.r.Updated = p.now
		return putIncident(p.tx, q.r)
	})
}

// called is what an incident is called on another's record. Who is part of one
// private incident need not be part of the other.
func called(id string, private bool) string {
	if private {
		return "another private incident"
	}
	return id
}

// mergeKey is the key of what one incident gets of another. It tells nothing of
// a private one.
func mergeKey(from Incident, rest string) string {
	if from.Private {
		return "merge/" + sum(from.ID+from.Declared.String()+"/"+rest)
	}
	return "merge/" + from.ID + "/" + rest
}

// mergeBatch is how many lines one transaction copies: each is two keys, a
// pinned message two more.
const mergeBatch = 20

// Merge ends an incident and carries over to another what people said and what
// was measured, at its own time and under the name of who said it; its
// certificates; what was measured of its beginning; and the temporary changes
// that stand. Its own record stays
// readable. Doing it again, after a kill in the middle too, carries over what
// is missing. A private incident into one that is not, or the other way round, is
// refused with ErrPrivate, into one that is over with ErrState. copied is how many lines the
// target got.
func (b *Book) Merge(ctx context.Context, id, into string, c Change) (target Incident, copied int, err error) {
	from, err := b.Incident(ctx, id)
	if err != nil {
		return target, 0, err
	}
	if target, err = b.Incident(ctx, into); err != nil {
		return target, 0, err
	}
	switch {
	case from.ID == target.ID:
		return target, 0, fmt.Errorf("%s into itself: %w", from.ID, ErrState)
	case from.Private != target.Private:
		return target, 0, fmt.Errorf("%s into %s: %w", from.ID, target.ID, ErrPrivate)
	case target.Status.over():
		return target, 0, fmt.Errorf("%s is %s: %w", target.ID, target.Status, ErrState)
	case from.Status.over():
		again, err := b.isDuplicate(ctx, from.ID, target.ID)
		if err != nil {
			return target, 0, err
		}
		if !again {
			return target, 0, fmt.Errorf("%s is %s: %w", from.ID, from.Status, ErrState)
		}
	}
	lines, err := b.Timeline(ctx, from.ID)
	if err != nil {
		return target, 0, err
	}
	lines = slices.DeleteFunc(lines, func(e Entry) bool { return e.Evidence.Change.What != "" && e.Evidence.Change.What != "impact" })
	for batch := range slices.Chunk(lines, mergeBatch) {
		if err := b.carryImages(ctx, from.ID, target.ID, batch); err != nil {
			return target, copied, err
		}
		n, err := b.carry(ctx, from, target.ID, batch)
		if copied += n; err != nil {
			return target, copied, err
		}
	}
	for _, name := range from.Certificates {
		if !slices.Contains(target.Certificates, name) {
			if target, err = b.AddCertificate(ctx, target.ID, name, Change{By: c.By}); err != nil {
				return target, copied, err
			}
		}
	}
	for _, kind := range []string{Started, Detected} {
		if m, ok := from.Milestone(kind); ok && m.Source == sourceMeasured {
			if target, err = b.SetMilestone(ctx, target.ID, m); err != nil {
				return target, copied, err
			}
		}
	}
	for _, t := range from.OpenTemps() {
		ch := Change{By: t.By, Text: fmt.Sprintf("%s (from %s)", t.Text, called(from.ID, from.Private)), At: t.At, Key: mergeKey(from, fmt.Sprintf("temp/%d", t.N))}
		if _, _, err := b.AddTemp(ctx, target.ID, t.Undo, ch); err != nil {
			return target, copied, err
		}
	}
	if _, err := b.duplicate(ctx, from.ID, target.ID, c, "merged into", true); err != nil {
		return target, copied, err
	}
	target, err = b.Incident(ctx, target.ID)
	return target, copied, err
}

// isDuplicate reports whether an incident ended as a duplicate of another.
func (b *Book) isDuplicate(ctx context.Context, id, of string) (is bool, err error) {
	num, err := number(id)
	if err != nil {
		return false, err
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		is = Status(r.Status) == Duplicate && r.DuplicateOf > 0 && idOf(r.DuplicateOf) == of
		return err
	})
	return is, err
}

// carry copies lines to another incident, each once. A line that both have
// from the same source (its key) is left out.
func (b *Book) carry(ctx context.Context, from Incident, to string, lines []Entry) (n int, err error) {
	_, err = b.change(ctx, to, Change{}, func(p *page, _ Change) error {
		n = 0
		for _, e := range lines {
			key := mergeKey(from, e.ID)
			have := false
			for _, k := range []string{key, "merge/" + from.ID + "/" + e.ID, e.Key} { // the second: of earlier versions
				if k == "" || k == e.Key && e.Kind == PinKind { // a message that was taken off there comes back
					continue
				}
				v, err := p.tx.Get(onceKey(p.r.Num, k))
				if err != nil {
					return err
				}
				have = have || v != nil
			}
			if have {
				continue
			}
			l, err := p.carried(called(from.ID, from.Private), key, e)
			if err != nil {
				return err
			}
			stored, err := l.entry(p.r.Num)
			if err != nil {
				return err
			}
			p.detect(stored)
			n++
		}
		return nil
	})
	return n, err
}

// carried writes the copy of a line. A pinned message is here from now on; one
// that was taken off here comes back.
func (p *page) carried(from, key string, e Entry) (diskLine, error) {
	pin := &e.Evidence.Pin
	if pin.Message != "" && pin.Said == "" {
		pin.Said = e.Text
	}
	e.Text, e.Key = "From "+from+": "+e.Text, key
	e.Evidence.Change = ChangeEvidence{}
	if pin.Message == "" {
		return p.write(e)
	}
	first, err := p.once(pinOnce(pin.Message))
	if err != nil {
		return first, err
	}
	var l diskLine
	if first.Line > 0 {
		old, err := p.current(first.Entry)
		if err != nil {
			return old, err
		}
		l, err = p.writeLine(diskLine{Entry: old.Entry, Version: old.Version + 1}, e)
		if err != nil {
			return l, err
		}
	} else {
		if l, err = p.write(e); err != nil {
			return l, err
		}
		if err := p.tx.Put(onceKey(p.r.Num, pinOnce(pin.Message)), []byte(strconv.Itoa(l.Line))); err != nil {
			return l, err
		}
	}
	return l, p.tx.Put(pinKey(pin.Message), []byte(strconv.Itoa(p.r.Num)))
}
