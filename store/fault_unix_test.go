//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A page that cannot be read while the file is checked is an error, and not
// the end of the program.
func TestCheckOfUnreadable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	b, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 40 {
		if err := b.Update(t.Context(), func(tx Tx) error { return tx.Put(string(rune('a'+k)), make([]byte, 100_000)) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := check(f, st.Size()); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(20_000); err != nil { // as a disk does that cannot read the rest
		t.Fatal(err)
	}
	if err := check(f, st.Size()); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
}
