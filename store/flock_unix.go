//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errBusy says that another process holds the file's lock.
var errBusy = errors.New("file is locked")

// lockFile takes the lock that bbolt takes (flock, exclusive) before bbolt
// does, so that the file can be checked while nobody writes it. bbolt then
// takes it again on the same open file, which changes nothing.
func lockFile(ctx context.Context, f *os.File, timeout time.Duration) error {
	const every = 20 * time.Millisecond
	end := time.Now().Add(timeout)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock: %w; the record needs a local file system with file locks", err)
		case time.Now().After(end):
			return errBusy
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
