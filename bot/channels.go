package bot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// This file holds which room has which channel at a chat platform, and the
// watch that keeps incidents' channels as they should be. How one is made,
// filled and closed is the platform's. What may be said where of a private
// incident is in private.go.

// Channel is what every platform keeps of a room's channel or thread, under
// chan/<room>; a platform's own record embeds it. V is 1; a reader refuses a
// higher one, new fields may join, none changes its meaning.
type Channel struct {
	V        int      `json:"v"`
	ID       string   `json:"id,omitempty"`      // "" while it is being made
	Name     string   `json:"name,omitempty"`    // what it is made under
	Main     bool     `json:"main,omitempty"`    // it could not be made: the main channel stands in
	Private  bool     `json:"private,omitempty"` // only who is invited can read it
	Shown    string   `json:"shown,omitempty"`   // of which topic and card the platform was told
	Archived bool     `json:"archived,omitempty"`
	Was      []string `json:"was,omitempty"` // ids of earlier channels
}

func (c *Channel) channel() *Channel { return c }

// channelRecord is a platform's record of a channel.
type channelRecord[C any] interface {
	*C
	channel() *Channel
}

// ChannelsOptions are what Channels are made of.
type ChannelsOptions struct {
	Link      *Link
	Notes     Notes
	Out       *Outbox
	Main      string    // id of the channel that is the room "main"
	Incidents Incidents // nil: none has a channel

	// Private says whether an incident is private, however long ago it ended;
	// nil: by Incidents, and what they do not tell of is private.
	Private func(ctx context.Context, id string) (bool, error)
}

// Channels are all channels of a platform, by room.
type Channels[C any, P channelRecord[C]] struct {
	o   ChannelsOptions
	log *slog.Logger

	mu      sync.Mutex
	all     map[string]C      // by room
	rooms   map[string]string // by channel
	secrets map[string]bool   // by incident: whether it is private, which never changes

	poke chan struct{} // a channel is to be looked at again
}

// NewChannels makes Channels that know main alone.
func NewChannels[C any, P channelRecord[C]](o ChannelsOptions) *Channels[C, P] {
	cs := &Channels[C, P]{o: o, log: o.Link.o.Log, all: map[string]C{}, rooms: map[string]string{}, secrets: map[string]bool{}, poke: make(chan struct{}, 1)}
	var main C
	P(&main).channel().V, P(&main).channel().ID = 1, o.Main
	cs.set("main", main)
	return cs
}

// Read reads what an earlier process wrote.
func (cs *Channels[C, P]) Read(ctx context.Context) error {
	ns, err := cs.o.Notes.List(ctx, "chan/")
	if err != nil {
		return fmt.Errorf("read the channels of %s: %w", cs.o.Link.o.Name, err)
	}
	for _, n := range ns {
		var c C
		if err := json.Unmarshal(n.Value, &c); err != nil || P(&c).channel().V > 1 {
			return fmt.Errorf("channel %s cannot be read (version %d): %v", n.Key, P(&c).channel().V, err)
		}
		cs.set(strings.TrimPrefix(n.Key, "chan/"), c)
	}
	return nil
}

func (cs *Channels[C, P]) set(room string, c C) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if old, ok := cs.all[room]; ok && P(&old).channel().ID != cs.o.Main {
		delete(cs.rooms, P(&old).channel().ID)
	}
	cs.all[room] = c
	k := P(&c).channel()
	if k.Main {
		return
	}
	for _, id := range append(slices.Clone(k.Was), k.ID) {
		if id != "" {
			cs.rooms[id] = room
		}
	}
}

// Keep writes a room's channel down, with what is to be done there.
func (cs *Channels[C, P]) Keep(ctx context.Context, room string, c C, ps ...Parcel) error {
	P(&c).channel().V = 1
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := cs.o.Out.Put(ctx, ps, Note{Key: "chan/" + room, Value: b}); err != nil {
		return err
	}
	cs.set(room, c)
	return nil
}

