//go:build linux || darwin

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// The child runs under a limit on the size of its files, so that the limit
// does not bind the tests beside it.
func TestFullByLimit(t *testing.T) {
	t.Parallel()
	cmd := child(t, "full", filepath.Join(t.TempDir(), "certmedic.db"))
	out, err := cmd.Output()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// childFull fills a store to the limit, and goes on when the limit is raised.
func childFull(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	fail(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	set := func(n uint64) { fail(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max})) }
	set(3 << 20)
	b, err := store.Open(context.Background(), path, store.Options{})
	fail(err)
	fail(fillUp(b, func() error { set(12 << 20); return nil }))
	fail(b.Close())
	fmt.Println("ok")
}

// fillUp writes until the disk is full, checks what a full store must still
// do, has room made, and checks that it goes on.
func fillUp(b *store.Bolt, room func() error) error {
	ctx := context.Background()
	value := strings.Repeat("v", 50_000)
	n := 0
	for ; ; n++ {
		err := put(b, fmt.Sprintf("n/%06d", n), value)
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil {
			return fmt.Errorf("write %d: %w, want ErrFull", n, err)
		}
		if n > 2000 {
			return errors.New("the disk never fills")
		}
	}
	if n < 10 {
		return fmt.Errorf("full after %d records already", n)
	}
	count := func() (int, error) {
		found := 0
		err := b.View(ctx, func(tx store.Tx) error {
			return tx.Scan(store.Range{Prefix: "n/"}, func(k string, v []byte) error {
				if k != fmt.Sprintf("n/%06d", found) || string(v) != value {
					return fmt.Errorf("record %d is %s with %d bytes", found, k, len(v))
				}
				found++
				return nil
			})
		})
		return found, err
	}
	for range 5 { // again and again, without harm
		if err := put(b, fmt.Sprintf("n/%06d", n), strings.Repeat(value, 200)); !errors.Is(err, store.ErrFull) {
			return fmt.Errorf("10 MB into a full store: %w, want ErrFull", err)
		}
		if found, err := count(); err != nil || found != n {
			return fmt.Errorf("%d of %d records are there: %w", found, n, err)
		}
	}
	if err := room(); err != nil {
		return err
	}
	for range 20 {
		if err := put(b, fmt.Sprintf("n/%06d", n), value); err != nil {
			return fmt.Errorf("write with room again: %w", err)
		}
		n++
	}
	if found, err := count(); err != nil || found != n {
		return fmt.Errorf("%d of %d records are there: %w", found, n, err)
	}
	return nil
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountSmall(t, dir)
	path := filepath.Join(dir, "certmedic.db")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(context.Background(), path, store.Options{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	err = fillUp(b, func() error { return reopenFull(b, path, ballast) })
	if err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path)
}

// reopenFull looks at what a second process is told on the full disk, and
// then makes room.
func reopenFull(b *store.Bolt, path, ballast string) error {
	if _, err := b.BackupFile(context.Background(), path+".copy"); !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("backup on a full disk: %w, want ErrFull", err)
	}
	var used *store.InUseError
	if _, err := store.Open(context.Background(), path, store.Options{Timeout: 1}); !errors.As(err, &used) || used.Holder.Program != "test" {
		return fmt.Errorf("second open: %w", err)
	}
	return os.Remove(ballast)
}

// TestOpenOnFullDisk: a full disk keeps nobody from reading, and the locks
// of the process before are void though they cannot be removed.
func TestOpenOnFullDisk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	mountSmall(t, dir)
	path := filepath.Join(dir, "certmedic.db")
	b, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := put(b, "a", "1"); err != nil {
		t.Fatal(err)
	}
	lockUntilFull(t, b, dir)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = store.Open(ctx, path, store.Options{})
	if err != nil {
		t.Fatalf("open on a full disk: %v", err)
	}
	if got := get(t, b, "a"); got != "1" {
		t.Errorf("a = %q, want 1", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path)
}

// lockUntilFull takes a lock, and then all of the disk.
func lockUntilFull(t *testing.T, b *store.Bolt, dir string) {
	t.Helper()
	if _, err := b.Lock(context.Background(), "media", "ana", 1<<40); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, size := range []int{1 << 16, 512, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
