package bot

import (
	"context"
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what of a private incident may be said where: in its own
// private channel, and nowhere else.

// Private reports whether an incident is private. What cannot be read is.
func (cs *Channels[C, P]) Private(ctx context.Context, id string) bool {
	private, err := cs.isPrivate(ctx, id)
	if err != nil {
		cs.log.Error(cs.o.Link.o.Name+": read whether an incident is private", "incident", id, "error", err)
	}
	return private || err != nil
}

// isPrivate is Private that says when it cannot be read.
func (cs *Channels[C, P]) isPrivate(ctx context.Context, id string) (bool, error) {
	cs.mu.Lock()
	known, ok := cs.secrets[id]
	cs.mu.Unlock()
	if ok {
		return known, nil
	}
	if cs.o.Private == nil && cs.o.Incidents == nil {
		return false, nil
	}
	private, err := cs.askPrivate(ctx, id)
	if err == nil && !private { // one that is not there yet counts as private: it is asked again
		cs.remember(id, false)
	}
	return private, err
}

func (cs *Channels[C, P]) askPrivate(ctx context.Context, id string) (bool, error) {
	if cs.o.Private != nil {
		return cs.o.Private(ctx, id)
	}
	is, err := cs.o.Incidents.Incidents(ctx)
	if err != nil {
		return true, err
	}
	for _, i := range is {
		if strings.EqualFold(i.ID, id) {
			return i.Private, nil
		}
	}
	return true, nil
}

func (cs *Channels[C, P]) remember(id string, private bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.secrets) > 10_000 {
		clear(cs.secrets)
	}
	cs.secrets[id] = private
}

// Conceals reports whether a room's reply must not be said in the room's
// channel: it is of a private incident, and the channel is not that one's own.
func (cs *Channels[C, P]) Conceals(ctx context.Context, room string, r commands.Reply) (bool, error) {
	if room != "main" {
		private, err := cs.isPrivate(ctx, room)
		if err != nil {
			return true, err
		}
		c, ok := cs.Of(room)
		if k := P(&c).channel(); private && (!ok || !k.Private || k.Main) {
			return true, nil
		}
	}
	if r.Incident == "" || strings.EqualFold(r.Incident, room) {
		return false, nil
	}
	return cs.isPrivate(ctx, r.Incident)
}

// Hides is Conceals; what cannot be read is hidden.
func (cs *Channels[C, P]) Hides(ctx context.Context, room string, r commands.Reply) bool {
	private, err := cs.Conceals(ctx, room, r)
	if err != nil {
		cs.log.Error(cs.o.Link.o.Name+": read whether an incident is private", "room", room, "error", err)
	}
	return private || err != nil
}
