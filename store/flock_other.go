//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package store

import (
	"context"
	"errors"
	"os"
	"time"
)

// errBusy says that another process holds the file's lock.
var errBusy = errors.New("file is locked")

// lockFile leaves the locking to bbolt, which does it right after the check.
func lockFile(context.Context, *os.File, time.Duration) error { return nil }
