package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// TestShareCommits holds the first Update until 300 more wait, and counts the
// bbolt transactions that these then take.
func TestShareCommits(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	const n = 300
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Update(ctx, func(tx Tx) error { close(held); <-hold; return tx.Put("first", nil) }); err != nil {
			t.Error(err)
		}
	})
	<-held
	mine := errors.New("mine")
	for i := range n {
		wg.Go(func() {
			err := b.Update(ctx, func(tx Tx) error {
				if err := tx.Put(fmt.Sprintf("k/%d", i), nil); err != nil || i%10 != 0 {
					return err
				}
				return mine
			})
			if (i%10 == 0) != errors.Is(err, mine) || i%10 != 0 && err != nil {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	for waiting := 0; waiting < n; {
		b.queue.mu.Lock()
		waiting = len(b.queue.jobs)
		b.queue.mu.Unlock()
	}
	before := txid(t, b)
	close(hold)
	wg.Wait()
	if got := txid(t, b) - before; got != 3 { // the first, 256, and the rest
		t.Errorf("%d commits for %d updates, want 3", got, n+1)
	}
	// What writes nothing costs no commit.
	before = txid(t, b)
	if err := b.Update(ctx, func(tx Tx) error { _, err := tx.Get("k/1"); return err }); err != nil {
		t.Error(err)
	}
	if err := b.Update(ctx, func(tx Tx) error { _ = tx.Put("bad", nil); return mine }); !errors.Is(err, mine) {
		t.Error(err)
	}
	if got := txid(t, b) - before; got != 0 {
		t.Errorf("%d commits for two updates that write nothing", got)
	}
}

// txid is the number of the last committed transaction.
func txid(t *testing.T, b *Bolt) int {
	t.Helper()
	tx, err := b.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	return tx.ID()
}

// TestGoexit: a test that gives up inside an Update must not stop the store.
func TestGoexit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Update(ctx, func(Tx) error { (&testing.T{}).SkipNow(); return nil }) // ends this goroutine
		t.Error("the goroutine went on")
	}()
	<-done
	if err := b.Update(ctx, func(tx Tx) error { return tx.Put("a", nil) }); err != nil {
		t.Error(err)
	}
}
