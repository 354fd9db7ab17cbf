package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: how far a postmortem is: finished, reviewed, shared; and that
// nobody replaces words that they have not seen.

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

// seenLine reads --seen: the number of a line such as E-40; 0 of "".
func seenLine(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	m := entryID.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, Problem{Code: "bad_entry", Message: quote(s) + " is not a line of the record.", Hint: "Lines are named E-40; see them with /incident timeline"}
	}
	n, err := strconv.Atoi(m[1])
	return n, err
}

// stale says whose words stand in a section that was to be set without having
// seen them.
func (c *call) stale(ctx context.Context, i incident.Incident, section string) error {
	who := "Somebody wrote"
	draft, err := c.d.draftOf(ctx, i, nil, "standard")
	if err != nil {
		return err
	}
	parts, _, err := draft.Parts()
	if err != nil {
		return fmt.Errorf("draft of %s: %w", i.ID, err)
	}
	for _, p := range parts {
		if p.Name == section && p.Entry != "" {
			who = fmt.Sprintf("%s wrote at %s (%s)", p.By, stamp(p.At), p.Entry)
		}
	}
	return Problem{Code: "stale", Message: who + " other words for the section " + section + " since you saw it, so yours are not in the draft yet.",
		Hint: "Read theirs on " + draftPath(i.ID) + ", then say it again."}
}
