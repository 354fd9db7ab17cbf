package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// In this file: status updates, what is said of an incident to people, and
// whether it left for each place outside the rooms. The record is the intent:
// a delivery that stands here as pending is still to be made, whatever was
// killed meanwhile. How it is made is not known here (bot/notify), nor whom
// the targets reach (the configuration).

// CommsKind is the kind of a line about what was told to people outside.
const CommsKind = "comms"

// States of an update.
const (
	UpdateWaiting = "waiting" // for approval
	UpdateOut     = "out"     // said in the rooms, and on its way to its targets
	UpdateDenied  = "denied"
)

// States of a delivery.
const (
	DeliveryPending = "pending"
	DeliveryDone    = "done"
	DeliveryFailed  = "failed" // and not tried again unless somebody says so
)

const (
	maxUpdates = 500 // in one incident
	maxTargets = 20  // of one update
)

// Update is a status update of an incident.
type Update struct {
	ID         string     `json:"id"` // "U-2", within the incident
	Incident   string     `json:"incident"`
	Title      string     `json:"title"` // what those outside read above it
	Text       string     `json:"text"`
	Status     Status     `json:"status"` // of the incident when it was written
	Severity   Severity   `json:"severity"`
	By         Person     `json:"by"`
	At         time.Time  `json:"at"`
	State      string     `json:"state"`
	Out        time.Time  `json:"out,omitzero"` // when it left for the rooms
	Decided    Person     `json:"decided_by,omitzero"`
	Reason     string     `json:"reason,omitempty"` // of a denial
	Entry      string     `json:"entry"`            // the line that says it was written
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is one update on its way to one target.
type Delivery struct {
	Target   string    `json:"target"` // name in the configuration
	State    string    `json:"state"`
	At       time.Time `json:"at,omitzero"`        // when it was done or given up, or asked for again
	Text     string    `json:"text,omitempty"`     // the result or the error, for people
	Ref      string    `json:"ref,omitempty"`      // what the target calls it
	Open     bool      `json:"open,omitempty"`     // the target shows an incident that is to be ended there
	Try      int       `json:"try,omitempty"`      // how often somebody asked for it again
	Kind     string    `json:"kind,omitempty"`     // of the target when it was written: "mail", "webhook", "statuspage"; "": not written down
	Audience string    `json:"audience,omitempty"` // the same: "internal" or "external"
}

// Asking is an update that waits for approval.
type Asking struct {
	Update string    `json:"update"`
	Since  time.Time `json:"since"`
	By     Person    `json:"by"`
}

// AddUpdate records a status update: u.Text, u.Title ("": the incident's) and
// u.Deliveries are taken. With wait it leaves only once
// somebody approves it; else it is out at once. Of a delivery the target, its
// kind and its audience are taken. It is possible in every state
// of the incident. A change of the same Key makes it once.
func (b *Book) AddUpdate(ctx context.Context, id string, u Update, wait bool, c Change) (Incident, Update, error) {
	text, _ := Clean(u.Text, maxText)
	if text == "" {
		return Incident{}, Update{}, fmt.Errorf("the update has no text: %w", ErrState)
	}
	if len(u.Deliveries) > maxTargets {
		return Incident{}, Update{}, fmt.Errorf("%d targets, at most %d of one update: %w", len(u.Deliveries), maxTargets, ErrState)
	}
	var made Update
	i, err := b.change(ctx, id, c, func(p *page, c Change) error {
		if p.r.Updates >= maxUpdates {
			return fmt.Errorf("%d updates, at most that many in one incident: %w", maxUpdates, ErrState)
		}
		p.r.Updates++
		d := diskUpdate{V: diskVersion, N: p.r.Updates, Title: oneLine(u.Title, maxTitle), Text: text, Status: p.r.Status, Severity: p.r.Severity, By: toDisk(c.By), At: p.at, State: UpdateWaiting, Entry: p.r.Entries + 1}
		if d.Title == "" {
			d.Title = p.r.Title
		}
		var names []string
		for _, t := range u.Deliveries {
			if name := oneLine(t.Target, maxTitle); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
				d.To = append(d.To, diskDelivery{Target: name, State: DeliveryPending, Kind: oneLine(t.Kind, maxTitle), Audience: oneLine(t.Audience, maxTitle)})
			}
		}
		c.Text = ""
		ev := ChangeEvidence{What: "update", To: updateName(d.N)}
		if wait {
			p.r.Asking = append(slices.Clone(p.r.Asking), diskAsking{N: d.N, Since: p.now, By: toDisk(c.By)})
			if err := p.note(c, CommsKind, updateName(d.N)+" waits for approval: "+text, ev); err != nil {
				return err
			}
		} else if err := p.release(&d, c, text, ev); err != nil {
			return err
		}
		made = d.update(p.r.Num)
		return errors.Join(p.putUpdate(d), p.underWay())
	})
	if err != nil || made.ID != "" {
		return i, made, err
	}
	made, err = b.updateOfKey(ctx, id, c.Key)
	return i, made, err
}

// release lets an update leave and writes its line.
func (p *page) release(d *diskUpdate, c Change, said string, ev ChangeEvidence) error {
	d.State, d.Out = UpdateOut, p.now
	out := p.r.out()
	out.Pending += len(d.To)
	p.r.Out = &out
	return p.note(c, UpdateKind, said, ev)
}

// updateOfKey finds the update that a change with a key made.
func (b *Book) updateOfKey(ctx context.Context, id, key string) (Update, error) {
	entry, err := b.entryOfKey(ctx, id, key)
	if err != nil {
		return Update{}, err
	}
	all, err := b.Updates(ctx, id)
	for _, u := range all {
		if entry != "" && u.Entry == entry {
			return u, err
		}
	}
	return Update{}, errors.Join(err, fmt.Errorf("update: %w", ErrNotFound))
}

