package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/certmedic/certmedic/incident"
)

// In this file: how far a postmortem is: finished, reviewed, shared.

// advance records that the postmortem came to a state. With gaps left it asks
// first.
func (c *call) advance(ctx context.Context, i incident.Incident, to string) (Reply, error) {
	from, ch := i, c.change("")
	ch.Reason = c.args.value("anyway")
	word := map[string]string{incident.DraftFinished: "finish", incident.DraftReviewed: "review", incident.DraftShared: "share"}[to]
	again := "/incident postmortem " + i.ID + " " + word + " --anyway "
	if i.Status == incident.Closed && i.DraftDone.IsZero() && ch.Reason == "" {
		draft, err := c.d.draftOf(ctx, i, nil, "standard")
		if err != nil {
			return Reply{}, err
		}
		if n := len(draft.Gaps); n > 0 {
			return Reply{}, Problem{Code: "gaps_left", Message: fmt.Sprintf("%s left to fill in the postmortem of %s, the first: %s.", plural(n, "gap"), i.ID, clip(draft.Gaps[0], 80)),
				Hint: "Fill them with /incident postmortem set, or on " + draftPath(i.ID) + ". All the same: " + again + "nobody knows more"}
		}
	}
	i, err := c.d.o.Book.AdvanceDraft(ctx, i.ID, to, ch)
	switch {
	case errors.Is(err, incident.ErrOrder):
		return Reply{}, Problem{Code: "out_of_turn", Message: fmt.Sprintf("The postmortem of %s is %s, so it is not %s yet.", from.ID, orElse(from.LastDraft().State, "a draft"), to), Hint: "The order is finish, review, share. All the same: " + again + "why"}
	case errors.Is(err, incident.ErrOwnReview):
		return Reply{}, Problem{Code: "own_review", Message: "You finished it, so somebody else reviews it.", Hint: "All the same: " + again + "nobody else is here"}
	case errors.Is(err, incident.ErrState):
		return Reply{}, Problem{Code: "not_closed", Message: fmt.Sprintf("%s is %s, so its postmortem is not %s.", from.ID, from.Status, to), Hint: "Close it first: /incident close " + from.ID}
	case err != nil:
		return Reply{}, c.bookError(from, err)
	}
	last := i.LastDraft()
	r := Reply{State: StateGood, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("The postmortem of %s is %s.", i.ID, orElse(last.State, to)), Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}}
	if last.State != "" {
		r.Body = fmt.Sprintf("By %s at %s.", last.By.Name, stamp(last.At))
	}
	switch last.State {
	case incident.DraftFinished:
		r.Buttons = []Button{{Label: "Reviewed", Command: "/incident postmortem " + i.ID + " review"}}
	case incident.DraftReviewed:
		r.Buttons = []Button{{Label: "Shared", Command: "/incident postmortem " + i.ID + " share"}}
	}
	return r, nil
}
