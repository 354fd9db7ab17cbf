package slack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds how an incident's channel is made, once, and opened again.

// create makes a channel. The name is written down first: a process that was
// killed in between finds its own channel again. A channel without an ID: not
// now, and when to try again.
func (s *Slack) create(ctx context.Context, i bot.Incident, c channel) (_ channel, wait time.Duration, err error) {
	if i.Private {
		if left := s.noRoom.Sub(s.o.Now()); left > 0 {
			return c, left, nil
		}
	}
	c.Private = i.Private
	if c.Name != "" {
		if id, err := s.own(ctx, c.Name, i.Private); err != nil && slackError(err) != "missing_scope" {
			return c, 0, err
		} else if id != "" {
			c.ID = id
			return c, 0, s.channels.Keep(ctx, i.ID, c)
		}
	}
	base := strings.ToLower(i.ID)
	for n := 1; n <= 20; n++ {
		if left := s.pace.wait("conversations.create"); left > 0 {
			return c, 0, &slack.RateLimitedError{RetryAfter: left}
		}
		c.Name = base
		if n > 1 {
			c.Name = fmt.Sprintf("%s-%d", base, n)
		}
		if err := s.channels.Keep(ctx, i.ID, c); err != nil {
			return c, 0, err
		}
		made, err := s.api.CreateConversationContext(ctx, slack.CreateConversationParams{ChannelName: c.Name, IsPrivate: i.Private})
		switch e := slackError(err); {
		case err == nil:
			c.ID = made.ID
			return c, 0, s.channels.Keep(ctx, i.ID, c)
		case e == "name_taken":
			continue
		case e == "missing_scope" || strings.HasPrefix(e, "restricted_action") || e == "cannot_create_channel" || e == "user_is_restricted":
			return s.without(ctx, i, c, words(err))
		default:
			s.heldBack("conversations.create", err)
			return c, 0, err
		}
	}
	return s.without(ctx, i, c, "the names from "+base+" to "+c.Name+" are all taken")
}

// without does without a channel: a public incident is spoken of in main, a
// private one nowhere in Slack, until a channel can be made.
func (s *Slack) without(ctx context.Context, i bot.Incident, c channel, why string) (channel, time.Duration, error) {
	if i.Private {
		s.once("private incidents get no channels, nothing is said of them in Slack but the answers to their people: " + strings.ReplaceAll(why, strings.ToLower(i.ID), "inc-..."))
		s.noRoom = s.o.Now().Add(600 * s.o.Retry)
		return c, 600 * s.o.Retry, nil
	}
	s.once("incidents get no channels of their own, they are spoken of in the main channel: " + why)
	c.ID, c.Main = s.o.Channel, true
	return c, 0, s.channels.Keep(ctx, i.ID, c)
}

// heldBack keeps a method from being called while Slack said so.
func (s *Slack) heldBack(method string, err error) {
	if limited, ok := err.(*slack.RateLimitedError); ok {
		s.pace.hold(method, limited.RetryAfter)
	}
}

// reopen opens the channel of an incident that goes on. Where Slack does not
// let it be unarchived, the incident goes on in another one.
func (s *Slack) reopen(ctx context.Context, i bot.Incident, c channel) (channel, error) {
	if left := s.pace.wait("conversations.unarchive"); left > 0 {
		return c, &slack.RateLimitedError{RetryAfter: left}
	}
	p, err := bot.NewParcel(side(c.ID), "archive", say{Op: "open"}) // in place of an archiving that waits
	if err == nil {
		err = s.out.Put(ctx, []bot.Parcel{p})
	}
	if err != nil {
		return c, err
	}
	err = s.api.UnArchiveConversationContext(ctx, c.ID)
	switch e := slackError(err); {
	case err == nil || e == "not_archived":
		if !c.Private {
			_, _, _, err = s.api.JoinConversationContext(ctx, c.ID)
			if e := slackError(err); err != nil && (e == "" || !judged(e)) {
				return c, err
			} // else it is in, or what it says there waits until somebody invites it
		}
		c.Archived, c.Shown = false, ""
	case e == "" || !judged(e):
		s.heldBack("conversations.unarchive", err)
		return c, err
	default:
		s.once("a reopened incident goes on in a new channel, Slack does not let its first one be unarchived: " + e)
		c = channel{Channel: bot.Channel{V: 1, Private: c.Private, Was: append(c.Was, c.ID)}, Told: c.Told, Tells: c.Tells}
	}
	return c, s.channels.Keep(ctx, i.ID, c)
}

// own looks for a channel of this name that we made.
func (s *Slack) own(ctx context.Context, name string, private bool) (string, error) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	q := &slack.GetConversationsParameters{Limit: 200, ExcludeArchived: true, Types: []string{"public_channel"}}
	if private {
		q.Types = []string{"private_channel"}
	}
	for {
		if left := s.pace.wait("conversations.list"); left > 0 {
			return "", &slack.RateLimitedError{RetryAfter: left}
		}
		cs, next, err := s.api.GetConversationsContext(ctx, q)
		if err != nil {
			s.heldBack("conversations.list", err)
			return "", err
		}
		for _, c := range cs {
			if c.Name == name && c.Creator == self {
				return c.ID, nil
			}
		}
		if next == "" {
			return "", nil
		}
		q.Cursor = next
	}
}
