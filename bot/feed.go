package bot

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/certmedic/certmedic/commands"
)

// This file holds how what a room says comes into a platform's outbox: each
// message once, from where an earlier process left off. How it is said is the
// platform's. Buttons that stand for nothing any more are taken away in stale.go.

// Speaker says a room's messages in a platform's words.
type Speaker interface {
	// Parcels are how a message is said in its room's channel, or, when it is
	// for one person alone, to them; none: it is not. An error has it asked again.
	Parcels(ctx context.Context, m Message, said Said) ([]Parcel, error)
	// Retired is how a message that was said is said without its useless
	// buttons; no Lane: it stands nowhere.
	Retired(m Message, said Said) (Parcel, error)
	// Ended reports a room of which nothing is said for now: its channel is
	// archived. What it says waits until it is followed again.
	Ended(room string) bool
	// Taken is told of a message that was put into the outbox, or needs not be.
	Taken(m Message)
}

// Said is what a platform cannot see of a message by itself.
type Said struct {
	Line string // who said what, when the message answers it: "ana on Slack: /renew media"
	Gone []int  // buttons, by their place, of incidents that have ended
}

// FeedOptions are what a Feed is made of.
type FeedOptions struct {
	Link      *Link
	Rooms     *Rooms
	Notes     Notes
	Out       *Outbox
	Incidents Incidents // nil: none
	Main      string    // id of the channel that is the room "main"
	Speaker   Speaker
}

// Feed follows rooms for a platform.
type Feed struct {
	o FeedOptions

	mu     sync.Mutex
	heard  map[string]bool // rooms that are followed
	recent []heard         // what was said in main lately
	first  int             // where the first following of main began; -1: it has not
}

// heard is what a room said in the main channel.
type heard struct{ room, text string }

// NewFeed makes a Feed.
func NewFeed(o FeedOptions) *Feed {
	return &Feed{o: o, heard: map[string]bool{}, first: -1}
}

// Main follows the room "main" until ctx ends.
func (f *Feed) Main(ctx context.Context) error {
	f.run(ctx, "main")
	return nil
}

// begin notes that a room is followed; false: it was already.
func (f *Feed) begin(room string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.heard[room]
	f.heard[room] = true
	return first
}

// end notes that a room is followed no more, unless it goes on meanwhile.
func (f *Feed) end(room string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.o.Speaker.Ended(room) {
		return false
	}
	delete(f.heard, room)
	return true
}

var errEnded = errors.New("the room's channel is archived")

// run puts what a room says into the outbox until ctx ends.
func (f *Feed) run(ctx context.Context, room string) {
	for n := 0; ctx.Err() == nil; n++ {
		w, err := f.follow(ctx, room)
		if err == nil {
			err = w.run(ctx)
		}
		if w != nil && w.through {
			n = 0 // it went well until now
		}
		if errors.Is(err, errEnded) && f.end(room) {
			return
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errEnded) {
			f.o.Link.o.Log.Error(f.o.Link.o.Name+": a room is not followed", "room", room, "error", err)
		}
		if !f.o.Link.Pause(ctx, min(n, 5), nil) {
			return
		}
	}
}

// follower reads one room.
type follower struct {
	*Feed
	room    string
	cursor  int               // the mark of the last change taken
	through bool              // all that was said before it began is taken
	lines   map[string]string // by request: who said what
	order   []string

	retired map[string]string // by id: as what a message stands whose buttons were taken away
}

// CursorKey is the note of how far a room was followed.
func CursorKey(room string) string { return "mark/" + room }

