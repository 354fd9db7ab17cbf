package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// In this file: reading, writing and scanning.

func testValues(t *testing.T, s store.Store) {
	odd := "\x00\xff\xfe/ü" // keys are bytes, not text
	put(t, s, pair{"a", "1"}, pair{"empty", ""}, pair{odd, "odd"}, pair{"big", strings.Repeat("x", 100_000)})
	if v := get(t, s, "a"); string(v) != "1" {
		t.Errorf("a = %q, want 1", v)
	}
	if v := get(t, s, "empty"); v == nil || len(v) != 0 {
		t.Errorf("empty = %#v, want an empty value, not nil", v)
	}
	if v := get(t, s, odd); string(v) != "odd" {
		t.Errorf("odd key = %q", v)
	}
	if v := get(t, s, "big"); len(v) != 100_000 {
		t.Errorf("big has %d bytes, want 100000", len(v))
	}
	if v := get(t, s, "none"); v != nil {
		t.Errorf("none = %q, want nil", v)
	}
	update(t, s, func(tx store.Tx) error {
		if err := tx.Delete("a"); err != nil {
			return err
		}
		if v, _ := tx.Get("a"); v != nil {
			t.Errorf("a = %q after Delete in the same transaction", v)
		}
		if err := tx.Put("empty", []byte("full")); err != nil {
			return err
		}
		if v, _ := tx.Get("empty"); string(v) != "full" {
			t.Errorf("empty = %q after Put in the same transaction", v)
		}
		return tx.Delete("never there")
	})
	if v := get(t, s, "a"); v != nil {
		t.Errorf("a = %q, want nil after Delete", v)
	}
}

func testCopies(t *testing.T, s store.Store) {
	v := []byte("one")
	update(t, s, func(tx store.Tx) error {
		if err := tx.Put("k", v); err != nil {
			return err
		}
		v[0] = 'X'
		got, err := tx.Get("k")
		if string(got) != "one" {
			t.Errorf("k = %q: the transaction keeps the caller's slice", got)
		}
		got[0] = 'Y'
		return err
	})
	kept := get(t, s, "k")
	if string(kept) != "one" {
		t.Fatalf("k = %q, want one", kept)
	}
	kept[0] = 'Z'
	var scanned []byte
	err := s.View(t.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{}, func(_ string, v []byte) error { scanned = v; return nil })
	})
	if err != nil || string(scanned) != "one" {
		t.Errorf("scan kept %q, %v, want one", scanned, err)
	}
	for i := range 50 { // what was kept must outlive later writes
		put(t, s, pair{"k", strings.Repeat(strconv.Itoa(i), 200)})
	}
	if string(scanned) != "one" {
		t.Errorf("a kept value changed to %q", scanned)
	}
}

var letters = []pair{{"a/1", "1"}, {"a/2", "2"}, {"a/3", "3"}, {"b/1", "4"}, {"b/\xff", "5"}, {"b/\xff\xff", "6"}, {"c", "7"}}

