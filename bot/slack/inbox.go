package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds what Slack delivers: how it is taken onto the record and
// acknowledged, and what it asks for. bot.Inbox keeps it until it is done.

// envelope is one delivery.
type envelope = bot.Delivery

var plainID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// open reads what tells a delivery from others: the trigger of a command or a
// button, the id of an event; else Slack's envelope.
func open(kind, envelopeID string, payload []byte) (envelope, error) {
	var p struct {
		TriggerID string `json:"trigger_id"`
		EventID   string `json:"event_id"`
		Type      string `json:"type"`
		View      struct {
			ID   string `json:"id"`
			Hash string `json:"hash"`
		} `json:"view"`
		Actions []struct {
			TS string `json:"action_ts"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return envelope{}, errors.New("the payload is not JSON")
	}
	id := ""
	switch {
	case kind == "slash_commands" && p.TriggerID != "":
		id = "cmd-" + p.TriggerID
	case kind == "interactive" && p.Type == "view_submission" && p.View.ID != "":
		id = "view-" + p.View.ID + "-" + p.View.Hash
	case kind == "interactive" && p.Type == "view_closed" && p.View.ID != "":
		id = "closed-" + p.View.ID
	case kind == "interactive" && p.TriggerID != "":
		id = "act-" + p.TriggerID
		if len(p.Actions) > 0 {
			id += "-" + p.Actions[0].TS
		}
	case kind == "events_api" && p.EventID != "":
		id = "evt-" + p.EventID
	case envelopeID != "":
		id = "env-" + envelopeID
	default:
		return envelope{}, errors.New("the payload has no id")
	}
	id = plainID.ReplaceAllString(id, "_")
	return envelope{V: 1, ID: id[:min(len(id), 200)], Kind: kind, Payload: json.RawMessage(payload)}, nil
}

// take records a delivery and has it worked on. No error: it is on the record,
// and may be acknowledged with the answer.
func (s *Slack) take(ctx context.Context, e envelope) (answer json.RawMessage, err error) {
	done := make(chan struct{})
	s.accept(ctx, e, func(a json.RawMessage, er error) { answer, err = a, er; close(done) })
	<-done
	return answer, err
}

// takeThen records a delivery and calls then, having returned at once; the place among the person's
// deliveries is taken before it returns.
func (s *Slack) takeThen(ctx context.Context, e envelope, then func(error)) {
	s.in.Take(ctx, e, person(e), func(e envelope, turn <-chan struct{}, first bool, err error) {
		then(err)
		if err == nil && first {
			s.finish(e, turn)
		}
	})
}

func person(e envelope) string {
	if e.Kind == "events_api" { // what happens to one message happens in order
		var v messageEvent
		_ = json.Unmarshal(e.Payload, &v)
		if channel, ts := v.about(); ts != "" {
			return pinNote(channel, ts)
		}
	}
	var p struct {
		UserID string `json:"user_id"`
		User   struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	_ = json.Unmarshal(e.Payload, &p)
	if p.UserID != "" {
		return p.UserID
	}
	if p.User.ID != "" {
		return p.User.ID
	}
	return e.ID
}

// finish does all of a delivery: what must be opened at once, then the rest.
func (s *Slack) finish(e envelope, turn <-chan struct{}) {
	if s.openFirst(&e) {
		s.in.Done(s.link.Working(), e)
		return
	}
	s.do(e, turn)
}

// do works on a delivery when its turn comes.
func (s *Slack) do(e envelope, turn <-chan struct{}) {
	s.in.Do(s.link.Working(), e, turn, s.ready, func(ctx context.Context) error { return s.handle(ctx, e) })
}

// guard, deferred, logs a panic and calls after.
func (s *Slack) guard(id string, after func()) {
	if p := recover(); p != nil {
		s.o.Log.Error("slack: panic", "id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		after()
	}
}

// handle does what a delivery asks. A panic is logged and not tried again.
func (s *Slack) handle(ctx context.Context, e envelope) (err error) {
	defer s.guard(e.ID, func() { err = nil })
	switch e.Kind {
	case "slash_commands":
		var c slack.SlashCommand
		if json.Unmarshal(e.Payload, &c) == nil {
			return s.command(ctx, e, c)
		}
	case "interactive":
		return s.interact(ctx, e)
	case "events_api":
		s.channelNews(e.Payload)
		var v event
		if json.Unmarshal(e.Payload, &v) == nil && v.Event.Type == "app_mention" {
			return s.mentioned(ctx, e, v)
		}
		var m messageEvent
		if json.Unmarshal(e.Payload, &m) == nil {
			return s.happened(ctx, e, m)
		}
	}
	return nil
}

// recover works on what an earlier process recorded and did not do.
func (s *Slack) recover(ctx context.Context) error { return s.in.Recover(ctx, person, s.do) }

// sweep forgets what was done long ago.
func (s *Slack) sweep(ctx context.Context) error { return s.in.Sweep(ctx, s.sweepPins) }
