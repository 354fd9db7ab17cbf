package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: watches, locks and backups.

func testWatch(t *testing.T, s store.Store) {
	put(t, s, pair{"a/0", "before"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ch, err := s.Watch(ctx, "a/")
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Update(ctx, func(tx store.Tx) error { return errors.Join(tx.Put("a/bad", nil), errors.New("fails")) })
	put(t, s, pair{"b", "other"}, pair{"a/1", "1"})
	update(t, s, func(tx store.Tx) error { return tx.Put("a/2", []byte{}) })
	update(t, s, func(tx store.Tx) error { return tx.Delete("a/0") })
	for i, want := range []store.Change{{Key: "a/1", Value: []byte("1")}, {Key: "a/2", Value: []byte{}}, {Key: "a/0"}} {
		got := receive(t, ch)
		if got.Key != want.Key || !bytes.Equal(got.Value, want.Value) || (got.Value == nil) != (want.Value == nil) {
			t.Errorf("change %d: %q = %#v, want %q = %#v", i, got.Key, got.Value, want.Key, want.Value)
		}
	}
	cancel()
	closed(t, ch)
	if _, err := s.Watch(ctx, "a/"); !errors.Is(err, context.Canceled) {
		t.Errorf("watch with an ended context: %v", err)
	}
}

// testWatchOrder: two watchers see the same order, it is the order of the
// commits, and what a caller has been told is written has been sent.
func testWatchOrder(t *testing.T, s store.Store) {
	const width, each = 8, 20
	var chans []<-chan store.Change
	for range 2 {
		ch, err := s.Watch(t.Context(), "n")
		if err != nil {
			t.Fatal(err)
		}
		chans = append(chans, ch)
	}
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for range each {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					v, err := tx.Get("n")
					if err != nil {
						return err
					}
					return tx.Put("n", append(v, 'x'))
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	for w, ch := range chans {
		for i := 1; i <= width*each; i++ {
			if c := receive(t, ch); len(c.Value) != i {
				t.Fatalf("watcher %d: change %d has length %d", w, i, len(c.Value))
			}
		}
	}
	wg.Wait()
}

// testWatchLaggard: a watcher that never reads is let go, and holds up nobody.
func testWatchLaggard(t *testing.T, s store.Store) {
	slow, err := s.Watch(t.Context(), "k/")
	if err != nil {
		t.Fatal(err)
	}
	const most = 2000 // updates of 100 keys: more than any bounded buffer should hold
	for i := range most {
		update(t, s, func(tx store.Tx) error {
			for k := range store.MaxKeys {
				if err := tx.Put(fmt.Sprintf("k/%d", k), []byte{byte(i)}); err != nil {
					return err
				}
			}
			return nil
		})
		if i%400 == 399 { // look whether it was let go; that takes some of its changes
			if letGo(slow) {
				return
			}
		}
	}
	t.Errorf("the watcher is still there after %d changes", most*store.MaxKeys)
}

// letGo reports that ch is closed once what it has at hand is taken.
func letGo(ch <-chan store.Change) bool {
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return true
			}
		default:
			return false
		}
	}
}

