package bot_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// slow is a service that answers when its caller's time is just over.
type slow struct {
	*service
	blind bool // it cannot be asked what was said, as of what one person alone was told
}

func (s slow) Post(ctx context.Context, p bot.Parcel) (string, error) {
	<-ctx.Done()
	return s.service.Post(ctx, p)
}

func (s slow) Find(ctx context.Context, p bot.Parcel) (string, error) {
	if s.blind {
		return "", nil
	}
	return s.service.Find(ctx, p)
}

// strict are notes that, as the record, take nothing when their caller's time is over.
type strict struct{ bot.Notes }

func (n strict) Put(ctx context.Context, ns ...bot.Note) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return n.Notes.Put(ctx, ns...)
}

// What was sent at the last moment is written down as sent, and not said again.
func TestOutboxLastMoment(t *testing.T) {
	t.Parallel()
	s := slow{service: newService(), blind: true}
	notes := bottest.NewNotes()
	b := bot.NewOutbox(bot.OutboxOptions{Notes: strict{notes}, Sender: s, Every: time.Millisecond, Retry: time.Millisecond, Limit: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "", "one"), parcel("a", "k", "two")}); err != nil {
		t.Fatal(err)
	}
	empty(t, b)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !slices.Equal(s.said, []string{`a "one"`, `a "two"`}) {
		t.Errorf("said %q", s.said)
	}
}
