package slack

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file reads what Slack tells of messages: reactions, pins, the shortcut
// "Add to timeline", edits and deletions.

// shortcutID is the callback id of "Add to timeline".
const shortcutID = "timeline_add"

// messageEvent is what we read of events about messages.
type messageEvent struct {
	Event struct {
		Type      string `json:"type"`
		Subtype   string `json:"subtype"`
		User      string `json:"user"`
		Reaction  string `json:"reaction"`
		Channel   string `json:"channel"`
		ChannelID string `json:"channel_id"`
		DeletedTS string `json:"deleted_ts"`
		EventTS   string `json:"event_ts"`
		Tab       string `json:"tab"`
		Item      struct {
			Type    string      `json:"type"`
			Channel string      `json:"channel"`
			TS      string      `json:"ts"`
			Message chatMessage `json:"message"`
		} `json:"item"`
		Message chatMessage `json:"message"`
	} `json:"event"`
}

// about is the message that an event is about.
func (v messageEvent) about() (channel, ts string) {
	e := v.Event
	switch e.Type {
	case "reaction_added", "reaction_removed":
		return e.Item.Channel, e.Item.TS
	case "pin_added", "pin_removed":
		return or(e.Item.Channel, e.ChannelID), or(e.Item.Message.TS, e.Item.TS)
	case "message":
		return e.Channel, or(e.DeletedTS, e.Message.TS)
	}
	return "", ""
}

// concerns reports whether a delivery is anything to us; what is not is
// acknowledged and forgotten. A message that is about to be put on a timeline
// is followed from here on.
func (s *Slack) concerns(e envelope) bool {
	switch e.Kind {
	case "interactive":
		var kind struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(e.Payload, &kind)
		return kind.Type != "view_closed"
	case "events_api":
		var v messageEvent
		if json.Unmarshal(e.Payload, &v) != nil {
			return false
		}
		return s.concernsEvent(v)
	}
	return true
}

func (s *Slack) concernsEvent(v messageEvent) bool {
	s.mu.Lock()
	mine := v.Event.User != "" && v.Event.User == s.self
	s.mu.Unlock()
	channel, ts := v.about()
	about := s.o.Pins != nil && channel != "" && ts != "" && !mine
	switch v.Event.Type {
	case "app_mention":
		return true
	case "app_home_opened":
		return s.o.Home != nil && v.Event.Tab != "messages"
	case "reaction_added", "reaction_removed":
		about = about && v.Event.Item.Type == "message" && s.emoji(v.Event.Reaction)
	case "pin_added", "pin_removed":
		about = about && v.Event.Item.Type == "message"
	case "message":
		_, followed := s.followed.Load(pinNote(channel, ts))
		return about && followed && (v.Event.Subtype == "message_changed" || v.Event.Subtype == "message_deleted")
	default:
		return true
	}
	if about && strings.HasSuffix(v.Event.Type, "_added") {
		s.followed.Store(pinNote(channel, ts), true)
	}
	return about
}

// emoji reports whether a reaction is the one that puts on the timeline, in
// whatever skin.
func (s *Slack) emoji(name string) bool {
	name, _, _ = strings.Cut(name, "::")
	return name == s.o.Reaction
}

// happened does what an event asks.
func (s *Slack) happened(ctx context.Context, e envelope, v messageEvent) error {
	channel, ts := v.about()
	at := stampTime(v.Event.EventTS)
	if at.IsZero() || at.After(e.At) {
		at = e.At
	}
	if s.o.Pins == nil && v.Event.Type != "app_home_opened" {
		return nil
	}
	switch v.Event.Type {
	case "app_home_opened":
		return s.homeOpened(ctx, v.Event.User)
	case "reaction_added", "pin_added":
		defer s.followOnlyPinned(ctx, channel, ts)
		return s.pinnedBy(ctx, e, v, channel, ts, at)
	case "reaction_removed", "pin_removed":
		holder := byPin
		if v.Event.Type == "reaction_removed" {
			holder = byReaction + v.Event.User
		}
		return s.off(ctx, channel, ts, holder, v.Event.User, at)
	case "message":
		return s.changed(ctx, v, channel, ts, at)
	}
	return nil
}

