package discord

import (
	"context"
	"slices"

	"github.com/certmedic/certmedic/bot"
)

// This file takes buttons away that stand for nothing any more: those of an
// incident that is over, in its own place and in direct messages about it.

// over reports whether a room's incident has ended.
func (d *Discord) over(ctx context.Context, room string) bool {
	over, err := bot.Over(ctx, d.o.Incidents, room)
	if err != nil {
		d.o.Log.Error("discord: read the incidents", "error", err)
	}
	return over
}

// retire edits what was said in a room whose incident has ended, so that its
// useless buttons go. It is called when something is said there: the word of
// the end is the first.
func (f *follower) retire(ctx context.Context, over bool) error {
	if !over {
		f.retired = nil
		return nil
	}
	ms, err := f.d.o.Rooms.MirrorMessages(ctx, f.room, "discord")
	if err != nil {
		return err
	}
	if f.retired == nil {
		f.retired = map[string]int{}
	}
	for _, m := range ms {
		if m.Mark > f.cursor || m.For != "" && m.Unasked("discord") == "" || m.By.Platform != bot.Bot.Platform || m.Used.Label != "" || f.retired[m.ID] == m.Rev || !slices.ContainsFunc(m.Reply.Buttons, bot.Stale) {
			continue
		}
		key := m.Room + "/" + m.ID
		place, err := f.d.out.Place(ctx, laneOf(m), key)
		if err != nil {
			return err
		}
		if place != "" {
			y := f.d.saying(m)
			y.Reply.Files, y.Over = nil, true
			p, err := parcel(laneOf(m), key, y)
			if err != nil {
				return err
			}
			if err := f.d.out.Put(ctx, []bot.Parcel{p}); err != nil {
				return err
			}
		}
		f.retired[m.ID] = m.Rev
	}
	return nil
}