var scans = []struct {
	name string
	r    store.Range
	want []int // indexes of letters
}{
	{"all", store.Range{}, []int{0, 1, 2, 3, 4, 5, 6}},
	{"all reverse", store.Range{Reverse: true}, []int{6, 5, 4, 3, 2, 1, 0}},
	{"prefix", store.Range{Prefix: "a/"}, []int{0, 1, 2}},
	{"prefix reverse", store.Range{Prefix: "a/", Reverse: true}, []int{2, 1, 0}},
	{"last prefix reverse", store.Range{Prefix: "c", Reverse: true}, []int{6}},
	{"prefix with high bytes", store.Range{Prefix: "b/\xff", Reverse: true}, []int{5, 4}},
	{"prefix of nothing", store.Range{Prefix: "bb"}, nil},
	{"prefix of nothing reverse", store.Range{Prefix: "bb", Reverse: true}, nil},
	{"beyond all reverse", store.Range{Prefix: "\xff\xff", Reverse: true}, nil},
	{"from", store.Range{Prefix: "a/", From: "a/2"}, []int{1, 2}},
	{"from a gap", store.Range{Prefix: "a/", From: "a/11"}, []int{1, 2}},
	{"from before the prefix", store.Range{Prefix: "b/", From: "a/2"}, []int{3, 4, 5}},
	{"from behind the prefix", store.Range{Prefix: "a/", From: "b"}, nil},
	{"reverse from", store.Range{Prefix: "a/", From: "a/2", Reverse: true}, []int{1, 0}},
	{"reverse from a gap", store.Range{Prefix: "a/", From: "a/21", Reverse: true}, []int{1, 0}},
	{"reverse from before the prefix", store.Range{Prefix: "b/", From: "a/2", Reverse: true}, nil},
	{"reverse from behind the prefix", store.Range{Prefix: "a/", From: "c", Reverse: true}, []int{2, 1, 0}},
	{"reverse from behind all", store.Range{From: "zzz", Reverse: true}, []int{6, 5, 4, 3, 2, 1, 0}},
	{"limit", store.Range{Limit: 2}, []int{0, 1}},
	{"limit reverse", store.Range{Prefix: "b/", Limit: 2, Reverse: true}, []int{5, 4}},
	{"limit above", store.Range{Prefix: "a/", Limit: 9}, []int{0, 1, 2}},
}

func checkScans(t *testing.T, where string, tx store.Tx) {
	t.Helper()
	for _, c := range scans {
		var want []pair
		for _, i := range c.want {
			want = append(want, letters[i])
		}
		got, err := all(tx, c.r)
		if err != nil {
			t.Errorf("%s %s: %v", where, c.name, err)
		}
		same(t, where+" "+c.name, got, want...)
	}
}

func testScans(t *testing.T, s store.Store) {
	put(t, s, letters...)
	if err := s.View(t.Context(), func(tx store.Tx) error { checkScans(t, "view", tx); return nil }); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx store.Tx) error { checkScans(t, "update", tx); return nil })
}

// testScanOwnWrites runs the same scans where half of the keys are stored,
// half are written in the transaction, and some are deleted in it.
func testScanOwnWrites(t *testing.T, s store.Store) {
	put(t, s, letters[0], pair{"a/15", "gone"}, pair{"a/2", "old"}, letters[3], pair{"b/2", "gone"}, letters[5], pair{"zz", "gone"})
	update(t, s, func(tx store.Tx) error {
		for _, k := range []string{"a/15", "b/2", "zz", "not there"} {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		for _, i := range []int{6, 1, 2, 4} {
			if err := tx.Put(letters[i].k, []byte(letters[i].v)); err != nil {
				return err
			}
		}
		checkScans(t, "own writes", tx)
		// Writing while scanning is allowed.
		return tx.Scan(store.Range{Prefix: "a/"}, func(k string, v []byte) error {
			if err := tx.Delete(k); err != nil {
				return err
			}
			return tx.Put("x"+k, v)
		})
	})
	same(t, "after", view(t, s, store.Range{}),
		letters[3], letters[4], letters[5], letters[6], pair{"xa/1", "1"}, pair{"xa/2", "2"}, pair{"xa/3", "3"})
}

func testScanErrors(t *testing.T, s store.Store) {
	put(t, s, letters...)
	mine := errors.New("mine")
	for name, do := range map[string]func(context.Context, func(store.Tx) error) error{"view": s.View, "update": s.Update} {
		n := 0
		err := do(t.Context(), func(tx store.Tx) error {
			return tx.Scan(store.Range{}, func(string, []byte) error { n++; return store.ErrStop })
		})
		if err != nil || n != 1 {
			t.Errorf("%s: ErrStop gave %v after %d keys, want nil after 1", name, err, n)
		}
		err = do(t.Context(), func(tx store.Tx) error {
			return tx.Scan(store.Range{}, func(string, []byte) error { return mine })
		})
		wantErr(t, name, err, mine)
	}
}

func testFailed(t *testing.T, s store.Store) {
	put(t, s, pair{"a", "1"})
	mine := errors.New("mine")
	err := s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Put("a", []byte("2")), tx.Put("b", []byte("2")), tx.Delete("a"), mine)
	})
	wantErr(t, "update", err, mine)
	same(t, "after", view(t, s, store.Range{}), pair{"a", "1"})
}

