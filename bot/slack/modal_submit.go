package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what a submitted form does. It is checked first: what is
// wrong is the acknowledgement, shown in the form, and nothing is recorded.
// Else the lines that it stands for are recorded with it, then acknowledged,
// then said one after the other.

// checking is how long a form may be checked before it is taken as it is; what
// is wrong with it is then told in text. Slack waits 3 s for the acknowledgement.
const checking = 2 * time.Second

// accept takes a delivery: then is called once it is recorded (err nil), with
// what the acknowledgement says, or when it cannot be.
func (s *Slack) accept(ctx context.Context, e envelope, then func(answer json.RawMessage, err error)) {
	if !s.concerns(e) {
		then(nil, nil)
		return
	}
	taken := func(err error) { then(nil, err) }
	var sub submission
	if e.Kind != "interactive" || json.Unmarshal(e.Payload, &sub) != nil || sub.Type != "view_submission" {
		s.takeThen(ctx, e, taken)
		return
	}
	if !s.link.Begin() {
		then(nil, bot.ErrStopping)
		return
	}
	go func() {
		defer s.link.End()
		lines, wrong := s.checkForm(ctx, e, sub)
		if wrong != nil && !s.in.Has(ctx, e) {
			then(wrong, nil)
			return
		}
		e.Lines = lines
		s.takeThen(ctx, e, taken)
	}()
}

// checkForm returns the lines that a form stands for, or what is wrong with it
// as Slack takes it. Neither: it could not be checked in time, or needs no check.
func (s *Slack) checkForm(ctx context.Context, e envelope, sub submission) (lines []string, wrong json.RawMessage) {
	meta, ok := sub.meta()
	if !ok || s.o.Forms == nil || s.in.Has(ctx, e) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	defer s.guard(e.ID, func() { lines, wrong = nil, nil })
	by, no, err := s.who(ctx, sub.User.ID, sub.User.Username)
	if err != nil || no != nil {
		return nil, nil
	}
	lines, bad, err := s.o.Forms.FormLines(ctx, meta.ask(by), sub.values())
	if err != nil || len(bad) == 0 {
		return lines, nil
	}
	errors := map[string]string{}
	for field, words := range bad {
		if _, ok := sub.View.State.Values[field]; !ok {
			return nil, nil // it cannot be shown in the form: it is told in text
		}
		errors[field] = clip(bot.Clean(words), 300)
	}
	wrong, err = json.Marshal(map[string]any{"response_action": "errors", "errors": errors})
	if err != nil {
		return nil, nil
	}
	return nil, wrong
}

// submitted says a form's lines, each when the one before was not refused.
func (s *Slack) submitted(ctx context.Context, e envelope, sub submission) error {
	meta, ok := sub.meta()
	if !ok || s.o.Forms == nil {
		return nil
	}
	to := asker{channel: meta.Channel, thread: meta.Thread, user: sub.User.ID, at: e.At}
	by, no, err := s.who(ctx, sub.User.ID, sub.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	if len(e.Lines) == 0 {
		lines, wrong, err := s.o.Forms.FormLines(ctx, meta.ask(by), sub.values())
		if err != nil {
			return s.whisper(ctx, to, say{Reply: refusal(err)}, false)
		}
		for _, words := range wrong {
			p := commands.Problem{Code: "form", Message: words, Hint: "Nothing was done. Open the form again, or type the line."}
			return s.whisper(ctx, to, say{Reply: refusal(p)}, false)
		}
		e.Lines = lines
		if err := s.rewrite(ctx, e); err != nil { // the same lines after a kill
			return err
		}
	}
	for n, line := range e.Lines {
		q := commands.Request{ID: fmt.Sprintf("slack/%s/%d", e.ID, n), Text: line, By: by, Room: meta.Room, At: e.At}
		reply, err := s.answer(ctx, to, q)
		if err != nil {
			return err
		}
		if !reply.Problem.IsZero() {
			return nil
		}
		if n == len(e.Lines)-1 && meta.Message != "" {
			if err := s.o.Rooms.Spend(ctx, meta.Room, meta.Message, meta.Label, q.ID, by); err != nil {
				s.o.Log.Error("slack: take the buttons away", "error", err)
			}
		}
	}
	return nil
}

// rewrite writes a delivery down as it is now.
func (s *Slack) rewrite(ctx context.Context, e envelope) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.o.Notes.Put(ctx, note(e.Key(), b))
}
