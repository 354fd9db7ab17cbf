package discord

import (
	"context"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what an interaction does: a command is said in its room, a
// button pressed, a message put on a timeline. What its person alone is to see
// is in whisper.go.

func (i interaction) userID() string {
	switch {
	case i.Member != nil:
		return i.Member.User.ID
	case i.User != nil:
		return i.User.ID
	}
	return ""
}

// interaction does a command, a form or a press.
func (w *worker) interaction(ctx context.Context, i interaction) error {
	d := w.d
	to := askerOf(w.e, i)
	by, no := d.who(i)
	if i.isDirect() {
		var err error
		if by, no, err = d.directly(ctx, i); err != nil {
			return err
		}
	}
	if no != nil {
		return w.whisper(ctx, to, say{Reply: *no})
	}
	switch i.Type {
	case askCommand:
		if i.Data.Type == 3 {
			return w.pinMessage(ctx, i, to, by)
		}
		s := d.cmds.read(i)
		return w.request(ctx, i, to, commands.Request{ID: request(w.e), Text: d.undo(ctx, i, s.line()), By: by, Room: d.room(i.Channel), At: w.e.At})
	case askForm:
		return w.lines(ctx, i, to, by)
	case askComponent:
		p, ok := readPress(pressedID(i))
		if !ok {
			return w.whisper(ctx, to, say{Reply: unknownForm()})
		}
		return w.press(ctx, i, to, by, p)
	}
	return nil
}

// lines says what a form stands for, each line when the one before was not
// refused; the last one's answer stands where the form was deferred.
func (w *worker) lines(ctx context.Context, i interaction, to asker, by commands.Person) error {
	room := w.d.room(i.Channel)
	w.d.sentAgain(ctx, i, by)
	for n, line := range w.e.Lines {
		q := commands.Request{ID: request(w.e), Text: w.d.undo(ctx, i, line), By: by, Room: room, At: w.e.At}
		if n == len(w.e.Lines)-1 {
			return w.request(ctx, i, to, q)
		}
		q.ID += fmt.Sprintf("-%d", n+1)
		answered := make(chan commands.Reply, 1)
		go func() { answered <- w.d.o.Rooms.Say(ctx, q) }()
		reply, err := w.await(ctx, to, answered)
		if err != nil {
			return err
		}
		if !reply.Problem.IsZero() {
			return w.whisper(ctx, to, w.refused(ctx, i, to, by, w.d.private(ctx, room, by.ID, q.ID, reply)))
		}
	}
	return w.whisper(ctx, to, say{Reply: unknownForm()})
}

func unknownForm() commands.Reply {
	text := "This button is of an older certmedic, so nothing was done."
	return commands.Reply{State: commands.StateInfo, Headline: text, Problem: commands.Problem{Code: "unknown_button", Message: text, Hint: "Type the command instead."}}
}

// request has a line answered. What the room's channel shows, the feed brings
// there, in place of the deferral; the rest is told to the asker.
func (w *worker) request(ctx context.Context, i interaction, to asker, q commands.Request) error {
	d := w.d
	a := d.remember(w.e, interaction{App: to.app, Token: to.token, Channel: to.channel, ID: to.id})
	answered := make(chan commands.Reply, 1)
	go func() { answered <- d.o.Rooms.Say(ctx, q) }()
	reply, err := w.await(ctx, to, answered)
	if err != nil {
		return err
	}
	if d.shown(ctx, q.Room, reply) && d.known(to.channel) && d.room(to.channel) == q.Room {
		if to.private {
			return w.unsay(ctx, to)
		}
		t := time.NewTimer(10 * time.Second)
		defer t.Stop()
		select {
		case <-a.taken: // it is in the outbox, with the token
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		d.forget(w.e)
		return nil
	}
	d.forget(w.e)
	return w.whisper(ctx, to, w.refused(ctx, i, to, q.By, d.private(ctx, q.Room, q.By.ID, q.ID, reply)))
}

// refused adds to the answer to a form that was refused the button that opens
// it again.
func (w *worker) refused(ctx context.Context, i interaction, to asker, by commands.Person, y say) say {
	if i.Type != askForm || y.Reply.Problem.IsZero() {
		return y
	}
	if f := w.d.keepForm(ctx, i, by, to.private && w.alive(to)); len(f) > 0 {
		y.Forms, y.Reply = append(y.Forms, f...), keptHint(y.Reply)
	}
	return y
}

// await waits for an answer, saying that it works on it when that takes long,
// and that the answer comes as a message when it takes longer than the
// interaction lasts.
func (w *worker) await(ctx context.Context, to asker, answered <-chan commands.Reply) (reply commands.Reply, err error) {
	slow := time.NewTimer(w.d.o.Answer)
	defer slow.Stop()
	last := time.NewTimer(max(to.at.Add(w.d.o.TokenLife).Sub(w.d.o.Now()), time.Millisecond))
	defer last.Stop()
	for {
		select {
		case reply = <-answered:
			if ctx.Err() != nil {
				return reply, ctx.Err()
			}
			if reply.Problem.Code == "stopping" {
				return reply, bot.ErrStopping
			}
			return reply, nil
		case <-slow.C:
			if !to.update && !w.dead {
				w.hold(ctx, to, "Working on it.")
			}
		case <-last.C:
			if !to.update && !w.dead {
				w.hold(ctx, to, "This takes longer. The answer comes here as a message.")
			}
			w.dead = true
		}
	}
}

// private is a reply that one person alone is to see, with the buttons of its
// message in the room.
func (d *Discord) private(ctx context.Context, room, person, request string, reply commands.Reply) say {
	m, ok := d.message(ctx, room, person, func(m bot.Message) bool {
		return m.Request == request && m.By.Platform == bot.Bot.Platform
	})
	if !ok {
		reply.Buttons = nil
		return say{Reply: reply}
	}
	m.Reply = reply
	return d.saying(m)
}

// message returns the newest message that fits, of those a person sees.
func (d *Discord) message(ctx context.Context, room, person string, fits func(bot.Message) bool) (bot.Message, bool) {
	ms, err := d.o.Rooms.Messages(ctx, room, person, 0)
	if err != nil {
		d.o.Log.Error("discord: read a room", "room", room, "error", err)
	}
	for i := len(ms) - 1; i >= 0; i-- {
		if fits(ms[i]) {
			return ms[i], true
		}
	}
	return bot.Message{}, false
}

// shown reports whether a reply is said in its room's channel.
func (d *Discord) shown(ctx context.Context, room string, reply commands.Reply) bool {
	return reply.Public && reply.Problem.IsZero() && !d.channels.Hides(ctx, room, reply)
}
