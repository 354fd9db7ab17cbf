package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// asFull wraps an error that means "no room" in ErrFull, and leaves others.
// bbolt drops the chain of some errors, so their text is looked at too.
func asFull(err error) error {
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.HasSuffix(err.Error(), ": "+no.Error()) {
			return fmt.Errorf("%w: %w; make room on the disk and try again", ErrFull, err)
		}
	}
	return err
}