func (f *Feed) follow(ctx context.Context, room string) (*follower, error) {
	w := &follower{Feed: f, room: room, lines: map[string]string{}}
	if err := w.readRetired(ctx); err != nil {
		return nil, err
	}
	ns, err := f.o.Notes.List(ctx, CursorKey(room))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(ns, func(n Note) bool { return n.Key == CursorKey(room) })
	if i >= 0 {
		w.cursor, err = strconv.Atoi(string(ns[i].Value))
		return w, err
	}
	if room != "main" {
		return w, nil
	}
	// The platform was not there before: it is not told what the room said until now.
	ms, err := f.o.Rooms.MirrorMessages(ctx, room, f.o.Link.o.Name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if f.first < 0 { // only once: what is said until this is written down counts
		f.first = 0
		for _, m := range ms {
			f.first = max(f.first, m.Mark)
		}
	}
	w.cursor = f.first
	f.mu.Unlock()
	return w, f.o.Notes.Put(ctx, w.mark(w.cursor))
}

// mark is the note of a place that was reached.
func (w *follower) mark(n int) Note {
	return Note{Key: CursorKey(w.room), Value: []byte(strconv.Itoa(n))}
}

func (w *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := w.o.Rooms.Mirror(ctx, w.room, w.o.Link.o.Name)
	var changed <-chan struct{}
	if w.room == "main" && w.o.Incidents != nil {
		changed = w.o.Incidents.Changed(ctx)
	}
	ms, err := w.o.Rooms.MirrorMessages(ctx, w.room, w.o.Link.o.Name)
	if err != nil {
		return err
	}
	for _, m := range ms {
		w.remember(m)
	}
	slices.SortFunc(ms, func(a, b Message) int { return a.Mark - b.Mark })
	for _, m := range ms {
		if err := w.take(ctx, m); err != nil {
			return err
		}
	}
	w.through = true
	if changed != nil {
		if err := w.retire(ctx, nil); err != nil {
			return err
		}
	}
	for {
		select {
		case m, more := <-news:
			if !more {
				return nil
			}
			w.remember(m)
			if err := w.take(ctx, m); err != nil {
				return err
			}
		case _, more := <-changed:
			if !more && ctx.Err() != nil {
				return nil
			}
			if !more {
				changed = w.o.Incidents.Changed(ctx)
			}
			if err := w.retire(ctx, nil); err != nil {
				return err
			}
		}
	}
}

// remember keeps a person's line for the answer to quote.
func (w *follower) remember(m Message) {
	if m.Request == "" || m.For != "" || m.By.Platform == Bot.Platform || w.lines[m.Request] != "" {
		return
	}
	w.lines[m.Request] = Where(m.By, w.o.Link.o.Name) + ": " + m.Text
	if w.order = append(w.order, m.Request); len(w.order) > 1000 {
		delete(w.lines, w.order[0])
		w.order = w.order[1:]
	}
}

// take puts a message into the outbox, together with the place reached.
func (w *follower) take(ctx context.Context, m Message) error {
	defer w.o.Speaker.Taken(m)
	if m.Mark <= w.cursor || m.For != "" && m.Unasked(w.o.Link.o.Name) == "" {
		return nil // an answer to one person alone: who asked is told
	}
	if w.o.Speaker.Ended(w.room) {
		return errEnded
	}
	var ends map[string]bool
	if w.room != "main" || slices.ContainsFunc(m.Reply.Buttons, Stale) {
		ends = w.ends(ctx)
	}
	g := gone(w.room, m.Reply.Buttons, ends)
	var ps []Parcel
	if m.For != "" && w.o.Rooms.Reads(ctx, m.Room, m.For) || m.For == "" && m.By.Platform == Bot.Platform {
		var err error
		if ps, err = w.o.Speaker.Parcels(ctx, m, Said{Line: w.lines[m.Request], Gone: g}); err != nil {
			return err
		}
	}
	if err := w.o.Out.Put(ctx, ps, w.mark(m.Mark)); err != nil {
		return err
	}
	w.cursor = m.Mark
	if delete(w.retired, m.ID); len(g) > 0 {
		w.retired[m.ID] = retiredAs(m, g)
	}
	if w.room == "main" {
		return nil // its incidents end elsewhere
	}
	return w.retire(ctx, ends)
}

// Twice reports what a channel was told lately by another room: an incident
// without a channel of its own echoes in main what main said.
func (f *Feed) Twice(room, channel string, r commands.Reply) bool {
	if channel != f.o.Main {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := heard{room, r.Headline + "\n" + r.Body}
	if i := slices.IndexFunc(f.recent, func(h heard) bool { return h.text == one.text && h.room != room }); i >= 0 {
		f.recent = slices.Delete(f.recent, i, i+1)
		return true
	}
	if f.recent = append(f.recent, one); len(f.recent) > 100 {
		f.recent = f.recent[1:]
	}
	return false
}

// NewFiles are a message's files, unless they were sent before: it was only
// seen by more people, or its button used.
func (m Message) NewFiles() []commands.File {
	if m.Rev > 1 && m.Edited.IsZero() {
		return nil
	}
	return m.Reply.Files
}

// Key is what a message is called in an outbox, so that an edit finds it.
func (m Message) Key() string { return m.Room + "/" + m.ID }
