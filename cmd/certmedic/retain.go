package main

// This file removes what has been kept as long as configured: incidents that
// are over, with their rooms, and old lines of rooms.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// retainEvery is how often it is looked whether something is to be removed.
const retainEvery = 24 * time.Hour

// retain removes what is due, now and then, until ctx ends. What one look
// cannot do, the next one does.
func (p *program) retain(ctx context.Context) error {
	t := time.NewTicker(retainEvery)
	defer t.Stop()
	for {
		if err := p.retire(ctx, time.Now()); err != nil && ctx.Err() == nil {
			p.o.Log.Error("remove what was kept long enough", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// retire removes what is due at now.
func (p *program) retire(ctx context.Context, now time.Time) error {
	if keep := p.cfg.Retain.Incidents; keep > 0 {
		ids, err := p.book.Retire(ctx, now.Add(-keep))
		for _, id := range ids {
			n, err := dropMessages(ctx, p.store, id, func(roomLine) bool { return true })
			if err != nil {
				return err
			}
			p.o.Log.Info("removed: it was kept as long as configured", "incident", id, "messages", n)
		}
		if err != nil {
			return err
		}
	}
	if keep := p.cfg.Retain.Rooms; keep > 0 {
		rooms, err := p.quietRooms(ctx)
		if err != nil {
			return err
		}
		for _, room := range rooms {
			n, err := dropMessages(ctx, p.store, room, func(l roomLine) bool {
				return l.Message.At.Before(now.Add(-keep)) && l.Message.Edited.Before(now.Add(-keep))
			})
			if err != nil {
				return err
			}
			if n > 0 {
				p.o.Log.Info("old messages removed", "room", room, "messages", n)
			}
		}
	}
	return nil
}

// quietRooms are the rooms whose old messages may go: every one but those of
// incidents that are not over.
func (p *program) quietRooms(ctx context.Context) ([]string, error) {
	open, err := p.book.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return nil, err
	}
	var rooms []string
	from := "room/"
	for {
		next := ""
		err := p.store.View(ctx, func(tx store.Tx) error {
			return tx.Scan(store.Range{Prefix: "room/", From: from, Limit: 1}, func(key string, _ []byte) error { next = key; return nil })
		})
		if err != nil {
			return nil, fmt.Errorf("list the rooms: %w", err)
		}
		room, _, ok := strings.Cut(strings.TrimPrefix(next, "room/"), "/")
		if next == "" || !ok {
			return rooms, nil
		}
		if !slices.ContainsFunc(open, func(i incident.Incident) bool { return i.ID == room }) {
			rooms = append(rooms, room)
		}
		from = "room/" + room + "0" // the key after the last one of the room: '0' follows '/'
	}
}

// dropMessages removes the messages of a room that old says; the newest stays
// when not all go, so that numbers go on.
func dropMessages(ctx context.Context, s store.Store, room string, old func(roomLine) bool) (n int, err error) {
	var keys []string
	last := ""
	err = s.View(ctx, func(tx store.Tx) error {
		keys = nil
		return tx.Scan(store.Range{Prefix: roomPrefix(room)}, func(key string, v []byte) error {
			last = key
			var l roomLine
			if err := json.Unmarshal(v, &l); err != nil {
				return fmt.Errorf("message at %s: %w", key, err)
			}
			if old(l) {
				keys = append(keys, key)
			}
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	if room == "main" {
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == last })
	}
	for batch := range slices.Chunk(keys, 80) {
		err := s.Update(ctx, func(tx store.Tx) error {
			for _, k := range batch {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("remove messages of %s: %w", room, err)
		}
		n += len(batch)
	}
	return n, nil
}
