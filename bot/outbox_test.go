package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// service is a chat service that writes down what it is sent.
type service struct {
	mu     sync.Mutex
	said   []string          // "lane text", edits in place
	at     map[string]int    // by place
	marks  map[string]string // by parcel's mark: place
	faults []error           // of the next posts; errLost: said, but the answer is lost
	edits  int
	finds  int
}

var errLost = errors.New("the connection broke")

func newService(faults ...error) *service {
	return &service{at: map[string]int{}, marks: map[string]string{}, faults: faults}
}

func (s *service) Post(_ context.Context, p bot.Parcel) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fault error
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	if fault != nil && fault != errLost {
		return "", fault
	}
	place := fmt.Sprint(len(s.said))
	s.at[place], s.marks[p.Mark()] = len(s.said), place
	s.said = append(s.said, p.Lane+" "+string(p.Body))
	return place, fault
}

func (s *service) Edit(_ context.Context, p bot.Parcel, place string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.at[place]
	if !ok {
		return bot.ErrGone
	}
	s.edits++
	s.said[i] = p.Lane + " " + string(p.Body)
	return nil
}

func (s *service) Find(_ context.Context, p bot.Parcel) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	return s.marks[p.Mark()], nil
}

func (s *service) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n")
}

func (s *service) count(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func parcel(lane, key, text string) bot.Parcel {
	b, _ := json.Marshal(text)
	return bot.Parcel{Lane: lane, Key: key, Body: b}
}

func outbox(t *testing.T, notes bot.Notes, s *service) (b *bot.Outbox, stop func()) {
	b = bot.NewOutbox(bot.OutboxOptions{Notes: notes, Sender: s, Every: time.Millisecond, Edits: 20 * time.Millisecond, Retry: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return b, stop
}

func empty(t *testing.T, b *bot.Outbox) {
	t.Helper()
	if err := b.Put(t.Context(), nil); err != nil { // what an earlier process left is read by now
		t.Fatal(err)
	}
	for end := time.Now().Add(bottest.Wait); ; time.Sleep(time.Millisecond) {
		if n, err := b.Waiting(); n == 0 {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%d parcels wait: %v", n, err)
		}
	}
}

// TestOutboxOnce: whatever a service answers, everything is said once and in
// order; what it refuses for good is dropped and stops nothing.
func TestOutboxOnce(t *testing.T) {
	s := newService(errLost, &bot.Later{After: time.Millisecond, Err: errors.New("limit")}, errors.New("500"), nil, errLost, fmt.Errorf("too odd: %w", bot.ErrRefused))
	notes := bottest.NewNotes()
	b, _ := outbox(t, notes, s)
	for i := range 6 {
		if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "", fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	empty(t, b)
	if got, want := s.text(), "a \"0\"\na \"1\"\na \"2\"\na \"4\"\na \"5\""; got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
	if left, _ := notes.List(t.Context(), "out/"); len(left) != 0 {
		t.Errorf("%d parcels are still on the record", len(left))
	}
}

// TestOutboxEdits: one message per key, few edits, the last state always; one
// that is gone is posted anew.
func TestOutboxEdits(t *testing.T) {
	s := newService()
	b, _ := outbox(t, bottest.NewNotes(), s)
	for i := range 50 {
		if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "k", fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	empty(t, b)
	if s.text() != `a "49"` || s.count(&s.edits) > 15 {
		t.Errorf("said %s with %d edits", s.text(), s.count(&s.edits))
	}
	s.mu.Lock()
	clear(s.at)
	s.mu.Unlock()
	if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "k", "anew")}); err != nil {
		t.Fatal(err)
	}
	empty(t, b)
	if s.text() != "a \"49\"\na \"anew\"" {
		t.Errorf("said %s", s.text())
	}
}

// TestOutboxKilled: killed after the service took a parcel and before that was
// written down, the next process finds it and does not say it again.
func TestOutboxKilled(t *testing.T) {
	notes := bottest.NewNotes()
	s := newService()
	var after *bottest.Notes
	cut := cutter{s, func() { after = notes.Cut() }}
	b := bot.NewOutbox(bot.OutboxOptions{Notes: notes, Sender: cut, Retry: time.Hour})
	if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "k", "one"), parcel("a", "", "two")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.Run(ctx) }()
	for end := time.Now().Add(bottest.Wait); s.text() == "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	cancel()
	<-done
	next, _ := outbox(t, after, s)
	empty(t, next)
	if s.text() != "a \"one\"\na \"two\"" || s.count(&s.finds) != 1 {
		t.Errorf("said\n%s\nafter %d looks", s.text(), s.count(&s.finds))
	}
}

// cutter kills the process just after the service took a parcel.
type cutter struct {
	*service
	kill func()
}

func (c cutter) Post(ctx context.Context, p bot.Parcel) (string, error) {
	place, err := c.service.Post(ctx, p)
	c.kill()
	return place, err
}

// TestOutboxLanes: a channel that cannot be written to holds up no other.
func TestOutboxLanes(t *testing.T) {
	s := newService(&bot.Later{After: time.Hour, Err: errors.New("not in the channel")})
	b, _ := outbox(t, bottest.NewNotes(), s)
	if err := b.Put(t.Context(), []bot.Parcel{parcel("a", "", "held")}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(bottest.Wait); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := b.Waiting(); err != nil {
			break
		}
	}
	if err := b.Put(t.Context(), []bot.Parcel{parcel("b", "", "goes")}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(bottest.Wait); s.text() != `b "goes"`; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("said %q", s.text())
		}
	}
}

func ExampleOutbox() {
	s := newService()
	b := bot.NewOutbox(bot.OutboxOptions{Notes: bottest.NewNotes(), Sender: s})
	_ = b.Put(context.Background(), []bot.Parcel{parcel("#tls", "renewal/R-1", "R-1 is at cdn-1."), parcel("#tls", "renewal/R-1", "R-1 is done.")})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	for n := 1; n > 0; n, _ = b.Waiting() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	fmt.Println(s.text(), <-ended)
	// Output: #tls "R-1 is done." <nil>
}
