package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// ledger is a record of errands.
type ledger struct {
	mu    sync.Mutex
	open  []string // "lane/n"
	did   []string
	fail  map[string][]error // what doing it returns, in turn
	late  []string
	wake  chan struct{}
	hold  chan struct{} // closed: errands may end
	count map[string]int
}

func newLedger(open ...string) *ledger {
	h := make(chan struct{})
	close(h)
	return &ledger{open: open, fail: map[string][]error{}, wake: make(chan struct{}, 1), hold: h, count: map[string]int{}}
}

func (l *ledger) errands(context.Context) ([]bot.Errand, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []bot.Errand
	for _, key := range l.open {
		all = append(all, bot.Errand{Key: key, Lane: key[:1], Do: func(ctx context.Context) error { return l.do(ctx, key) },
			Late: func(err error, _ time.Time) {
				l.mu.Lock()
				l.late = append(l.late, key+": "+err.Error())
				l.mu.Unlock()
			}})
	}
	return all, nil
}

func (l *ledger) do(ctx context.Context, key string) error {
	select {
	case <-l.hold:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[key]++
	if f := l.fail[key]; len(f) > 0 {
		l.fail[key] = f[1:]
		if errors.Is(f[0], errPanic) {
			panic("as told")
		}
		return f[0]
	}
	l.did = append(l.did, key)
	l.open = slices.DeleteFunc(l.open, func(k string) bool { return k == key })
	return nil
}

var errPanic = errors.New("panic")

// until waits until the record has nothing open.
func (l *ledger) until(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		left := len(l.open)
		l.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still open: %v", l.open)
		}
	}
}

func courier(t *testing.T, l *ledger) (c *bot.Courier, stop func()) {
	t.Helper()
	c = bot.NewCourier(bot.CourierOptions{Errands: l.errands, Every: time.Hour, Retry: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, l.wake) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return c, stop
}

// A lane keeps its order through failures and panics; another lane does not
// wait for it.
func TestCourierOrder(t *testing.T) {
	t.Parallel()
	l := newLedger("a1", "b1", "a2", "a3", "b2")
	down := errors.New("down")
	l.fail["a1"] = []error{down, errPanic, down, &bot.Later{After: time.Millisecond, Err: down}, down}
	courier(t, l)
	l.until(t)
	var a, b []string
	for _, k := range l.did {
		if k[0] == 'a' {
			a = append(a, k)
		} else {
			b = append(b, k)
		}
	}
	if !slices.Equal(a, []string{"a1", "a2", "a3"}) || !slices.Equal(b, []string{"b1", "b2"}) {
		t.Errorf("done: %v", l.did)
	}
	if len(l.late) != 3 || l.late[0] != "a1: down" || l.late[1] != "a1: panic: as told" { // of five failures the first, second and fourth
		t.Errorf("late: %v", l.late)
	}
	for k, n := range l.count {
		if k != "a1" && n != 1 {
			t.Errorf("%s was done %d times", k, n)
		}
	}
}

// What comes later is seen when the record says that it changed; two of a lane
// never run at once; what runs when it ends is finished.
func TestCourierWakes(t *testing.T) {
	t.Parallel()
	l := newLedger()
	hold := make(chan struct{})
	l.hold = hold
	_, stop := courier(t, l)
	l.mu.Lock()
	for n := range 5 {
		l.open = append(l.open, fmt.Sprintf("a%d", n))
	}
	l.mu.Unlock()
	for range 10 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	stopped := make(chan struct{})
	go func() { time.Sleep(10 * time.Millisecond); close(hold); close(stopped) }()
	<-stopped
	stop()
	for i, k := range l.did {
		if k != fmt.Sprintf("a%d", i) || l.count[k] != 1 {
			t.Errorf("done: %v, %v", l.did, l.count)
		}
	}
	if len(l.did) == 0 {
		t.Error("nothing was done")
	}
}