// followOnlyPinned follows a message no more that did not come on a timeline.
func (s *Slack) followOnlyPinned(ctx context.Context, channel, ts string) {
	if _, ok, err := s.pinOf(ctx, channel, ts); err == nil && !ok {
		s.followed.Delete(pinNote(channel, ts))
	}
}

// pinnedBy puts a message on the timeline for a reaction or Slack's own pin.
func (s *Slack) pinnedBy(ctx context.Context, e envelope, v messageEvent, channel, ts string, at time.Time) error {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if v.Event.User == "" || v.Event.User == self {
		return nil
	}
	if v.Event.Type == "reaction_added" {
		if p, _, err := s.pinOf(ctx, channel, ts); err != nil || len(p.Holders) >= mostHolders {
			return err
		}
	}
	by, no, err := s.who(ctx, v.Event.User, v.Event.User)
	if err != nil {
		return err
	}
	a := pinAsk{to: asker{channel: channel, user: v.Event.User, at: e.At}, by: by, holder: byReaction + v.Event.User, channel: channel, at: at}
	if v.Event.Type == "pin_added" {
		a.holder, a.m = byPin, v.Event.Item.Message
		a.quiet = !s.known(channel) || s.room(channel) == "main"
	}
	if no != nil { // a guest's reaction is none of ours
		if s.known(channel) && !a.quiet {
			return s.whisper(ctx, a.to, say{Reply: *no}, false)
		}
		return nil
	}
	if !a.m.readable() {
		a.m, err = s.fetch(ctx, channel, ts)
		var why unreadable
		if errors.As(err, &why) {
			s.once("messages cannot be read for the timeline: " + string(why) + "; \"Add to timeline\" in a message's menu works")
			if a.quiet || !s.known(channel) {
				return nil
			}
			return s.whisper(ctx, a.to, say{Reply: commands.Reply{State: commands.StateWarning, Headline: "The message could not be read, so it is not on the timeline.", Body: string(why) + ".\nWhat works: the message's menu, Add to timeline."}}, false)
		}
		if err != nil {
			return err
		}
	}
	a.to.thread = a.m.ThreadTS
	return s.put(ctx, a)
}

// changed follows a message that its author changed or deleted.
func (s *Slack) changed(ctx context.Context, v messageEvent, channel, ts string, at time.Time) error {
	p, ok, err := s.pinOf(ctx, channel, ts)
	if err != nil || !ok {
		return err
	}
	deleted := v.Event.Subtype == "message_deleted" || v.Event.Message.Subtype == "tombstone"
	text := ""
	if !deleted {
		if text = s.plain(ctx, v.Event.Message); text == p.Text {
			return nil // a link was unfolded, or the like
		}
	}
	var failed error
	if err := s.o.Pins.Repin(ctx, pinKey(channel, ts), text, deleted, at, func(p commands.Post) { failed = errors.Join(failed, s.o.Rooms.Post(ctx, p)) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	_, _, err = s.changePin(ctx, channel, ts, func(p *pinned) bool { p.Text = text; return !deleted && len(p.Holders) > 0 })
	return err
}

// shortcut is what we read of a message_action payload.
type shortcut struct {
	CallbackID string `json:"callback_id"`
	User       struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	MessageTS   string      `json:"message_ts"`
	Message     chatMessage `json:"message"`
	ResponseURL string      `json:"response_url"`
}

// added puts a message on the timeline for "Add to timeline".
func (s *Slack) added(ctx context.Context, e envelope, a shortcut) error {
	if s.o.Pins == nil || a.CallbackID != shortcutID {
		return nil
	}
	to := asker{url: a.ResponseURL, channel: a.Channel.ID, user: a.User.ID, thread: a.Message.ThreadTS, at: e.At}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	a.Message.TS = or(a.MessageTS, a.Message.TS)
	if a.Channel.ID == "" || stampTime(a.Message.TS).IsZero() {
		return nil
	}
	return s.put(ctx, pinAsk{to: to, by: by, holder: byShortcut, channel: a.Channel.ID, m: a.Message, at: e.At})
}
