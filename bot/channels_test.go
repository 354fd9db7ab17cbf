package bot_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// place is a platform's record of a channel.
type place struct{ bot.Channel }

func testChannels(private func(ctx context.Context, id string) (bool, error)) *bot.Channels[place, *place] {
	notes := bottest.NewNotes()
	return bot.NewChannels[place](bot.ChannelsOptions{Link: testLink(), Notes: notes, Main: "C0", Private: private,
		Out: bot.NewOutbox(bot.OutboxOptions{Notes: notes, Sender: newService(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})})
}

// TestChannelOfARoom: a channel that took another's place is the room now, and
// the earlier one is not any more, unless it was the room's own before.
func TestChannelOfARoom(t *testing.T) {
	t.Parallel()
	cs := testChannels(nil)
	keep := func(c bot.Channel) {
		t.Helper()
		if err := cs.Keep(t.Context(), "INC-7", place{c}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want map[string]string) {
		t.Helper()
		for id, room := range want {
			if got := cs.Room(id); got != room || cs.Known(id) != (room != "main" || id == "C0") {
				t.Errorf("%s is %s (known %t), want %s", id, got, cs.Known(id), room)
			}
		}
	}
	keep(bot.Channel{ID: "C1"})
	is(map[string]string{"C0": "main", "C1": "INC-7", "C2": "main"})
	keep(bot.Channel{ID: "C2"})
	is(map[string]string{"C0": "main", "C1": "main", "C2": "INC-7"})
	keep(bot.Channel{ID: "C3", Was: []string{"C2"}})
	is(map[string]string{"C2": "INC-7", "C3": "INC-7"})
	keep(bot.Channel{ID: "C0", Main: true}) // main stands in
	is(map[string]string{"C0": "main", "C3": "main"})
	keep(bot.Channel{ID: "C4"})
	is(map[string]string{"C0": "main", "C4": "INC-7"})
}

// TestConceals: what is of a private incident is said in its own private
// channel, and nowhere else.
func TestConceals(t *testing.T) {
	t.Parallel()
	broken := errors.New("cannot be read")
	cs := testChannels(func(_ context.Context, id string) (bool, error) {
		if id == "INC-9" {
			return false, broken
		}
		return id == "INC-7" || id == "INC-8", nil
	})
	for _, row := range []struct {
		room, of string
		channel  *place // of the room
		hides    bool
	}{
		{"main", "", nil, false},
		{"main", "INC-1", nil, false},
		{"main", "INC-7", nil, true},
		{"INC-1", "", &place{bot.Channel{ID: "C1"}}, false},
		{"INC-1", "INC-1", nil, false},
		{"INC-1", "INC-7", nil, true},
		{"INC-7", "", nil, true}, // no channel yet
		{"INC-7", "", &place{bot.Channel{ID: "C7"}}, true},
		{"INC-7", "INC-7", nil, true},
		{"INC-7", "", &place{bot.Channel{ID: "C0", Main: true, Private: true}}, true},
		{"INC-7", "", &place{bot.Channel{ID: "C7", Private: true}}, false},
		{"INC-7", "inc-7", nil, false},
		{"INC-7", "INC-1", nil, false},
		{"INC-7", "INC-8", nil, true},
		{"INC-9", "", nil, true},
		{"main", "INC-9", nil, true},
	} {
		if row.channel != nil {
			if err := cs.Keep(t.Context(), row.room, *row.channel); err != nil {
				t.Fatal(err)
			}
		}
		reply := commands.Reply{Headline: "x", Incident: row.of}
		hides, err := cs.Conceals(t.Context(), row.room, reply)
		if unread := row.room == "INC-9" || row.of == "INC-9"; (err != nil) != unread || !unread && hides != row.hides || cs.Hides(t.Context(), row.room, reply) != row.hides {
			t.Errorf("of %q in %s (%+v): %t %v", row.of, row.room, row.channel, hides, err)
		}
	}
}
