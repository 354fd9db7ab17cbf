package bot_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// speaker writes down what it is asked to say, and when.
type speaker struct {
	mu    sync.Mutex
	fails map[string]int // by headline: how often it fails at first
	tries []string       // headlines, also of those that failed
	said  map[string]time.Time
}

func (s *speaker) Parcels(_ context.Context, m bot.Message, _ bot.Said) ([]bot.Parcel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, m.Reply.Headline)
	if s.fails[m.Reply.Headline] > 0 {
		s.fails[m.Reply.Headline]--
		return nil, errors.New("it cannot be said now")
	}
	s.said[m.Reply.Headline] = time.Now()
	return nil, nil
}

func (s *speaker) Retired(bot.Message, bot.Said) (bot.Parcel, error) { return bot.Parcel{}, nil }
func (s *speaker) Ended(string) bool                                 { return false }
func (s *speaker) Taken(bot.Message)                                 {}

// follows runs a feed of main until stop.
func follows(t *testing.T, rooms *bot.Rooms, notes bot.Notes, s *speaker) (stop func()) {
	f := bot.NewFeed(bot.FeedOptions{Link: testLink(), Rooms: rooms, Notes: notes, Main: "C0", Speaker: s,
		Out: bot.NewOutbox(bot.OutboxOptions{Notes: notes, Sender: newService(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = f.Main(ctx) })
	synctest.Wait()
	return func() { cancel(); run.Wait() }
}

func says(t *testing.T, rooms *bot.Rooms, headline string) {
	t.Helper()
	if err := rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{State: commands.StateInfo, Headline: headline, Public: true}}); err != nil {
		t.Fatal(err)
	}
}

// TestFeedPauses: each fault of a feed that went well until then costs the
// first pause alone; one that lasts costs twice as much each time.
func TestFeedPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rooms := bot.New(bot.Options{Desk: &keyDesk{}, Log: bottest.NewLog()})
		s := &speaker{fails: map[string]int{}, said: map[string]time.Time{}}
		stop := follows(t, rooms, bottest.NewNotes(), s)
		for _, row := range []struct {
			headline string
			fails    int
			want     time.Duration
		}{{"a", 1, time.Second}, {"b", 1, time.Second}, {"c", 1, time.Second}, {"d", 1, time.Second}, {"e", 0, 0}, {"f", 3, 7 * time.Second}, {"g", 1, time.Second}} {
			s.mu.Lock()
			s.fails[row.headline] = row.fails
			s.mu.Unlock()
			start := time.Now()
			says(t, rooms, row.headline)
			time.Sleep(time.Minute) // of the test's own clock
			s.mu.Lock()
			if took := s.said[row.headline].Sub(start); took != row.want {
				t.Errorf("%s, which failed %d times, was said after %s, want %s", row.headline, row.fails, took, row.want)
			}
			s.mu.Unlock()
		}
		stop()
		if err := rooms.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestFeedGoesOn: what an earlier process took is not taken again, and what
// was said meanwhile is.
func TestFeedGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rooms := bot.New(bot.Options{Desk: &keyDesk{}, Log: bottest.NewLog()})
		notes := bottest.NewNotes()
		says(t, rooms, "before")
		for _, row := range []struct {
			meanwhile, while string
			want             []string
		}{{"", "one", []string{"one"}}, {"two", "three", []string{"two", "three"}}} {
			if row.meanwhile != "" {
				says(t, rooms, row.meanwhile)
			}
			s := &speaker{said: map[string]time.Time{}}
			stop := follows(t, rooms, notes, s)
			says(t, rooms, row.while)
			synctest.Wait()
			stop()
			if !slices.Equal(s.tries, row.want) {
				t.Errorf("taken: %q, want %q", s.tries, row.want)
			}
		}
		if err := rooms.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
