package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds channels that cannot be written to: archived by somebody,
// the bot removed, posting restricted. What is to be said there waits in
// order, tried with a growing pause; the operator is told once, and main is
// told of an incident's channel, unless it is private.

// blockage is a channel that cannot be written to, kept under block/<channel>.
// V is 1; a reader refuses a higher one, new fields may join, none changes its
// meaning.
type blockage struct {
	V     int       `json:"v"`
	Room  string    `json:"room,omitempty"`
	Why   string    `json:"why"` // Slack's word
	Since time.Time `json:"since"`

	tries map[string]int // by lane
}

// maxPause is the longest pause between two tries, in units of Options.Retry:
// two hours.
const maxPause = 7200

// blocking reports an answer of Slack about one channel that a person must change.
func blocking(e string) bool {
	switch e {
	case "not_in_channel", "channel_not_found", "is_archived", "channel_is_limited_access", "posting_to_channel_denied", "app_access_restricted":
		return true
	}
	return strings.HasPrefix(e, "restricted_action")
}

// whatNow says of a blockage what is so, and what to do.
func whatNow(why string) (is, next string) {
	switch why {
	case "is_archived":
		return "it is archived", "Unarchive it in Slack."
	case "not_in_channel", "channel_not_found":
		return "certmedic is not in it", "Type /invite @certmedic there."
	}
	return "Slack restricts posting there (" + why + ")", "Let certmedic post in the channel's settings."
}

func (s *Slack) readBlocks(ctx context.Context) error {
	ns, err := s.o.Notes.List(ctx, "block/")
	if err != nil {
		return fmt.Errorf("read Slack's blocked channels: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range ns {
		var b blockage
		if err := json.Unmarshal(n.Value, &b); err != nil || b.V > 1 {
			return fmt.Errorf("blocked channel %s cannot be read (version %d): %w", n.Key, b.V, errors.Join(err))
		}
		b.tries = map[string]int{}
		s.blocks[strings.TrimPrefix(n.Key, "block/")] = b
	}
	return nil
}

// block notes that a lane's channel cannot be written to, and says when to try again.
func (s *Slack) block(ctx context.Context, lane string, err error) error {
	channel, why := laneChannel(lane), slackError(err)
	s.mu.Lock()
	b, known := s.blocks[channel]
	first := !known || b.Why != why
	if !known {
		b = blockage{V: 1, Since: s.o.Now().UTC(), tries: map[string]int{}}
		if s.known(channel) {
			b.Room = s.room(channel)
		}
	}
	b.Why = why
	b.tries[lane]++
	pause := min(30*s.o.Retry<<min(b.tries[lane]-1, 8), maxPause*s.o.Retry)
	s.blocks[channel] = b
	s.mu.Unlock()
	if first {
		is, next := whatNow(why)
		s.o.Log.Warn("slack: a channel cannot be written to", "channel", channel, "room", b.Room, "because", is, "do", next)
		s.tellBlocked(ctx, channel, b, commands.Reply{State: commands.StateWarning, Headline: fmt.Sprintf("The channel of %s cannot be written to: %s.", b.Room, is),
			Body: next + " What is said there waits in order until then; commands work here too, with " + b.Room + " after the verb."})
	}
	return &bot.Later{After: pause, Err: errors.New(words(err))}
}

// works notes that a channel can be written to.
func (s *Slack) works(ctx context.Context, lane string) {
	channel := laneChannel(lane)
	s.mu.Lock()
	b, was := s.blocks[channel]
	delete(s.blocks, channel)
	s.mu.Unlock()
	if !was {
		return
	}
	s.o.Log.Info("slack: a channel can be written to again", "channel", channel, "room", b.Room)
	b.Why = ""
	s.tellBlocked(ctx, channel, b, commands.Reply{State: commands.StateGood, Headline: "The channel of " + b.Room + " can be written to again.", Body: "What waited is said there now."})
	s.out.Release(channel)
	s.out.Release(side(channel))
}

// tellBlocked writes a blockage down (Why "": it is over) and tells main, in
// one message for each incident.
func (s *Slack) tellBlocked(ctx context.Context, channel string, b blockage, r commands.Reply) {
	n := note("block/"+channel, nil)
	if b.Why != "" {
		v, err := json.Marshal(b)
		if err != nil {
			return
		}
		n = note("block/"+channel, v)
	}
	var ps []bot.Parcel
	if b.Room != "" && b.Room != "main" && channel != s.o.Channel && !s.channels.Private(ctx, b.Room) {
		r.Public, r.Incident = true, b.Room
		if p, err := bot.NewParcel(s.o.Channel, "blocked/"+channel, say{Reply: r, Channel: channel}); err == nil {
			ps = append(ps, p)
		}
	}
	if err := s.out.Put(context.WithoutCancel(ctx), ps, n); err != nil {
		s.o.Log.Error("slack: write down that a channel is blocked", "channel", channel, "error", err)
	}
}

// unblock has a channel tried again at once: the bot was invited, or the
// channel unarchived.
func (s *Slack) unblock(channel string) {
	s.mu.Lock()
	b, ok := s.blocks[channel]
	clear(b.tries)
	s.mu.Unlock()
	if ok {
		s.out.Release(channel)
		s.out.Release(side(channel))
	}
}

// channelNews reads of an event whether a channel can be written to again.
func (s *Slack) channelNews(payload []byte) {
	var v struct {
		Event struct {
			Type, User, Channel string
		}
	}
	if json.Unmarshal(payload, &v) != nil {
		return // an event of another shape
	}
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	switch v.Event.Type {
	case "member_joined_channel":
		if v.Event.User == self {
			s.unblock(v.Event.Channel)
		}
	case "channel_unarchive", "group_unarchive":
		s.unblock(v.Event.Channel)
	}
}

// isBlocked reports a channel that cannot be written to.
func (s *Slack) isBlocked(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.blocks[channel]
	return ok
}

// blockedLines are the blocked channels for the operator. s.mu is held. Which
// incident is private is not said.
func (s *Slack) blockedLines() []string {
	var all []string
	for channel, b := range s.blocks {
		name := "the channel " + channel
		switch c, _ := s.channelOf(b.Room); {
		case channel == s.o.Channel:
			name = "the main channel"
		case c.Private:
			name = "the channel of a private incident"
		case b.Room != "":
			name = "the channel of " + b.Room
		}
		is, next := whatNow(b.Why)
		all = append(all, name+": "+is+". "+next)
	}
	slices.Sort(all)
	return all
}
