package slack

import (
	"context"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what of a private incident may be said where: in its own
// private channel, and nowhere else.

// secret reports whether an incident is private. What cannot be read is.
func (s *Slack) secret(ctx context.Context, id string) bool {
	private, err := s.isSecret(ctx, id)
	if err != nil {
		s.o.Log.Error("slack: read whether an incident is private", "incident", id, "error", err)
	}
	return private || err != nil
}

// isSecret is secret that says when it cannot be read.
func (s *Slack) isSecret(ctx context.Context, id string) (bool, error) {
	s.mu.Lock()
	known, ok := s.secrets[id]
	s.mu.Unlock()
	if ok {
		return known, nil // it never changes
	}
	if s.o.Private == nil && s.o.Incidents == nil {
		return false, nil
	}
	private, err := s.askSecret(ctx, id)
	if err == nil && (s.o.Private != nil || !private) {
		s.remember(id, private)
	}
	return private, err
}

func (s *Slack) askSecret(ctx context.Context, id string) (bool, error) {
	if s.o.Private != nil {
		return s.o.Private(ctx, id)
	}
	is, err := s.o.Incidents.Incidents(ctx)
	if err != nil {
		return true, err
	}
	for _, i := range is {
		if i.ID == id {
			return i.Private, nil
		}
	}
	return true, nil
}

func (s *Slack) remember(id string, private bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.secrets) > 10_000 {
		clear(s.secrets)
	}
	s.secrets[id] = private
}

// conceals reports whether a room's reply must not be said in the room's
// channel: it is of a private incident, and the channel is not that one's own.
func (s *Slack) conceals(ctx context.Context, room string, r commands.Reply) (bool, error) {
	if room != "main" {
		private, err := s.isSecret(ctx, room)
		if err != nil {
			return true, err
		}
		if c, ok := s.channelOf(room); private && (!ok || !c.Private || c.Main) {
			return true, nil
		}
	}
	if r.Incident == "" || r.Incident == room {
		return false, nil
	}
	return s.isSecret(ctx, r.Incident)
}

// hidden is conceals; what cannot be read is hidden.
func (s *Slack) hidden(ctx context.Context, room string, r commands.Reply) bool {
	private, err := s.conceals(ctx, room, r)
	if err != nil {
		s.o.Log.Error("slack: read whether an incident is private", "room", room, "error", err)
	}
	return private || err != nil
}
