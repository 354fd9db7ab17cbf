package bot_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

type clock struct{ at time.Time }

func inbox(t *testing.T, n bot.Notes, c *clock, tries *int) *bot.Inbox {
	t.Helper()
	return bot.NewInbox(bot.InboxOptions{Name: "test", Notes: n, Now: func() time.Time { return c.at }, Log: slog.New(slog.DiscardHandler), Words: error.Error,
		Pause: func(context.Context, int, error) bool { *tries++; c.at = c.at.Add(10 * time.Minute); return true }})
}

// TestInboxOnce: a delivery is recorded once, is undone until it was done, in
// the order of coming, and what it said is not kept after that.
func TestInboxOnce(t *testing.T) {
	t.Parallel()
	n, c, tries := bottest.NewNotes(), &clock{at: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)}, 0
	in := inbox(t, n, c, &tries)
	ctx := t.Context()
	late := bot.Delivery{V: 1, ID: "a", Kind: "k", Payload: []byte(`{"x":1}`), At: c.at.Add(time.Second)}
	early := bot.Delivery{V: 1, ID: "b", Kind: "k", Lines: []string{"/x"}, At: c.at}
	for _, d := range []bot.Delivery{late, early} {
		if first, err := in.Record(ctx, d); err != nil || !first {
			t.Fatal(first, err)
		}
	}
	if first, err := in.Record(ctx, late); err != nil || first {
		t.Fatalf("a repetition is taken for a new one (%v)", err)
	}
	if !in.Has(ctx, early) || in.Has(ctx, bot.Delivery{ID: "c"}) {
		t.Error("what is there is not known")
	}
	undone, err := inbox(t, n, c, &tries).Undone(ctx) // the next process
	if err != nil || len(undone) != 2 || undone[0].ID != "b" || undone[1].ID != "a" {
		t.Fatalf("%+v, %v", undone, err)
	}
	ready := make(chan struct{})
	close(ready)
	did := 0
	in.Do(ctx, early, nil, ready, func(context.Context) error {
		if did++; did < 3 {
			return errors.New("not now")
		}
		return nil
	})
	if did != 3 || tries != 2 {
		t.Errorf("tried %d times, %d pauses", did, tries)
	}
	if undone, _ = in.Undone(ctx); len(undone) != 1 || undone[0].ID != "a" {
		t.Errorf("undone: %+v", undone)
	}
	all, _ := in.All(ctx)
	for _, d := range all {
		if d.ID == "b" && (d.Done.IsZero() || d.Payload != nil || d.Lines != nil) {
			t.Errorf("done, and kept as %+v", d)
		}
	}
	if first, _ := in.Record(ctx, early); first {
		t.Error("a repetition of what is done would be done again")
	}
}

// TestInboxGivesUp: what fails for half an hour is given up; what is stopped
// is left for the next start.
func TestInboxGivesUp(t *testing.T) {
	t.Parallel()
	n, c, tries := bottest.NewNotes(), &clock{at: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)}, 0
	in := inbox(t, n, c, &tries)
	ready := make(chan struct{})
	close(ready)
	d := bot.Delivery{V: 1, ID: "a", At: c.at}
	if _, err := in.Record(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	in.Do(t.Context(), d, nil, ready, func(context.Context) error { return errors.New("never") })
	if undone, _ := in.Undone(t.Context()); len(undone) != 0 || tries != 4 {
		t.Errorf("%d tries; undone: %v", tries, undone)
	}
	d = bot.Delivery{V: 1, ID: "b", At: c.at}
	if _, err := in.Record(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	in.Do(ctx, d, nil, ready, func(context.Context) error { stop(); return nil })
	in.Do(ctx, d, make(chan struct{}), ready, func(context.Context) error { t.Error("not its turn"); return nil })
	if undone, _ := in.Undone(t.Context()); len(undone) != 1 {
		t.Errorf("what was stopped counts as done: %v", undone)
	}
	if err := n.Put(t.Context(), bot.Note{Key: "in/z", Value: []byte(`{"v":2,"id":"z"}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Undone(t.Context()); err == nil {
		t.Error("a later version is read")
	}
}

// TestInboxQueue: each person's deliveries go one after the other, and nobody
// waits for somebody else.
func TestInboxQueue(t *testing.T) {
	t.Parallel()
	n, c, tries := bottest.NewNotes(), &clock{}, 0
	in := inbox(t, n, c, &tries)
	first, over1 := in.Queue("ana")
	second, over2 := in.Queue("ana")
	other, over3 := in.Queue("ben")
	if first != nil || other != nil || second == nil {
		t.Fatal("who is first waits, or who is second does not")
	}
	select {
	case <-second:
		t.Fatal("the second does not wait")
	default:
	}
	over3()
	over1()
	<-second
	over2()
	if again, over := in.Queue("ana"); again != nil {
		t.Error("the queue does not end")
	} else {
		over()
	}
}

// TestInboxSweep: what was done long ago is forgotten, what was not stays.
func TestInboxSweep(t *testing.T) {
	t.Parallel()
	n, c, tries := bottest.NewNotes(), &clock{at: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)}, 0
	in := inbox(t, n, c, &tries)
	for _, id := range []string{"old", "new", "undone"} {
		d := bot.Delivery{V: 1, ID: id, At: c.at}
		if _, err := in.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		switch id {
		case "old":
			in.Done(t.Context(), d)
			c.at = c.at.Add(7 * time.Hour)
		case "new":
			in.Done(t.Context(), d)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	if err := in.Sweep(ctx, func(context.Context) { stop() }); err != nil {
		t.Fatal(err)
	}
	all, _ := in.All(t.Context())
	var ids []string
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	if !slices.Equal(ids, []string{"new", "undone"}) {
		t.Errorf("left: %v", ids)
	}
}
