package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how what a room says comes into the outbox: each message
// once, from where an earlier process left off.

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
	Over    bool     `json:"over,omitempty"`    // without buttons about an incident that has ended
	Beside  []beside `json:"beside,omitempty"`  // forms that buttons can be opened in
}

// beside is a form beside a button.
type beside struct {
	Button int    `json:"b"`
	Label  string `json:"l"`
}

func note(key string, value []byte) bot.Note { return bot.Note{Key: key, Value: value} }

// saying is how a room's message is said.
func (s *Slack) saying(m bot.Message) say {
	y := say{Room: m.Room, ID: m.ID, Reply: m.Reply}
	y.Reply.Files = nil
	if m.Used.Label != "" {
		u := m.Used
		u.By.Name = bot.Where(u.By, "slack")
		y.Used = u.Line(s.o.Now())
	} else if s.o.Forms != nil {
		for i, b := range m.Reply.Buttons {
			if _, label, ok := s.o.Forms.FormBeside(b.Command, m.Room, commands.Person{}); ok {
				y.Beside = append(y.Beside, beside{i, label})
			}
		}
	}
	return y
}

// feed puts what a room says into the outbox until ctx ends.
func (s *Slack) feed(ctx context.Context, room string) {
	for n := 0; ctx.Err() == nil; n++ {
		f, err := s.follow(ctx, room)
		if err == nil {
			err = f.run(ctx)
		}
		if errors.Is(err, errEnded) && s.unfollow(room) {
			return
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errEnded) {
			s.o.Log.Error("slack: a room is not followed", "room", room, "error", err)
		}
		if !s.pause(ctx, min(n, 5), nil) {
			return
		}
	}
}

// errEnded says that a room's channel is archived: what is said there waits
// until the incident goes on.
var errEnded = errors.New("its channel is archived")

// following notes that a room is followed; false: it was already.
func (s *Slack) following(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.heard[room]
	s.heard[room] = true
	return first
}

// unfollow notes that a room is followed no more, unless its channel was
// opened again meanwhile.
func (s *Slack) unfollow(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.channels[room].Archived {
		return false
	}
	delete(s.heard, room)
	return true
}

// follower reads one room.
type follower struct {
	s      *Slack
	room   string
	cursor int               // the mark of the last change taken
	lines  map[string]string // by request: who said what
	order  []string

	retired map[string]int // by id: the revision of a message whose buttons were taken away
}

func cursorKey(room string) string { return "mark/" + room }

func (s *Slack) follow(ctx context.Context, room string) (*follower, error) {
	f := &follower{s: s, room: room, lines: map[string]string{}}
	ns, err := s.o.Notes.List(ctx, cursorKey(room))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(ns, func(n bot.Note) bool { return n.Key == cursorKey(room) })
	if i >= 0 {
		f.cursor, err = strconv.Atoi(string(ns[i].Value))
		return f, err
	}
	if room != "main" {
		return f, nil
	}
	// Slack was not there before: it is not told what the room said until now.
	ms, err := s.o.Rooms.MirrorMessages(ctx, room, "slack")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.first < 0 { // only once: what is said until this is written down counts
		s.first = 0
		for _, m := range ms {
			s.first = max(s.first, m.Mark)
		}
	}
	f.cursor = s.first
	s.mu.Unlock()
	return f, s.o.Notes.Put(ctx, note(cursorKey(room), []byte(strconv.Itoa(f.cursor))))
}

func (f *follower) run(ctx context.Context) error {
	news := f.s.o.Rooms.Mirror(ctx, f.room, "slack")
	ms, err := f.s.o.Rooms.MirrorMessages(ctx, f.room, "slack")
	if err != nil {
		return err
	}
	for _, m := range ms {
		f.remember(m)
	}
	slices.SortFunc(ms, func(a, b bot.Message) int { return a.Mark - b.Mark })
	for _, m := range ms {
		if err := f.take(ctx, m); err != nil {
			return err
		}
	}
	for m := range news {
		f.remember(m)
		if err := f.take(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps a person's line for the answer to quote.
func (f *follower) remember(m bot.Message) {
	if m.Request == "" || m.For != "" || m.By.Platform == bot.Bot.Platform || f.lines[m.Request] != "" {
		return
	}
	f.lines[m.Request] = bot.Where(m.By, "slack") + ": " + m.Text
	if f.order = append(f.order, m.Request); len(f.order) > 1000 {
		delete(f.lines, f.order[0])
		f.order = f.order[1:]
	}
}

// take puts a message into the outbox, together with the place reached.
func (f *follower) take(ctx context.Context, m bot.Message) error {
	if m.Mark <= f.cursor || m.For != "" && m.Unasked("slack") == "" {
		return nil // an answer to one person alone: who asked is told
	}
	over := f.s.over(ctx, f.room)
	var ps []bot.Parcel
	c, ok := f.s.channelOf(f.room)
	if c.Archived {
		return errEnded
	}
	hidden, err := f.s.conceals(ctx, f.room, m.Reply)
	if err != nil {
		return err
	}
	switch {
	case m.For != "":
		if ps, err = f.s.unasked(ctx, m, c, hidden, over); err != nil {
			return err
		}
	case ok && m.By.Platform == bot.Bot.Platform && !hidden:
		y := f.s.saying(m)
		y.Line = f.lines[m.Request]
		y.Over = over
		if !f.s.twice(f.room, c, y) {
			if ps, err = parcels(c.ID, m, y); err != nil {
				return err
			}
		}
	}
	if err := f.s.out.Put(ctx, ps, note(cursorKey(f.room), []byte(strconv.Itoa(m.Mark)))); err != nil {
		return err
	}
	f.cursor = m.Mark
	return f.retire(ctx, over)
}

// parcels are a message and its files.
func parcels(lane string, m bot.Message, y say) ([]bot.Parcel, error) {
	p, err := parcel(lane, m.Room+"/"+m.ID, y)
	if err != nil {
		return nil, err
	}
	ps := []bot.Parcel{p}
	files := m.Reply.Files
	if m.Rev > 1 && m.Edited.IsZero() {
		files = nil // only seen by more people, or its button used: the files were sent
	}
	if d := draw(y, ""); d.cut {
		files = append(slices.Clone(files), commands.File{Name: "answer-" + m.ID + ".txt", Type: "text/plain", Data: []byte(plain(y))})
	}
	for i, f := range files {
		fp, err := parcel(lane, fmt.Sprintf("%s/%s/file/%d", m.Room, m.ID, i), say{Op: "file", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, fp)
	}
	if f := canvasOf(m, files); f.Name != "" {
		cp, err := parcel(side(lane), "canvas", say{Op: "canvas", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, cp)
	}
	return ps, nil
}

func parcel(lane, key string, y say) (bot.Parcel, error) {
	b, err := json.Marshal(y)
	return bot.Parcel{Lane: lane, Key: key, Body: b}, err
}

// twice reports a message that the channel was told lately: an incident
// without a channel of its own echoes in main what main said.
func (s *Slack) twice(room string, c channel, y say) bool {
	if c.ID != s.o.Channel {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := y.Reply.Headline + "\n" + y.Reply.Body
	if room != "main" && slices.Contains(s.recent, text) {
		return true
	}
	if s.recent = append(s.recent, text); len(s.recent) > 100 {
		s.recent = s.recent[1:]
	}
	return false
}
