package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// In this file: roles beside the commander, the title, and the ways out of an
// incident that are not resolve and close: cancel, duplicate, merge; and the
// way back, reopen.

// ErrPrivate: what is private would be copied to where it is not.
var ErrPrivate = errors.New("it is private")

// Roles beside the commander.
var Roles = []string{"scribe", "communications", "approver"}

// Role is who does what beside the commander.
type Role struct {
	Name   string `json:"name"` // scribe, communications, approver
	Person Person `json:"person"`
}

// diskRole is a Role in the record, version 1.
type diskRole struct {
	Name   string     `json:"name"`
	Person diskPerson `json:"person"`
}

// Role returns who has a role; found is false when nobody has.
func (i Incident) Role(name string) (Person, bool) {
	for _, r := range i.Roles {
		if r.Name == name {
			return r.Person, true
		}
	}
	return Person{}, false
}

// SetRole gives a role to somebody. Who has it already keeps it.
func (b *Book) SetRole(ctx context.Context, id, role string, to Person, c Change) (Incident, error) {
	if !slices.Contains(Roles, role) {
		return Incident{}, fmt.Errorf("role %.40q is not one of %s: %w", role, strings.Join(Roles, ", "), ErrState)
	}
	if to = cleanPerson(to); to.ID == "" {
		return Incident{}, fmt.Errorf("the %s is nobody: %w", role, ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if err := p.notOver(); err != nil {
			return err
		}
		roles, from := slices.Clone(p.r.Roles), Person{}
		n := slices.IndexFunc(roles, func(r diskRole) bool { return r.Name == role })
		if n < 0 {
			roles = append(roles, diskRole{Name: role})
			n = len(roles) - 1
		}
		if from = roles[n].Person.person(); from.ID == to.ID {
			return nil
		}
		roles[n].Person = toDisk(to)
		p.r.Roles = roles
		text := title(role) + ": " + to.Name + "."
		if from.ID != "" {
			text = title(role) + ": " + to.Name + ", was " + from.Name + "."
		}
		return p.note(c, RoleKind, text, ChangeEvidence{What: role, From: from.Name, To: to.Name})
	})
}

// Rename gives the incident another title, in every state.
func (b *Book) Rename(ctx context.Context, id, to string, c Change) (Incident, error) {
	if to = oneLine(to, maxTitle); to == "" {
		return Incident{}, fmt.Errorf("the title is empty: %w", ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := p.r.Title
		if from == to {
			return nil
		}
		p.r.Title = to
		return p.note(c, NoteKind, "Title: "+strings.TrimRight(to, ".")+". Was: "+strings.TrimRight(from, ".")+".", ChangeEvidence{What: "title", From: from, To: to})
	})
}

// Reopen takes an incident that is resolved, closed, cancelled or a duplicate
// back to investigating. It needs a reason (ErrReason). The milestones resolved
// and closed are taken away; their lines stay. One that is open stays as it is.
func (b *Book) Reopen(ctx context.Context, id string, c Change) (Incident, error) {
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := Status(p.r.Status)
		if from.Open() {
			return nil
		}
		if blank(c.Reason) {
			return fmt.Errorf("back from %s: %w", from, ErrReason)
		}
		p.r.unclaim(ResolvedAt)
		p.r.unclaim(ClosedAt)
		p.r.DuplicateOf, p.r.DraftDone, p.r.DraftStates = 0, time.Time{}, nil
		if err := p.tx.Delete(keyDraft + padded(p.r.Num)); err != nil {
			return err
		}
		return p.setStatus(Investigating, c, fmt.Sprintf("Status: %s, was %s: reopened.", p.names.Of(Investigating), p.names.Of(from)))
	})
}

// Cancel ends what was no incident. It needs a reason (ErrReason), and no
// temporary change may stand (ErrTemps).
func (b *Book) Cancel(ctx context.Context, id string, c Change) (Incident, error) {
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if Status(p.r.Status) == Cancelled {
			return nil
		}
		if err := p.leave(); err != nil {
			return err
		}
		if blank(c.Reason) {
			return fmt.Errorf("cancel: %w", ErrReason)
		}
		return p.setStatus(Cancelled, c, fmt.Sprintf("Status: cancelled, was %s.", p.status()))
	})
}

// leave refuses to end an incident that is over, or in which a temporary
// change stands.
func (p *page) leave() error {
	if err := p.notOver(); err != nil {
		return err
	}
	if n := len(p.r.incident().OpenTemps()); n > 0 {
		return fmt.Errorf("%d of them: %w", n, ErrTemps)
	}
	return nil
}

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
		p.r.DuplicateOf = other
		if err := p.setStatus(Duplicate, c, fmt.Sprintf("Status: duplicate, was %s: %s %s.", p.status(), word, idOf(other))); err != nil {
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
		if err := q.note(to, NoteKind, fmt.Sprintf("%s is %s this: %s", idOf(p.r.Num), word, p.r.Title), ChangeEvidence{What: "duplicate", From: idOf(p.r.Num)}); err != nil {
			return err
		}
		q.r.Updated = p.now
		return putIncident(p.tx, q.r)
	})
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
	case from.Status.over() && (from.Status != Duplicate || from.DuplicateOf != target.ID):
		return target, 0, fmt.Errorf("%s is %s: %w", from.ID, from.Status, ErrState)
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
		n, err := b.carry(ctx, from.ID, target.ID, batch)
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
		ch := Change{By: t.By, Text: fmt.Sprintf("%s (from %s)", t.Text, from.ID), At: t.At, Key: fmt.Sprintf("merge/%s/temp/%d", from.ID, t.N)}
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

// carry copies lines to another incident, each once. A line that both have
// from the same source (its key) is left out.
func (b *Book) carry(ctx context.Context, from, to string, lines []Entry) (n int, err error) {
	_, err = b.change(ctx, to, Change{}, func(p *page, _ Change) error {
		n = 0
		for _, e := range lines {
			key := "merge/" + from + "/" + e.ID
			have := false
			for _, k := range []string{key, e.Key} {
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
			l, err := p.carried(from, key, e)
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
