package bot_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// meter is a service that takes three parcels at once and then one a second,
// as Slack does, by the clock that it shares with the outbox. Its ways are long
// and then short.
type meter struct {
	mu      sync.Mutex
	now     time.Time
	ways    []time.Duration // of the next parcels, until they are there
	tokens  float64
	counted time.Time
	came    int
	over    int // that came too soon
}

func (m *meter) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// pass lets time go by while nothing is on its way.
func (m *meter) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

func (m *meter) Post(context.Context, bot.Parcel) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ways) > 0 {
		m.now, m.ways = m.now.Add(m.ways[0]), m.ways[1:]
	}
	if m.counted.IsZero() {
		m.tokens, m.counted = 3, m.now
	}
	m.tokens, m.counted = min(3, m.tokens+m.now.Sub(m.counted).Seconds()), m.now
	if m.came++; m.tokens < 0.999 {
		m.over++
		return "x", nil
	}
	m.tokens--
	return "x", nil
}

func (m *meter) Edit(context.Context, bot.Parcel, string) error { return nil }

func (m *meter) Find(context.Context, bot.Parcel) (string, error) { return "", nil }

// TestOutboxPace: the service is never sent more than it takes, however long
// some parcels are on their way: what counts is when they come there.
func TestOutboxPace(t *testing.T) {
	m := &meter{now: time.Unix(1_800_000_000, 0), ways: []time.Duration{700 * time.Millisecond, 0, 0, 900 * time.Millisecond, 0, 300 * time.Millisecond, 0}}
	b := bot.NewOutbox(bot.OutboxOptions{Notes: bottest.NewNotes(), Sender: m, Now: m.clock, Every: time.Second, Burst: 3})
	const parcels = 10
	for range parcels {
		if err := b.Put(t.Context(), []bot.Parcel{parcel("C1", "", "x")}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	for end := time.Now().Add(bottest.Wait); ; time.Sleep(time.Millisecond) {
		if n, _ := b.Waiting(); n == 0 {
			break
		}
		m.pass(10 * time.Millisecond)
		b.Release("C1") // looks again
		if time.Now().After(end) {
			t.Fatal("not all is sent")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if m.came != parcels || m.over > 0 {
		t.Errorf("%d came, %d of them too soon", m.came, m.over)
	}
}
