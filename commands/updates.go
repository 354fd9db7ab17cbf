package commands

// This file holds where status updates go outside the rooms, and what became
// of each: the record says what is still to be delivered (Dispatches), bot/notify
// delivers it and says how that went (Dispatched, Delayed). The verb is in
// incident_update.go, the wording in update_words.go.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Kinds of Target.
const (
	MailTarget       = "mail"
	WebhookTarget    = "webhook"
	StatuspageTarget = "statuspage"
)

// Audiences of a Target.
const (
	Internal = "internal"
	External = "external"
)

// Updates is how status updates leave the rooms. The zero value: they do not.
type Updates struct {
	Targets   []Target
	Approve   bool              // who has the role communications approves each
	Self      bool              // also one's own
	Preview   bool              // every update is shown first, also a typed one
	Templates map[string]string // own ones by name: text/template over UpdateFacts
}

// Target is one place outside the rooms.
type Target struct {
	Name     string
	Kind     string
	Whom     string // who is reached, for people: "2 addresses: ana@example.com, ben@example.com"
	Audience string
	Named    bool // only with --to
	// Components are the page's components by certificate, of a statuspage.
	Components map[string][]string
}

// Dispatch is one update to be delivered to one target.
type Dispatch struct {
	Key        string            `json:"key"` // "INC-7/U-2/board/0": the same key is the same delivery
	Target     string            `json:"target"`
	Incident   string            `json:"incident"`
	Update     string            `json:"update"`
	Title      string            `json:"title"`
	Text       string            `json:"text"`
	Status     string            `json:"status"` // investigating, identified, monitoring or resolved
	Severity   int               `json:"severity"`
	At         time.Time         `json:"at"`    // when it was let out
	Since      time.Time         `json:"since"` // since when it is to be delivered: At, or when somebody asked for it again
	By         string            `json:"by"`
	Declared   time.Time         `json:"declared"`
	Earlier    []string          `json:"earlier,omitempty"` // updates of the incident that this target has taken, in order
	Ref        string            `json:"ref,omitempty"`     // what the target calls the newest of these
	Drill      bool              `json:"drill,omitempty"`
	Private    bool              `json:"private,omitempty"`
	Components map[string]string `json:"components,omitempty"` // status by component, of a statuspage
}

// Outcome is what became of a Dispatch.
type Outcome struct {
	Failed bool   // for good; else it was delivered
	Text   string // "taken by mx.example.com at 02:14 UTC", or the error
	Next   string // what to do, after an error
	Ref    string // what the target calls it
	Open   bool   // the target shows an incident now that is to be ended there
}

