package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	Text  string         `json:"text,omitempty"`
	Users []string       `json:"users,omitempty"`
	At    time.Time      `json:"at,omitzero"`    // when it was said; what is drawn does not depend on when it is drawn
	Over  bool           `json:"over,omitempty"` // without buttons about an incident that has ended
	File  commands.File  `json:"file,omitzero"`

	// App and Token are of the interaction that this answers, asked at Asked:
	// it stands in the deferral's place.
	App   string    `json:"app,omitempty"`
	Token string    `json:"token,omitempty"`
	Asked time.Time `json:"asked,omitzero"`
}

// feed brings a room's messages to its channel until ctx ends.
func (d *Discord) feed(ctx context.Context, room string) {
	for n := 0; ctx.Err() == nil; n++ {
		f, err := d.follow(ctx, room)
		if err == nil {
			err = f.run(ctx)
		}
		if err != nil && ctx.Err() == nil {
			d.o.Log.Error("discord: a room is not followed", "room", room, "error", err)
		}
		if !d.pause(ctx, min(n, 5), nil) {
			return
		}
	}
}

// follower reads one room.
type follower struct {
	d      *Discord
	room   string
	cursor int               // the mark of the last change taken
	lines  map[string]string // by request: who said what
	order  []string

	retired map[string]int // by id: the revision of a message whose buttons were taken away
}

func cursorKey(room string) string { return "mark/" + room }

func (d *Discord) follow(ctx context.Context, room string) (*follower, error) {
	f := &follower{d: d, room: room, lines: map[string]string{}}
	ns, err := d.o.Notes.List(ctx, cursorKey(room))
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
	// Discord was not there before: it is not told what the room said until now.
	ms, err := d.o.Rooms.MirrorMessages(ctx, room, "discord")
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	if d.first < 0 { // only once: what is said until this is written down counts
		d.first = 0
		for _, m := range ms {
			d.first = max(d.first, m.Mark)
		}
	}
	f.cursor = d.first
	d.mu.Unlock()
	return f, d.o.Notes.Put(ctx, note(cursorKey(room), []byte(strconv.Itoa(f.cursor))))
}

func (f *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := f.d.o.Rooms.Mirror(ctx, f.room, "discord")
	ms, err := f.d.o.Rooms.MirrorMessages(ctx, f.room, "discord")
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
	f.lines[m.Request] = bot.Where(m.By, "discord") + ": " + m.Text
	if f.order = append(f.order, m.Request); len(f.order) > 1000 {
		delete(f.lines, f.order[0])
		f.order = f.order[1:]
	}
}

// take puts a message into the outbox, together with the place reached.
func (f *follower) take(ctx context.Context, m bot.Message) error {
	a := f.d.asked(m.Request)
	public := m.For == "" && m.By.Platform == bot.Bot.Platform
	if a != nil && public {
		defer f.d.wasTaken(a)
	}
	if m.Mark <= f.cursor || m.For != "" && m.Unasked("discord") == "" {
		return nil // an answer to one person alone: who asked is told
	}
	over := f.d.over(ctx, f.room)
	var ps []bot.Parcel
	if m.For != "" {
		var err error
		if ps, err = f.d.unasked(ctx, m, over); err != nil {
			return err
		}
	}
	c, _ := f.d.channelOf(f.room) // when it is being made, the parcel waits for it
	if public && !f.d.hidden(ctx, f.room, m.Reply) {
		y := f.d.saying(m)
		y.Line, y.Over = f.lines[m.Request], over
		if a != nil && !a.to.private {
			y.App, y.Token, y.Asked = a.to.app, a.to.token, a.to.at
		}
		if y.Token != "" || !f.d.twice(f.room, c, y) {
			var err error
			if ps, err = parcels(f.room, m, y); err != nil {
				return err
			}
		}
	}
	if err := f.d.out.Put(ctx, ps, note(cursorKey(f.room), []byte(strconv.Itoa(m.Mark)))); err != nil {
		return err
	}
	f.cursor = m.Mark
	return f.retire(ctx, over)
}

