package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// TestEarlierLocksAreVoid: a lock that a dead process left, and that a full
// disk kept Open from removing, holds up nobody.
func TestEarlierLocksAreVoid(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.db")
	for range 2 { // the second time there are tokens of an earlier process
		b, err := Open(ctx, path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = b.db.Update(func(tx *bolt.Tx) error {
			const left = `{"version":1,"owner":"dead","until":"9999-01-01T00:00:00Z","token":1}`
			return errors.Join(
				tx.Bucket(bucketLocks).Put([]byte("broken"), []byte("{")),
				tx.Bucket(bucketLocks).Put([]byte("media"), []byte(left)))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Lock(ctx, "media", "ana", time.Hour)
		var locked *LockedError
		if b.oldest == 0 && !errors.As(err, &locked) {
			t.Errorf("token 1 of this process: %v, want a LockedError", err)
		}
		if b.oldest > 0 && err != nil {
			t.Errorf("token 1 of an earlier process (up to %d): %v", b.oldest, err)
		}
		if _, err := b.Lock(ctx, "broken", "ana", time.Hour); err != nil {
			t.Errorf("a record that cannot be read: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