// DecideUpdate approves a waiting update, which is then out, or denies it with
// c.Reason. One that waits no more is refused with ErrState.
func (b *Book) DecideUpdate(ctx context.Context, id, update string, approve bool, c Change) (Incident, Update, error) {
	return b.changeUpdate(ctx, id, update, c, func(p *page, d *diskUpdate, c Change) error {
		if d.State != UpdateWaiting {
			return fmt.Errorf("%s is %s: %w", updateName(d.N), d.State, ErrState)
		}
		p.r.Asking = slices.DeleteFunc(slices.Clone(p.r.Asking), func(a diskAsking) bool { return a.N == d.N })
		d.Decided, d.Reason = toDisk(c.By), oneLine(c.Reason, maxText)
		if approve {
			said := d.Text + " (written by " + d.By.Name + ")"
			ev := ChangeEvidence{What: "update approved", From: d.By.Name, To: updateName(d.N)}
			return p.release(d, c, said, ev)
		}
		d.State = UpdateDenied
		said := updateName(d.N) + " is not sent."
		if d.Reason != "" {
			said += " Reason: " + strings.TrimRight(d.Reason, ".") + "."
		}
		return p.note(c, CommsKind, said, ChangeEvidence{What: "update denied", To: updateName(d.N)})
	})
}

// SettleDelivery records what became of a delivery: to.State (done or failed),
// Text, Ref and Open are taken. One that is settled already stays as it is.
func (b *Book) SettleDelivery(ctx context.Context, id, update string, to Delivery, c Change) (Incident, Update, error) {
	if to.State != DeliveryDone && to.State != DeliveryFailed {
		return Incident{}, Update{}, fmt.Errorf("a delivery is settled as done or failed, not %.20q: %w", to.State, ErrState)
	}
	text := oneLine(to.Text, maxText)
	return b.changeUpdate(ctx, id, update, c, func(p *page, d *diskUpdate, c Change) error {
		at := slices.IndexFunc(d.To, func(t diskDelivery) bool { return t.Target == to.Target })
		if at < 0 || d.State != UpdateOut {
			return fmt.Errorf("%s to %.40q: %w", updateName(d.N), to.Target, ErrNotFound)
		}
		if d.To[at].State != DeliveryPending {
			return nil
		}
		t := diskDelivery{Target: to.Target, State: to.State, At: p.at, Text: text, Ref: oneLine(to.Ref, maxTitle), Open: to.Open, Try: d.To[at].Try, Kind: d.To[at].Kind, Audience: d.To[at].Audience}
		d.To = slices.Clone(d.To)
		d.To[at] = t
		out := p.r.out()
		out.Pending = max(out.Pending-1, 0)
		if to.State == DeliveryDone {
			out.Open = slices.DeleteFunc(slices.Clone(out.Open), func(n string) bool { return n == t.Target })
			if to.Open {
				out.Open = append(out.Open, t.Target)
			}
		}
		p.r.Out = &out
		said := fmt.Sprintf("%s to %s: %s", updateName(d.N), t.Target, text)
		if to.State == DeliveryFailed {
			said = fmt.Sprintf("%s did not reach %s: %s", updateName(d.N), t.Target, text)
		}
		c.Text = ""
		return p.note(c, CommsKind, said, ChangeEvidence{What: "delivery", From: t.Target, To: to.State})
	})
}

// RetryUpdate makes the failed deliveries of an update pending again.
func (b *Book) RetryUpdate(ctx context.Context, id, update string, c Change) (Incident, Update, error) {
	return b.changeUpdate(ctx, id, update, c, func(p *page, d *diskUpdate, c Change) error {
		var names []string
		d.To = slices.Clone(d.To)
		for n, t := range d.To {
			if t.State == DeliveryFailed {
				d.To[n] = diskDelivery{Target: t.Target, State: DeliveryPending, At: p.now, Try: t.Try + 1, Kind: t.Kind, Audience: t.Audience}
				names = append(names, t.Target)
			}
		}
		if len(names) == 0 {
			return fmt.Errorf("nothing of %s failed: %w", updateName(d.N), ErrState)
		}
		out := p.r.out()
		out.Pending += len(names)
		p.r.Out = &out
		c.Text = ""
		return p.note(c, CommsKind, fmt.Sprintf("%s is tried again: %s.", updateName(d.N), strings.Join(names, ", ")), ChangeEvidence{What: "delivery", From: strings.Join(names, ", "), To: DeliveryPending})
	})
}

// changeUpdate changes one update together with its incident's record.
func (b *Book) changeUpdate(ctx context.Context, id, update string, c Change, fn func(p *page, d *diskUpdate, c Change) error) (Incident, Update, error) {
	n, err := updateNumber(update)
	if err != nil {
		return Incident{}, Update{}, err
	}
	var u Update
	i, err := b.change(ctx, id, c, func(p *page, c Change) error {
		d, err := getUpdate(p.tx, p.r.Num, n)
		if err != nil {
			return err
		}
		if err := fn(p, &d, c); err != nil {
			return err
		}
		u = d.update(p.r.Num)
		if !p.done {
			return nil
		}
		return errors.Join(p.putUpdate(d), p.underWay())
	})
	if err != nil || u.ID != "" {
		return i, u, err
	}
	all, err := b.Updates(ctx, id)
	for _, o := range all {
		if o.ID == updateName(n) {
			u = o
		}
	}
	return i, u, err
}