// wasTaken says that the answer to an ask is in the outbox.
func (d *Discord) wasTaken(a *ask) {
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
	y := say{Room: m.Room, ID: m.ID, Reply: m.Reply, At: m.At}
	if m.Edited.After(m.At) {
		y.At = m.Edited
	}
	if m.Used.Label != "" {
		u := m.Used
		u.By.Name = bot.Where(u.By, "discord")
		y.Used = u.Line(d.o.Now())
	}
	return y
}

// parcels are a message and its files.
func parcels(lane string, m bot.Message, y say) ([]bot.Parcel, error) {
	files := m.Reply.Files
	if m.Rev > 1 && m.Edited.IsZero() {
		files = nil // only seen by more people, or its button used: the files were sent
	}
	files = append(draw(y, "").all(y), files...)
	y.Reply.Files = nil
	p, err := parcel(lane, m.Room+"/"+m.ID, y)
	if err != nil {
		return nil, err
	}
	ps := []bot.Parcel{p}
	for i, f := range files {
		fp, err := parcel(lane, fmt.Sprintf("%s/%s/file/%d", m.Room, m.ID, i), say{Op: "file", File: f})
		if err != nil {
			return nil, err
		}
		ps = append(ps, fp)
	}
	return ps, nil
}

func parcel(lane, key string, y say) (bot.Parcel, error) {
	b, err := json.Marshal(y)
	return bot.Parcel{Lane: lane, Key: key, Body: b}, err
}

// hidden reports whether a reply is of a private incident, and this is not the
// incident's own place.
func (d *Discord) hidden(ctx context.Context, room string, r commands.Reply) bool {
	id := r.Incident
	if id == "" && room != "main" {
		id = room
	}
	if id == "" || !d.isPrivate(ctx, id) {
		return false
	}
	c, _ := d.channelOf(room)
	return !sameRoom(id, room) || !c.Private || c.Main
}

func sameRoom(a, b string) bool { return strings.EqualFold(a, b) }

// isPrivate reports whether an incident is; what cannot be read is.
func (d *Discord) isPrivate(ctx context.Context, id string) bool {
	d.mu.Lock()
	known, ok := d.secrets[id]
	d.mu.Unlock()
	if ok {
		return known
	}
	private, sure, err := d.askPrivate(ctx, id)
	if err != nil {
		d.o.Log.Error("discord: read whether an incident is private", "incident", id, "error", err)
		return true
	}
	if sure {
		d.mu.Lock()
		if len(d.secrets) > 10_000 {
			clear(d.secrets)
		}
		d.secrets[id] = private
		d.mu.Unlock()
	}
	return private
}

// askPrivate asks the record; sure: the answer stays what it is.
func (d *Discord) askPrivate(ctx context.Context, id string) (private, sure bool, err error) {
	if d.o.Private != nil {
		private, err = d.o.Private(ctx, id)
		return private, !private, err // one that is not there yet counts as private
	}
	if d.o.Incidents == nil {
		return false, false, nil
	}
	is, err := d.o.Incidents.Incidents(ctx)
	for _, i := range is {
		if sameRoom(i.ID, id) {
			return i.Private, true, err
		}
	}
	return false, false, err
}

// twice reports a message that the channel was told lately by another room: an
// incident without a place of its own echoes in main what main said.
func (d *Discord) twice(room string, c channel, y say) bool {
	if c.ID != d.o.Channel {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	one := heard{room, y.Reply.Headline + "\n" + y.Reply.Body}
	if i := slices.IndexFunc(d.recent, func(h heard) bool { return h.text == one.text && h.room != room }); i >= 0 {
		d.recent = slices.Delete(d.recent, i, i+1)
		return true
	}
	if d.recent = append(d.recent, one); len(d.recent) > 100 {
		d.recent = d.recent[1:]
	}
	return false
}

// heard is what a room said in the main channel.
type heard struct{ room, text string }
