package incident

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// Any byte of any line that changes shows, and says where.
func TestVerifyEveryByte(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	for n := range 4 {
		b.Append(ctx, id, Entry{By: ben, Text: fmt.Sprintf("note <%d> & ünï", n), Link: "https://x.example/?a=1&b", Key: fmt.Sprint("k", n), Evidence: Evidence{Check: CheckEvidence{Certificate: "media", Verdict: "critical"}}})
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Fatalf("untouched, but broken at %s", broken)
	}
	var line []byte
	key := lineKey(1, 3)
	b.s.View(ctx, func(tx store.Tx) (err error) { line, err = tx.Get(key); return err })
	prev := must[[]Entry](t)(b.History(ctx, id))[1].Hash
	if name, _ := checkLine(1, 3, key, line, prev); name != "" {
		t.Fatalf("untouched line: %s", name)
	}
	for n := range line {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			changed := append([]byte(nil), line...)
			changed[n] ^= flip
			if name, _ := checkLine(1, 3, key, changed, prev); name == "" {
				t.Errorf("byte %d (%q) changed by %#x and nothing shows", n, line[n], flip)
			}
		}
	}
}

func TestVerifyStore(t *testing.T) {
	t.Parallel()
	get := func(tx store.Tx, n int) []byte { v, _ := tx.Get(lineKey(1, n)); return v }
	for name, c := range map[string]struct {
		harm func(tx store.Tx) error
		want string
	}{
		"last line gone":   {func(tx store.Tx) error { return tx.Delete(lineKey(1, 5)) }, "line 5"},
		"middle line gone": {func(tx store.Tx) error { return tx.Delete(lineKey(1, 3)) }, "line 3"},
		"lines swapped": {func(tx store.Tx) error {
			a, b := get(tx, 2), get(tx, 3)
			tx.Put(lineKey(1, 2), b)
			return tx.Put(lineKey(1, 3), a)
		}, "E-3"},
		"line added":    {func(tx store.Tx) error { return tx.Put(lineKey(1, 6), get(tx, 5)) }, "E-5"},
		"line not JSON": {func(tx store.Tx) error { return tx.Put(lineKey(1, 4), []byte("?")) }, "line 4"},
		// The hash of the line itself is right: only the chain shows it.
		"middle line forged": {func(tx store.Tx) error { return forge(tx, 3) }, "E-4"},
		"last line forged":   {func(tx store.Tx) error { return forge(tx, 5) }, "line 5"},
		"everything gone":    {func(tx store.Tx) error { return deleteLines(tx) }, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := testBook(t)
			id := declare(t, b).ID
			for n := range 4 {
				b.Append(t.Context(), id, Entry{Text: fmt.Sprint("note ", n)})
			}
			if err := b.s.Update(t.Context(), c.harm); err != nil {
				t.Fatal(err)
			}
			if got := must[string](t)(b.Verify(t.Context(), id)); got != c.want {
				t.Errorf("broken at %q, want %q", got, c.want)
			}
		})
	}
}

func forge(tx store.Tx, n int) error {
	v, err := tx.Get(lineKey(1, n))
	if err != nil {
		return err
	}
	var l diskLine
	if err := json.Unmarshal(v, &l); err != nil {
		return err
	}
	l.Text = "it was somebody else"
	if l.Hash, err = hashOf(1, l); err != nil {
		return err
	}
	if v, err = json.Marshal(l); err != nil {
		return err
	}
	return tx.Put(lineKey(1, n), v)
}

func deleteLines(tx store.Tx) error {
	for n := 1; n <= 5; n++ {
		if err := tx.Delete(lineKey(1, n)); err != nil {
			return err
		}
	}
	return nil
}

// A part of a line that is taken out, its digest left, leaves the chain whole;
// taking it out and changing something else does not.
func TestVerifyWithPartTakenOut(t *testing.T) {
	t.Parallel()
	l := diskLine{V: 1, Line: 1, Entry: 1, Version: 1, Kind: NoteKind, By: toDisk(ana), Text: "ana was here", Salts: saltsFrom(newSeed(), 1)}
	h, err := hashOf(1, l)
	if err != nil {
		t.Fatal(err)
	}
	out := l
	out.Digests.Text = digest(l.Salts.Text, "", []byte(l.Text))
	out.Salts.Text, out.Text = "", "[name removed] was here"
	if got, _ := hashOf(1, out); got != h {
		t.Error("the chain breaks when a part is taken out by the rule")
	}
	out.Kind = Report
	if got, _ := hashOf(1, out); got == h {
		t.Error("a changed kind does not show")
	}
	if a, b := saltsFrom(newSeed(), 1), saltsFrom(newSeed(), 1); a == b || a.By == a.Text {
		t.Error("salts repeat")
	}
}
