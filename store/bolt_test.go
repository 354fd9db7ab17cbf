package store_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
	"github.com/certmedic/certmedic/store/storetest"
	bolt "go.etcd.io/bbolt"
)

// open opens a store in a new directory, and checks the file when the test is over.
func open(t testing.TB, o store.Options) (*store.Bolt, string) {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "certmedic.db"), o)
}

func openAt(t testing.TB, path string, o store.Options) (*store.Bolt, string) {
	t.Helper()
	b, err := store.Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	})
	return b, path
}

// checkFile runs bbolt's own consistency check on a closed file.
func checkFile(t testing.TB, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: 5 * time.Second})
	if err != nil {
		t.Errorf("bbolt cannot open the file: %v", err)
		return
	}
	defer func() { _ = db.Close() }()
	_ = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt check: %v", err)
		}
		return nil
	})
}

// clocked is a Bolt whose clock the suite moves.
type clocked struct {
	*store.Bolt
	t   *testing.T
	mu  *sync.Mutex
	off *time.Duration
}

func (c clocked) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.off += d
}

func (c clocked) Restore(t *testing.T, r io.Reader) store.Store {
	path := filepath.Join(t.TempDir(), "copy.db")
	data, err := io.ReadAll(r)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, _ := openAt(t, path, store.Options{})
	return b
}

func TestSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		var mu sync.Mutex
		var off time.Duration
		b, _ := open(t, store.Options{Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC).Add(off)
		}})
		return clocked{b, t, &mu, &off}
	})
}

func get(t testing.TB, s store.Store, key string) string {
	t.Helper()
	var v []byte
	err := s.View(context.Background(), func(tx store.Tx) error {
		var err error
		v, err = tx.Get(key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

func put(s store.Store, key, value string) error {
	return s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key, []byte(value)) })
}

func TestReopenKeepsRecordsAndVoidsLocks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, path := open(t, store.Options{})
	if err := put(b, "a", "1"); err != nil {
		t.Fatal(err)
	}
	first, err := b.Lock(ctx, "media", "ana", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ = openAt(t, path, store.Options{})
	if got := get(t, b, "a"); got != "1" {
		t.Errorf("a = %q, want 1", got)
	}
	second, err := b.Lock(ctx, "media", "ben", time.Hour)
	if err != nil {
		t.Fatalf("a lock of a closed process still holds: %v", err)
	}
	was, is := first.(*store.BoltLease).Token(), second.(*store.BoltLease).Token()
	if is <= was {
		t.Errorf("token %d after %d, want a greater one", is, was)
	}
	if err := first.Renew(ctx); !errors.Is(err, store.ErrClosed) {
		t.Errorf("renew on a closed store: %v, want ErrClosed", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, path := open(t, store.Options{})
	ch, err := b.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := <-ch; ok {
		t.Error("the watch goes on after Close")
	}
	_, werr := b.Watch(ctx, "")
	_, berr := b.Backup(ctx, io.Discard)
	_, lerr := b.Lock(ctx, "n", "o", time.Second)
	for what, err := range map[string]error{
		"view":    b.View(ctx, func(store.Tx) error { return nil }),
		"update":  put(b, "a", "b"),
		"watch":   werr,
		"backup":  berr,
		"lock":    lerr,
		"address": b.SetAddress("x"),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
	if _, err := os.Stat(path + ".holder"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the holder file is still there: %v", err)
	}
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	b, path := open(t, store.Options{})
	to := filepath.Join(t.TempDir(), "copy.db")
	if _, err := b.BackupFile(context.Background(), to); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + ".holder", to} {
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if m := st.Mode().Perm(); m != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(p), m)
		}
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 {
		t.Errorf("files in the store's directory: %v, want the record and its holder file", names)
	}
}
