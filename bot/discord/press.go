package discord

import (
	"context"
	"strings"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds buttons and menus: which one was meant, the question before
// a dangerous one, and what a press does.

// press presses a button of a room's message.
func (w *worker) press(ctx context.Context, i interaction, to asker, by commands.Person, p pressed) error {
	d := w.d
	label := "?" // no button is called so: what the message has now is another one
	if b, ok := d.button(ctx, p, by); ok {
		label = b.Label
	}
	id := "discord-" + w.e.ID
	answered := make(chan commands.Reply, 1)
	go func() { answered <- d.o.Rooms.PressOnce(ctx, id, p.Room, p.Message, p.Button, label, by) }()
	reply, err := w.await(ctx, to, answered)
	if err != nil {
		return err
	}
	shown := d.shown(ctx, p.Room, reply) && d.known(to.channel)
	if to.update { // an answer to one person alone, or the question before it
		y := d.private(ctx, p.Room, by.ID, strings.Join([]string{"press", p.Room, p.Message, id}, "/"), reply)
		if shown || !reply.Problem.IsZero() && !isSure(i) {
			if m, ok := d.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message }); ok && !isSure(i) {
				if y = d.saying(m); !reply.Problem.IsZero() {
					y.Reply.Body = strings.TrimSpace(reply.Headline + "\n" + reply.Problem.Hint + "\n\n" + y.Reply.Body)
				}
			} else {
				y = say{Reply: commands.Reply{State: commands.StateInfo, Headline: "Done: " + reply.Headline}}
			}
		}
		return w.whisper(ctx, to, y)
	}
	if shown {
		return w.unsay(ctx, to)
	}
	return w.whisper(ctx, to, d.private(ctx, p.Room, by.ID, strings.Join([]string{"press", p.Room, p.Message, id}, "/"), reply))
}

// Custom ids of the question before a dangerous button.
const (
	noID = "no"
	yes  = "y|"
)

func isSure(i interaction) bool { return strings.HasPrefix(i.Data.CustomID, yes) }

// pressedID is the custom id of the button that was pressed or chosen.
func pressedID(i interaction) string {
	id := i.Data.CustomID
	if strings.HasPrefix(id, "menu|") && len(i.Data.Values) == 1 {
		id = i.Data.Values[0]
	}
	return strings.TrimPrefix(id, yes)
}

// confirm asks before a dangerous button.
func confirm(p pressed, b commands.Button) map[string]any {
	style := discordgo.PrimaryButton
	if b.Style == "danger" {
		style = discordgo.DangerButton
	}
	m := newMessage(fit(escape(b.Confirm), 1500))
	return map[string]any{"content": m.Content, "embeds": m.Embeds, "allowed_mentions": m.Mentions, "flags": flagEphemeral,
		"components": []discordgo.MessageComponent{discordgo.ActionsRow{Components: []discordgo.MessageComponent{
			discordgo.Button{Label: clip(bot.Clean(b.Label), maxLabel), Style: style, CustomID: clip(yes+pressID(p.Room, p.Message, p.Button, b.Label), maxID)},
			discordgo.Button{Label: "Cancel", Style: discordgo.SecondaryButton, CustomID: noID}}}}}
}

// button finds the button that a custom id means; false when the message has
// another one by now.
func (d *Discord) button(ctx context.Context, p pressed, by commands.Person) (commands.Button, bool) {
	m, ok := d.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message })
	if !ok || p.Button >= len(m.Reply.Buttons) || labelHash(m.Reply.Buttons[p.Button].Label) != p.Label {
		return commands.Button{}, false
	}
	return m.Reply.Buttons[p.Button], true
}
