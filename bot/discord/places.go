package discord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// This file holds incidents' places: which there are, what each should show,
// and when that is told. How they are made is in place_make.go. Where Discord
// allows none, the incident is spoken of in the main channel.

// channel is a room's place, kept under chan/<room>. V is 1; a reader refuses
// a higher one, new fields may join, none changes its meaning.
type channel struct {
	V        int      `json:"v"`
	ID       string   `json:"id,omitempty"`   // "" while it is being made
	Name     string   `json:"name,omitempty"` // what it is made under
	Thread   bool     `json:"thread,omitempty"`
	Private  bool     `json:"private,omitempty"`
	Main     bool     `json:"main,omitempty"`    // it could not be made: the main channel stands in
	Shown    string   `json:"shown,omitempty"`   // of which topic and card Discord was told
	Members  []string `json:"members,omitempty"` // user ids that were let in
	Archived bool     `json:"archived,omitempty"`
}

func (d *Discord) readChannels(ctx context.Context) error {
	ns, err := d.o.Notes.List(ctx, "chan/")
	if err != nil {
		return fmt.Errorf("read Discord's channels: %w", err)
	}
	for _, n := range ns {
		var c channel
		if err := json.Unmarshal(n.Value, &c); err != nil || c.V > 1 {
			return fmt.Errorf("channel %s cannot be read (version %d): %v", n.Key, c.V, err)
		}
		d.setChannel(strings.TrimPrefix(n.Key, "chan/"), c)
	}
	return nil
}

func (d *Discord) setChannel(room string, c channel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.channels[room]; old.ID != c.ID && old.ID != d.o.Channel {
		delete(d.rooms, old.ID)
	}
	d.channels[room] = c
	if c.ID != "" && !c.Main {
		d.rooms[c.ID] = room
	}
}

func (d *Discord) keepChannel(ctx context.Context, room string, c channel, ps ...bot.Parcel) error {
	c.V = 1
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := d.out.Put(ctx, ps, note("chan/"+room, b)); err != nil {
		return err
	}
	d.setChannel(room, c)
	return nil
}

// channelOf returns a room's channel, if it has one by now.
func (d *Discord) channelOf(room string) (channel, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.channels[room]
	return c, ok && c.ID != ""
}

// lost notes that an incident's place is gone; another one is made. false: it
// is no incident's.
func (d *Discord) lost(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	room := d.rooms[id]
	if room == "" || room == "main" {
		return false
	}
	c := d.channels[room]
	if c.ID != id {
		return true
	}
	delete(d.rooms, id)
	c.ID, c.Name, c.Shown, c.Members = "", "", "", nil
	d.channels[room] = c
	d.o.Log.Warn("discord: the place of an incident is gone; another one is made", "room", room)
	select {
	case d.poke <- struct{}{}:
	default:
	}
	return true
}

// watchIncidents follows every change of an incident until ctx ends.
func (d *Discord) watchIncidents(ctx context.Context) error {
	var feeds sync.WaitGroup
	defer feeds.Wait()
	following := map[string]bool{}
	changed := d.o.Incidents.Changed(ctx)
	for n := 0; ; {
		again, err := d.syncAll(ctx, func(room string) {
			if !following[room] {
				following[room] = true
				feeds.Go(func() { d.feed(ctx, room) })
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			d.o.Log.Warn("discord: an incident's place is not as it should be yet", "error", words(err))
			if n++; !d.pause(ctx, min(n, 5), err) {
				return nil
			}
			continue
		}
		n = 0
		t := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case _, ok := <-changed:
			if !ok && ctx.Err() == nil {
				changed = d.o.Incidents.Changed(ctx)
			}
		case <-d.poke:
		case <-t.C:
		}
		t.Stop()
	}
}

// syncAll makes every place as it should be, and says when to look again.
func (d *Discord) syncAll(ctx context.Context, follow func(room string)) (again time.Duration, err error) {
	again = time.Minute
	is, err := d.o.Incidents.Incidents(ctx)
	if err != nil {
		return again, err
	}
	d.know(is)
	var first error
	for _, i := range is {
		wait, err := d.sync(ctx, i)
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", i.ID, err)
		}
		var l *limited
		if errors.As(err, &l) {
			return again, first // the others would be told the same
		}
		if wait > 0 {
			again = min(again, wait)
		}
		if c, ok := d.channelOf(i.ID); ok && !c.Archived && (!i.Private || c.Private && !c.Main) {
			follow(i.ID)
		}
	}
	return again, first
}

// sync makes one incident's place as it should be. wait, when not 0, is when
// to look again.
func (d *Discord) sync(ctx context.Context, i bot.Incident) (wait time.Duration, err error) {
	d.mu.Lock()
	c, begun := d.channels[i.ID]
	d.mu.Unlock()
	if !begun && !i.Open || c.Archived && !i.Open {
		return 0, nil // it ended before Discord knew of it
	}
	if c.ID == "" {
		if c, err = d.create(ctx, i, c); err != nil || c.ID == "" {
			return 0, err
		}
	}
	if c.Main {
		return 0, nil
	}
	var ps []bot.Parcel
	add := func(lane, key string, y say) {
		if p, perr := parcel(lane, key, y); perr == nil {
			ps = append(ps, p)
		} else {
			err = perr
		}
	}
	if c.Archived {
		c.Archived = false
		add(i.ID, "open", say{Op: "open"})
	}
	card, err := json.Marshal([]any{i.Topic, i.Card, i.Open})
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(card)
	if h := hex.EncodeToString(sum[:8]); h != c.Shown {
		c.Shown = h
		if !c.Thread {
			add(i.ID+"#topic", "topic", say{Op: "topic", Text: i.Topic}) // a lane of its own: topics are limited to two in ten minutes
		}
		y := say{Room: i.ID, Reply: i.Card, Pin: true, Forms: cardForms(i.ID, i.Open)}
		y.Reply.Files, y.Reply.Buttons = nil, nil
		add(i.ID, "card", y)
	}
	if m := d.membersOf(i, c); !slices.Equal(m, c.Members) {
		c.Members = m
		add(i.ID+"#members", "members", say{Op: "members", Users: m})
	}
	if d.o.Archive && !i.Open {
		if wait = i.Updated.Add(d.o.ArchiveAfter).Sub(d.o.Now()); wait <= 0 {
			c.Archived, wait = true, 0
			add(i.ID, "archive", say{Op: "archive"})
		}
	}
	if len(ps) == 0 || err != nil {
		return wait, err
	}
	return wait, d.keepChannel(ctx, i.ID, c, ps...)
}

// membersOf are the people that a place lets in: everybody of a private
// incident, the commander of a thread.
func (d *Discord) membersOf(i bot.Incident, c channel) []string {
	var ids []string
	add := func(id string) {
		if u, ok := strings.CutPrefix(id, "discord:"); ok && snowflake.MatchString(u) && !slices.Contains(ids, u) {
			ids = append(ids, u)
		}
	}
	if c.Thread || i.Private {
		add(i.Commander.ID)
	}
	if i.Private {
		for _, p := range i.People {
			add(p.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
