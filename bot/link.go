package bot

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// This file holds the life of an adapter to a chat platform: its parts, how it
// stands with the platform, its pauses after failures, and that it waits at
// its end for the work that it has taken. What the parts do is the adapter's.

// Status is how it stands with a platform.
type Status struct {
	State   string    `json:"state"` // "connecting", "connected" or "failing"
	Since   time.Time `json:"since"`
	Error   string    `json:"error,omitempty"`
	Waiting int       `json:"waiting"` // messages that the platform has not taken yet
	Notes   []string  `json:"notes,omitempty"`
}

// LinkOptions are what a Link is made of.
type LinkOptions struct {
	Name  string // of the platform, for the log: "slack"
	Now   func() time.Time
	Log   *slog.Logger
	Retry time.Duration                                         // the first pause after a failure, doubled each time
	Most  int                                                   // up to so many times Retry
	Words func(error) string                                    // an error without secrets
	Asked func(because error) (after time.Duration, asked bool) // how long the platform asks to wait
}

// Link is an adapter's life.
type Link struct {
	o     LinkOptions
	ready chan struct{}

	mu     sync.Mutex
	status Status
	said   map[string]bool // notes that were said
	closed bool

	work    sync.WaitGroup
	working context.Context // of the work that was taken
	endWork context.CancelFunc
}

// NewLink makes a Link. Nothing runs yet.
func NewLink(o LinkOptions) *Link {
	l := &Link{o: o, ready: make(chan struct{}), said: map[string]bool{}, status: Status{State: "connecting", Since: o.Now().UTC()}}
	l.working, l.endWork = context.WithCancel(context.Background())
	return l
}

// Ready is closed once the platform has said who we are.
func (l *Link) Ready() <-chan struct{} { return l.ready }

// Working is the context of the work that was taken: it ends with Close.
func (l *Link) Working() context.Context { return l.working }

// Run runs the parts until ctx ends or one of them fails, and waits for them all.
func (l *Link) Run(ctx context.Context, parts ...func(context.Context) error) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(parts))
	for _, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				failed <- err
			}
		})
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// Greeted is a part that begins once the link is ready.
func (l *Link) Greeted(part func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-l.ready:
			return part(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Greet asks the platform who we are until it answers; then the link is ready.
// connected: nothing more is needed to be in touch.
func (l *Link) Greet(ctx context.Context, connected bool, who func(context.Context) error) error {
	for n := 0; ; n++ {
		err := who(ctx)
		if err == nil {
			if connected {
				l.Stand("connected", nil)
			}
			close(l.ready)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		l.Stand("failing", err)
		if !l.Pause(ctx, n, err) {
			return nil
		}
	}
}

// Begin takes on a piece of work, which End ends; false: no more is taken.
func (l *Link) Begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Add(1)
	}
	return !l.closed
}

// End ends a piece of work.
func (l *Link) End() { l.work.Done() }

// Close takes nothing more and waits for what was taken; after 3 s the rest is
// told to end and stays on the record for the next start. What does not end is
// left when ctx ends.
func (l *Link) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() { l.work.Wait(); close(done) }()
	wait, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	select {
	case <-done:
	case <-wait.Done():
	}
	l.endWork()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	default:
		return fmt.Errorf("work of %s does not end: %w", l.o.Name, ctx.Err())
	}
}

// Pause waits before the next try: as long as the platform asks, else twice as
// long each time. It reports false when ctx has ended.
func (l *Link) Pause(ctx context.Context, n int, because error) bool {
	wait, asked := l.o.Asked(because)
	if !asked {
		wait = min(l.o.Retry<<min(n, 5), time.Duration(l.o.Most)*l.o.Retry)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Stand notes how it stands; a change is logged.
func (l *Link) Stand(state string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ""
	if err != nil {
		text = l.o.Words(err)
	}
	if l.status.State != state || l.status.Error != text {
		l.o.Log.Info(l.o.Name+": "+state, "error", text)
		l.status.Since = l.o.Now().UTC()
	}
	l.status.State, l.status.Error = state, text
}

// Once notes what the operator should know, one time.
func (l *Link) Once(note string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said[note] || len(l.said) > 100 {
		return false
	}
	l.said[note] = true
	l.status.Notes = append(l.status.Notes, note)
	l.o.Log.Warn(l.o.Name + ": " + note)
	return true
}

// Status says how it stands, with what waits in the outbox.
func (l *Link) Status(out *Outbox) Status {
	n, err := out.Waiting()
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.status
	st.Waiting, st.Notes = n, slices.Clone(l.status.Notes)
	if st.Error == "" && err != nil {
		st.Error = l.o.Words(err)
	}
	return st
}

// Inbox is an inbox of the link's platform, whose work is the link's.
func (l *Link) Inbox(notes Notes) *Inbox {
	b := NewInbox(InboxOptions{Name: l.o.Name, Notes: notes, Now: l.o.Now, Log: l.o.Log, Words: l.o.Words, Pause: l.Pause})
	b.link = l
	return b
}
