//go:build unix

package store_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// TestCompactKeepsTheOwner: compacted by root, the record still belongs to
// whom the server runs as.
func TestCompactKeepsTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, who alone can give a file away")
	}
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "c.db")
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	if err := store.Compact(ctx, path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 65534 || st.Gid != 65533 || info.Mode().Perm() != 0o600 {
		t.Errorf("it belongs to %+v, mode %v", info.Sys(), info.Mode())
	}
}
