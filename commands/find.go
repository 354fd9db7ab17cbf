package commands

// This file finds what a line names: incidents, certificates, renewals, people.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

var (
	incidentID = regexp.MustCompile(`^(?i)inc-[0-9]{1,9}$`)
	renewalID  = regexp.MustCompile(`^(?i)r-[0-9]{1,9}$`)
)

func isIncident(s string) bool { return incidentID.MatchString(s) }
func isRenewal(s string) bool  { return renewalID.MatchString(s) }

// incident finds the incident that a line is about: named right after the
// verb, else the room's, else the only open one.
func (c *call) incident(ctx context.Context) (incident.Incident, error) {
	i, err := c.meant(ctx)
	if err == nil {
		err = c.mine(ctx, i)
	}
	return i, err
}

// meant is incident without asking whose it is.
func (c *call) meant(ctx context.Context) (incident.Incident, error) {
	if s, ok := c.args.peek(); ok && isIncident(s) {
		_, _ = c.args.take()
		i, err := c.d.incidentByID(ctx, strings.ToUpper(s), c.r.By)
		c.id = i.ID
		return i, err
	}
	if isIncident(c.r.Room) {
		return c.d.incidentByID(ctx, strings.ToUpper(c.r.Room), c.r.By)
	}
	all, err := c.d.o.Book.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return incident.Incident{}, fmt.Errorf("list open incidents: %w", err)
	}
	all = c.d.visibleOnly(all, c.r.By)
	if len(all) > 1 { // resolved ones wait to be closed; the one being worked on is meant
		if open := slices.DeleteFunc(slices.Clone(all), func(i incident.Incident) bool { return !i.Status.Open() }); len(open) == 1 && c.v.Name != "incident close" {
			return open[0], nil
		}
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return incident.Incident{}, Problem{Code: "no_incident", Message: "No incident is open.",
			Hint: "Declare one, for example: /incident declare sev2 images do not load --cert media"}
	}
	var names []string
	for _, i := range all {
		names = append(names, i.ID+" ("+clip(i.Title, 40)+")")
	}
	return incident.Incident{}, Problem{Code: "which_incident", Message: plural(len(all), "incident") + " are open: " + listed(names, 5) + ".",
		Hint: "Name it right after the verb, for example: /" + c.v.Name + " " + all[0].ID}
}

// begins returns the only name that starts with s, of three letters or more.
func begins(s string, names []string) string {
	found := ""
	for _, n := range names {
		if len(s) < 3 || !strings.HasPrefix(n, s) {
			continue
		}
		if found != "" {
			return ""
		}
		found = n
	}
	return found
}

// certificate finds a certificate by name or domain.
func (d *Desk) certificate(s string) (renew.Certificate, error) {
	inv := d.o.Renewer.Inventory()
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	for _, try := range []string{s, name} {
		if c, ok := inv.Certificate(try); ok {
			return c, nil
		}
	}
	for _, c := range inv.Certificates {
		if strings.EqualFold(c.Name, name) {
			return c, nil
		}
	}
	for _, c := range inv.Certificates { // a name that a wildcard covers
		for _, dom := range c.Domains {
			if parent, ok := strings.CutPrefix(dom, "*."); ok {
				if _, tail, found := strings.Cut(name, "."); found && tail == parent {
					return c, nil
				}
			}
		}
	}
	p := Problem{Code: "unknown_certificate", Message: "There is no certificate " + quote(s) + " in the inventory."}
	names := d.certificateNames()
	var domains []string
	for _, c := range inv.Certificates {
		domains = append(domains, c.Domains...)
	}
	n := nearest(name, append(slices.Clone(names), domains...))
	if n == "" {
		n = begins(name, names)
	}
	switch {
	case n != "":
		p.Hint = "Did you mean " + n + "? For example: /certcheck " + n
	case len(names) == 1:
		p.Hint = "The only one is " + names[0] + ". For example: /certcheck " + names[0]
	case len(names) > 0:
		p.Hint = "There are " + listed(names, 8) + ". For example: /certcheck " + names[0]
	default:
		p.Hint = "The configuration has no certificate yet. An address works too, for example: /certcheck example.com:443"
	}
	return renew.Certificate{}, p
}

func (d *Desk) certificateNames() []string {
	var names []string
	for _, c := range d.o.Renewer.Inventory().Certificates {
		names = append(names, c.Name)
	}
	return names
}

// certificateArg takes a certificate from the line.
func (c *call) certificateArg() (renew.Certificate, error) {
	s, ok := c.args.take()
	if !ok {
		return renew.Certificate{}, c.v.problem("missing_certificate", "/"+c.v.Name+" needs the name of a certificate.")
	}
	return c.d.certificate(s)
}

