package slack

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// Somebody who waits for their groups waits no longer than they want to, also
// while Slack keeps somebody else waiting for the same.
func TestGroupsDoNotQueue(t *testing.T) {
	t.Parallel()
	asked, hold := make(chan struct{}, 8), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer api.Close()
	defer close(hold)
	s, err := New(Options{Notes: bottest.NewNotes(), Mode: Socket, Channel: main, APIURL: api.URL, AppToken: bottest.SlackAppToken, BotToken: bottest.SlackBotToken})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _ = s.members(ctx, []string{"edge"})
	}()
	<-asked
	short, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if in := s.Groups(short, slackPerson("ana")); in != nil {
		t.Errorf("in %q", in)
	}
	select {
	case <-first:
		t.Error("who had 20 ms waited until the other one had his answer")
	default:
	}
	stop()
	<-first
}
