package slack

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// listen holds a Socket Mode connection until ctx ends. The library reconnects
// when Slack asks; after an error it is begun anew, since its own pauses grow
// to five minutes.
func (s *Slack) listen(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		held, err := s.hold(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if held {
			n = 0
		}
		s.stand("failing", err)
		if !s.pause(ctx, n, err) {
			return nil
		}
	}
	return nil
}

// hold runs one client until it fails. held says that it was connected.
func (s *Slack) hold(ctx context.Context) (held bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := socketmode.New(s.api, socketmode.OptionDialer(&websocket.Dialer{HandshakeTimeout: 10 * time.Second}), socketmode.OptionReadLimit(maxBody))
	ended := make(chan error, 1)
	go func() { ended <- c.RunContext(ctx) }()
	for {
		select {
		case err := <-ended:
			if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
				err = cause
			}
			return held, err
		case evt := <-c.Events:
			switch evt.Type {
			case socketmode.EventTypeConnected:
				held = true
				s.stand("connected", nil)
			case socketmode.EventTypeConnectionError:
				err := errors.New("no connection")
				if e, ok := evt.Data.(*slack.ConnectionErrorEvent); ok {
					err = e.ErrorObj
				}
				cancel(err)
			case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
				if r := evt.Request; r != nil && r.EnvelopeID != "" {
					s.receive(c, r.Type, r.EnvelopeID, r.Payload)
				}
			case socketmode.EventTypeErrorBadMessage:
				// The library cannot read it all; we may read enough of it.
				var r socketmode.Request
				if bad, ok := evt.Data.(*socketmode.ErrorBadMessage); ok && json.Unmarshal(bad.Message, &r) == nil && r.EnvelopeID != "" {
					s.receive(c, r.Type, r.EnvelopeID, r.Payload)
				}
			}
		}
	}
}

// receive records an envelope and then acknowledges it. One that cannot be
// recorded is not acknowledged: Slack tells the person, or sends it again.
func (s *Slack) receive(c *socketmode.Client, kind, id string, payload []byte) {
	e, err := open(kind, id, payload)
	if err != nil { // never ours: it is not to come again
		s.o.Log.Warn("slack: an envelope cannot be read", "kind", kind, "error", err)
		e = envelope{V: 1, ID: "env-" + id, Kind: "unreadable"}
	}
	s.accept(s.link.Working(), e, func(answer json.RawMessage, err error) {
		if err != nil {
			s.o.Log.Error("slack: an envelope cannot be recorded", "error", err)
			return
		}
		ctx, cancel := context.WithTimeout(s.link.Working(), 3*time.Second)
		defer cancel()
		var payload any
		if answer != nil {
			payload = answer
		}
		if err := c.AckCtx(ctx, id, payload); err != nil {
			s.o.Log.Warn("slack: an envelope is not acknowledged", "error", err)
		}
	})
}