func testSnapshot(t *testing.T, s store.Store) {
	put(t, s, pair{"a", "1"}, pair{"b", "1"})
	err := s.View(t.Context(), func(tx store.Tx) error {
		done := make(chan error, 1)
		go func() {
			done <- s.Update(context.Background(), func(tx store.Tx) error {
				return errors.Join(tx.Put("a", []byte("2")), tx.Put("c", []byte("2")), tx.Delete("b"))
			})
		}()
		if err := <-done; err != nil {
			return err
		}
		got, err := all(tx, store.Range{})
		same(t, "inside the older view", got, pair{"a", "1"}, pair{"b", "1"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after", view(t, s, store.Range{}), pair{"a", "2"}, pair{"c", "2"})
}

// testContended adds one to a counter from many sides; none may be lost, and
// an update that is run again must not count twice.
func testContended(t *testing.T, s store.Store) {
	const width, each = 16, 25
	var wg sync.WaitGroup
	for w := range width {
		wg.Go(func() {
			for i := range each {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					v, err := tx.Get("n")
					if err != nil {
						return err
					}
					n, _ := strconv.Atoi(string(v))
					return errors.Join(
						tx.Put("n", []byte(strconv.Itoa(n+1))),
						tx.Put(fmt.Sprintf("by/%02d/%03d", w, i), []byte(strconv.Itoa(n+1))))
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if v := string(get(t, s, "n")); v != strconv.Itoa(width*each) {
		t.Errorf("counter %s after %d updates", v, width*each)
	}
	seen := map[string]bool{}
	for _, p := range view(t, s, store.Range{Prefix: "by/"}) {
		if seen[p.v] {
			t.Errorf("two updates saw the same counter %s", p.v)
		}
		seen[p.v] = true
	}
	if len(seen) != width*each {
		t.Errorf("%d records, want %d", len(seen), width*each)
	}
}

// testMixedFailures runs good and failing updates side by side: each gets its
// own result, and the failing ones leave nothing.
func testMixedFailures(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				mine := fmt.Errorf("mine %d %d", w, i)
				bad := (w+i)%3 == 0
				err := s.Update(context.Background(), func(tx store.Tx) error {
					kind := "good"
					if bad {
						kind = "bad"
					}
					if err := tx.Put(fmt.Sprintf("%s/%d/%d", kind, w, i), nil); err != nil || !bad {
						return err
					}
					return mine
				})
				if bad && !errors.Is(err, mine) || !bad && err != nil {
					t.Errorf("update %d %d (bad: %t): %v", w, i, bad, err)
				}
			}
		})
	}
	wg.Wait()
	want := 0
	for w := range 16 {
		for i := range 20 {
			if (w+i)%3 != 0 {
				want++
			}
		}
	}
	if n := len(view(t, s, store.Range{Prefix: "good/"})); n != want {
		t.Errorf("%d good records, want %d", n, want)
	}
	same(t, "records of failed updates", view(t, s, store.Range{Prefix: "bad/"}))
}

// testPanic: a panic reaches its caller, leaves nothing, and harms nobody else.
func testPanic(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.Update(context.Background(), func(tx store.Tx) error {
				return tx.Put(fmt.Sprintf("ok/%d", i), nil)
			}); err != nil {
				t.Errorf("neighbour: %v", err)
			}
		})
		wg.Go(func() {
			defer func() {
				if p := recover(); p != "mine" {
					t.Errorf("recovered %v, want mine", p)
				}
			}()
			_ = s.Update(context.Background(), func(tx store.Tx) error {
				_ = tx.Put("bad", nil)
				panic("mine")
			})
		})
	}
	wg.Wait()
	if v := get(t, s, "bad"); v != nil {
		t.Error("a panicking update left its writes")
	}
	if n := len(view(t, s, store.Range{Prefix: "ok/"})); n != 8 {
		t.Errorf("%d of 8 neighbours were written", n)
	}
}

func testMaxKeys(t *testing.T, s store.Store) {
	fill := func(n int, heed bool) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			for i := range n {
				k := fmt.Sprintf("k/%03d", i)
				err := tx.Put(k, []byte("1"))
				if i%2 == 1 {
					err = tx.Delete(k)
				}
				if heed && err != nil {
					return err
				}
				if again := tx.Put("k/000", []byte("2")); heed && again != nil {
					return again // the same key twice counts once
				}
			}
			return nil
		})
	}
	if err := fill(store.MaxKeys, true); err != nil {
		t.Errorf("%d keys: %v", store.MaxKeys, err)
	}
	update(t, s, func(tx store.Tx) error { return tx.Put("k/000", []byte("before")) })
	wantErr(t, "one key more", fill(store.MaxKeys+1, true), store.ErrTooManyKeys)
	wantErr(t, "one key more, refusal overlooked", fill(store.MaxKeys+1, false), store.ErrTooManyKeys)
	if v := string(get(t, s, "k/000")); v != "before" {
		t.Errorf("a refused update wrote %q", v)
	}
}

