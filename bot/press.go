package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Press does what a message's button says, once: a second press answers who
// pressed it before. A refused command gives the button back.
func (r *Rooms) Press(ctx context.Context, room, message string, button int, by commands.Person) commands.Reply {
	return r.PressLabel(ctx, room, message, button, "", by)
}

// PressLabel is Press, refused when the button's label is not the one that the
// person saw: an edit may have put another button in its place. Label "" is any.
func (r *Rooms) PressLabel(ctx context.Context, room, message string, button int, label string, by commands.Person) commands.Reply {
	return r.PressOnce(ctx, newID()[:8], room, message, button, label, by)
}

// PressOnce is PressLabel of a delivery with an id: the same delivery, come
// again after a kill, is the same request.
func (r *Rooms) PressOnce(ctx context.Context, id, room, message string, button int, label string, by commands.Person) commands.Reply {
	if by.ID == "" {
		return problem("no_person", "It is not known who presses this.", "Give your name, for example ana.")
	}
	rm, leave, err := r.enter(ctx, room)
	if err != nil {
		return r.unwritten(commands.Request{Room: room}, err)
	}
	defer leave()
	if !r.mayRead(ctx, rm.name, by.ID) {
		return noMessage(message)
	}
	var refused *commands.Reply
	var b commands.Button
	m, err := rm.change(ctx, func() (Message, error) {
		m, ok := rm.next[message]
		switch {
		case !ok || !m.seenBy(by.ID):
			p := noMessage(message)
			refused = &p
		case m.Used.Label != "":
			p := problem("used", m.Used.Line(r.now())+".", "Nothing more was done.")
			p.State = commands.StateInfo
			refused = &p
		case button < 0 || button >= len(m.Reply.Buttons) || label != "" && label != m.Reply.Buttons[button].Label:
			p := problem("unknown_button", "The message has other buttons by now.", "Look at the message again.")
			refused = &p
		}
		if refused != nil {
			return m, errRefused
		}
		b = m.Reply.Buttons[button]
		m.Used = Used{Label: b.Label, By: by, At: r.now(), Request: strings.Join([]string{"press", rm.name, m.ID, id}, "/")}
		return m, nil
	})
	if refused != nil {
		return *refused
	}
	if err != nil {
		return r.unwritten(commands.Request{Room: rm.name, ID: m.Used.Request}, err)
	}
	q := commands.Request{ID: m.Used.Request, Text: b.Command, By: by, Room: rm.name, At: m.Used.At}
	return r.say(ctx, q, func(reply commands.Reply) {
		if !reply.Problem.IsZero() {
			r.giveBack(rm.name, m)
		}
	})
}

func noMessage(id string) commands.Reply {
	return problem("unknown_message", fmt.Sprintf("There is no message %q in this room any more.", id), "Type the command instead.")
}

// giveBack makes the button of a refused command pressable again. Whoever
// pressed it may have gone, and the room have left memory since.
func (r *Rooms) giveBack(room string, m Message) {
	rm, leave, err := r.enter(r.life, room)
	if err != nil {
		r.o.Logger.Error("give the button back", "room", room, "message", m.ID, "error", err)
		return
	}
	defer leave()
	_, err = rm.change(r.life, func() (Message, error) {
		n := rm.newest(m)
		if n.Used.Request != m.Used.Request {
			return n, errRefused
		}
		n.Used = Used{}
		return n, nil
	})
	if err != nil && err != errRefused {
		r.o.Logger.Error("give the button back", "room", room, "message", m.ID, "error", err)
	}
}

var errRefused = errors.New("refused")

// Line says who pressed what and when: "ana pressed Renew at 02:11 UTC", with
// the date when that is not today's.
func (u Used) Line(now time.Time) string {
	at := u.At.UTC()
	form := "15:04 UTC"
	if at.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		form = "2006-01-02 15:04 UTC"
	}
	return fmt.Sprintf("%s pressed %s at %s", u.By.Name, u.Label, at.Format(form))
}

// On is Line as it is read on a platform: who is of another is told with its
// name; "" when nothing was pressed.
func (u Used) On(platform string, now time.Time) string {
	if u.Label == "" {
		return ""
	}
	u.By.Name = Where(u.By, platform)
	return u.Line(now)
}
