package bot

import (
	"context"
	"slices"
	"strings"
	"time"
)

// This file holds where messages stand: the notes by which a later revision
// finds its message, kept while it may still be edited.

// keepPlace is how long a message's place is known after its last revision. A
// revision that comes later is said anew.
const keepPlace = 90 * 24 * time.Hour

// A place's note is the place, a newline, and when it was written (RFC 3339).
// Those of earlier versions have the place alone; they are dated when they are
// first looked at.

func placeKey(lane, key string) string {
	return "at/" + lane + "/" + strings.ReplaceAll(key, "/", "_") + "/"
}

func placeNote(lane, key, place string, at time.Time) Note {
	return Note{placeKey(lane, key), []byte(place + "\n" + at.UTC().Format(time.RFC3339))}
}

func readPlace(value []byte) (place string, at time.Time) {
	place, stamp, _ := strings.Cut(string(value), "\n")
	at, _ = time.Parse(time.RFC3339, stamp)
	return place, at
}

// Place returns where a key's message stands in a lane, or "".
func (b *Outbox) Place(ctx context.Context, lane, key string) (string, error) {
	if key == "" {
		return "", nil
	}
	ns, err := b.o.Notes.List(ctx, placeKey(lane, key))
	if err != nil || len(ns) == 0 {
		return "", err
	}
	place, _ := readPlace(ns[0].Value)
	return place, nil
}

// says reports whether a key's message stands in a lane, or is about to.
func (b *Outbox) says(ctx context.Context, lane, key string) (bool, error) {
	b.mu.Lock()
	l := b.lanes[lane]
	queued := l != nil && slices.ContainsFunc(l.q, func(p Parcel) bool { return p.Key == key })
	b.mu.Unlock()
	if queued { // looked at first: it leaves the queue once its place is written down
		return true, nil
	}
	place, err := b.Place(ctx, lane, key)
	return place != "", err
}

// Queued is how many parcels of a lane are not sent yet.
func (b *Outbox) Queued(lane string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[lane]; l != nil {
		return len(l.q)
	}
	return 0
}

// Release lets a lane that was to wait be tried at once.
func (b *Outbox) Release(lane string) {
	b.mu.Lock()
	if l := b.lanes[lane]; l != nil {
		l.hold, l.fails = time.Time{}, 0
	}
	b.mu.Unlock()
	b.poke()
}

// Prune forgets the places of messages that nothing was said in for long, and
// returns how many.
func (b *Outbox) Prune(ctx context.Context) (n int, err error) {
	ns, err := b.o.Notes.List(ctx, "at/")
	if err != nil {
		return 0, err
	}
	now := b.o.Now().UTC()
	var change []Note
	put := func(all bool) error {
		if len(change) == 0 || !all && len(change) < 50 {
			return nil
		}
		err := b.o.Notes.Put(ctx, change...)
		change = change[:0]
		return err
	}
	for _, note := range ns {
		switch place, at := readPlace(note.Value); {
		case at.IsZero():
			change = append(change, Note{note.Key, []byte(place + "\n" + now.Format(time.RFC3339))})
		case now.Sub(at) > keepPlace:
			change, n = append(change, Note{Key: note.Key}), n+1
		}
		if err := put(false); err != nil {
			return n, err
		}
	}
	return n, put(true)
}
