package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how incidents' channels are kept as they should be: topic,
// card, welcome, who is invited, archived after the end. How one is made is in
// create.go. Where Slack does not allow one, a public incident is spoken of in
// the main channel, a private one nowhere.

// channel is a room's channel, kept under chan/<room>. V is 1; a reader
// refuses a higher one, new fields may join, none changes its meaning.
type channel struct {
	V        int      `json:"v"`
	ID       string   `json:"id,omitempty"`      // "" while it is being made
	Name     string   `json:"name,omitempty"`    // what it is made under
	Main     bool     `json:"main,omitempty"`    // it could not be made: the main channel stands in
	Private  bool     `json:"private,omitempty"` // only who is invited can read it
	Shown    string   `json:"shown,omitempty"`   // of which topic and card Slack was told
	Invited  string   `json:"invited,omitempty"` // the one user whom earlier versions invited
	Asked    []string `json:"asked,omitempty"`   // users who were invited
	Called   string   `json:"called,omitempty"`  // which user groups were invited
	Marked   string   `json:"marked,omitempty"`  // which bookmarks Slack was told of
	Welcomed bool     `json:"welcomed,omitempty"`
	Told     string   `json:"told,omitempty"` // what main was told of how it stands
	Tells    int      `json:"tells,omitempty"`
	Archived bool     `json:"archived,omitempty"`
	Was      []string `json:"was,omitempty"` // ids of earlier channels
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
	if c.Main {
		return
	}
	for _, id := range append(slices.Clone(c.Was), c.ID) {
		if id != "" {
			s.rooms[id] = room
		}
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
	changed := s.o.Incidents.Changed(ctx)
	for n := 0; ; {
		again, err := s.syncAll(ctx, func(room string) {
			if s.following(room) {
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
		t := time.NewTimer(max(again, time.Millisecond))
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
// When Slack lets no more channels be made for a while, the others are kept
// as they should be meanwhile.
func (s *Slack) syncAll(ctx context.Context, follow func(room string)) (again time.Duration, err error) {
	again = time.Minute
	is, err := s.o.Incidents.Incidents(ctx)
	if err != nil {
		return again, err
	}
	slices.SortStableFunc(is, func(a, b bot.Incident) int { return a.Severity - b.Severity }) // the worst first
	var first error
	for _, i := range is {
		s.remember(i.ID, i.Private)
		wait, err := s.sync(ctx, i)
		var limited *slack.RateLimitedError
		switch {
		case errors.As(err, &limited):
			wait = limited.RetryAfter
		case err != nil && first == nil:
			first = fmt.Errorf("%s: %w", i.ID, err)
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
	switch {
	case !i.Open && (!begun || c.Archived):
		return 0, nil // it ended before Slack knew of it, or long ago
	case c.Archived:
		if c, err = s.reopen(ctx, i, c); err != nil {
			return 0, err
		}
	}
	if c.ID == "" {
		if c, wait, err = s.create(ctx, i, c); err != nil || c.ID == "" {
			return wait, err
		}
	}
	if c.Main || c.Private != i.Private {
		return 0, nil
	}
	w := &wish{s: s, i: i, c: c}
	w.card()
	w.bookmarks()
	w.people(ctx)
	w.milestone(ctx)
	w.archive()
	if w.err != nil || len(w.ps) == 0 && !w.dirty {
		return w.wait, w.err
	}
	return w.wait, s.keepChannel(ctx, i.ID, w.c, w.ps...)
}

// wish is what is to be done so that a channel is as it should be.
type wish struct {
	s    *Slack
	i    bot.Incident
	c    channel // as it will be
	ps   []bot.Parcel
	wait time.Duration // when to look again; 0: nothing waits
	err  error

	dirty bool // the record is another, though nothing is to be said
}

func (w *wish) add(lane, key string, y say) {
	p, err := parcel(lane, key, y)
	if err != nil {
		w.err = err
		return
	}
	w.ps = append(w.ps, p)
}

func (w *wish) later(d time.Duration) {
	if d = max(d, time.Millisecond); w.wait == 0 || d < w.wait {
		w.wait = d
	}
}

// sum is a short word for a value: another one when the value is another.
func sum(v any) string {
	b, _ := json.Marshal(v) // strings and plain structs alone
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// card keeps topic and card current, and welcomes.
func (w *wish) card() {
	if h := sum([]any{w.i.Topic, w.i.Card}); h != w.c.Shown {
		w.c.Shown = h
		w.add(side(w.c.ID), "topic", say{Op: "topic", Text: w.i.Topic})
		y := say{Room: w.i.ID, Reply: w.i.Card, Pin: true}
		y.Reply.Files, y.Reply.Buttons = nil, nil
		w.add(w.c.ID, "card", y)
	}
	if !w.c.Welcomed && w.i.Open {
		w.c.Welcomed = true
		w.add(w.c.ID, "welcome", say{Reply: welcome(w.i)})
	}
}

// welcome says what the channel is for, with four commands.
func welcome(i bot.Incident) commands.Reply {
	look := "/certcheck"
	for _, f := range i.Card.Facts {
		if f.Name == "certificate" && !strings.Contains(f.Value, ",") {
			look = "/renew " + f.Value
		}
	}
	r := commands.Reply{State: commands.StateInfo, Headline: "This is the channel of " + i.ID + ". Commands typed here are about it, without its number.",
		Table: commands.Table{Columns: []string{"type", "for"}, Rows: []commands.Row{
			{Cells: []string{"/incident lead me", "leading it"}},
			{Cells: []string{"/incident note images load again", "a line on its timeline"}},
			{Cells: []string{look, map[bool]string{true: "how every certificate stands", false: "a new certificate: you see the plan first"}[look == "/certcheck"]}},
			{Cells: []string{"/incident resolve", "the end, once it works again"}},
		}}, Body: "All of them: /incident help"}
	if i.Private {
		r.Body += "\nThe incident is private: what is said here stays here."
	}
	return r
}

// people invites who is part of it; to a public one those on call too.
func (w *wish) people(ctx context.Context) {
	if !w.i.Open {
		return
	}
	ids, again := w.s.partOf(ctx, w.i)
	if !w.i.Private {
		called := append(w.s.teamGroups(w.i.Teams), w.s.o.Oncall)
		if h := sum(called); h != w.c.Called {
			members, err := w.s.members(ctx, called)
			if err != nil {
				again = true
			} else {
				w.c.Called, ids, w.dirty = h, append(ids, members...), true
			}
		}
	}
	var news []string
	for _, id := range ids {
		if id != w.c.Invited && !slices.Contains(w.c.Asked, id) && !slices.Contains(news, id) {
			news = append(news, id)
		}
	}
	w.c.Asked = append(slices.Clone(w.c.Asked), news...)
	for part := range slices.Chunk(news, 200) {
		w.add(side(w.c.ID), "", say{Op: "invite", Users: part})
	}
	if again {
		w.later(30 * w.s.o.Retry)
	}
}

// archive archives the channel some time after the end.
func (w *wish) archive() {
	if !w.s.o.Archive || w.i.Open || w.c.Archived {
		return
	}
	if left := w.i.Updated.Add(w.s.o.ArchiveAfter).Sub(w.s.o.Now()); left > 0 {
		w.later(left)
		return
	}
	w.c.Archived = true
	w.add(side(w.c.ID), "archive", say{Op: "archive"})
}
