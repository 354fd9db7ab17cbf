package commands

// This file keeps private incidents to those who are part of them: who
// declared it, who has a role in it, who was invited. For everybody else there
// is no such incident, by its id as little as in a list, a room, a page or the
// refusal of another line.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// noIncident is the answer for an incident that there is not, and for one that
// somebody is not part of: the same.
func noIncident(id string) Problem {
	return Problem{Code: "unknown_incident", Message: "There is no incident " + id + ".", Hint: "See all of them with: /incident list all"}
}

// visible reports whether a person may see an incident.
func (d *Desk) visible(i incident.Incident, by Person) bool {
	return !i.Private || d.partOf(i, by)
}

// partOf reports whether somebody declared an incident, has a role in it or
// was invited.
func (d *Desk) partOf(i incident.Incident, by Person) bool {
	return slices.ContainsFunc(i.Part(), func(p incident.Person) bool { return d.isPerson(p, by) })
}

// isPerson reports whether somebody on the record is who asks. Who was named
// by name alone (an id that is the name) is known by it on that platform.
func (d *Desk) isPerson(p incident.Person, by Person) bool {
	if d.same(p.ID, by.ID) {
		return true
	}
	return p.ID != "" && strings.EqualFold(p.ID, guessed(p.Platform, p.Name)) && p.Platform == by.Platform && sameName(p.Name, by.Name)
}

// guessed is the id of somebody of whom only the name is known.
func guessed(platform, name string) string { return platform + ":" + strings.ToLower(name) }

// visibleOnly leaves the incidents that a person may see.
func (d *Desk) visibleOnly(all []incident.Incident, by Person) []incident.Incident {
	return slices.DeleteFunc(all, func(i incident.Incident) bool { return !d.visible(i, by) })
}

// incidentByID returns an incident that a person may see, or the Problem that
// there is none.
func (d *Desk) incidentByID(ctx context.Context, id string, by Person) (incident.Incident, error) {
	i, err := d.o.Book.Incident(ctx, id)
	if errors.Is(err, incident.ErrNotFound) {
		if g, found, err := d.o.Book.Gone(ctx, id); err == nil && found && !g.Private {
			return i, Problem{Code: "unknown_incident", Message: fmt.Sprintf("%s was removed at %s: it had been kept as long as configured.", g.ID, stamp(g.Removed)), Hint: "See what there is with: /incident list all"}
		}
	}
	if errors.Is(err, incident.ErrNotFound) || err == nil && !d.visible(i, by) {
		return incident.Incident{}, noIncident(id)
	}
	return i, err
}

// MayRead reports whether an identity may read a room: who has the right to
// look, and an incident's room only who may see the incident. The room of an
// incident that there is not may be read: it is empty.
func (d *Desk) MayRead(ctx context.Context, room, id string) bool {
	platform, name, _ := strings.Cut(id, ":")
	by := d.Who(Person{ID: id, Name: name, Platform: platform})
	if d.may(ctx, by, NeedsLook, "", nil, "") != nil {
		return false
	}
	if !isIncident(room) {
		return true
	}
	i, err := d.o.Book.Incident(ctx, strings.ToUpper(room))
	if errors.Is(err, incident.ErrNotFound) { // of a removed one, something may be in memory still
		_, gone, err := d.o.Book.Gone(ctx, strings.ToUpper(room))
		return err == nil && !gone
	}
	return err == nil && d.visible(i, by)
}

// mayLook refuses a page to who has not the right to look. owners own what is
// on it.
func (d *Desk) mayLook(ctx context.Context, by Person, of string, owners []string) error {
	return d.may(ctx, by, NeedsLook, of, owners, "")
}

func inviteVerb() *verb {
	return &verb{Verb: Verb{Name: "incident invite", Args: "[INC] person", Summary: "make somebody part of it; who is not part of a private incident cannot see it",
		Example: "/incident invite ben", Public: true, Rare: true}, max: 4, run: invite}
}

func invite(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	name := c.args.rest()
	if name == "" {
		return Reply{}, c.v.problem("missing_person", "Name who is to be part of it.")
	}
	to, err := c.invitee(ctx, name, i)
	if err != nil {
		return Reply{}, err
	}
	from := i
	already := c.d.partOf(i, Person{ID: to.ID, Name: to.Name, Platform: to.Platform})
	if i, err = c.d.o.Book.Invite(ctx, i.ID, to, c.change("")); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if already && !c.repeated(ctx, i.ID) {
		return Reply{State: StateInfo, Headline: fmt.Sprintf("%s is part of %s already.", to.Name, i.ID), Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
	}
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("You are part of %s now: %s", i.ID, end(i.Title)), Body: "Invited by " + who(c.r.By.Name) + ". To see where it stands: /incident show " + i.ID,
		Links: []Link{{i.ID, incidentPath(i.ID)}}, Buttons: []Button{{Label: "Show", Command: "/incident show " + i.ID}}, Key: "invite/" + i.ID}
	c.tell(i.ID, to, r)
	done := c.changed(ctx, i, fmt.Sprintf("%s is part of %s now.", to.Name, i.ID))
	if i.Private {
		done.Body = strings.TrimSpace("They see its room, its page and its draft from now on.\n" + done.Body)
	}
	return done, nil
}

// invitee finds who is invited. Where people give their own names, somebody
// whom nobody has heard of can be invited too, by the name that they will give.
func (c *call) invitee(ctx context.Context, name string, i incident.Incident) (incident.Person, error) {
	p, err := c.person(ctx, name, i)
	var bad Problem
	if !errors.As(err, &bad) || bad.Code != "unknown_person" {
		return p, err
	}
	bad.Hint = strings.ReplaceAll(bad.Hint, "/incident lead ", "/incident invite ")
	name = strings.TrimPrefix(oneLine(name), "@")
	own := slices.Contains(nameless, c.r.By.Platform+":")
	if !own || strings.HasPrefix(bad.Hint, "Did you mean") || len(name) > 40 || strings.ContainsAny(name, " <>") {
		return p, bad
	}
	return incident.Person{ID: guessed(c.r.By.Platform, name), Name: name, Platform: c.r.By.Platform}, nil
}
