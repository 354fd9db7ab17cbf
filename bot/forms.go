package bot

import (
	"context"
	"fmt"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what chat platforms need for forms.

// Forms asks for verbs in fields; commands.Desk implements it. None of its
// methods does anything.
type Forms interface {
	// Form is a verb's form, with what is known filled in.
	Form(ctx context.Context, ask commands.FormAsk) (commands.Form, error)
	// FormLines are the lines that a filled form stands for, or what is wrong by field.
	FormLines(ctx context.Context, ask commands.FormAsk, values map[string]string) (lines []string, wrong map[string]string, err error)
	// FormFor is the form that a line wants, which would be refused without.
	FormFor(ctx context.Context, line, room string, by commands.Person) (commands.FormAsk, bool)
	// FormBeside is the form that a button's line can be opened in instead.
	FormBeside(line, room string, by commands.Person) (ask commands.FormAsk, label string, ok bool)
}

// Spend marks a message's buttons as used: what the one with this label stands
// for was done another way, as the request with this id. A message that is gone
// or used already stays as it is.
func (r *Rooms) Spend(ctx context.Context, room, message, label, request string, by commands.Person) error {
	rm, leave, err := r.enter(ctx, room)
	if err != nil {
		return fmt.Errorf("spend a button in room %q: %w", room, err)
	}
	defer leave()
	_, err = rm.change(ctx, func() (Message, error) {
		m, ok := rm.next[message]
		if !ok || !m.seenBy(by.ID) || m.Used.Label != "" || len(m.Reply.Buttons) == 0 {
			return m, errRefused
		}
		m.Used = Used{Label: label, By: by, At: r.now(), Request: request}
		return m, nil
	})
	if err != nil && err != errRefused {
		return fmt.Errorf("spend a button in room %q: %w", room, err)
	}
	return nil
}
