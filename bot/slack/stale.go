package slack

import (
	"context"
	"slices"

	"github.com/certmedic/certmedic/bot"
)

// This file takes buttons away that stand for nothing any more: those of an
// incident that is over, in its own channel.

// over reports whether a room's incident has ended.
func (s *Slack) over(ctx context.Context, room string) bool {
	over, err := bot.Over(ctx, s.o.Incidents, room)
	if err != nil {
		s.o.Log.Error("slack: read the incidents", "error", err)
	}
	return over
}

// retire edits what was said in a room whose incident has ended, so that its
// useless buttons go. It is called when something is said there: the word of
// the end is the first.
func (f *follower) retire(ctx context.Context, over bool) error {
	c, ok := f.s.channelOf(f.room)
	if !ok || !over {
		f.retired = nil
		return nil
	}
	ms, err := f.s.o.Rooms.MirrorMessages(ctx, f.room, "slack")
	if err != nil {
		return err
	}
	if f.retired == nil {
		f.retired = map[string]int{}
	}
	for _, m := range ms {
		to, lane := m.Unasked("slack"), c.ID
		if to != "" {
			lane = personLane(to)
		}
		if m.Mark > f.cursor || m.For != "" && to == "" || m.By.Platform != bot.Bot.Platform || m.Used.Label != "" || f.retired[m.ID] == m.Rev || !slices.ContainsFunc(m.Reply.Buttons, bot.Stale) {
			continue
		}
		key := m.Room + "/" + m.ID
		place, err := f.s.out.Place(ctx, lane, key)
		if err != nil {
			return err
		}
		if place != "" {
			y := f.s.saying(m)
			y.Over, y.To = true, to
			p, err := parcel(lane, key, y)
			if err != nil {
				return err
			}
			if err := f.s.out.Put(ctx, []bot.Parcel{p}); err != nil {
				return err
			}
		}
		f.retired[m.ID] = m.Rev
	}
	return nil
}
