package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds incidents' channels: made once, with topic, card and
// commander, archived after the end. Where Slack does not allow one, the
// incident is spoken of in the main channel.

// channel is a room's channel, kept under chan/<room>. V is 1; a reader
// refuses a higher one, new fields may join, none changes its meaning.
type channel struct {
	V        int    `json:"v"`
	ID       string `json:"id,omitempty"`    // "" while it is being made
	Name     string `json:"name,omitempty"`  // what it is made under
	Main     bool   `json:"main,omitempty"`  // it could not be made: the main channel stands in
	Shown    string `json:"shown,omitempty"` // of which topic and card Slack was told
	Invited  string `json:"invited,omitempty"`
	Archived bool   `json:"archived,omitempty"`
}

func (s *Slack) readChannels(ctx context.Context) error {
	ns, err := s.o.Notes.List(ctx, "chan/")
	if err != nil {
		return fmt.Errorf("read Slack's channels: %w", err)
	}
	for _, n := range ns {
		var c channel
		if err := json.Unmarshal(n.Value, &c); err != nil || c.V > 1 {
			return fmt.Errorf("channel %s cannot be read (version %d): %v", n.Key, c.V, err)
		}
		s.setChannel(strings.TrimPrefix(n.Key, "chan/"), c)
	}
	return nil
}

func (s *Slack) setChannel(room string, c channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[room] = c
	if c.ID != "" && !c.Main {
		s.rooms[c.ID] = room
	}
}

func (s *Slack) keepChannel(ctx context.Context, room string, c channel, ps ...bot.Parcel) error {
	c.V = 1
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := s.out.Put(ctx, ps, note("chan/"+room, b)); err != nil {
		return err
	}
	s.setChannel(room, c)
	return nil
}

// channelOf returns a room's channel, if it has one by now.
func (s *Slack) channelOf(room string) (channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.channels[room]
	return c, ok && c.ID != ""
}

// watchIncidents follows every change of an incident until ctx ends.
func (s *Slack) watchIncidents(ctx context.Context) error {
	var feeds sync.WaitGroup
	defer feeds.Wait()
	following := map[string]bool{}
	changed := s.o.Incidents.Changed(ctx)
	for n := 0; ; {
		again, err := s.syncAll(ctx, func(room string) {
			if !following[room] {
				following[room] = true
				feeds.Go(func() { s.feed(ctx, room) })
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.o.Log.Warn("slack: an incident's channel is not as it should be yet", "error", words(err))
			if n++; !s.pause(ctx, min(n, 5), err) {
				return nil
			}
			continue
		}
		n = 0
		t := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case _, ok := <-changed:
			if !ok {
				changed = s.o.Incidents.Changed(ctx)
			}
		case <-t.C:
		}
		t.Stop()
	}
}

// syncAll makes every channel as it should be, and says when to look again.
func (s *Slack) syncAll(ctx context.Context, follow func(room string)) (again time.Duration, err error) {
	again = time.Minute
	is, err := s.o.Incidents.Incidents(ctx)
	if err != nil {
		return again, err
	}
	var first error
	for _, i := range is {
		if i.Private {
			continue
		}
		wait, err := s.sync(ctx, i)
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", i.ID, err)
		}
		var limited *slack.RateLimitedError
		if errors.As(err, &limited) {
			return again, first // the others would be told the same
		}
		if wait > 0 {
			again = min(again, wait)
		}
		if c, ok := s.channelOf(i.ID); ok && !c.Archived {
			follow(i.ID)
		}
	}
	return again, first
}

// sync makes one incident's channel as it should be. wait, when not 0, is
// when to look again.
func (s *Slack) sync(ctx context.Context, i bot.Incident) (wait time.Duration, err error) {
	s.mu.Lock()
	c, begun := s.channels[i.ID]
	s.mu.Unlock()
	if !begun && !i.Open || c.Archived {
		return 0, nil // it ended before Slack knew of it
	}
	if c.ID == "" {
		if c, err = s.create(ctx, i, c); err != nil {
			return 0, err
		}
	}
	if c.Main {
		return 0, nil
	}
	var ps []bot.Parcel
	add := func(key string, y say) {
		if p, perr := parcel(c.ID, key, y); perr == nil {
			ps = append(ps, p)
		} else {
			err = perr
		}
	}
	card, err := json.Marshal([]any{i.Topic, i.Card})
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(card)
	if h := hex.EncodeToString(sum[:8]); h != c.Shown {
		c.Shown = h
		add("topic", say{Op: "topic", Text: i.Topic})
		y := say{Room: i.ID, Reply: i.Card, Pin: true}
		y.Reply.Files, y.Reply.Buttons = nil, nil
		add("card", y)
	}
	lead := i.Commander.ID
	for _, p := range i.Leads {
		if p.Platform == "slack" {
			lead = p.ID
		}
	}
	if user, ok := strings.CutPrefix(lead, "slack:"); ok && user != c.Invited {
		c.Invited = user
		add("invite/"+user, say{Op: "invite", Users: []string{user}})
	}
	if s.o.Archive && !i.Open {
		if wait = i.Updated.Add(s.o.ArchiveAfter).Sub(s.o.Now()); wait <= 0 {
			c.Archived, wait = true, 0
			add("archive", say{Op: "archive"})
		}
	}
	if len(ps) == 0 || err != nil {
		return wait, err
	}
	return wait, s.keepChannel(ctx, i.ID, c, ps...)
}

// create makes a channel. The name is written down first: a process that was
// killed in between finds its own channel again.
func (s *Slack) create(ctx context.Context, i bot.Incident, c channel) (channel, error) {
	base := strings.ToLower(i.ID)
	if c.Name != "" {
		if id, err := s.own(ctx, c.Name); err != nil && slackError(err) != "missing_scope" {
			return c, err
		} else if id != "" {
			c.ID = id
			return c, s.keepChannel(ctx, i.ID, c)
		}
	}
	for n := 1; n <= 20; n++ {
		c.Name = base
		if n > 1 {
			c.Name = fmt.Sprintf("%s-%d", base, n)
		}
		if err := s.keepChannel(ctx, i.ID, c); err != nil {
			return c, err
		}
		made, err := s.api.CreateConversationContext(ctx, slack.CreateConversationParams{ChannelName: c.Name})
		switch e := slackError(err); {
		case err == nil:
			c.ID = made.ID
			return c, s.keepChannel(ctx, i.ID, c)
		case e == "name_taken":
			continue
		case e == "missing_scope" || e == "restricted_action" || e == "cannot_create_channel" || e == "user_is_restricted":
			s.once("incidents get no channels of their own, they are spoken of in the main channel: " + words(err))
			c.ID, c.Main = s.o.Channel, true
			return c, s.keepChannel(ctx, i.ID, c)
		default:
			return c, err
		}
	}
	s.once("the names of " + base + " are all taken, so it is spoken of in the main channel")
	c.ID, c.Main = s.o.Channel, true
	return c, s.keepChannel(ctx, i.ID, c)
}

// own looks for a channel of this name that we made.
func (s *Slack) own(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	q := &slack.GetConversationsParameters{Limit: 200, ExcludeArchived: true, Types: []string{"public_channel"}}
	for {
		cs, next, err := s.api.GetConversationsContext(ctx, q)
		if err != nil {
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
