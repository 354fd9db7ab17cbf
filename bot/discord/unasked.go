package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what the bot tells one person alone without having been
// asked: a role's brief, a word that waits for an approval. Discord shows a
// message to one person only as an answer, so that it goes as a direct message,
// through the outbox, in a lane of the person. Its buttons work there for
// members of the server.

// Words for somebody who takes no direct messages are tried so often, so long.
const (
	tellAgain = 10 * time.Minute
	tellUntil = 24 * time.Hour
)

func personLane(user string) string { return "@" + user }

// laneOf is the lane of a message: its person's, else its room's.
func laneOf(m bot.Message) string {
	if to := m.Unasked("discord"); to != "" {
		return personLane(to)
	}
	return m.Room
}

// unasked are the parcels of a message for one person alone.
func (d *Discord) unasked(m bot.Message, y say) ([]bot.Parcel, error) {
	if !snowflake.MatchString(m.Unasked("discord")) {
		return nil, nil
	}
	return parcels(laneOf(m), m, y)
}

// direct is the channel of a person and the bot.
func (d *Discord) direct(ctx context.Context, user string) (channel, error) {
	d.mu.Lock()
	id := d.directs[user]
	d.mu.Unlock()
	if id != "" {
		return channel{Channel: bot.Channel{ID: id}}, nil
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := d.api.call(ctx, http.MethodPost, "users/@me/channels", map[string]string{"recipient_id": user}, &made); err != nil {
		return channel{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.directs) > mostPeople {
		clear(d.directs)
	}
	d.directs[user] = made.ID
	return channel{Channel: bot.Channel{ID: made.ID}}, nil
}

// judgeDirect is judge of a direct message. One that its person does not take
// waits, and the room is told that, not what it is.
func (d *Discord) judgeDirect(ctx context.Context, p bot.Parcel, y say, err error) error {
	user := strings.TrimPrefix(p.Lane, "@")
	var l *limited
	switch c := code(err); {
	case err == nil || errors.As(err, &l) || c == 0 || c == unknownMessage:
		return d.judge(err, "", "")
	case c == unknownChannel:
		d.mu.Lock()
		delete(d.directs, user)
		d.mu.Unlock()
		return &bot.Later{After: d.o.Retry, Err: errors.New(words(err))}
	case c != cannotTell || d.o.Now().Sub(p.At) > tellUntil:
		d.once("a word for one person alone cannot be said in Discord: " + words(err))
		return fmt.Errorf("%w: %s", bot.ErrRefused, words(err))
	}
	d.once("somebody takes no direct messages: what is for them alone waits, a day at most")
	if told := d.sayWaits(ctx, user, y.Room); told != nil {
		return told
	}
	return &bot.Later{After: tellAgain, Quiet: true, Err: errors.New(words(err))}
}

// sayWaits tells a room once that a private word for somebody waits.
func (d *Discord) sayWaits(ctx context.Context, user, room string) error {
	if _, ok := d.channelOf(room); !ok || d.channels.Hides(ctx, room, commands.Reply{}) {
		return nil
	}
	key := "waits/" + user
	if place, err := d.out.Place(ctx, room, key); err != nil || place != "" {
		return err
	}
	p, err := bot.NewParcel(room, key, say{Room: room, Reply: commands.Reply{State: commands.StateInfo,
		Headline: fmt.Sprintf("A private word for %s waits: Discord does not let certmedic send them direct messages.", or(d.handle(ctx, user), "somebody")),
		Body:     "To get it: allow direct messages from this server (its name, Privacy Settings). It is tried every 10 minutes, for a day."}})
	if err != nil {
		return err
	}
	return d.out.Put(ctx, []bot.Parcel{p})
}

// isDirect reports a press of a button of a direct message.
func (i interaction) isDirect() bool {
	return i.Type == askComponent && i.Member == nil && i.Guild == "" && i.User != nil && !i.User.Bot && snowflake.MatchString(i.User.ID)
}

// directly is who presses in a direct message, asked of Discord: it does not
// say there whether they are members of the server, nor their roles.
func (d *Discord) directly(ctx context.Context, i interaction) (by commands.Person, no *commands.Reply, err error) {
	d.mu.Lock()
	guild := or(d.o.Guild, d.guild)
	d.mu.Unlock()
	var m struct {
		User    user     `json:"user"`
		Roles   []string `json:"roles"`
		Pending bool     `json:"pending"`
	}
	err = d.api.call(ctx, http.MethodGet, "guilds/"+guild+"/members/"+i.User.ID, nil, &m)
	switch {
	case err == nil && m.User.ID == i.User.ID && !m.Pending:
		return d.person(m.User, m.Roles), nil, nil
	case err != nil && (code(err) == 0 || limitedBy(err)):
		return by, nil, err
	}
	return by, guest(), nil
}
