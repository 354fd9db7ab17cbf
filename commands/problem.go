package commands

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// Problem is something a person can mend: what is wrong and what to do next.
// The zero value is no problem.
type Problem struct {
	Code    string `json:"code"`    // for example "unknown_certificate"
	Message string `json:"message"` // what is wrong, with what was typed
	Hint    string `json:"hint"`    // what to do, with one correct example
}

// IsZero reports that there is no problem.
func (p Problem) IsZero() bool { return p.Code == "" }

// Error makes a Problem an error.
func (p Problem) Error() string { return p.Message }

// problemReply draws a Problem.
func problemReply(p Problem) Reply {
	p.Message = end(p.Message) // the same words in both places: rooms leave out what the headline says
	return Reply{State: StateWarning, Headline: p.Message, Body: p.Hint, Problem: p}
}

// refused is a Problem with a reply of its own (buttons, a table).
type refused struct {
	Problem
	reply Reply
}

// explain finds the words for an error: what the roof knows, a Problem, a
// sentinel of the floor below, else an internal error whose whole chain goes to
// the log under an id.
func (d *Desk) explain(ctx context.Context, err error, attrs ...slog.Attr) Problem {
	if d.o.Explain != nil {
		if p, ok := d.o.Explain(err); ok {
			return p
		}
	}
	var p Problem
	if errors.As(err, &p) {
		return p
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.p
		}
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	ref := hex.EncodeToString(id)
	d.o.Log.LogAttrs(ctx, slog.LevelError, "internal error", append(attrs, slog.String("id", ref), slog.String("error", fmt.Sprintf("%v", err)), slog.String("type", fmt.Sprintf("%T", err)))...)
	return Problem{Code: "internal", Message: "Internal error " + ref + ".",
		Hint: "It may not have been done: look with /incident show or /renew, then try again. The log has the cause under " + ref + "."}
}

// sentinels are errors of the floor below that reached the top without more
// precise words from a verb.
var sentinels = []struct {
	err error
	p   Problem
}{
	{context.Canceled, Problem{"cancelled", "The answer was not waited for.", "What was started goes on. Look with /renew or /incident show."}},
	{context.DeadlineExceeded, Problem{"timeout", "This took too long.", "What was started goes on. Look with /renew or /incident show."}},
	{incident.ErrNotFound, Problem{"unknown_incident", "There is no such incident.", "Say /incident list all for all of them."}},
	{incident.ErrState, Problem{"wrong_state", "The incident is not in a state that allows this.", "Look with /incident show."}},
	{incident.ErrFuture, Problem{"future", "The time is in the future.", "Give a time that has passed, for example: /incident note first report @ -20m"}},
	{incident.ErrReason, Problem{"reason_needed", "Going back needs a reason.", "For example: /incident status investigating --reason one host fails again"}},
	{incident.ErrTemps, Problem{"temps_open", "A temporary change is not undone.", "See them: /incident temp list"}},
	{incident.ErrOrder, Problem{"order", "The times are in the wrong order.", "Look with /incident timeline, then give a later time."}},
	{incident.ErrImpactEmpty, Problem{"impact_empty", "Nobody has said what the impact was.", "For example: /incident impact images did not load for 40 minutes"}},
	{incident.ErrFailing, Problem{"still_failing", "Endpoints still fail.", "Look with /certcheck, or give a reason: /incident resolve --anyway cdn-4 is switched off"}},
	{incident.ErrDuplicate, Problem{"duplicate", "An open incident for this certificate exists.", "Look with /incident list, or declare another: /incident declare --anyway media down again --cert media"}},
	{renew.ErrNotFound, Problem{"unknown_renewal", "There is no such certificate or renewal.", "Say /renew for all of them."}},
	{renew.ErrBusy, Problem{"busy", "Another renewal of this certificate is running.", "Say /renew to see it."}},
	{renew.ErrSelfApproval, Problem{"self_approval", "You asked for it, so somebody else must approve it.", "Ask a member of the approvers' team: /certcheck who media names them."}},
	{renew.ErrState, Problem{"wrong_state", "The renewal is not in a state that allows this.", "Say /renew status R-1 to see where it stands."}},
	{renew.ErrForwardOnly, Problem{"forward_only", "What was served before has expired, so it cannot be put back.", "Only forward is possible: /renew media --yes"}},
	{renew.ErrPreflight, Problem{"preflight", "The preflight failed, so nothing was started.", "Say /renew media to see what is in the way and which challenge works."}},
	{renew.ErrNotDue, Problem{"not_due", "The certificate is good and its renewal is not due yet.", "To renew all the same: /renew media --yes --force"}},
	{renew.ErrChallenge, Problem{"unknown_challenge", "That challenge is not configured for this certificate.", "Say /renew media to see which are."}},
}
