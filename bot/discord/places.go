package discord

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds incidents' places: which there are, what each should show,
// and when that is told. How they are made is in place_make.go. Where Discord
// allows none, the incident is spoken of in the main channel.

// channel is a room's place; bot.Channel has the rule for changing it.
type channel struct {
	bot.Channel
	Thread  bool     `json:"thread,omitempty"`
	Members []string `json:"members,omitempty"` // user ids that were let in
	Told    string   `json:"told,omitempty"`    // severity and status that main was told of
	Tells   int      `json:"tells,omitempty"`   // how often
}

func (d *Discord) channelOf(room string) (channel, bool) { return d.channels.Of(room) }
func (d *Discord) room(channel string) string            { return d.channels.Room(channel) }
func (d *Discord) known(channel string) bool             { return d.channels.Known(channel) }

// lost notes that an incident's place is gone; another one is made. false: it
// is no incident's.
func (d *Discord) lost(id string) bool {
	return d.channels.Lost(id, func(c *channel) { c.Members = nil })
}

// keeper keeps incidents' places as they should be.
type keeper struct{ *Discord }

// Know implements bot.Keeper: completion offers them.
func (d keeper) Know(is []bot.Incident) { d.know(is) }

// Follows implements bot.Keeper.
func (d keeper) Follows(i bot.Incident) bool {
	c, ok := d.channelOf(i.ID)
	return ok && !c.Archived && (!i.Private || c.Private && !c.Main)
}

// Sync implements bot.Keeper.
func (d keeper) Sync(ctx context.Context, i bot.Incident) (wait time.Duration, err error) {
	c, begun := d.channels.Begun(i.ID)
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
		if p, perr := bot.NewParcel(lane, key, y); perr == nil {
			ps = append(ps, p)
		} else {
			err = perr
		}
	}
	if c.Archived {
		c.Archived = false
		add(i.ID, "open", say{Op: "open"})
	}
	if h := bot.Digest([]any{i.Topic, i.Card, i.Open}); h != c.Shown {
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
	told, line, left, merr := d.milestones.Of(ctx, i, c.Told)
	if err = cmp.Or(err, merr); line != "" {
		c.Tells++
		add("main", fmt.Sprintf("milestone/%s/%d", i.ID, c.Tells), say{Place: c.ID, At: d.o.Now().UTC(), Reply: commands.Reply{State: i.Card.State, Public: true, Incident: i.ID, Headline: line}})
	}
	if left > 0 && (wait == 0 || left < wait) {
		wait = left
	}
	if len(ps) == 0 && told == c.Told || err != nil {
		return wait, err
	}
	c.Told = told
	return wait, d.channels.Keep(ctx, i.ID, c, ps...)
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