// renewalArg takes a renewal from the line. fits says which renewals the verb
// is for; they are named when none was given.
func (c *call) renewalArg(ctx context.Context, fits func(renew.Renewal) bool) (renew.Renewal, error) {
	s, ok := c.args.take()
	if !ok || !isRenewal(s) {
		p := c.v.problem("missing_renewal", "/"+c.v.Name+" needs the id of a renewal.")
		if ok {
			p = c.v.problem("bad_renewal", quote(s)+" is not the id of a renewal.")
		}
		all, err := c.d.o.Renewer.Renewals(ctx, "", 50)
		if err != nil {
			return renew.Renewal{}, fmt.Errorf("list renewals: %w", err)
		}
		var names []string
		for _, r := range all {
			if fits(r) {
				names = append(names, r.ID+" ("+r.Ask.Certificate+", "+string(r.State)+")")
			}
		}
		if len(names) > 0 {
			id, _, _ := strings.Cut(names[0], " ")
			p.Hint = "It can be " + listed(names, 5) + ". For example: /" + c.v.Name + " " + id
		}
		return renew.Renewal{}, p
	}
	return c.d.renewalByID(ctx, strings.ToUpper(s))
}

func (d *Desk) renewalByID(ctx context.Context, id string) (renew.Renewal, error) {
	r, err := d.o.Renewer.Renewal(ctx, id)
	if errors.Is(err, renew.ErrNotFound) {
		return r, Problem{Code: "unknown_renewal", Message: "There is no renewal " + id + ".", Hint: "See them with: /renew"}
	}
	return r, err
}

// standing returns how a certificate stands by the last check.
func (d *Desk) standing(ctx context.Context, name string) (renew.Standing, error) {
	all, err := d.o.Renewer.Estate(ctx)
	if err != nil {
		return renew.Standing{}, fmt.Errorf("read the estate: %w", err)
	}
	for _, s := range all {
		if s.Certificate.Name == name {
			return s, nil
		}
	}
	return renew.Standing{}, fmt.Errorf("standing of %s: %w", name, renew.ErrNotFound)
}

// openFor returns the open incidents of a certificate, newest first.
func (d *Desk) openFor(ctx context.Context, certificate string) ([]incident.Incident, error) {
	all, err := d.o.Book.List(ctx, incident.Filter{Open: true, Certificate: certificate})
	if err != nil {
		return nil, fmt.Errorf("open incidents of %s: %w", certificate, err)
	}
	return all, nil
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(a), "@"), strings.TrimPrefix(strings.TrimSpace(b), "@"))
}

// peopleOf returns the names in the teams, each once.
func (d *Desk) peopleOf(teams []string) []string {
	var out []string
	for _, t := range d.o.Teams {
		if slices.ContainsFunc(teams, func(n string) bool { return strings.EqualFold(n, t.Name) }) {
			for _, p := range t.People {
				if !slices.Contains(out, p) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// person finds somebody by name: "me", a member of a team, or somebody who has
// already spoken in the incident.
func (c *call) person(ctx context.Context, name string, in incident.Incident) (incident.Person, error) {
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	if strings.EqualFold(name, "me") || sameName(name, c.r.By.Name) {
		return c.by(), nil
	}
	for _, l := range c.d.people.links {
		if sameName(l.Name, name) || slices.Contains(l.IDs, c.r.By.Platform+":"+name) { // a mention without its name is the id
			return incident.Person{ID: linkedID(l.Name), Name: l.Name, Platform: c.r.By.Platform}, nil
		}
	}
	for _, m := range mention.FindAllStringSubmatch(c.r.Text, -1) { // the platform's own word of who is meant
		if label := orElse(strings.TrimPrefix(m[2], "@"), m[1]); sameName(label, name) {
			p := c.d.Who(Person{ID: c.r.By.Platform + ":" + m[1], Name: label, Platform: c.r.By.Platform})
			return incident.Person{ID: p.ID, Name: p.Name, Platform: p.Platform}, nil
		}
	}
	timeline, err := c.d.o.Book.Timeline(ctx, in.ID)
	if err != nil {
		return incident.Person{}, fmt.Errorf("timeline of %s: %w", in.ID, err)
	}
	var known []string
	for _, e := range timeline {
		if sameName(e.By.Name, name) && e.By.Platform != incident.Bot.Platform {
			return e.By, nil
		}
	}
	for _, t := range c.d.o.Teams {
		for _, p := range t.People {
			if sameName(p, name) {
				return incident.Person{ID: guessed(c.r.By.Platform, p), Name: p, Platform: c.r.By.Platform}, nil
			}
			if !slices.Contains(known, p) {
				known = append(known, p)
			}
		}
	}
	if len(known) == 0 {
		return incident.Person{ID: guessed(c.r.By.Platform, name), Name: name, Platform: c.r.By.Platform}, nil
	}
	p := Problem{Code: "unknown_person", Message: "Nobody here is called " + quote(name) + ".", Hint: "The teams have " + listed(known, 8) + ". For example: /incident lead me"}
	if n := nearest(name, known); n != "" {
		p.Hint = "Did you mean " + n + "? For example: /incident lead " + n
	}
	return incident.Person{}, p
}
