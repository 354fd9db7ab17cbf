//go:build unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives the file at path to whom another file belongs.
func sameOwner(path string, other fs.FileInfo) error {
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	is, ok := now.Sys().(*syscall.Stat_t)
	want, also := other.Sys().(*syscall.Stat_t)
	if !ok || !also || is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	if err := os.Chown(path, int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("keep the owner: %w", err)
	}
	return nil
}
