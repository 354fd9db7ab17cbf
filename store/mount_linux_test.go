package store_test

import (
	"os"
	"syscall"
	"testing"
)

// mountSmall mounts an 8 MB tmpfs at dir for the test.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: a real full disk needs root, to mount a small tmpfs (TestFullByLimit still ran)")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Skipf("SKIPPED: a real full disk needs a small tmpfs, and mount says: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}
