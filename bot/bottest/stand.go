package bottest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what the stands of chat platforms share: an adapter that
// runs, a book of incidents, and how a test waits and looks.

// Live runs an adapter and waits until it follows the room "main". stop ends it
// as the program's end does; the test's end does too.
func Live(t testing.TB, a interface {
	Run(ctx context.Context) error
	Close(ctx context.Context) error
}, notes bot.Notes) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		bounded, done := context.WithTimeout(context.Background(), Wait)
		defer done()
		if err := a.Close(bounded); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(stop)
	Until(t, "the room is followed", func() bool { ns, _ := notes.List(ctx, bot.CursorKey("main")); return len(ns) == 1 })
	return stop
}

// NewRooms makes rooms with a scripted desk.
func NewRooms() (*bot.Rooms, *Desk) {
	desk := NewDesk()
	return bot.New(bot.Options{Desk: desk, Log: NewLog(), Answer: 50 * time.Millisecond}), desk
}

// Logger writes warnings and errors to the test's log. A line with one of the
// secrets fails the test.
func Logger(t testing.TB, secrets ...string) *slog.Logger {
	return slog.New(slog.NewTextHandler(logTo{t, secrets}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type logTo struct {
	t       testing.TB
	secrets []string
}

func (l logTo) Write(b []byte) (int, error) {
	defer func() { _ = recover() }() // after the test's end
	l.t.Log(strings.TrimSpace(string(b)))
	for _, s := range l.secrets {
		if strings.Contains(string(b), s) {
			l.t.Errorf("a secret stands in the log: %s", b)
		}
	}
	return len(b), nil
}

// Until waits for something to be so.
func Until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(Wait); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not happen", what)
		}
	}
}

// See waits until somebody sees words in a channel of a fake.
func See(t testing.TB, f interface {
	Seen(who, channel string) string
}, who, channel string, words ...string) {
	t.Helper()
	for end := time.Now().Add(Wait); ; time.Sleep(5 * time.Millisecond) {
		seen, missing := f.Seen(who, channel), ""
		for _, w := range words {
			if !strings.Contains(seen, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not see %q, but:\n%s", who, missing, seen)
		}
	}
}

// InOrder checks that numbered words, from 0 on, stand once each and in order.
func InOrder(t testing.TB, seen, form string, n int) {
	t.Helper()
	at := 0
	for i := range n {
		w := fmt.Sprintf(form, i)
		if n := strings.Count(seen, w); n != 1 {
			t.Errorf("%q stands %d times", w, n)
		}
		if j := strings.Index(seen, w); j < at {
			t.Errorf("%q is out of order", w)
		} else {
			at = j
		}
	}
}

// AllDone waits until so many deliveries are on the record, and all are done.
func AllDone(t testing.TB, in *bot.Inbox, n int) {
	t.Helper()
	Until(t, "all done", func() bool {
		ds, _ := in.All(context.Background())
		for _, d := range ds {
			if d.Done.IsZero() {
				return false
			}
		}
		return len(ds) == n
	})
}

// Book is bot.Incidents that a test sets.
type Book struct {
	mu      sync.Mutex
	all     map[string]bot.Incident
	changed []chan struct{}
}

// NewBook makes an empty Book.
func NewBook() *Book {
	return &Book{all: map[string]bot.Incident{}}
}

// Set adds an incident, or changes it. Its card is made of its topic.
func (b *Book) Set(i bot.Incident) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i.Card = commands.Reply{State: commands.StateCritical, Headline: i.Topic, Incident: i.ID}
	b.all[i.ID] = i
	for _, c := range b.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Incidents implements bot.Incidents.
func (b *Book) Incidents(context.Context) ([]bot.Incident, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []bot.Incident
	for _, i := range b.all {
		all = append(all, i)
	}
	return all, nil
}

// Changed implements bot.Incidents.
func (b *Book) Changed(context.Context) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan struct{}, 1)
	b.changed = append(b.changed, c)
	return c
}

// Resolvable is a reply for main with a button about each of INC-7 and INC-8
// that their end makes useless, and two that it does not.
func Resolvable() commands.Reply {
	return commands.Reply{State: commands.StateGood, Headline: "media is good again", Public: true, Buttons: []commands.Button{
		{Label: "Resolve INC-7", Command: "/incident resolve INC-7"}, {Label: "Resolve INC-8", Command: "/incident resolve inc-8 as INC-7 was"},
		{Label: "Open INC-7", Command: "/incident show INC-7"}, {Label: "Declare", Command: "/incident declare media --cert media"}}}
}
