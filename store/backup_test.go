package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/store"
)

func TestBackupFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, path := open(t, store.Options{})
	if err := put(b, "a", "1"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.db")
	if err := os.WriteFile(to, []byte("an older file"), 0o644); err != nil {
		t.Fatal(err)
	}
	n, err := b.BackupFile(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(to); err != nil || st.Size() != n || st.Mode().Perm() != 0o600 {
		t.Errorf("copy: %v, %v; %d bytes reported", st, err, n)
	}
	c, _ := openAt(t, to, store.Options{})
	if got := get(t, c, "a"); got != "1" {
		t.Errorf("a = %q in the copy, want 1", got)
	}

	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	hard := filepath.Join(dir, "hard.db")
	if err := os.Link(path, hard); err != nil {
		t.Fatal(err)
	}
	for target, says := range map[string]string{
		path:                          "in use",
		path + ".holder":              "in use",
		link:                          "in use",
		hard:                          "in use",
		dir:                           "not a file",
		"":                            "name one",
		filepath.Join(dir, "no", "x"): "mkdir -p",
	} {
		if _, err := b.BackupFile(ctx, target); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("backup to %q: %v, want %q in it", target, err, says)
		}
	}
	if got := get(t, b, "a"); got != "1" {
		t.Errorf("a = %q after refused backups", got)
	}

	ended, cancel := context.WithCancel(ctx)
	cancel()
	late := filepath.Join(dir, "late.db")
	if _, err := b.BackupFile(ended, late); !errors.Is(err, context.Canceled) {
		t.Errorf("backup with an ended context: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if _, err := os.Stat(late); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unfinished backup is there: %v", err)
	}
}
