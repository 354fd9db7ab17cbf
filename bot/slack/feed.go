package slack

import (
	"context"
	"fmt"
	"slices"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how what a room says comes into the outbox: each message
// once. bot.Feed follows the rooms.

// say is the body of a parcel.
type say struct {
	Op    string         `json:"op,omitempty"` // "": a message; else one of operations
	Room  string         `json:"room,omitempty"`
	ID    string         `json:"id,omitempty"` // of the room's message, for its buttons
	Reply commands.Reply `json:"reply,omitzero"`
	Line  string         `json:"line,omitempty"` // "ana: /renew media", when somebody's line is answered
	Used  string         `json:"used,omitempty"` // "ana pressed Renew at 02:11 UTC"
	Pin   bool           `json:"pin,omitempty"`
	Text  string         `json:"text,omitempty"`
	Users []string       `json:"users,omitempty"`
	File  commands.File  `json:"file,omitzero"`
	Link  string         `json:"link,omitempty"`

	To string `json:"to,omitempty"` // the user who alone is told
	In string `json:"in,omitempty"` // the channel in which they may be told

	Channel string   `json:"channel,omitempty"` // another channel that the message leads to
	Pick    pick     `json:"pick,omitzero"`     // a question
	Share   bool     `json:"share,omitempty"`   // with a button that shows it to everybody
	Gone    []int    `json:"gone,omitempty"`    // buttons that are left out: their incident has ended
	Beside  []beside `json:"beside,omitempty"`  // forms that buttons can be opened in
}

// beside is a form beside a button.
type beside struct {
	Button int    `json:"b"`
	Label  string `json:"l"`
}

func note(key string, value []byte) bot.Note { return bot.Note{Key: key, Value: value} }

// speaker says rooms' messages in Slack's words.
type speaker struct{ *Slack }

// Parcels implements bot.Speaker.
func (s speaker) Parcels(ctx context.Context, m bot.Message, said bot.Said) ([]bot.Parcel, error) {
	c, ok := s.channelOf(m.Room)
	hidden, err := s.channels.Conceals(ctx, m.Room, m.Reply)
	if err != nil {
		return nil, err
	}
	if m.For != "" {
		return s.unasked(m, c, hidden, said.Gone)
	}
	y := s.saying(m)
	y.Line, y.Gone = said.Line, said.Gone
	if !ok || hidden || s.feed.Twice(m.Room, c.ID, y.Reply) {
		return nil, nil
	}
	return parcels(c.ID, m, y)
}

// Retired implements bot.Speaker.
func (s speaker) Retired(m bot.Message, said bot.Said) (bot.Parcel, error) {
	c, _ := s.channelOf(m.Room)
	lane, y := c.ID, s.saying(m)
	y.Line, y.Gone = said.Line, said.Gone
	if y.To = m.Unasked("slack"); y.To != "" {
		lane = personLane(y.To)
	}
	return bot.NewParcel(lane, m.Key(), y)
}

// Ended implements bot.Speaker.
func (s speaker) Ended(room string) bool {
	c, _ := s.channelOf(room)
	return c.Archived
}

// Taken implements bot.Speaker.
func (speaker) Taken(bot.Message) {}

// saying is how a room's message is said.
func (s *Slack) saying(m bot.Message) say {
	y := say{Room: m.Room, ID: m.ID, Reply: m.Reply, Used: m.Used.On("slack", s.o.Now())}
	y.Reply.Files = nil
	if y.Used == "" && s.o.Forms != nil {
		for i, b := range m.Reply.Buttons {
			if _, label, ok := s.o.Forms.FormBeside(b.Command, m.Room, commands.Person{}); ok {
				y.Beside = append(y.Beside, beside{i, label})
			}
		}
	}
	return y
}

// parcels are a message and its files.
func parcels(lane string, m bot.Message, y say) ([]bot.Parcel, error) {
	p, err := bot.NewParcel(lane, m.Key(), y)
	if err != nil {
		return nil, err
	}
	ps := []bot.Parcel{p}
	files := m.NewFiles()
	if d := draw(y, ""); d.cut {
		files = append(slices.Clone(files), commands.File{Name: "answer-" + m.ID + ".txt", Type: "text/plain", Data: []byte(bot.Text(y.Reply))})
	}
	for i, f := range files {
		fp, err := bot.NewParcel(lane, fmt.Sprintf("%s/file/%d", m.Key(), i), say{Op: "file", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, fp)
	}
	if f := canvasOf(m, files); f.Name != "" {
		cp, err := bot.NewParcel(side(lane), "canvas", say{Op: "canvas", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, cp)
	}
	return ps, nil
}
