package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// This file takes buttons away that stand for nothing any more: those of an
// incident that is over, in its own channel, in main and in direct messages.

// later are the verbs about an incident that make sense after its end.
var later = map[string]bool{"show": true, "timeline": true, "postmortem": true, "export": true, "list": true, "reopen": true, "task": true}

// Stale reports a button that an incident's end makes useless.
func Stale(b commands.Button) bool {
	rest, ok := strings.CutPrefix(b.Command, "/incident ")
	verb, _, _ := strings.Cut(rest, " ")
	return ok && !later[verb]
}

// ends says by incident (its id in capitals) whether it is over: of those that
// are open or ended lately.
func (w *follower) ends(ctx context.Context) map[string]bool {
	if w.o.Incidents == nil {
		return nil
	}
	is, err := w.o.Incidents.Incidents(ctx)
	if err != nil {
		w.o.Link.o.Log.Error(w.o.Link.o.Name+": read the incidents", "error", err)
	}
	ends := map[string]bool{}
	for _, i := range is {
		ends[strings.ToUpper(i.ID)] = !i.Open
	}
	return ends
}

// gone are the buttons of a room's message that stand for nothing: each is
// about the incident that it names first, else about the room's.
func gone(room string, buttons []commands.Button, ends map[string]bool) []int {
	var all []int
	for i, b := range buttons {
		if !Stale(b) {
			continue
		}
		over := ends[strings.ToUpper(room)]
		for _, word := range strings.Fields(b.Command) {
			if is, known := ends[strings.ToUpper(word)]; known {
				over = is
				break
			}
		}
		if over {
			all = append(all, i)
		}
	}
	return all
}

// retire edits what was said in a room, so that its useless buttons go. In an
// incident's room it is called when something is said there: the word of the
// end is the first. In main it is called when an incident has changed; ends is
// nil there.
func (w *follower) retire(ctx context.Context, ends map[string]bool) error {
	if w.room != "main" && !ends[strings.ToUpper(w.room)] {
		clear(w.retired)
		return nil
	}
	ms, err := w.o.Rooms.MirrorMessages(ctx, w.room, w.o.Link.o.Name)
	if err != nil {
		return err
	}
	ms = slices.DeleteFunc(ms, func(m Message) bool {
		return m.Mark > w.cursor || m.For != "" && m.Unasked(w.o.Link.o.Name) == "" || m.By.Platform != Bot.Platform || m.Used.Label != "" || !slices.ContainsFunc(m.Reply.Buttons, Stale)
	})
	if len(ms) == 0 {
		return nil
	}
	if w.room == "main" {
		ends = w.ends(ctx)
	}
	for _, m := range ms {
		g := gone(w.room, m.Reply.Buttons, ends)
		if len(g) == 0 || w.retired[m.ID] == retiredAs(m, g) {
			continue
		}
		p, err := w.o.Speaker.Retired(m, Said{Line: w.lines[m.Request], Gone: g})
		if err != nil {
			return err
		}
		said, err := w.o.Out.says(ctx, p.Lane, p.Key)
		if err != nil {
			return err
		}
		var ps []Parcel
		if said {
			ps = []Parcel{p}
		}
		w.retired[m.ID] = retiredAs(m, g)
		if err := w.o.Out.Put(ctx, ps, w.retiredNote(ms)...); err != nil {
			return err
		}
	}
	return nil
}

// retiredAs tells a message's revision without some of its buttons from others.
func retiredAs(m Message, gone []int) string { return fmt.Sprint(m.Rev, gone) }

// retiredNote is what was taken away in main, so that the next start does not
// edit it all again: JSON, message id to retiredAs. Elsewhere there is none.
func (w *follower) retiredNote(ms []Message) []Note {
	if w.room != "main" {
		return nil
	}
	for id := range w.retired {
		if !slices.ContainsFunc(ms, func(m Message) bool { return m.ID == id }) {
			delete(w.retired, id)
		}
	}
	b, _ := json.Marshal(w.retired)
	return []Note{{Key: retiredKey, Value: b}}
}

const retiredKey = "retired/main"

// readRetired reads what an earlier process took away in main; what cannot be
// read is edited once more.
func (w *follower) readRetired(ctx context.Context) error {
	w.retired = map[string]string{}
	if w.room != "main" {
		return nil
	}
	ns, err := w.o.Notes.List(ctx, retiredKey)
	if err == nil && len(ns) == 1 {
		if json.Unmarshal(ns[0].Value, &w.retired) != nil || w.retired == nil {
			w.retired = map[string]string{}
		}
	}
	return err
}
