package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// Home is one person's page on a platform that has such pages (Slack's App
// Home): what waits for them, what is open, what is worst. It says no ages, only
// times, so that it is the same until something happens.
type Home struct {
	State    string
	Headline string
	Sections []HomeSection
}

// HomeSection is a part of a Home. Empty is said when it has no items.
type HomeSection struct {
	Title string
	Items []HomeItem
	Empty string
	More  int // items that are left out
}

// HomeItem is one thing, with what can be done about it.
type HomeItem struct {
	State   string
	Text    string // one line
	Detail  string // "" or one more line
	Buttons []Button
	Link    Link
}

// mostHome is how many items a section of a Home has.
const mostHome = 8

// Home returns a person's page. It reads the record alone and changes nothing.
func (d *Desk) Home(ctx context.Context, by Person) (Home, error) {
	now, by := d.o.Now().UTC(), d.Who(by)
	if err := d.may(ctx, by, NeedsLook, "", nil, ""); err != nil {
		p := d.explain(ctx, err)
		return Home{State: StateInfo, Headline: p.Message + " " + p.Hint + "."}, nil
	}
	all, err := d.o.Renewer.Estate(ctx)
	if err != nil {
		return Home{}, fmt.Errorf("home: read the estate: %w", err)
	}
	open, err := d.o.Book.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return Home{}, fmt.Errorf("home: list open incidents: %w", err)
	}
	open = slices.DeleteFunc(open, func(i incident.Incident) bool { return !d.visible(i, by) })
	waits, err := d.homeWaits(ctx, by, open, now)
	if err != nil {
		return Home{}, err
	}
	var h Home
	h.State, h.Headline = homeHead(all, open, now)
	h.Sections = []HomeSection{
		{Title: "Waits for you", Items: waits, Empty: "Nothing waits for you."},
		{Title: "Open incidents", Items: d.homeIncidents(open), Empty: "No incident is open."},
		{Title: "The estate, worst first", Items: homeEstate(all, now), Empty: "The configuration has no certificate yet."},
	}
	for n, s := range h.Sections {
		if len(s.Items) > mostHome {
			h.Sections[n].More, h.Sections[n].Items = len(s.Items)-mostHome, s.Items[:mostHome]
		}
		for k, i := range h.Sections[n].Items {
			i.Text, i.Detail = oneLine(i.Text), oneLine(i.Detail)
			h.Sections[n].Items[k] = i
		}
	}
	return h, nil
}

func homeHead(all []renew.Standing, open []incident.Incident, now time.Time) (state, headline string) {
	bad, look := 0, 0
	for _, s := range all {
		switch state, _ := standingWord(s, now); state {
		case StateCritical:
			bad++
		case StateWarning, StateUnknown:
			look++
		}
	}
	said := "no incident is open"
	if len(open) > 0 {
		said = plural(len(open), "incident") + " open"
	}
	switch {
	case len(all) == 0:
		return StateInfo, "The configuration has no certificate yet; " + said + "."
	case bad > 0:
		return StateCritical, fmt.Sprintf("%d of %s; %s.", bad, failVerb(len(all), bad), said)
	case look > 0:
		return StateWarning, fmt.Sprintf("Nothing fails; %d of %s to be looked at; %s.", look, needs(len(all), look), said)
	}
	return StateGood, fmt.Sprintf("Nothing fails: %s good; %s.", areGood(len(all)), said)
}

func areGood(n int) string {
	if n == 1 {
		return "1 certificate is"
	}
	return fmt.Sprintf("%d certificates are", n)
}

