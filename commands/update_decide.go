package commands

// This file decides about status updates that wait for approval, has failed
// deliveries tried again, and lists what was said.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// communications is the role that approves updates.
const communications = "communications"

// updateWaits is what the room is told of an update that waits.
func (c *call) updateWaits(i incident.Incident, u incident.Update) Reply {
	r := waitingUpdate(i, u.ID, u.Text)
	r.Public, r.Incident = c.public(i), i.ID
	r.Facts = []Fact{{"goes to", listed(c.d.targetWords(u), 6)}, {"title", clip(u.Title, 120)}, {"written by", who(u.By.Name)}}
	if p, ok := i.Role(communications); ok && !c.d.same(p.ID, c.r.By.ID) {
		told := r
		told.Public, told.Incident, told.Key = false, "", fmt.Sprintf("asked/%s/%s", i.ID, u.ID)
		c.tell(i.ID, p, told)
	}
	return r
}

// targetWords are where an update goes, each with its kind.
func (d *Desk) targetWords(u incident.Update) (names []string) {
	for _, t := range u.Deliveries {
		names = append(names, d.targetWord(t.Target))
	}
	return names
}

// waitingUpdate is the card of an update that waits: the text, who is asked,
// and the buttons that end it.
func waitingUpdate(i incident.Incident, id, text string) Reply {
	r := Reply{State: StateWarning, Body: text, Links: []Link{{i.ID, incidentPath(i.ID)}},
		Buttons: []Button{{Label: "Approve", Command: "/incident update approve " + i.ID + " " + id, Style: "primary"}, {Label: "Deny", Command: "/incident update deny " + i.ID + " " + id}}}
	if p, ok := i.Role(communications); ok {
		r.Headline = fmt.Sprintf("%s of %s waits for approval by %s (communications).", id, i.ID, p.Name)
		return r
	}
	r.Headline = fmt.Sprintf("%s of %s waits for approval, and nobody has the role communications.", id, i.ID)
	r.Buttons[0].Style = "" // nobody can yet
	r.Buttons = append([]Button{{Label: "I am communications", Command: "/incident role " + i.ID + " communications me", Style: "primary"}}, r.Buttons...)
	return r
}

// updateDecide approves, denies or tries again.
func (c *call) updateDecide(ctx context.Context, word, named string) (Reply, error) {
	named = c.takeNamed(named)
	id, ok := c.args.take()
	if !ok || !updateID.MatchString(id) {
		p := c.v.problem("missing_update", "Name the update, as U-2.")
		p.Hint = "See them: /incident update list"
		return Reply{}, p
	}
	id = strings.ToUpper(id)
	i, err := c.incidentNamed(ctx, named)
	if err != nil {
		return Reply{}, err
	}
	us, err := c.d.o.Book.Updates(ctx, i.ID)
	if err != nil {
		return Reply{}, err
	}
	at := slices.IndexFunc(us, func(u incident.Update) bool { return u.ID == id })
	if at < 0 {
		return Reply{}, Problem{Code: "unknown_update", Message: i.ID + " has no update " + id + ".", Hint: "See them: /incident update list " + i.ID}
	}
	u := us[at]
	if word == "retry" {
		return c.updateRetry(ctx, i, u)
	}
	if u.State != incident.UpdateWaiting && !c.repeated(ctx, i.ID) {
		return Reply{}, Problem{Code: "wrong_state", Message: fmt.Sprintf("%s of %s does not wait for approval: %s.", u.ID, i.ID, updateState(u)), Hint: "See them: /incident update list " + i.ID}
	}
	if err := c.mayDecideUpdate(i, u, word == "approve"); err != nil {
		return Reply{}, err
	}
	ch := c.change("")
	ch.Reason = c.args.rest()
	from := i
	if i, u, err = c.d.o.Book.DecideUpdate(ctx, i.ID, u.ID, word == "approve", ch); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if word == "approve" {
		return c.updateOut(i, u), nil
	}
	return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s of %s is not sent: %s denied it.", u.ID, i.ID, c.r.By.Name), Body: orElse(u.Reason, "No reason was given."),
		Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
}