func testLock(t *testing.T, s store.Store) {
	ctx := t.Context()
	lease, err := s.Lock(ctx, "media", "ana", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var locked *store.LockedError
	for _, owner := range []string{"ben", "ana"} {
		if _, err := s.Lock(ctx, "media", owner, time.Hour); !errors.As(err, &locked) {
			t.Fatalf("a second lock by %s: %v, want a LockedError", owner, err)
		}
		if locked.Owner != "ana" || locked.Name != "media" || locked.Until.IsZero() {
			t.Errorf("refused by %+v", *locked)
		}
	}
	if _, err := s.Lock(ctx, "other", "ben", time.Hour); err != nil {
		t.Errorf("another name: %v", err)
	}
	if err := lease.Renew(ctx); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := lease.Release(ctx); err != nil {
		t.Errorf("release: %v", err)
	}
	wantErr(t, "renew after release", lease.Renew(ctx), store.ErrLeaseLost)
	wantErr(t, "second release", lease.Release(ctx), store.ErrLeaseLost)
	if _, err := s.Lock(ctx, "media", "ben", time.Hour); err != nil {
		t.Errorf("lock after release: %v", err)
	}
	if n := len(view(t, s, store.Range{})); n != 0 {
		t.Errorf("locks show as %d keys", n)
	}
	for _, bad := range []struct {
		name, owner string
		ttl         time.Duration
	}{{"", "o", time.Second}, {"n", "", time.Second}, {"n", "o", 0}, {"n", "o", -time.Second}} {
		if _, err := s.Lock(ctx, bad.name, bad.owner, bad.ttl); err == nil {
			t.Errorf("lock %+v is given", bad)
		}
	}
}

func testLockExpiry(t *testing.T, s store.Store) {
	ctx := t.Context()
	const ttl = 2 * time.Second
	first, err := s.Lock(ctx, "media", "ana", ttl)
	if err != nil {
		t.Fatal(err)
	}
	pass(ctx, s, ttl*3/4)
	if err := first.Renew(ctx); err != nil {
		t.Fatalf("renew in time: %v", err)
	}
	pass(ctx, s, ttl*3/4)
	var locked *store.LockedError
	if _, err := s.Lock(ctx, "media", "ben", ttl); !errors.As(err, &locked) {
		t.Fatalf("a renewed lock was given away: %v", err)
	}
	pass(ctx, s, ttl/2)
	wantErr(t, "renew after expiry", first.Renew(ctx), store.ErrLeaseLost)
	second, err := s.Lock(ctx, "media", "ben", time.Hour)
	if err != nil {
		t.Fatalf("an expired lock still holds: %v", err)
	}
	wantErr(t, "renew of a lost lock", first.Renew(ctx), store.ErrLeaseLost)
	wantErr(t, "release of a lost lock", first.Release(ctx), store.ErrLeaseLost)
	if err := second.Renew(ctx); err != nil {
		t.Errorf("the loser's release took the lock from its holder: %v", err)
	}
}

// testLockContention: of many who ask at once, one gets the lock.
func testLockContention(t *testing.T, s store.Store) {
	var mu sync.Mutex
	var got []store.Lease
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			l, err := s.Lock(context.Background(), "one", fmt.Sprint(i), time.Hour)
			var locked *store.LockedError
			if err != nil && !errors.As(err, &locked) {
				t.Errorf("lock: %v", err)
			}
			if err == nil {
				mu.Lock()
				got = append(got, l)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d got the lock, want 1", len(got))
	}
}

func testBackup(t *testing.T, s store.Store) {
	put(t, s, letters...)
	var buf bytes.Buffer
	n, err := s.Backup(t.Context(), &buf)
	if err != nil || n == 0 || n != int64(buf.Len()) {
		t.Fatalf("backup: %d bytes, %v; %d written", n, err, buf.Len())
	}
	broken := errors.New("pipe broke")
	_, err = s.Backup(t.Context(), failing{broken})
	if err == nil {
		t.Error("a backup to a broken writer succeeded")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("backup with an ended context: %v", err)
	}
	put(t, s, pair{"later", "1"})
	r, ok := s.(Restorer)
	if !ok {
		return
	}
	c := r.Restore(t, &buf)
	same(t, "copy", view(t, c, store.Range{}), letters...)
	put(t, c, pair{"a/1", "new"}) // the copy is a store of its own
	if v := string(get(t, s, "a/1")); v != "1" {
		t.Errorf("writing to the copy changed the store: a/1 = %q", v)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// testBackupInUse copies while others write two keys that are always equal.
func testBackupInUse(t *testing.T, s store.Store) {
	r, ok := s.(Restorer)
	if !ok {
		t.Skip("the opener gives no Restorer: a copy cannot be opened")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				v := fmt.Appendf(nil, "%d %d", w, i)
				_ = s.Update(ctx, func(tx store.Tx) error {
					return errors.Join(tx.Put("x", v), tx.Put("y", v), tx.Put(fmt.Sprintf("n/%d/%d", w, i), v))
				})
			}
		})
	}
	for range 5 {
		var buf bytes.Buffer
		if _, err := s.Backup(t.Context(), &buf); err != nil {
			t.Fatal(err)
		}
		c := r.Restore(t, &buf)
		if x, y := string(get(t, c, "x")), string(get(t, c, "y")); x != y {
			t.Errorf("the copy is torn: x = %q, y = %q", x, y)
		}
	}
}
