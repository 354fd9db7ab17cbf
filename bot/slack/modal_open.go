package slack

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file opens modals. Slack lets one be opened for 3 s after a press, once:
// it is done before anything else, past the person's queue. Where it cannot be
// opened, what was typed or pressed is answered in text.

// triggered is how long after a delivery a view is still tried to be opened.
const triggered = 2500 * time.Millisecond

// errLate: the trigger is used up or too old.
var errLate = errors.New("the view cannot be opened any more")

// openFirst opens what a delivery opens, at once. done: nothing is left to do.
func (s *Slack) openFirst(e *envelope) (done bool) {
	var open func(ctx context.Context) bool
	switch e.Kind {
	case "slash_commands":
		var c slack.SlashCommand
		if s.o.Forms == nil || json.Unmarshal(e.Payload, &c) != nil || len(c.Text) > shortLine {
			return false
		}
		open = func(ctx context.Context) bool { return s.openForCommand(ctx, c) }
	case "interactive":
		var a action
		if s.o.Forms == nil && s.o.Home == nil || json.Unmarshal(e.Payload, &a) != nil || a.Type != "block_actions" || len(a.Actions) == 0 {
			return false
		}
		open = func(ctx context.Context) bool { return s.openForAction(ctx, e, a) }
	default:
		return false
	}
	left := triggered - s.o.Now().Sub(e.At)
	if left <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(s.link.Working(), left)
	defer cancel()
	select {
	case <-s.ready:
	case <-ctx.Done():
		return false
	}
	defer s.guard(e.ID, func() { done = false })
	return open(ctx)
}

// shortLine is how long a line is at most that may lack its words, in bytes.
const shortLine = 100

// openForCommand opens the form that a typed line wants.
func (s *Slack) openForCommand(ctx context.Context, c slack.SlashCommand) bool {
	by, no, err := s.who(ctx, c.UserID, c.UserName)
	if err != nil || no != nil {
		return false
	}
	room := s.room(c.ChannelID)
	ask, ok := s.o.Forms.FormFor(ctx, c.Command+" "+s.undo(ctx, c.Text), room, by)
	return ok && s.openForm(ctx, c.TriggerID, false, ask, formMeta{Room: room, Channel: c.ChannelID}) == nil
}

// openForAction opens the form that a button wants or that stands beside one,
// or the view that will hold the answer.
func (s *Slack) openForAction(ctx context.Context, e *envelope, a action) bool {
	if a.View.Type == "home" {
		return s.openForHome(ctx, e, a)
	}
	beside := a.Actions[0].ActionID == besideAction
	var p pressed
	value := a.Actions[0].Value
	if beside {
		value = a.Actions[0].Selected.Value
	}
	if s.o.Forms == nil || !beside && !strings.HasPrefix(a.Actions[0].ActionID, "press") || json.Unmarshal([]byte(value), &p) != nil {
		return false
	}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil || no != nil {
		return false
	}
	m, ok := s.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message })
	if !ok || m.Used.Label != "" || p.Button < 0 || p.Button >= len(m.Reply.Buttons) {
		return false
	}
	b := m.Reply.Buttons[p.Button]
	if !beside && b.Label != p.Label {
		return false
	}
	var ask commands.FormAsk
	if beside {
		ask, _, ok = s.o.Forms.FormBeside(b.Command, p.Room, by)
	} else {
		ask, ok = s.o.Forms.FormFor(ctx, b.Command, p.Room, by)
	}
	return ok && s.openForm(ctx, a.TriggerID, a.View.Type == "modal", ask, formMeta{Room: p.Room, Channel: a.channel(), Thread: a.Container.ThreadTS, Message: m.ID, Label: b.Label}) == nil
}

// openForm opens a form; above, over the view that is open.
func (s *Slack) openForm(ctx context.Context, trigger string, above bool, ask commands.FormAsk, meta formMeta) error {
	f, err := s.o.Forms.Form(ctx, ask)
	if err != nil {
		return err // the line itself is refused in the same words
	}
	v, ok := modal(f, meta)
	if !ok {
		return errLate
	}
	_, err = s.open(ctx, trigger, above, v)
	return err
}

// open opens a view, or puts it above the one that is open, and returns its id.
// A second try may find that the first one, whose answer was lost, has opened it.
func (s *Slack) open(ctx context.Context, trigger string, above bool, v slack.ModalViewRequest) (id string, err error) {
	for n := 0; ; n++ {
		do := s.api.OpenViewContext
		if above {
			do = s.api.PushViewContext
		}
		r, err := do(ctx, trigger, v)
		var limited *slack.RateLimitedError
		switch e := slackError(err); {
		case err == nil:
			return r.View.ID, nil
		case e == "exchanged_trigger_id" && n > 0:
			return "", nil
		case e != "" || errors.As(err, &limited) || n == 2 || ctx.Err() != nil:
			s.o.Log.Warn("slack: a form does not open, it is answered in text", "error", words(err))
			return "", err
		}
	}
}

// besideAction is the menu of forms beside a message's buttons.
const besideAction = "beside"

// unopened answers a menu's press whose form did not open.
func (s *Slack) unopened(ctx context.Context, e envelope, a action) error {
	var p pressed
	if json.Unmarshal([]byte(a.Actions[0].Selected.Value), &p) != nil {
		return nil
	}
	to := asker{url: a.ResponseURL, channel: a.channel(), user: a.User.ID, at: e.At}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	r := commands.Reply{State: commands.StateInfo, Headline: "The form did not open in time. Press again, or type the line."}
	if m, ok := s.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message }); ok && p.Button >= 0 && p.Button < len(m.Reply.Buttons) {
		r.Body = "For example: " + m.Reply.Buttons[p.Button].Command
		if s.o.Forms != nil {
			if ask, _, ok := s.o.Forms.FormBeside(m.Reply.Buttons[p.Button].Command, p.Room, by); ok {
				if _, err := s.o.Forms.Form(ctx, ask); err != nil { // there is none, and this is why
					return s.whisper(ctx, to, say{Reply: refusal(err)}, false)
				}
			}
		}
	}
	return s.whisper(ctx, to, say{Reply: r}, false)
}

// refusal draws an error of the desk.
func refusal(err error) commands.Reply {
	var p commands.Problem
	if !errors.As(err, &p) {
		p = commands.Problem{Code: "internal", Message: "This did not work.", Hint: "Type the line instead."}
	}
	return commands.Reply{State: commands.StateWarning, Headline: p.Message, Body: p.Hint, Problem: p}
}
