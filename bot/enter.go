package bot

import (
	"context"
	"errors"
)

// This file holds how a room comes into memory and leaves it.

var errRoom = errors.New("no such room")

// enter returns a room ("": main), read from the log when it is not at hand.
// leave must be called once.
func (r *Rooms) enter(ctx context.Context, name string) (rm *room, leave func(), err error) {
	if name == "" {
		name = "main"
	}
	if !roomName.MatchString(name) {
		return nil, nil, errRoom
	}
	r.mu.Lock()
	rm = r.rooms[name]
	if rm == nil {
		r.evict()
		rm = newRoom(name, r.o.Log)
		r.rooms[name] = rm
	}
	rm.use.Add(1)
	r.mu.Unlock()
	leave = func() { rm.use.Add(-1) }
	if err := rm.fill(ctx, r.mend); err != nil {
		leave()
		return nil, nil, err
	}
	return rm, leave, nil
}

// evict forgets rooms that nobody is in, when there are many. r.mu is held.
func (r *Rooms) evict() {
	for name, rm := range r.rooms {
		if len(r.rooms) < rooms {
			return
		}
		if rm.use.Load() == 0 {
			delete(r.rooms, name)
		}
	}
}

// mend finishes what a killed process left in a room: a line without its
// answer is told so, and a button whose command never ran can be pressed again.
func (r *Rooms) mend(rm *room) error {
	ms := rm.visibleToAll()
	answered := map[string]bool{}
	held := map[string]Message{}
	for _, m := range ms {
		switch {
		case m.Request == "" || m.By.Platform != Bot.Platform:
		case m.unfinished():
			held[m.Request] = m
		default:
			answered[m.Request] = true
		}
	}
	cut := problem("interrupted", "certmedic was restarted before it answered this.", "Look at /incident show or /renew, then say it again if it was not done.")
	for _, m := range ms {
		if u := m.Used.Request; u != "" && !answered[u] {
			if _, err := rm.change(r.life, func() (Message, error) {
				m.Used = Used{}
				return m, nil
			}); err != nil {
				return err
			}
		}
		if m.Request == "" || m.By.Platform == Bot.Platform || answered[m.Request] {
			continue
		}
		if _, err := rm.change(r.life, func() (Message, error) {
			if h, ok := held[m.Request]; ok {
				return h.edited(cut, r.now()), nil
			}
			return Message{At: r.now(), By: Bot, Reply: cut, For: m.By.ID, Request: m.Request}, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (rm *room) visibleToAll() []Message {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	return append([]Message(nil), rm.shown...)
}
