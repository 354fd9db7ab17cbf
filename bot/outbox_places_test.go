package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// TestPlacesPruned: where a message stands is forgotten 90 days after its last
// revision, not before; what an earlier version wrote down counts from now.
func TestPlacesPruned(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	notes, s := bottest.NewNotes(), newService()
	ctx, cancel := context.WithCancel(t.Context())
	if err := notes.Put(ctx, bot.Note{Key: "at/C1/old_version/", Value: []byte("17")}); err != nil {
		t.Fatal(err)
	}
	b := bot.NewOutbox(bot.OutboxOptions{Notes: notes, Sender: s, Now: clock, Burst: 1000, Retry: time.Millisecond})
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	defer running.Wait()
	defer cancel()
	say := func(key string) {
		t.Helper()
		if err := b.Put(ctx, []bot.Parcel{{Lane: "C1", Key: key, Body: json.RawMessage(`"x"`)}}); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(bottest.Wait); ; time.Sleep(time.Millisecond) {
			if n, _ := b.Waiting(); n == 0 {
				return
			} else if time.Now().After(end) {
				t.Fatal("it is not sent")
			}
		}
	}
	place := func(key string) string {
		p, err := b.Place(ctx, "C1", key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for n := range 120 {
		say(fmt.Sprintf("k/%d", n))
	}
	pass(60 * 24 * time.Hour)
	say("k/7") // edited
	if n, err := b.Prune(ctx); n != 0 || err != nil {
		t.Errorf("after 60 days: %d %v", n, err)
	}
	pass(31 * 24 * time.Hour)
	if n, err := b.Prune(ctx); n != 119 && n != 120 || err != nil { // the old version's was dated at the start
		t.Errorf("after 91 days: %d %v", n, err)
	}
	if place("k/7") == "" || place("k/8") != "" {
		t.Errorf("places %q %q", place("k/7"), place("k/8"))
	}
	pass(61 * 24 * time.Hour)
	if _, err := b.Prune(ctx); err != nil || place("k/7") != "" || place("old_version") != "" {
		t.Errorf("in the end: %q %q %v", place("k/7"), place("old_version"), err)
	}
}