// target returns a target of the configuration.
func (d *Desk) target(name string) (Target, bool) {
	for _, t := range d.o.Updates.Targets {
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return Target{}, false
}

// Dispatches returns what is still to be delivered, in the order in which it
// was let out. Before, it ends what targets still show of incidents that are over.
func (d *Desk) Dispatches(ctx context.Context) ([]Dispatch, error) {
	is, err := d.o.Book.UnderWay(ctx)
	if err != nil {
		return nil, fmt.Errorf("updates under way: %w", err)
	}
	var all []Dispatch
	var errs []error
	for _, i := range is {
		us, err := d.o.Book.Updates(ctx, i.ID)
		if err == nil {
			us, err = d.closeUp(ctx, i, us)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("updates of %s: %w", i.ID, err))
			continue
		}
		for n, u := range us {
			for _, t := range u.Deliveries {
				if u.State == incident.UpdateOut && t.State == incident.DeliveryPending {
					all = append(all, d.dispatch(ctx, i, us[:n], u, t))
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Dispatch) int { return a.At.Compare(b.At) })
	return all, errors.Join(errs...)
}

// dispatch is a pending delivery with all that a target needs.
func (d *Desk) dispatch(ctx context.Context, i incident.Incident, before []incident.Update, u incident.Update, t incident.Delivery) Dispatch {
	out := Dispatch{Key: fmt.Sprintf("%s/%s/%s/%d", i.ID, u.ID, t.Target, t.Try), Target: t.Target, Incident: i.ID, Update: u.ID, Title: u.Title, Text: u.Text,
		Status: shownStatus(u.Status), Severity: int(u.Severity), At: u.Out, Since: u.Out, By: u.By.Name, Declared: i.Declared, Drill: i.Drill, Private: i.Private}
	if t.At.After(out.Since) {
		out.Since = t.At
	}
	for _, o := range before {
		for _, x := range o.Deliveries {
			if x.Target == t.Target && x.State == incident.DeliveryDone {
				out.Earlier, out.Ref = append(out.Earlier, o.ID), x.Ref
			}
		}
	}
	if target, ok := d.target(t.Target); ok {
		out.Components = d.components(ctx, i, target, out.Status)
	}
	return out
}

// shownStatus is a status in the words of those outside: what is over is resolved.
func shownStatus(s incident.Status) string {
	if s.Open() {
		return string(s)
	}
	return string(incident.Resolved)
}

// componentStatus is how bad a severity is for a component
// (developer.statuspage.io, "Components").
var componentStatus = map[incident.Severity]string{1: "major_outage", 2: "partial_outage", 3: "degraded_performance", 4: "operational"}

// components are the statuses of the page's components of an incident's
// certificates. Over, one is operational again unless another open incident has
// its certificate: then nothing is said of it.
func (d *Desk) components(ctx context.Context, i incident.Incident, t Target, status string) map[string]string {
	all := map[string]string{}
	for _, name := range i.Certificates {
		say := componentStatus[i.Severity]
		if status == string(incident.Resolved) {
			say = "operational"
			open, err := d.openFor(ctx, name)
			if err != nil || slices.ContainsFunc(open, func(o incident.Incident) bool { return o.ID != i.ID && o.Status.Open() && !o.Drill }) {
				continue
			}
		}
		for _, id := range t.Components[name] {
			all[id] = say
		}
	}
	return all
}

// closeUp lets an update out to each target that still shows an incident that
// is over, once. It says no facts: nobody has looked at it.
func (d *Desk) closeUp(ctx context.Context, i incident.Incident, us []incident.Update) ([]incident.Update, error) {
	if i.Status.Open() || i.Status == incident.Resolved {
		return us, nil
	}
	for _, name := range i.Shown {
		last := incident.Update{}
		for _, u := range us {
			if u.State != incident.UpdateDenied && slices.ContainsFunc(u.Deliveries, func(t incident.Delivery) bool { return t.Target == name }) {
				last = u
			}
		}
		if at := slices.IndexFunc(last.Deliveries, func(t incident.Delivery) bool { return t.Target == name }); at >= 0 &&
			(last.Deliveries[at].State == incident.DeliveryPending || shownStatus(last.Status) == string(incident.Resolved)) {
			continue // on its way, or it failed and somebody was told
		}
		t, _ := d.target(name)
		_, u, err := d.o.Book.AddUpdate(ctx, i.ID, incident.Update{Title: last.Title, Text: "This incident is resolved.", Deliveries: []incident.Delivery{{Target: name, Kind: t.Kind, Audience: t.Audience}}}, false,
			incident.Change{By: incident.Bot, Key: fmt.Sprintf("closeup/%s/%d", name, len(us))})
		if err != nil {
			return us, err
		}
		us = append(us, u)
	}
	return us, nil
}

// Dispatched says in the incident's room what became of a delivery, and records
// it: in that order, so that a kill in between has it said again in the same
// message, and not left unsaid. It is safe to be told the same twice.
func (d *Desk) Dispatched(ctx context.Context, m Dispatch, o Outcome, post func(Post)) error {
	to := incident.Delivery{Target: m.Target, State: incident.DeliveryDone, Text: o.Text, Ref: o.Ref, Open: o.Open}
	if o.Failed {
		to.State = incident.DeliveryFailed
	}
	r := Reply{State: StateGood, Headline: fmt.Sprintf("%s of %s, %s: %s", m.Update, m.Incident, d.targetWord(m.Target), end(o.Text))}
	if o.Failed {
		r.State, r.Body = StateWarning, o.Next
		r.Headline = fmt.Sprintf("%s of %s did not reach %s: %s", m.Update, m.Incident, d.targetWord(m.Target), end(o.Text))
		r.Buttons = []Button{retryButton(m.Incident, m.Update)}
	}
	d.sayDelivery(m, r, post)
	_, _, err := d.o.Book.SettleDelivery(ctx, m.Incident, m.Update, to, incident.Change{By: incident.Bot, Key: "delivery/" + m.Key})
	if err != nil {
		return fmt.Errorf("record the delivery %s: %w", m.Key, err)
	}
	return nil
}

// Delayed says in the incident's room that a delivery is tried again, and why.
func (d *Desk) Delayed(m Dispatch, o Outcome, again time.Time, post func(Post)) {
	d.sayDelivery(m, Reply{State: StateWarning, Body: o.Next,
		Headline: fmt.Sprintf("%s of %s has not reached %s yet: %s It is tried again from %s on.", m.Update, m.Incident, d.targetWord(m.Target), end(o.Text), again.UTC().Format("15:04:05 UTC"))}, post)
}

// sayDelivery posts in the incident's room; the same delivery edits its message.
func (d *Desk) sayDelivery(m Dispatch, r Reply, post func(Post)) {
	r.Public, r.Key, r.Links = true, "delivery/"+m.Key, []Link{{m.Incident, incidentPath(m.Incident)}}
	if post != nil {
		post(Post{Room: m.Incident, Reply: clean(r), At: d.o.Now().UTC()})
	}
}

// targetWord is a target with its kind: "mail board".
func (d *Desk) targetWord(name string) string {
	if t, ok := d.target(name); ok {
		return t.Kind + " " + t.Name
	}
	return name
}
