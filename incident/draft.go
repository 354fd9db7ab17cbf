package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// In this file: how far the postmortem draft of a closed incident is.

// States of a postmortem, in order; before the first it is a draft.
const (
	DraftFinished = "finished" // its authors are done
	DraftReviewed = "reviewed" // somebody else read it
	DraftShared   = "shared"   // it was handed to those whom it concerns
)

// DraftStates in their order.
var DraftStates = []string{DraftFinished, DraftReviewed, DraftShared}

// ErrOwnReview: who finished a postmortem reviews it too.
var ErrOwnReview = errors.New("nobody else has read it")

// DraftState is a state that a postmortem came to.
type DraftState struct {
	State    string    `json:"state"` // finished, reviewed, shared
	By       Person    `json:"by"`
	At       time.Time `json:"at"`
	Recorded time.Time `json:"recorded"`
	Reason   string    `json:"reason,omitempty"` // why all the same: gaps left, a step left out
}

// diskDraftState is a DraftState in the record, version 1.
type diskDraftState struct {
	State    string     `json:"state"`
	By       diskPerson `json:"by"`
	At       time.Time  `json:"at"`
	Recorded time.Time  `json:"recorded"`
	Reason   string     `json:"reason,omitempty"`
}

// LastDraft returns the state of the postmortem; a zero one of a draft.
func (i Incident) LastDraft() DraftState {
	if n := len(i.DraftStates); n > 0 {
		return i.DraftStates[n-1]
	}
	return DraftState{}
}

// AdvanceDraft brings the postmortem of a closed incident (else ErrState) to a
// state. A step that is left out is refused with ErrOrder, a review by who
// finished it with ErrOwnReview, both unless c.Reason says why anyway. In that
// state or beyond already, it stays.
func (b *Book) AdvanceDraft(ctx context.Context, id, to string, c Change) (Incident, error) {
	want := slices.Index(DraftStates, to)
	if want < 0 {
		return Incident{}, fmt.Errorf("state %.40q is not finished, reviewed or shared: %w", to, ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if Status(p.r.Status) != Closed {
			return fmt.Errorf("it is %s: %w", p.r.Status, ErrState)
		}
		last := p.r.incident().LastDraft()
		have := slices.Index(DraftStates, last.State)
		if have < 0 && !p.r.DraftDone.IsZero() { // finished before there were others
			have = 0
		}
		reason := oneLine(c.Reason, maxText)
		switch {
		case have >= want:
			return nil
		case want > have+1 && reason == "":
			return fmt.Errorf("it is not %s: %w", DraftStates[want-1], ErrOrder)
		case to == DraftReviewed && last.By.ID == c.By.ID && reason == "":
			return ErrOwnReview
		}
		if p.r.DraftDone.IsZero() {
			p.r.DraftDone = p.at
		}
		p.r.DraftStates = append(slices.Clone(p.r.DraftStates), diskDraftState{State: to, By: toDisk(c.By), At: p.at, Recorded: p.now, Reason: reason})
		text := "The postmortem is " + to + "."
		if reason != "" {
			text += " All the same: " + reason
		}
		c.Text = ""
		if err := p.note(c, NoteKind, text, ChangeEvidence{What: "draft", From: last.State, To: to}); err != nil {
			return err
		}
		if to != DraftShared {
			return nil
		}
		return p.tx.Delete(keyDraft + padded(p.r.Num))
	})
}

func (r diskIncident) draftStates() (all []DraftState) {
	for _, s := range r.DraftStates {
		all = append(all, DraftState{State: s.State, By: s.By.person(), At: s.At, Recorded: s.Recorded, Reason: s.Reason})
	}
	return all
}