func testReadOnly(t *testing.T, s store.Store) {
	put(t, s, pair{"a", "1"})
	err := s.View(t.Context(), func(tx store.Tx) error {
		wantErr(t, "put", tx.Put("b", nil), store.ErrReadOnly)
		wantErr(t, "delete", tx.Delete("a"), store.ErrReadOnly)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after", view(t, s, store.Range{}), pair{"a", "1"})
}

// testEnded: nothing is run for a context that has ended, and a transaction
// is of no use after its function has returned.
func testEnded(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := func(store.Tx) error { t.Error("ran for an ended context"); return nil }
	wantErr(t, "view", s.View(ctx, ran), context.Canceled)
	wantErr(t, "update", s.Update(ctx, ran), context.Canceled)
	for name, do := range map[string]func(context.Context, func(store.Tx) error) error{"view": s.View, "update": s.Update} {
		var kept store.Tx
		if err := do(t.Context(), func(tx store.Tx) error { kept = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		_, gerr := kept.Get("a")
		serr := kept.Scan(store.Range{}, func(string, []byte) error { return nil })
		if gerr == nil || serr == nil || kept.Put("a", nil) == nil || kept.Delete("a") == nil {
			t.Errorf("%s: the transaction still answers after its end", name)
		}
	}
	// An update whose context ends while it waits behind another is not run.
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Update(context.Background(), func(store.Tx) error { // may be run again
			select {
			case <-held:
			default:
				close(held)
			}
			<-hold
			return nil
		})
	})
	<-held
	ctx, cancel = context.WithCancel(t.Context())
	got := make(chan error, 1)
	wg.Go(func() { got <- s.Update(ctx, func(tx store.Tx) error { return tx.Put("late", nil) }) })
	cancel()
	defer wg.Wait()
	defer close(hold)
	wantErr(t, "waiting update", <-got, context.Canceled)
	if v := get(t, s, "late"); v != nil {
		t.Error("an update wrote after its context had ended")
	}
}

func testBadKeys(t *testing.T, s store.Store) {
	err := s.Update(t.Context(), func(tx store.Tx) error {
		if tx.Put("", []byte("x")) == nil {
			t.Error("an empty key is taken")
		}
		if v, err := tx.Get(""); v != nil || err != nil {
			t.Errorf("get of an empty key: %q, %v", v, err)
		}
		return nil
	})
	if err == nil {
		t.Error("an update with a refused put was committed")
	}
	if n := len(view(t, s, store.Range{})); n != 0 {
		t.Errorf("%d keys, want none", n)
	}
}
