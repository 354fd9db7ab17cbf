package deploy

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errNoExchange: the file system cannot exchange two names.
var errNoExchange = errors.New("exchange is not supported here")

// exchange swaps two names of one directory in one step: renameatx_np(2) with
// RENAME_SWAP.
func exchange(dir int, a, b string) error {
	err := unix.RenameatxNp(dir, a, dir, b, unix.RENAME_SWAP)
	for _, no := range []error{unix.ENOSYS, unix.EINVAL, unix.ENOTSUP, unix.EXDEV} {
		if errors.Is(err, no) {
			return errNoExchange
		}
	}
	return err
}
