package commands

// This file knows who is who: one person who speaks on several platforms is
// one person here, by the links of the configuration. Everything that comes in
// passes Who first; everything on the record is compared with same, so what
// was written before somebody was linked counts as theirs too.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// Linked is one person with several identities.
type Linked struct {
	Name string   // what the record calls them
	IDs  []string // Person.ID on each platform: "slack:U0ANA", "discord:80351110224678912", "web:ana", "console:ana", "cli:ana"
}

// linkedID is the ID of a linked person.
func linkedID(name string) string { return "person:" + strings.ToLower(name) }

// nameless platforms have ids that are names, which upper and lower case do
// not tell apart.
var nameless = []string{"web:", "console:", "cli:"}

func foldID(id string) string {
	for _, p := range nameless {
		if strings.HasPrefix(id, p) {
			return strings.ToLower(id)
		}
	}
	return id
}

// people finds links by identity.
type people struct {
	links []Linked
	byID  map[string]int // of links
}

func newPeople(links []Linked) people {
	p := people{links: links, byID: map[string]int{}}
	for n, l := range links {
		p.byID[linkedID(l.Name)] = n
		for _, id := range l.IDs {
			p.byID[foldID(id)] = n
		}
	}
	return p
}

func (p people) link(id string) (Linked, bool) {
	n, ok := p.byID[foldID(id)]
	if !ok {
		return Linked{}, false
	}
	return p.links[n], true
}

func (p people) named(name string) (Linked, bool) {
	n := slices.IndexFunc(p.links, func(l Linked) bool { return sameName(l.Name, name) })
	if n < 0 {
		return Linked{}, false
	}
	return p.links[n], true
}

// Who returns the person behind an identity: a linked one has one ID and one
// name on every platform. Somebody who is not linked and goes by the name of
// one who is gets the platform behind the name, so that nobody takes them for
// each other.
func (d *Desk) Who(p Person) Person {
	if l, ok := d.people.link(p.ID); ok {
		p.ID, p.Name = linkedID(l.Name), l.Name
		return p
	}
	if _, taken := d.people.named(p.Name); taken && p.ID != "" && p.Platform != incident.Bot.Platform {
		p.Name = strings.TrimPrefix(p.Name, "@") + " (" + orElse(p.Platform, "not linked") + ")"
	}
	return p
}

// Identities returns what a person is on every platform: the linked ones, or p
// alone. Their names are the person's one name.
func (d *Desk) Identities(p Person) []Person {
	l, ok := d.people.link(p.ID)
	if !ok {
		return []Person{p}
	}
	var all []Person
	for _, id := range l.IDs {
		platform, _, _ := strings.Cut(id, ":")
		all = append(all, Person{ID: id, Name: l.Name, Platform: platform, Zone: p.Zone})
	}
	return all
}

// same reports whether two ids are one person's.
func (d *Desk) same(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if x, ok := d.people.link(a); ok {
		y, ok := d.people.link(b)
		return ok && x.Name == y.Name
	}
	return foldID(a) == foldID(b)
}

// memberOf reports whether a person is in one of the teams: by name, or by a
// group of their platform. Who is named in a team and linked is believed by
// their identities alone.
func (d *Desk) memberOf(ctx context.Context, p Person, teams []string) bool {
	var groups []string
	asked := false
	for _, t := range d.o.Teams {
		if !slices.ContainsFunc(teams, func(n string) bool { return strings.EqualFold(n, t.Name) }) {
			continue
		}
		for _, n := range t.People {
			if l, linked := d.people.named(n); linked {
				if d.same(linkedID(l.Name), p.ID) {
					return true
				}
			} else if sameName(n, p.Name) {
				return true
			}
		}
		if len(t.Groups) == 0 || d.o.GroupsOf == nil {
			continue
		}
		if !asked {
			for _, i := range d.Identities(p) {
				groups = append(groups, d.o.GroupsOf(ctx, i)...)
			}
			asked = true
		}
		if slices.ContainsFunc(t.Groups, func(g string) bool {
			return slices.ContainsFunc(groups, func(h string) bool { return strings.EqualFold(g, h) })
		}) {
			return true
		}
	}
	return false
}

// whoIsIn says in words who is in teams: their people, else their groups.
func (d *Desk) whoIsIn(teams []string) string {
	if people := d.peopleOf(teams); len(people) > 0 {
		return either(people, 8)
	}
	var groups []string
	for _, t := range d.o.Teams {
		if slices.ContainsFunc(teams, func(n string) bool { return strings.EqualFold(n, t.Name) }) {
			for _, g := range t.Groups {
				platform, name, _ := strings.Cut(g, ":")
				groups = append(groups, "somebody of "+name+" in "+upper(platform))
			}
		}
	}
	return either(groups, 4)
}

// tell says something to one person alone, in a room, on every platform where
// they are.
func (c *call) tell(room string, to incident.Person, r Reply) {
	if c.say == nil || to.ID == "" || to.Platform == incident.Bot.Platform {
		return
	}
	key := r.Key
	for _, p := range c.d.Identities(Person{ID: to.ID, Name: to.Name, Platform: to.Platform}) {
		if key != "" {
			h := sha256.Sum256([]byte(p.ID)) // a key says no name
			r.Key = key + "/" + hex.EncodeToString(h[:4])
		}
		c.say(Post{Room: room, Reply: clean(r), At: c.d.o.Now().UTC(), For: p.ID})
	}
}
