package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChurn puts and deletes at random, against a map, and has every state in
// between pass the check that Open makes: it must never refuse a good file.
func TestChurn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(t.TempDir(), "x.db")
	b, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.db.NoSync = true // the order on disk is not the subject
	want := map[string]string{}
	rounds := 360
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds {
		grow := round/60%2 == 0 // it grows and shrinks in turns
		err := b.Update(ctx, func(tx Tx) error {
			var err error
			for range MaxKeys {
				k := fmt.Sprintf("%04d%s", rnd.IntN(3000), strings.Repeat("k", rnd.IntN(300)*rnd.IntN(2)))
				if !grow {
					err = errors.Join(err, drop(tx, rnd, want, k[:4]))
					break
				}
				v := strings.Repeat("v", rnd.IntN(40)*rnd.IntN(40)*rnd.IntN(8))
				want[k] = v
				err = errors.Join(err, tx.Put(k, []byte(v)))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if round%5 == 0 {
			sound(t, b, want)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, b, want)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// drop deletes up to MaxKeys keys from a place on, or now and then at random.
func drop(tx Tx, rnd *rand.Rand, want map[string]string, from string) error {
	n := 0
	return tx.Scan(Range{From: from}, func(k string, _ []byte) error {
		if n++; n > MaxKeys {
			return ErrStop
		}
		if rnd.IntN(8) == 0 {
			return nil
		}
		delete(want, k)
		return tx.Delete(k)
	})
}

// sound runs the check on the file as it is, and compares it with want.
func sound(t *testing.T, b *Bolt, want map[string]string) {
	t.Helper()
	data, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatalf("a good file with %d keys is refused: %v", len(want), err)
	}
	n := 0
	err = b.View(context.Background(), func(tx Tx) error {
		return tx.Scan(Range{}, func(k string, v []byte) error {
			if n++; want[k] != string(v) {
				return fmt.Errorf("%q is wrong", k)
			}
			return nil
		})
	})
	if err != nil || n != len(want) {
		t.Fatalf("%d of %d keys: %v", n, len(want), err)
	}
}