// Of returns a room's channel; false: it has none by now.
func (cs *Channels[C, P]) Of(room string) (c C, there bool) {
	c, begun := cs.Begun(room)
	return c, begun && P(&c).channel().ID != ""
}

// Begun returns a room's channel also when it is still being made.
func (cs *Channels[C, P]) Begun(room string) (c C, begun bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c, begun = cs.all[room]
	return c, begun
}

// Room returns the room that a channel is; main for all others.
func (cs *Channels[C, P]) Room(channel string) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if r := cs.rooms[channel]; r != "" {
		return r
	}
	return "main"
}

// Known reports whether a channel is one of our rooms.
func (cs *Channels[C, P]) Known(channel string) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.rooms[channel] != ""
}

// Lost notes that an incident's channel is gone; another one is made, for which
// anew clears what the platform's record says of the old one. false: it is no
// incident's.
func (cs *Channels[C, P]) Lost(id string, anew func(*C)) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	room := cs.rooms[id]
	if room == "" || room == "main" {
		return false
	}
	c := cs.all[room]
	k := P(&c).channel()
	if k.ID != id {
		return true
	}
	delete(cs.rooms, id)
	k.ID, k.Name, k.Shown = "", "", ""
	anew(&c)
	cs.all[room] = c
	cs.log.Warn(cs.o.Link.o.Name+": the channel of an incident is gone; another one is made", "room", room)
	select {
	case cs.poke <- struct{}{}:
	default:
	}
	return true
}

// Keeper makes an incident's channel as it should be.
type Keeper interface {
	// Know is told of all incidents before.
	Know(is []Incident)
	// Sync makes one incident's channel as it should be. wait, when not 0, is
	// when to look again.
	Sync(ctx context.Context, i Incident) (wait time.Duration, err error)
	// Follows reports whether what an incident's room says is to be said in its channel.
	Follows(i Incident) bool
}

// Watch follows every change of an incident, and the rooms that have a channel,
// until ctx ends.
func (cs *Channels[C, P]) Watch(ctx context.Context, feed *Feed, k Keeper) error {
	var feeds sync.WaitGroup
	defer feeds.Wait()
	link := cs.o.Link
	changed := cs.o.Incidents.Changed(ctx)
	for n := 0; ; {
		again, err := cs.sync(ctx, k, func(room string) {
			if feed.begin(room) {
				feeds.Go(func() { feed.run(ctx, room) })
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			cs.log.Warn(link.o.Name+": an incident's channel is not as it should be yet", "error", link.o.Words(err))
			if n++; !link.Pause(ctx, min(n, 5), err) {
				return nil
			}
			continue
		}
		n = 0
		t := time.NewTimer(max(again, time.Millisecond))
		select {
		case <-ctx.Done():
		case _, ok := <-changed:
			if !ok {
				changed = cs.o.Incidents.Changed(ctx)
			}
		case <-cs.poke:
		case <-t.C:
		}
		t.Stop()
	}
}

// sync makes every channel as it should be, the worst incident's first, and
// says when to look again. When the platform asks to wait, the others wait too.
func (cs *Channels[C, P]) sync(ctx context.Context, k Keeper, follow func(room string)) (again time.Duration, err error) {
	again = time.Minute
	is, err := cs.o.Incidents.Incidents(ctx)
	if err != nil {
		return again, err
	}
	slices.SortStableFunc(is, func(a, b Incident) int { return a.Severity - b.Severity })
	for _, i := range is {
		cs.remember(i.ID, i.Private)
	}
	k.Know(is)
	var first error
	for _, i := range is {
		wait, err := k.Sync(ctx, i)
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", i.ID, err)
		}
		if _, asked := cs.o.Link.o.Asked(err); asked {
			return again, first // the others would be told the same
		}
		if wait > 0 {
			again = min(again, wait)
		}
		if k.Follows(i) {
			follow(i.ID)
		}
	}
	return again, first
}

// Digest is a short word for a value (strings and plain structs alone): another
// one when the value is another.
func Digest(v any) string {
	b, _ := json.Marshal(v)
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}
