package renew

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// killer is a record whose process is killed at its n-th write: before the
// write is durable, or just after. From then on nothing is written any more.
type killer struct {
	store.Store
	mu     sync.Mutex
	left   int  // writes until the kill
	after  bool // the write is made, its answer never heard
	dead   bool
	killed chan struct{}
	writes int
}

var errKilled = errors.New("killed")

func (k *killer) Update(ctx context.Context, fn func(store.Tx) error) error {
	k.mu.Lock()
	if k.dead {
		k.mu.Unlock()
		return errKilled
	}
	k.writes++
	k.left--
	last := k.left == 0
	if last {
		k.dead = true
		defer close(k.killed)
	}
	k.mu.Unlock()
	if last && !k.after {
		return errKilled
	}
	err := k.Store.Update(ctx, fn)
	if last {
		return errKilled
	}
	return err
}

func (k *killer) View(ctx context.Context, fn func(store.Tx) error) error {
	k.mu.Lock()
	dead := k.dead
	k.mu.Unlock()
	if dead {
		return errKilled
	}
	return k.Store.View(ctx, fn)
}

// killAt runs a renewal, kills it at write n, and starts again until it ends.
// false: it ended before write n.
func (b *bench) killAt(t *testing.T, n int, after bool) (*engine, Renewal, bool) {
	t.Helper()
	var k *killer
	b.wrap = func(s store.Store) store.Store {
		k = &killer{Store: s, left: n, after: after, killed: make(chan struct{})}
		return k
	}
	e := b.start(t)
	rn, err := e.Start(soon(t), Ask{Certificate: "media", By: ana, Force: true})
	killed := false
	if err == nil {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				r, err := e.Wait(context.Background(), rn.ID)
				if err != nil || r.State.Final() {
					return
				}
			}
		}()
		select {
		case <-k.killed:
			killed = true
			id, _ := numberOf(rn.ID)
			e.announce(id) // the waiter sees that the record is dead
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("neither killed nor ended")
		}
		<-ended
	} else if !errors.Is(err, errKilled) {
		t.Fatal(err)
	} else {
		killed = true
	}
	e.stop()
	select {
	case <-k.killed: // perhaps while stopping
		killed = true
	default:
	}
	b.wrap = nil
	e = b.start(t)
	all, rerr := e.Renewals(context.Background(), "", 0)
	if rerr != nil {
		t.Fatal(rerr)
	}
	if len(all) == 0 {
		if err == nil {
			t.Fatal("an acknowledged renewal is lost")
		}
		return e, e.renew(t, Ask{Force: true}), killed
	}
	if len(all) != 1 {
		t.Fatalf("%d renewals", len(all))
	}
	return e, e.wait(t, all[0].ID), killed
}

// consistent checks a journal: numbered without gaps, every intent followed by
// a result or, after a break, taken up again.
func consistent(t *testing.T, steps []Step) {
	t.Helper()
	openIntents := map[string]bool{}
	for i, s := range steps {
		if s.Seq != i+1 {
			t.Errorf("step %d has number %d", i+1, s.Seq)
		}
		key := s.Kind + "/" + s.Host
		switch s.Outcome {
		case Started:
			if openIntents[key] {
				t.Errorf("step %d: %s begun twice", s.Seq, key)
			}
			openIntents[key] = true
		case OK, Bad, Skipped:
			delete(openIntents, key)
		}
	}
	for key := range openIntents {
		t.Errorf("%s has an intent and no result", key)
	}
}

func (b *bench) allEventsOnce(t *testing.T, steps []Step) {
	t.Helper()
	eventually(t, "every step is told", func() bool {
		told := map[string]bool{}
		for _, e := range b.seen() {
			told[e.Key] = true
		}
		for _, s := range steps {
			if !told[fmt.Sprintf("%s/%d", s.Renewal, s.Seq)] {
				return false
			}
		}
		return true
	})
}

func TestKilledAtEveryWriteMakesOneOrder(t *testing.T) {
	t.Parallel()
	eachKill(t, func(t *testing.T, n int, after bool) bool {
		b := newBench(t, 2, time.Hour)
		e, rn, killed := b.killAt(t, n, after)
		if rn.State != Done {
			t.Fatalf("%s: %s\n%s", rn.State, rn.Problem, e.told(t, rn.ID))
		}
		if newed, valid := b.ca.count(); newed != 1 || valid != 1 {
			t.Errorf("%d orders were made, %d are valid\n%s", newed, valid, e.told(t, rn.ID))
		}
		for _, h := range b.hosts {
			if s, d := h.served(t), h.onDisk(t); s != rn.Issued.SHA256 || d != s {
				t.Errorf("%s serves %.8s and holds %.8s, issued is %.8s", h.name, s, d, rn.Issued.SHA256)
			}
		}
		steps, err := e.Steps(context.Background(), rn.ID)
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, steps)
		b.allEventsOnce(t, steps)
		if t.Failed() {
			t.Log("\n" + told(steps))
		}
		return killed
	})
}

func TestKilledAtEveryWriteOfARollback(t *testing.T) {
	t.Parallel()
	eachKill(t, func(t *testing.T, n int, after bool) bool {
		b := newBench(t, 2, time.Hour)
		b.hosts[1].failTest = errors.New("exit status 1")
		e, rn, killed := b.killAt(t, n, after)
		if rn.State != RolledBack {
			t.Fatalf("%s: %s\n%s", rn.State, rn.Problem, e.told(t, rn.ID))
		}
		if newed, _ := b.ca.count(); newed != 1 {
			t.Errorf("%d orders were made", newed)
		}
		for _, h := range b.hosts {
			if s, d := h.served(t), h.onDisk(t); s != b.old.SHA256 || d != s {
				t.Errorf("%s serves %.8s and holds %.8s, before was %.8s", h.name, s, d, b.old.SHA256)
			}
		}
		steps, err := e.Steps(context.Background(), rn.ID)
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, steps)
		if t.Failed() {
			t.Log("\n" + told(steps))
		}
		return killed
	})
}

// eachKill calls f for write 1, 2, ... until the work ended before the kill.
func eachKill(t *testing.T, f func(t *testing.T, n int, after bool) bool) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			t.Parallel()
			const together = 4 // they mostly wait for the disk
			for n := 1; ; n += together {
				var some sync.WaitGroup
				var killed [together]bool
				for i := range together {
					some.Go(func() {
						t.Run(fmt.Sprintf("write-%d", n+i), func(t *testing.T) { killed[i] = f(t, n+i, after) })
					})
				}
				some.Wait()
				if t.Failed() || n > 80 {
					t.Fatalf("stopped at write %d", n)
				}
				for i := range together {
					if !killed[i] {
						if n+i < 12 {
							t.Errorf("only %d writes were seen", n+i-1)
						}
						return
					}
				}
			}
		})
	}
}
