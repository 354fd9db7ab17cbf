package incident

import (
	"context"
	"fmt"
	"slices"
)

// maxInvited is how many people one incident may have invited: they stand in
// its record.
const maxInvited = 200

// Part returns who is part of an incident: who declared it, who has a role in
// it, who was invited. Somebody may be in it twice.
func (i Incident) Part() []Person {
	var all []Person
	add := func(p Person) {
		if p.ID != "" && p.ID != Bot.ID {
			all = append(all, p)
		}
	}
	add(i.DeclaredBy)
	add(i.Commander)
	for _, r := range i.Roles {
		add(r.Person)
	}
	for _, p := range i.Invited {
		add(p)
	}
	return all
}

// Invite makes somebody part of an incident, in every state of it. Who is
// invited already stays so.
func (b *Book) Invite(ctx context.Context, id string, to Person, c Change) (Incident, error) {
	if to = cleanPerson(to); to.ID == "" {
		return Incident{}, fmt.Errorf("nobody is invited: %w", ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if slices.ContainsFunc(p.r.incident().Part(), func(o Person) bool { return o.ID == to.ID }) {
			return nil
		}
		if len(p.r.Invited) >= maxInvited {
			return fmt.Errorf("%d people were invited, at most that many: %w", maxInvited, ErrState)
		}
		p.r.Invited = append(slices.Clone(p.r.Invited), toDisk(to))
		return p.note(c, RoleKind, "Invited: "+to.Name+".", ChangeEvidence{What: "invited", To: to.Name})
	})
}
