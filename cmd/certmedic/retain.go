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

	"github.com/certmedic/certmedic/bot"
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
			p.o.Log.Info("removed: it was kept as long as configured", "incident", id)
		}
		if err != nil {
			return err
		}
	}
	rooms, err := p.allRooms(ctx)
	if err != nil {
		return err
	}
	if rooms, err = p.dropGone(ctx, rooms); err != nil {
		return err
	}
	if keep := p.cfg.Retain.Rooms; keep > 0 {
		return p.dropOld(ctx, rooms, now.Add(-keep))
	}
	return nil
}

// dropGone removes the rooms of incidents that were removed, also by a process
// that was killed before it came to the room, and returns the others.
func (p *program) dropGone(ctx context.Context, rooms []string) (left []string, err error) {
	for _, room := range rooms {
		_, gone, err := p.book.Gone(ctx, room)
		if err != nil {
			return nil, err
		}
		if !gone {
			left = append(left, room)
			continue
		}
		all := func(bot.Message) bool { return true }
		n, err := dropMessages(ctx, p.store, room, false, all)
		if err != nil {
			return nil, err
		}
		p.rooms.Forget(room, all)
		p.o.Log.Info("the room of a removed incident is removed", "room", room, "messages", n)
	}
	return left, nil
}

// dropOld removes what was said before a moment, but in the rooms of incidents
// that are not over.
func (p *program) dropOld(ctx context.Context, rooms []string, before time.Time) error {
	open, err := p.book.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return err
	}
	old := func(m bot.Message) bool { return m.At.Before(before) && m.Edited.Before(before) }
	for _, room := range rooms {
		if slices.ContainsFunc(open, func(i incident.Incident) bool { return i.ID == room }) {
			continue
		}
		n, err := dropMessages(ctx, p.store, room, true, old)
		if err != nil {
			return err
		}
		if n > 0 {
			p.rooms.Forget(room, old)
			p.o.Log.Info("old messages removed", "room", room, "messages", n)
		}
	}
	return nil
}

// allRooms are the rooms that have messages on the record.
func (p *program) allRooms(ctx context.Context) ([]string, error) {
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
		rooms = append(rooms, room)
		from = "room/" + room + "0" // the key after the last one of the room: '0' follows '/'
	}
}

// dropMessages removes the messages of a room that old says, and returns how
// many. Where the room goes on, the newest is emptied instead: numbers go on.
func dropMessages(ctx context.Context, s store.Store, room string, goesOn bool, old func(bot.Message) bool) (n int, err error) {
	var keys []string
	last, mark := "", 0
	err = s.View(ctx, func(tx store.Tx) error {
		keys, mark = nil, 0
		return tx.Scan(store.Range{Prefix: roomPrefix(room)}, func(key string, v []byte) error {
			m, err := readRoomLine(key, v)
			if err != nil {
				return err
			}
			last, mark = key, max(mark, m.Mark)
			if old(m) {
				keys = append(keys, key)
			}
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	if goesOn && len(keys) > 0 {
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == last })
		err := s.Update(ctx, func(tx store.Tx) (err error) {
			n, err = emptyLast(tx, last, mark, old)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("empty the newest message of %s: %w", room, err)
		}
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

// emptyLast keeps the numbers of a room's newest message, and of the message
// itself, when it is old, nothing else: what is left is shown to nobody. n is 1
// when it was emptied.
func emptyLast(tx store.Tx, key string, mark int, old func(bot.Message) bool) (n int, err error) {
	v, err := tx.Get(key)
	if err != nil || v == nil {
		return 0, err
	}
	m, err := readRoomLine(key, v)
	if err != nil {
		return 0, err
	}
	left := m
	if old(m) && m.For != bot.Bot.ID {
		n = 1
		left = bot.Message{ID: m.ID, Seq: m.Seq, Rev: m.Rev, Room: m.Room, At: m.At, By: bot.Bot, For: bot.Bot.ID}
	}
	left.Mark = max(m.Mark, mark) // one that is removed may have changed later
	if n == 0 && left.Mark == m.Mark {
		return 0, nil
	}
	b, err := json.Marshal(roomLine{V: 1, Message: left})
	if err != nil {
		return 0, err
	}
	return n, tx.Put(key, b)
}
