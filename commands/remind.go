package commands

// This file says what is waited for too long. What and when follows from the
// record (incident.WaitsOf) and, for approvals, from the renewals; each
// reminder has a key of its own, so that one said just before a kill is edited
// and not said twice.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// Tick says the reminders that are due at now and records each. It is called
// every few seconds; one caller at a time.
func (d *Desk) Tick(ctx context.Context, now time.Time, post func(Post)) error {
	all, err := d.o.Book.Waiting(ctx)
	if err != nil {
		return fmt.Errorf("reminders: %w", err)
	}
	var errs []error
	for _, i := range all {
		waits, approvals, err := d.waits(ctx, i)
		errs = append(errs, err)
		due, err := d.o.Book.Due(ctx, i.ID, waits, now)
		errs = append(errs, err)
		for _, r := range due {
			reply := d.reminder(i, r, approvals[r.Kind], now)
			for _, room := range remindRooms(i, r) {
				if post != nil {
					post(Post{Room: room, Reply: clean(reply), At: now.UTC()})
				}
			}
			errs = append(errs, d.o.Book.Reminded(ctx, r, now))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("reminders: %w", err)
	}
	return nil
}

// waits are what an incident waits for, approvals of renewals of its
// certificates among them.
func (d *Desk) waits(ctx context.Context, i incident.Incident) ([]incident.Wait, map[string]renew.Renewal, error) {
	ws, approvals := incident.WaitsOf(i), map[string]renew.Renewal{}
	if !i.Status.Open() {
		return ws, nil, nil
	}
	for _, name := range i.Certificates {
		rs, err := d.o.Renewer.Renewals(ctx, name, 5)
		if err != nil {
			return ws, approvals, fmt.Errorf("renewals of %s: %w", name, err)
		}
		for _, r := range rs {
			if r.State == renew.Waiting {
				approvals[r.ID] = r
				ws = append(ws, incident.Wait{Incident: i.ID, Kind: r.ID, Since: r.Asked, Every: 20 * time.Minute,
					At: []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute}})
			}
		}
	}
	return ws, approvals, nil
}

// remindRooms is where a reminder is said: in the incident's room; in main too
// when it is not private and nobody may be in that room.
func remindRooms(i incident.Incident, r incident.Reminder) []string {
	if i.Private || r.Kind == incident.WaitUpdate {
		return []string{i.ID}
	}
	return []string{i.ID, mainRoom}
}

// reminder is what is said, with the buttons that end it.
func (d *Desk) reminder(i incident.Incident, r incident.Reminder, ren renew.Renewal, now time.Time) Reply {
	p := Reply{State: StateWarning, Public: true, Key: fmt.Sprintf("remind/%s/%s/%d/%d", i.ID, r.Kind, r.Since.Unix(), r.N), Links: []Link{{i.ID, incidentPath(i.ID)}}}
	name := fmt.Sprintf("%s (%s)", i.ID, clip(i.Title, 60))
	since := brief(now.Sub(r.Since))
	add := func(label, command, style string) {
		p.Buttons = append(p.Buttons, Button{Label: label, Command: command, Style: style})
	}
	snooze := "30m"
	switch {
	case r.Kind == incident.WaitCommander:
		p.Headline = fmt.Sprintf("%s has no commander since %s.", name, since)
		p.Body = "Somebody must lead: whoever presses first."
		add("Lead me", "/incident lead "+i.ID+" me", "primary")
	case r.Kind == incident.WaitUpdate:
		p.Headline = fmt.Sprintf("Nobody has written anything about %s for %s; it is %s.", name, since, d.status(i.Status))
		p.Body = "Say where it stands, also when nothing changed: /incident note " + i.ID + " still waiting for the CA"
		add("Show", "/incident show "+i.ID, "")
		add("Draft an update", "/incident update "+i.ID+" --draft external", "")
	case r.Kind == incident.WaitClose:
		p.Headline = fmt.Sprintf("%s is resolved since %s and not closed.", name, since)
		add("Close", "/incident close "+i.ID, "primary")
		snooze = "1d"
	case r.Kind == incident.WaitDraft:
		next, label := "finish", "Finished"
		p.Headline = fmt.Sprintf("The postmortem of %s is not finished; it was closed %s ago.", name, since)
		switch i.LastDraft().State {
		case incident.DraftFinished:
			p.Headline, next, label = fmt.Sprintf("The postmortem of %s is finished since %s, and nobody has reviewed it.", name, since), "review", "Reviewed"
		case incident.DraftReviewed:
			p.Headline, next, label = fmt.Sprintf("The postmortem of %s is reviewed since %s, and not shared.", name, since), "share", "Shared"
		}
		add("Draft", "/incident postmortem "+i.ID, "primary")
		add(label, "/incident postmortem "+i.ID+" "+next, "")
		snooze = "2d"
	case updateID.MatchString(r.Kind):
		w := waitingUpdate(i, r.Kind, "")
		p.Headline, p.Buttons = fmt.Sprintf("%s It was written %s ago.", w.Headline, since), w.Buttons
		p.Body = "What it says: /incident update list " + i.ID
		snooze = "10m"
	case ren.ID != "":
		p.Headline = fmt.Sprintf("%s of %s waits for approval since %s: %s.", ren.ID, ren.Ask.Certificate, since, d.asked(ren, r.N))
		p.Body = name + " waits for it."
		add("Approve", "/renew approve "+ren.ID, "primary")
		add("Deny", "/renew deny "+ren.ID, "")
		snooze = "10m"
	default:
		at := slices.IndexFunc(i.Tasks, func(t incident.Task) bool { return t.ID == r.Kind })
		if at < 0 {
			break
		}
		t := i.Tasks[at]
		when := "is due " + t.Due.Format(time.DateOnly)
		if overdueTask(t, now) {
			when = "was due " + t.Due.Format(time.DateOnly)
		}
		p.Headline = fmt.Sprintf("%s of %s %s: %s. Owner: %s.", t.ID, i.ID, when, strings.TrimRight(clip(oneLine(t.Text), 120), "."), orElse(t.Owner.Name, "nobody yet"))
		if p.Body = t.Export.URL; t.Export.IsZero() && len(d.o.Trackers) == 1 && !i.Private {
			add("Export to "+d.o.Trackers[0].Name, "/incident task export "+t.ID, "")
		}
		p.Buttons = append([]Button{{Label: "Done", Command: "/incident task done " + t.ID, Style: "primary"}}, p.Buttons...)
		snooze = "2d"
	}
	add("Snooze "+snooze, fmt.Sprintf("/incident snooze %s %s %s", i.ID, r.Kind, snooze), "")
	add("Stop reminding", fmt.Sprintf("/incident quiet %s %s", i.ID, r.Kind), "")
	return p
}

// asked names who is asked the n-th time: the approvers' teams first, then each
// team that they escalate to.
func (d *Desk) asked(ren renew.Renewal, n int) string {
	cert, _ := d.o.Renewer.Inventory().Certificate(ren.Ask.Certificate)
	list := slices.Clone(cert.Approval.Teams)
	for at := 0; at < len(list) && at < 20; at++ {
		for _, t := range d.o.Teams {
			if !strings.EqualFold(t.Name, list[at]) {
				continue
			}
			for _, next := range t.Escalate {
				if !slices.Contains(list, next) {
					list = append(list, next)
				}
			}
		}
	}
	if len(list) == 0 {
		return "somebody must approve"
	}
	team := list[min(n, len(list))-1]
	if people := d.peopleOf([]string{team}); len(people) > 0 {
		return "team " + team + " is asked, that is " + either(people, 6)
	}
	return "team " + team + " is asked"
}
