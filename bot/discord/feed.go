package discord

import (
	"context"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how what a room says comes into the outbox: each message
// once, from where an earlier process left off. A room is a lane of the outbox;
// which channel that is, is asked when it is sent.

// say is the body of a parcel.
type say struct {
	Op    string         `json:"op,omitempty"` // "": a message; "file", "topic", "members", "archive", "open"
	Room  string         `json:"room,omitempty"`
	ID    string         `json:"id,omitempty"` // of the room's message, for its buttons
	Reply commands.Reply `json:"reply,omitzero"`
	Line  string         `json:"line,omitempty"` // "ana on Slack: /renew media", when somebody's line is answered
	Used  string         `json:"used,omitempty"` // "ana pressed Renew at 02:11 UTC"
	Pin   bool           `json:"pin,omitempty"`
	Forms []form         `json:"forms,omitempty"`
	Place string         `json:"place,omitempty"` // a channel that it leads to
	Text  string         `json:"text,omitempty"`
	Users []string       `json:"users,omitempty"`
	At    time.Time      `json:"at,omitzero"`    // when it was said; what is drawn does not depend on when it is drawn
	Gone  []int          `json:"gone,omitempty"` // buttons that are left out: their incident has ended
	File  commands.File  `json:"file,omitzero"`

	// App and Token are of the interaction that this answers, asked at Asked:
	// it stands in the deferral's place.
	App   string    `json:"app,omitempty"`
	Token string    `json:"token,omitempty"`
	Asked time.Time `json:"asked,omitzero"`
}

// speaker says rooms' messages in Discord's words.
type speaker struct{ *Discord }

// Parcels implements bot.Speaker.
func (d speaker) Parcels(ctx context.Context, m bot.Message, said bot.Said) ([]bot.Parcel, error) {
	y := d.saying(m)
	y.Line, y.Gone = said.Line, said.Gone
	if m.For != "" {
		return d.unasked(m, y)
	}
	hidden, err := d.channels.Conceals(ctx, m.Room, m.Reply)
	if err != nil || hidden {
		return nil, err
	}
	d.answers(m, &y)
	c, _ := d.channelOf(m.Room) // when it is being made, the parcel waits for it
	if y.Token == "" && d.feed.Twice(m.Room, c.ID, y.Reply) {
		return nil, nil
	}
	return parcels(m.Room, m, y)
}

// answers has what is said stand in the place of the deferral that it answers.
func (d *Discord) answers(m bot.Message, y *say) {
	if a := d.asked(m.Request); a != nil && !a.to.private {
		y.App, y.Token, y.Asked = a.to.app, a.to.token, a.to.at
	}
}

// Retired implements bot.Speaker.
func (d speaker) Retired(m bot.Message, said bot.Said) (bot.Parcel, error) {
	y := d.saying(m)
	y.Line, y.Gone, y.Reply.Files = said.Line, said.Gone, nil
	if m.For == "" {
		d.answers(m, &y) // it may not be said yet
	}
	return bot.NewParcel(laneOf(m), m.Key(), y)
}

// Ended implements bot.Speaker: what is said in a locked place waits there.
func (speaker) Ended(string) bool { return false }

// Taken implements bot.Speaker: the answer to an ask is in the outbox.
func (d speaker) Taken(m bot.Message) {
	a := d.asked(m.Request)
	if a == nil || m.For != "" || m.By.Platform != bot.Bot.Platform {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-a.taken:
	default:
		close(a.taken)
	}
}

// saying is a room's message as it is said in a channel.
func (d *Discord) saying(m bot.Message) say {
	y := say{Room: m.Room, ID: m.ID, Reply: m.Reply, At: m.At, Used: m.Used.On("discord", d.o.Now())}
	if m.Edited.After(m.At) {
		y.At = m.Edited
	}
	return y
}

// parcels are a message and its files.
func parcels(lane string, m bot.Message, y say) ([]bot.Parcel, error) {
	files := append(draw(y, "").all(y), m.NewFiles()...)
	y.Reply.Files = nil
	p, err := bot.NewParcel(lane, m.Key(), y)
	if err != nil {
		return nil, err
	}
	ps := []bot.Parcel{p}
	for i, f := range files {
		fp, err := bot.NewParcel(lane, fmt.Sprintf("%s/file/%d", m.Key(), i), say{Op: "file", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, fp)
	}
	return ps, nil
}
