package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// In this file: roles beside the commander, the title, and the ways out of an
// incident that are not resolve and close: cancel; and the way back, reopen.
// Duplicates and merges are in pair.go.

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
