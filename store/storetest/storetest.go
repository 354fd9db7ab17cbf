// Package storetest is the suite that every implementation of store.Store
// must pass.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// Clocked is implemented by a store that the suite may move forward in time.
// Without it the suite waits for locks to expire.
type Clocked interface {
	Advance(d time.Duration)
}

// Restorer is implemented by a store that can open a backup of itself.
// Without it the suite looks at the backup's length alone.
type Restorer interface {
	Restore(t *testing.T, r io.Reader) store.Store
}

// Run checks the contract. open returns a new, empty store, which the opener
// closes when the test is over. The store may implement Clocked and Restorer.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range []struct {
		name string
		fn   func(t *testing.T, s store.Store)
	}{
		{"Values", testValues},
		{"Copies", testCopies},
		{"Scans", testScans},
		{"ScanSeesOwnWrites", testScanOwnWrites},
		{"ScanErrors", testScanErrors},
		{"FailedUpdateLeavesNothing", testFailed},
		{"Snapshot", testSnapshot},
		{"Contended", testContended},
		{"MixedFailures", testMixedFailures},
		{"Panic", testPanic},
		{"MaxKeys", testMaxKeys},
		{"ReadOnly", testReadOnly},
		{"Ended", testEnded},
		{"BadKeys", testBadKeys},
		{"Watch", testWatch},
		{"WatchOrder", testWatchOrder},
		{"WatchLaggard", testWatchLaggard},
		{"Lock", testLock},
		{"LockExpiry", testLockExpiry},
		{"LockContention", testLockContention},
		{"Backup", testBackup},
		{"BackupInUse", testBackupInUse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fn(t, open(t))
		})
	}
}

// pair is a key with its value.
type pair struct{ k, v string }

func update(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func put(t *testing.T, s store.Store, pairs ...pair) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, p := range pairs {
			if err := tx.Put(p.k, []byte(p.v)); err != nil {
				return err
			}
		}
		return nil
	})
}

// all returns what a scan yields.
func all(tx store.Tx, r store.Range) ([]pair, error) {
	var out []pair
	err := tx.Scan(r, func(k string, v []byte) error {
		out = append(out, pair{k, string(v)})
		return nil
	})
	return out, err
}

func view(t *testing.T, s store.Store, r store.Range) []pair {
	t.Helper()
	var out []pair
	err := s.View(t.Context(), func(tx store.Tx) error {
		var err error
		out, err = all(tx, r)
		return err
	})
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	return out
}

func get(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	var v []byte
	err := s.View(t.Context(), func(tx store.Tx) error {
		var err error
		v, err = tx.Get(key)
		return err
	})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return v
}

func same(t *testing.T, what string, got []pair, want ...pair) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// receive takes one change, or fails the test.
func receive(t *testing.T, ch <-chan store.Change) store.Change {
	t.Helper()
	select {
	case c, ok := <-ch:
		if !ok {
			t.Fatal("the watch's channel is closed")
		}
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("no change came")
	}
	return store.Change{}
}

// closed waits until ch is closed.
func closed(t *testing.T, ch <-chan store.Change) {
	t.Helper()
	end := time.After(20 * time.Second)
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return
			}
		case <-end:
			t.Fatal("the watch's channel is still open")
		}
	}
}

// pass lets d go by on the store's clock.
func pass(ctx context.Context, s store.Store, d time.Duration) {
	if c, ok := s.(Clocked); ok {
		c.Advance(d)
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
