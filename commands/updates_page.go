package commands

import (
	"context"
	"fmt"
	"slices"

	"github.com/certmedic/certmedic/incident"
)

// This file shows the status updates on an incident's page, with the buttons
// that the room has for each.

// maxPageUpdates is how many of them a page shows.
const maxPageUpdates = 20

// PageUpdates are the status updates of an incident as its page shows them.
type PageUpdates struct {
	Updates []PageUpdate // newest first
	Earlier int          // that are not shown
	Word    Button       // has one worded from the facts and shown before it is sent; zero: it is over
}

// PageUpdate is a status update, how it stands, and what can be done next.
type PageUpdate struct {
	incident.Update
	State, Word string // StateWarning, "waits for approval"
	Where       []PageDelivery
	Buttons     []Button
}

// PageDelivery is an update at one target: "mail board", "delivered".
type PageDelivery struct {
	State, Target, Word, Text string
}

// pageUpdates reads them.
func (d *Desk) pageUpdates(ctx context.Context, i incident.Incident) (p PageUpdates, err error) {
	us, err := d.o.Book.Updates(ctx, i.ID)
	if err != nil {
		return p, fmt.Errorf("updates of %s: %w", i.ID, err)
	}
	if i.Status.Open() || i.Status == incident.Resolved {
		p.Word = Button{Label: "Word an update", Command: "/incident update " + i.ID + " --draft external"}
	}
	p.Earlier = max(0, len(us)-maxPageUpdates)
	for _, u := range slices.Backward(us[p.Earlier:]) {
		p.Updates = append(p.Updates, d.pageUpdate(i, u))
	}
	return p, nil
}

func (d *Desk) pageUpdate(i incident.Incident, u incident.Update) PageUpdate {
	one := PageUpdate{Update: u, State: StateGood, Word: "sent"}
	failed, pending := 0, 0
	for _, t := range u.Deliveries {
		to := PageDelivery{State: StateInfo, Target: d.targetWord(t.Target), Word: "not sent"}
		switch {
		case u.State != incident.UpdateOut:
		case t.State == incident.DeliveryDone:
			to.State, to.Word, to.Text = StateGood, "delivered", t.Text
		case t.State == incident.DeliveryFailed:
			to.State, to.Word, to.Text = StateCritical, "failed", t.Text
			failed++
		default:
			to.State, to.Word = StateRunning, "on its way"
			pending++
		}
		one.Where = append(one.Where, to)
	}
	switch {
	case u.State == incident.UpdateWaiting:
		one.State, one.Word, one.Buttons = StateWarning, "waits for approval", waitingUpdate(i, u.ID, "").Buttons
	case u.State == incident.UpdateDenied:
		one.State, one.Word = StateInfo, "denied"
	case failed > 0:
		one.State, one.Word, one.Buttons = StateCritical, "failed", []Button{retryButton(i.ID, u.ID)}
		if failed < len(u.Deliveries) {
			one.Word = fmt.Sprintf("failed at %d of %d", failed, len(u.Deliveries))
		}
	case pending > 0:
		one.State, one.Word = StateRunning, "on its way"
	case len(u.Deliveries) == 0:
		one.State, one.Word = StateGood, "said in the rooms"
	}
	return one
}

// retryButton has what failed of an update tried again.
func retryButton(id, update string) Button {
	return Button{Label: "Try again", Command: "/incident update retry " + id + " " + update}
}
