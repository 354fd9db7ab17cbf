package bot

import (
	"context"
	"slices"
)

// This file takes buttons away that stand for nothing any more: those of an
// incident that is over, in its own channel and in direct messages about it.

// over reports whether the room's incident has ended.
func (w *follower) over(ctx context.Context) bool {
	over, err := Over(ctx, w.o.Incidents, w.room)
	if err != nil {
		w.o.Link.o.Log.Error(w.o.Link.o.Name+": read the incidents", "error", err)
	}
	return over
}

// retire edits what was said in a room whose incident has ended, so that its
// useless buttons go. It is called when something is said there: the word of
// the end is the first.
func (w *follower) retire(ctx context.Context, over bool) error {
	if !over {
		w.retired = nil
		return nil
	}
	ms, err := w.o.Rooms.MirrorMessages(ctx, w.room, w.o.Link.o.Name)
	if err != nil {
		return err
	}
	if w.retired == nil {
		w.retired = map[string]int{}
	}
	for _, m := range ms {
		if m.Mark > w.cursor || m.For != "" && m.Unasked(w.o.Link.o.Name) == "" || m.By.Platform != Bot.Platform || m.Used.Label != "" || w.retired[m.ID] == m.Rev || !slices.ContainsFunc(m.Reply.Buttons, Stale) {
			continue
		}
		p, err := w.o.Speaker.Retired(m)
		if err != nil {
			return err
		}
		said, err := w.o.Out.says(ctx, p.Lane, p.Key)
		if err != nil {
			return err
		}
		if said {
			if err := w.o.Out.Put(ctx, []Parcel{p}); err != nil {
				return err
			}
		}
		w.retired[m.ID] = m.Rev
	}
	return nil
}
