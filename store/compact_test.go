package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// What was replaced is gone from the file, and the rest is as it was.
func TestCompact(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		t.Helper()
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.Put(key, []byte(value)) }); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "the word quillaquilla")
	for n := range 50 {
		put(fmt.Sprint("k", n), "v")
	}
	put("a", "the word somebody")
	if err := store.Compact(ctx, path, store.Options{}); err == nil {
		t.Error("compacted while it is open")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(before, []byte("quillaquilla")) {
		t.Fatalf("the old bytes are gone already, so this shows nothing: %v", err)
	}
	if err := store.Compact(ctx, path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || bytes.Contains(after, []byte("quillaquilla")) {
		t.Errorf("the old bytes are there still: %v", err)
	}
	if s, err = store.Open(ctx, path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	err = s.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get("a")
		if err != nil || string(v) != "the word somebody" {
			t.Errorf("%s %v", v, err)
		}
		return tx.Scan(store.Range{Prefix: "k"}, func(string, []byte) error { n++; return nil })
	})
	if err != nil || n != 50 {
		t.Errorf("%d keys, %v", n, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 1 {
		t.Errorf("left behind: %v", left)
	}
}
