package slack

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how incidents' channels are kept as they should be: topic,
// card, welcome, who is invited, archived after the end. How one is made is in
// create.go. Where Slack does not allow one, a public incident is spoken of in
// the main channel, a private one nowhere.

// channel is a room's channel; bot.Channel has the rule for changing it.
type channel struct {
	bot.Channel
	Invited  string   `json:"invited,omitempty"` // the one user whom earlier versions invited
	Asked    []string `json:"asked,omitempty"`   // users who were invited
	Called   string   `json:"called,omitempty"`  // which user groups were invited
	Marked   string   `json:"marked,omitempty"`  // which bookmarks Slack was told of
	Welcomed bool     `json:"welcomed,omitempty"`
	Told     string   `json:"told,omitempty"` // what main was told of how it stands
	Tells    int      `json:"tells,omitempty"`
}

func (s *Slack) channelOf(room string) (channel, bool) { return s.channels.Of(room) }
func (s *Slack) room(channel string) string            { return s.channels.Room(channel) }
func (s *Slack) known(channel string) bool             { return s.channels.Known(channel) }

// keeper keeps incidents' channels as they should be.
type keeper struct{ *Slack }

// Know implements bot.Keeper.
func (keeper) Know([]bot.Incident) {}

// Follows implements bot.Keeper.
func (k keeper) Follows(i bot.Incident) bool {
	c, ok := k.channelOf(i.ID)
	return ok && !c.Archived
}

// Sync implements bot.Keeper. When Slack lets no more channels be made for a
// while, the others are kept as they should be meanwhile.
func (k keeper) Sync(ctx context.Context, i bot.Incident) (wait time.Duration, err error) {
	wait, err = k.sync(ctx, i)
	if after, asked := toWait(err); asked {
		return after, nil
	}
	return wait, err
}

// sync makes one incident's channel as it should be. wait, when not 0, is
// when to look again.
func (s *Slack) sync(ctx context.Context, i bot.Incident) (wait time.Duration, err error) {
	c, begun := s.channels.Begun(i.ID)
	switch {
	case !i.Open && (!begun || c.Archived):
		return 0, nil // it ended before Slack knew of it, or long ago
	case c.Archived:
		if c, err = s.reopen(ctx, i, c); err != nil {
			return 0, err
		}
	}
	if c.ID == "" {
		if c, wait, err = s.create(ctx, i, c); err != nil || c.ID == "" {
			return wait, err
		}
	}
	if c.Main || c.Private != i.Private {
		return 0, nil
	}
	w := &wish{s: s, i: i, c: c}
	w.card()
	w.bookmarks()
	w.people(ctx)
	w.milestone(ctx)
	w.archive()
	if w.err != nil || len(w.ps) == 0 && !w.dirty {
		return w.wait, w.err
	}
	return w.wait, s.channels.Keep(ctx, i.ID, w.c, w.ps...)
}

// wish is what is to be done so that a channel is as it should be.
type wish struct {
	s    *Slack
	i    bot.Incident
	c    channel // as it will be
	ps   []bot.Parcel
	wait time.Duration // when to look again; 0: nothing waits
	err  error

	dirty bool // the record is another, though nothing is to be said
}

func (w *wish) add(lane, key string, y say) {
	p, err := bot.NewParcel(lane, key, y)
	if err != nil {
		w.err = err
		return
	}
	w.ps = append(w.ps, p)
}

func (w *wish) later(d time.Duration) {
	if d = max(d, time.Millisecond); w.wait == 0 || d < w.wait {
		w.wait = d
	}
}

// card keeps topic and card current, and welcomes.
func (w *wish) card() {
	if h := bot.Digest([]any{w.i.Topic, w.i.Card}); h != w.c.Shown {
		w.c.Shown = h
		w.add(side(w.c.ID), "topic", say{Op: "topic", Text: w.i.Topic})
		y := say{Room: w.i.ID, Reply: w.i.Card, Pin: true}
		y.Reply.Files, y.Reply.Buttons = nil, nil
		w.add(w.c.ID, "card", y)
	}
	if !w.c.Welcomed && w.i.Open {
		w.c.Welcomed = true
		w.add(w.c.ID, "welcome", say{Reply: welcome(w.i)})
	}
}

// welcome says what the channel is for, with four commands.
func welcome(i bot.Incident) commands.Reply {
	look := "/certcheck"
	for _, f := range i.Card.Facts {
		if f.Name == "certificate" && !strings.Contains(f.Value, ",") {
			look = "/renew " + f.Value
		}
	}
	r := commands.Reply{State: commands.StateInfo, Headline: "This is the channel of " + i.ID + ". Commands typed here are about it, without its number.",
		Table: commands.Table{Columns: []string{"type", "for"}, Rows: []commands.Row{
			{Cells: []string{"/incident lead me", "leading it"}},
			{Cells: []string{"/incident note images load again", "a line on its timeline"}},
			{Cells: []string{look, map[bool]string{true: "how every certificate stands", false: "a new certificate: you see the plan first"}[look == "/certcheck"]}},
			{Cells: []string{"/incident resolve", "the end, once it works again"}},
		}}, Body: "All of them: /incident help"}
	if i.Private {
		r.Body += "\nThe incident is private: what is said here stays here."
	}
	return r
}

// people invites who is part of it; to a public one those on call too.
func (w *wish) people(ctx context.Context) {
	if !w.i.Open {
		return
	}
	ids, again := w.s.partOf(ctx, w.i)
	if !w.i.Private {
		called := append(w.s.teamGroups(w.i.Teams), w.s.o.Oncall)
		if h := bot.Digest(called); h != w.c.Called {
			members, err := w.s.members(ctx, called)
			if err != nil {
				again = true
			} else {
				w.c.Called, ids, w.dirty = h, append(ids, members...), true
			}
		}
	}
	var news []string
	for _, id := range ids {
		if id != w.c.Invited && !slices.Contains(w.c.Asked, id) && !slices.Contains(news, id) {
			news = append(news, id)
		}
	}
	w.c.Asked = append(slices.Clone(w.c.Asked), news...)
	for part := range slices.Chunk(news, 200) {
		w.add(side(w.c.ID), "", say{Op: "invite", Users: part})
	}
	if again {
		w.later(30 * w.s.o.Retry)
	}
}

// archive archives the channel some time after the end.
func (w *wish) archive() {
	if !w.s.o.Archive || w.i.Open || w.c.Archived {
		return
	}
	if left := w.i.Updated.Add(w.s.o.ArchiveAfter).Sub(w.s.o.Now()); left > 0 {
		w.later(left)
		return
	}
	w.c.Archived = true
	w.add(side(w.c.ID), "archive", say{Op: "archive"})
}