// homeWaits are approvals that the person may give, incidents that they lead or
// have a role in, and their tasks.
func (d *Desk) homeWaits(ctx context.Context, by Person, open []incident.Incident, now time.Time) ([]HomeItem, error) {
	var items []HomeItem
	rens, err := d.o.Renewer.Renewals(ctx, "", 50)
	if err != nil {
		return nil, fmt.Errorf("home: list renewals: %w", err)
	}
	c := &call{d: d, r: Request{By: by}, v: lookup("renew approve")}
	for _, r := range rens {
		if r.State == renew.Waiting && c.mayDecide(ctx, r, true) == nil {
			i := HomeItem{State: StateWarning, Text: fmt.Sprintf("Approve %s of %s? %s asked at %s.", r.ID, r.Ask.Certificate, who(r.Ask.By.Name), minute(r.Asked)), Buttons: progressButtons(r, now), Link: Link{r.Ask.Certificate, certificatePath(r.Ask.Certificate)}}
			if r.Ask.Reason != "" {
				i.Detail = "Reason: " + clip(oneLine(r.Ask.Reason), 200)
			}
			items = append(items, i)
		}
	}
	for _, i := range open {
		var is []string
		if d.same(i.Commander.ID, by.ID) {
			is = append(is, "commander")
		}
		for _, r := range i.Roles {
			if d.same(r.Person.ID, by.ID) {
				is = append(is, r.Name)
			}
		}
		if len(is) > 0 {
			_, buttons := nextStep(i, renew.Certificate{}, false)
			items = append(items, HomeItem{State: incidentState(i), Text: fmt.Sprintf("You are %s of %s: %s", listed(is, 4), i.ID, clip(i.Title, 120)), Buttons: homeButtons(buttons), Link: Link{i.ID, incidentPath(i.ID)}})
		}
	}
	tasks, err := d.o.Book.Tasks(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("home: list tasks: %w", err)
	}
	for _, t := range tasks {
		if !d.ownsTask(ctx, by, t) {
			continue
		}
		if i, err := d.o.Book.Incident(ctx, t.Incident); err != nil || !d.visible(i, by) {
			continue
		}
		state := StateInfo
		if overdueTask(t, now) {
			state = StateWarning
		}
		items = append(items, HomeItem{State: state, Text: fmt.Sprintf("%s of %s: %s", t.ID, t.Incident, clip(oneLine(t.Text), 160)), Detail: "Due: " + dueWords(t, now),
			Buttons: []Button{{Label: "Done", Command: "/incident task done " + t.ID, Style: "primary"}}, Link: Link{t.Incident, incidentPath(t.Incident)}})
	}
	return items, nil
}

// ownsTask reports a task of the person or of a team of theirs.
func (d *Desk) ownsTask(ctx context.Context, by Person, t incident.Task) bool {
	switch {
	case t.Owner.ID == "" && t.Owner.Name == "":
		return false
	case t.Owner.Platform == "team":
		return d.memberOf(ctx, by, []string{t.Owner.Name})
	}
	return d.same(t.Owner.ID, by.ID) || sameName(t.Owner.Name, by.Name)
}

// homeIncidents are the open incidents with what is to be done next.
func (d *Desk) homeIncidents(open []incident.Incident) []HomeItem {
	var items []HomeItem
	for _, i := range open {
		next, buttons := nextStep(i, renew.Certificate{}, false)
		item := HomeItem{State: incidentState(i), Text: fmt.Sprintf("%s %s %s%s: %s", i.ID, sev(i.Severity), d.status(i.Status), marks(i), clip(i.Title, 160)),
			Detail: fmt.Sprintf("Declared %s. Commander: %s.", minute(i.Declared), orElse(i.Commander.Name, "nobody yet")), Buttons: homeButtons(buttons), Link: Link{i.ID, incidentPath(i.ID)}}
		if next != "" {
			item.Detail += " Next: " + end(clip(next, 200))
		}
		items = append(items, item)
	}
	return items
}

// homeButtons are a card's first buttons, and Show.
func homeButtons(b []Button) []Button {
	b = slices.DeleteFunc(slices.Clone(b), func(o Button) bool { return strings.HasPrefix(o.Command, "/incident timeline") })
	b = b[:min(len(b), 2)]
	for _, o := range b {
		if f := strings.Fields(o.Command); len(f) > 2 && isIncident(f[2]) {
			return append(b, Button{Label: "Show", Command: "/incident show " + strings.ToUpper(f[2])})
		}
	}
	return b
}

// homeEstate is how the certificates stand, each with its end.
func homeEstate(all []renew.Standing, now time.Time) []HomeItem {
	var items []HomeItem
	for _, s := range all {
		state, word := standingWord(s, now)
		name := s.Certificate.Name
		i := HomeItem{State: state, Text: name + ": " + word, Link: Link{name, certificatePath(name)}, Buttons: []Button{{Label: "Check", Command: "/certcheck " + name}}}
		if !s.NotAfter.IsZero() {
			i.Detail = fmt.Sprintf("Ends %s. %d of %s good.", minute(s.NotAfter), s.HostsGood, plural(s.Hosts, "host"))
		}
		items = append(items, i)
	}
	return items
}
