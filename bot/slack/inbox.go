package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"time"

	"github.com/slack-go/slack"
)

// This file holds the inbox: a delivery is recorded, then acknowledged, then
// worked on, one after the other for each person. What was recorded and not
// done is done at the next start.

// envelope is one delivery. On disk it is JSON with V 1; a reader refuses a
// higher one, new fields may join, none changes its meaning.
type envelope struct {
	V       int             `json:"v"`
	ID      string          `json:"id"` // the same delivery has the same
	Kind    string          `json:"kind"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Lines   []string        `json:"lines,omitempty"` // that a submitted form stands for
	At      time.Time       `json:"at"`
	Done    time.Time       `json:"done,omitzero"`

	view string // the view that its answer goes to
}

// keepDone is how long a delivery is known after it was done, so that a
// repetition does nothing. Slack repeats an event for some minutes.
const keepDone = 6 * time.Hour

// perhaps is how long a delivery that failed is tried.
const perhaps = 30 * time.Minute

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

func (e envelope) key() string { return "in/" + e.ID }

var errClosed = errors.New("certmedic is stopping")

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
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		then(errClosed)
		return
	}
	s.work.Add(1)
	e.At = s.o.Now().UTC()
	turn, over := s.queue(e)
	s.mu.Unlock()
	go func() {
		defer s.work.Done()
		defer over()
		first, err := s.record(ctx, e)
		then(err)
		if err == nil && first {
			s.finish(e, turn)
		}
	}()
}

func (s *Slack) record(ctx context.Context, e envelope) (first bool, err error) {
	b, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	return s.o.Notes.Add(context.WithoutCancel(ctx), note(e.key(), b))
}

// queue takes a place behind the person's earlier deliveries. s.mu is held.
func (s *Slack) queue(e envelope) (turn <-chan struct{}, over func()) {
	who := person(e)
	before, mine := s.workers[who], make(chan struct{})
	s.workers[who] = mine
	return before, func() {
		if before != nil {
			<-before
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		close(mine)
		if s.workers[who] == mine {
			delete(s.workers, who)
		}
	}
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
		s.done(e)
		return
	}
	s.do(e, turn)
}

// do works on a delivery when its turn comes, and writes down that it is done.
// One that Slack does not let us answer is tried for half an hour.
func (s *Slack) do(e envelope, turn <-chan struct{}) {
	if turn != nil {
		select {
		case <-turn:
		case <-s.working.Done():
			return
		}
	}
	select {
	case <-s.ready:
	case <-s.working.Done():
		return
	}
	for n := 0; ; n++ {
		err := s.handle(s.working, e)
		if s.working.Err() != nil {
			return // the next start does it
		}
		if err == nil {
			break
		}
		if n >= 3 && s.o.Now().Sub(e.At) > perhaps {
			s.o.Log.Error("slack: an answer is given up", "id", e.ID, "error", words(err))
			break
		}
		s.o.Log.Warn("slack: an answer is not delivered yet", "id", e.ID, "error", words(err))
		if !s.pause(s.working, n, err) {
			return
		}
	}
	s.done(e)
}

// done writes down that a delivery is done.
func (s *Slack) done(e envelope) {
	e.Done, e.Payload, e.Lines = s.o.Now().UTC(), nil, nil
	b, err := json.Marshal(e)
	if err == nil {
		err = s.o.Notes.Put(context.WithoutCancel(s.working), note(e.key(), b))
	}
	if err != nil {
		s.o.Log.Error("slack: that a delivery is done cannot be recorded", "id", e.ID, "error", err)
	}
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
func (s *Slack) recover(ctx context.Context) error {
	es, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	es = slices.DeleteFunc(es, func(e envelope) bool { return !e.Done.IsZero() })
	slices.SortStableFunc(es, func(a, b envelope) int { return a.At.Compare(b.At) })
	for _, e := range es {
		s.mu.Lock()
		s.work.Add(1)
		turn, over := s.queue(e)
		s.mu.Unlock()
		go func() {
			defer s.work.Done()
			defer over()
			s.do(e, turn)
		}()
	}
	if len(es) > 0 {
		s.o.Log.Info("slack: deliveries of before are worked on", "number", len(es))
	}
	return nil
}

func (s *Slack) recorded(ctx context.Context) ([]envelope, error) {
	ns, err := s.o.Notes.List(ctx, "in/")
	if err != nil {
		return nil, fmt.Errorf("read Slack's inbox: %w", err)
	}
	var es []envelope
	for _, n := range ns {
		var e envelope
		if err := json.Unmarshal(n.Value, &e); err != nil || e.V > 1 {
			return nil, fmt.Errorf("delivery %s cannot be read (version %d): %w", n.Key, e.V, errors.Join(err))
		}
		es = append(es, e)
	}
	return es, nil
}

// sweep forgets what was done long ago.
func (s *Slack) sweep(ctx context.Context) error {
	for {
		es, err := s.recorded(ctx)
		if err != nil {
			s.o.Log.Error("slack: sweep", "error", err)
		}
		for _, e := range es {
			if !e.Done.IsZero() && s.o.Now().Sub(e.Done) > keepDone {
				if err := s.o.Notes.Put(ctx, note(e.key(), nil)); err != nil {
					break
				}
			}
		}
		s.sweepPins(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
		}
	}
}