// mayDecideUpdate: who has the role communications, and not who wrote it
// unless the policy says so. The one who wrote it may take it back.
func (c *call) mayDecideUpdate(i incident.Incident, u incident.Update, approve bool) error {
	own := c.d.same(u.By.ID, c.r.By.ID) || sameName(u.By.Name, c.r.By.Name)
	if own && !approve {
		return nil
	}
	p, ok := i.Role(communications)
	if !ok {
		return Problem{Code: "no_communications", Message: "Nobody has the role communications in " + i.ID + ", so nobody can approve " + u.ID + ".", Hint: "Somebody other than " + u.By.Name + " says: /incident role " + i.ID + " communications me"}
	}
	if !c.d.same(p.ID, c.r.By.ID) {
		return Problem{Code: "not_approver", Message: fmt.Sprintf("%s may not decide about %s: %s has the role communications.", c.r.By.Name, u.ID, p.Name),
			Hint: fmt.Sprintf("Ask %s to say: /incident update approve %s %s. Or take the role: /incident role %s communications me", p.Name, i.ID, u.ID, i.ID)}
	}
	if own && !c.d.o.Updates.Self {
		return Problem{Code: "self_approval", Message: u.By.Name + " wrote " + u.ID + ", so somebody else must approve it.", Hint: "Somebody else takes the role first: /incident role " + i.ID + " communications me"}
	}
	return nil
}

func (c *call) updateRetry(ctx context.Context, i incident.Incident, u incident.Update) (Reply, error) {
	from, id := i, u.ID
	i, u, err := c.d.o.Book.RetryUpdate(ctx, i.ID, id, c.change(""))
	if errors.Is(err, incident.ErrState) {
		return Reply{}, Problem{Code: "nothing_failed", Message: "Nothing of " + id + " failed, so nothing is tried again.", Hint: "See what became of it: /incident update list " + from.ID}
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s of %s is tried again.", u.ID, i.ID), Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
}

// updateState says in words where an update stands.
func updateState(u incident.Update) string {
	switch u.State {
	case incident.UpdateWaiting:
		return "waits for approval"
	case incident.UpdateDenied:
		return "denied by " + who(u.Decided.Name)
	}
	return "sent at " + minute(u.Out)
}

// updateList is every update of an incident, and what became of each.
func (c *call) updateList(ctx context.Context, named string) (Reply, error) {
	i, err := c.incidentNamed(ctx, named)
	if err != nil {
		return Reply{}, err
	}
	us, err := c.d.o.Book.Updates(ctx, i.ID)
	if err != nil {
		return Reply{}, err
	}
	if len(us) == 0 {
		return Reply{State: StateInfo, Headline: i.ID + " has no status update yet.", Body: "To have one worded: /incident update " + i.ID + " --draft external", Links: []Link{{i.ID, incidentPath(i.ID)}}}, nil
	}
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("%s has %s.", i.ID, plural(len(us), "status update")), Table: Table{Columns: []string{"update", "who", "state", "what", "where"}}, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	if n := len(us) - maxTimeline; n > 0 {
		r.Body = fmt.Sprintf("The last %d; %d earlier: see the page.", maxTimeline, n)
		us = us[n:]
	}
	for _, u := range us {
		state := ""
		var where []string
		for _, t := range u.Deliveries {
			if u.State != incident.UpdateOut {
				where = append(where, "to "+t.Target)
				continue
			}
			where = append(where, t.Target+" "+map[string]string{incident.DeliveryPending: "on its way", incident.DeliveryDone: "✓", incident.DeliveryFailed: "✕ " + clip(t.Text, 60)}[t.State])
			if t.State == incident.DeliveryFailed {
				state = StateWarning
			}
		}
		if u.State == incident.UpdateWaiting {
			state = StateWarning
			r.Buttons = append(r.Buttons, Button{Label: "Approve " + u.ID, Command: "/incident update approve " + i.ID + " " + u.ID})
		}
		r.Table.Rows = append(r.Table.Rows, Row{State: state, Cells: []string{u.ID, who(u.By.Name), updateState(u), clip(oneLine(u.Text), 120), orElse(strings.Join(where, ", "), "rooms")}})
	}
	r.Buttons = r.Buttons[:min(len(r.Buttons), 3)]
	return r, nil
}
