package incident

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

var png = []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("picture", 100_000)) // 700 kB: three values

func aPin(w *watch, text string) Pin {
	return Pin{Message: "slack/C1/1.2", At: w.now().Add(-time.Hour), Author: ben, Text: text, Link: "https://example.slack.com/archives/C1/p12", By: ana}
}

func TestPin(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	img := must[PinImage](t)(b.KeepImage(ctx, id, "graph\n.png", png))
	if img.Type != "image/png" || img.Name != "graph .png" || img.Left != "" {
		t.Fatalf("%+v", img)
	}
	pin := aPin(w, "the forum says images are down")
	pin.Images = []PinImage{img}
	one := must[Pinned](t)(b.Pin(ctx, id, pin))
	e := one.Entry
	if !one.Added || e.Kind != PinKind || !e.At.Equal(pin.At) || e.By != ben || e.Link != pin.Link || e.Evidence.Pin.By != ana || !e.Evidence.Pin.Pinned.Equal(w.now()) {
		t.Fatalf("%+v", one)
	}
	two := must[Pinned](t)(b.Pin(ctx, id, pin))
	if two.Added || two.Back || two.Changed || two.Entry.ID != e.ID || two.Entry.Version != 1 {
		t.Errorf("a second pin: %+v", two)
	}
	data, kind, err := b.Image(ctx, id, img.SHA256)
	if err != nil || kind != "image/png" || !bytes.Equal(data, png) {
		t.Errorf("%d bytes of %s, %v", len(data), kind, err)
	}

	w.add(time.Minute)
	off, done, err := b.Unpin(ctx, pin.Message, ana)
	if err != nil || !done || !off.Entry.Dropped || off.Entry.By != ana {
		t.Fatalf("%+v %t %v", off, done, err)
	}
	if _, done, _ := b.Unpin(ctx, pin.Message, ben); done {
		t.Error("un-pinned twice")
	}
	if _, done, _ := b.Repin(ctx, pin.Message, "changed while it was off", false, w.now()); done {
		t.Error("what was taken off was changed")
	}
	pin.By = ben
	back := must[Pinned](t)(b.Pin(ctx, id, pin))
	if back.Added || !back.Back || back.Entry.ID != e.ID || back.Entry.Evidence.Pin.By != ben || back.Entry.Dropped {
		t.Errorf("brought back: %+v", back)
	}

	changed, done, err := b.Repin(ctx, pin.Message, "the forum says: password=hunter2secret", false, w.now())
	if err != nil || !done || !changed.Cut || strings.Contains(changed.Entry.Text, "hunter2") || changed.Entry.Version != 4 || changed.Entry.By != ben {
		t.Errorf("%+v %t %v", changed, done, err)
	}
	if _, done, _ := b.Repin(ctx, pin.Message, "an edit that comes late", false, w.now().Add(-time.Second)); done {
		t.Error("an earlier edit replaced a later one")
	}
	w.add(time.Minute)
	gone, done, err := b.Repin(ctx, pin.Message, "", true, w.now())
	if err != nil || !done || !strings.Contains(gone.Entry.Text, "the forum says") || !strings.HasSuffix(gone.Entry.Text, "[deleted by its author at 2023-02-28 01:59 UTC]") || !gone.Entry.Evidence.Pin.Deleted.Equal(w.now()) {
		t.Errorf("%+v %t %v", gone, done, err)
	}
	if _, done, _ := b.Repin(ctx, pin.Message, "", true, w.now()); done {
		t.Error("deleted twice")
	}
	tl := must[[]Entry](t)(b.Timeline(ctx, id))
	pins := slices.DeleteFunc(tl, func(e Entry) bool { return e.Kind != PinKind })
	if len(pins) != 1 || !pins[0].At.Equal(pin.At) || len(pins[0].Evidence.Pin.Images) != 1 {
		t.Errorf("%+v", pins)
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Error("chain broken at", broken)
	}
}

// A message's text as a person corrected it is kept from what platforms tell
// again and again (a preview was added); the author's own change wins.
func TestPinCorrected(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	pin := aPin(w, "imgs dwn")
	e := must[Pinned](t)(b.Pin(ctx, id, pin)).Entry
	must[Entry](t)(b.Correct(ctx, id, e.ID, Correction{Text: "images are down"}, Change{By: ana}))
	if _, done, err := b.Repin(ctx, pin.Message, "imgs dwn", false, w.now()); done || err != nil {
		t.Error("the correction was undone", err)
	}
	if out := must[Pinned](t)(b.Pin(ctx, id, pin)); out.Changed || out.Entry.Text != "images are down" {
		t.Errorf("%+v", out)
	}
	w.add(time.Minute)
	if out, done, _ := b.Repin(ctx, pin.Message, "images still down", false, w.now()); !done || out.Entry.Text != "images still down" {
		t.Errorf("%+v", out)
	}
	must[Entry](t)(b.Correct(ctx, id, e.ID, Correction{Drop: true, Why: "another outage"}, Change{By: ana}))
	got := must[Entry](t)(b.Entry(ctx, id, e.ID))
	if !got.Dropped || got.Evidence.Pin.Why != "another outage" || got.Evidence.Change.What != "" {
		t.Errorf("%+v", got)
	}
	if out := must[Pinned](t)(b.Pin(ctx, id, pin)); !out.Back || out.Entry.ID != e.ID || out.Entry.Evidence.Pin.Why != "" {
		t.Errorf("%+v", out)
	}
}

func TestPinElsewhereAndMerge(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	first := declare(t, b).ID
	second := must[Incident](t)(b.Declare(ctx, Declaration{Title: "other", By: ben}, true)).ID
	pin := aPin(w, "images are down")
	pin.Images = []PinImage{must[PinImage](t)(b.KeepImage(ctx, first, "a.png", png))}
	e := must[Pinned](t)(b.Pin(ctx, first, pin)).Entry
	_, err := b.Pin(ctx, second, pin)
	var other *PinnedElsewhereError
	if !errors.As(err, &other) || other.Incident != first || other.Entry != e.ID {
		t.Fatalf("%v", err)
	}
	if _, _, err := b.Unpin(ctx, pin.Message, ana); err != nil {
		t.Fatal(err)
	}
	if out := must[Pinned](t)(b.Pin(ctx, second, pin)); !out.Added || out.Entry.Incident != second || out.Entry.Evidence.Pin.Images[0].Left == "" {
		t.Errorf("moved: %+v", out) // the image was kept with the first only
	}
	if _, err := b.Correct(ctx, first, e.ID, Correction{Text: "brought back by hand"}, Change{By: ana}); !errors.As(err, &other) || other.Incident != second {
		t.Errorf("a correction put it on a second timeline: %v", err)
	}
	if _, _, err := b.Unpin(ctx, pin.Message, ana); err != nil {
		t.Fatal(err)
	}
	if out := must[Pinned](t)(b.Pin(ctx, first, pin)); !out.Back || out.Entry.ID != e.ID {
		t.Errorf("moved back: %+v", out)
	}
	if _, _, err := b.Merge(ctx, first, second, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	out := must[Pinned](t)(b.Pin(ctx, second, pin))
	if out.Added || out.Back || out.Changed || out.Entry.Text != "From "+first+": images are down" {
		t.Errorf("pinned again after a merge: %+v", out)
	}
	if data, _, err := b.Image(ctx, second, out.Entry.Evidence.Pin.Images[0].SHA256); err != nil || !bytes.Equal(data, png) {
		t.Errorf("the image did not come along: %d bytes, %v", len(data), err)
	}
	if now, done, err := b.Repin(ctx, pin.Message, "images are up", false, w.now()); err != nil || !done || now.Incident.ID != second {
		t.Errorf("an edit after a merge: %+v %t %v", now, done, err)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	for name, data := range map[string][]byte{
		"page.png":  []byte("<html><script>alert(1)</script></html>"),
		"logo.svg":  []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`),
		"empty.png": nil,
		"huge.png":  append(bytes.Clone(png[:8]), make([]byte, MaxImage)...),
	} {
		img, err := b.KeepImage(ctx, id, name, data)
		if err != nil || img.Left == "" || img.SHA256 != "" {
			t.Errorf("%s: %+v, %v", name, img, err)
		}
	}
	for n := range MaxImages / MaxImage { // fill the incident
		data := append(bytes.Clone(png[:8]), make([]byte, MaxImage-9)...)
		img, err := b.KeepImage(ctx, id, "a.png", append(data, byte(n)))
		if err != nil || img.Left != "" {
			t.Fatalf("%d: %+v, %v", n, img, err)
		}
	}
	if img := must[PinImage](t)(b.KeepImage(ctx, id, "a.png", png)); !strings.Contains(img.Left, "64 MiB") || img.SHA256 != "" {
		t.Errorf("beyond the cap: %+v", img)
	}
	for _, sha := range []string{"", "..", strings.Repeat("0", 64), strings.Repeat("0", 63) + "/"} {
		if _, _, err := b.Image(ctx, id, sha); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", sha, err)
		}
	}
}

// An image whose bytes were changed on the disk is not handed out.
func TestImageChanged(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	img := must[PinImage](t)(b.KeepImage(ctx, id, "a.png", png))
	if err := b.s.Update(ctx, func(tx store.Tx) error { return tx.Put(imageKey(1, img.SHA256)+"/"+padded(2), []byte("x")) }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Image(ctx, id, img.SHA256); !errors.Is(err, ErrImage) {
		t.Error(err)
	}
}

// Whatever is pinned, un-pinned, edited, corrected, deleted, merged and
// restarted in whatever order: each message is one entry of one incident at
// most, and the chain holds.
func TestRandomPins(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b, w := testBook(t)
			ctx := t.Context()
			r := rand.New(rand.NewPCG(seed, 7))
			ids := []string{declare(t, b).ID}
			for range 2 {
				ids = append(ids, must[Incident](t)(b.Declare(ctx, Declaration{Title: "more", By: ben}, true)).ID)
			}
			on := map[string]bool{} // what is on a timeline, by message
			for range 120 {
				w.add(time.Second)
				id, m := ids[r.IntN(len(ids))], fmt.Sprintf("slack/C1/%d", r.IntN(5))
				var err error
				switch r.IntN(9) {
				case 0, 1, 2:
					if i := must[Incident](t)(b.Incident(ctx, id)); i.Status == Duplicate {
						id = i.DuplicateOf
					}
					_, err = b.Pin(ctx, id, Pin{Message: m, At: w.now().Add(-time.Minute), Author: ben, Text: fmt.Sprint("text ", r.IntN(3)), By: ana})
					on[m] = on[m] || err == nil
				case 3, 4:
					if _, _, err = b.Unpin(ctx, m, ana); err == nil {
						on[m] = false
					}
				case 5:
					_, _, err = b.Repin(ctx, m, fmt.Sprint("text ", r.IntN(3)), r.IntN(8) == 0, w.now())
				case 6:
					b = NewBook(b.s, w.now)
				case 7:
					if i, e, e2 := b.PinOf(ctx, m); e2 == nil && i.Status != Duplicate {
						_, err = b.Correct(ctx, i.ID, e.ID, Correction{Text: "corrected", Drop: r.IntN(2) == 0}, Change{By: ana})
						e, _ := b.Entry(ctx, i.ID, e.ID)
						on[m] = !e.Dropped
					}
				case 8:
					if r.IntN(10) == 0 {
						_, _, err = b.Merge(ctx, id, ids[0], Change{By: ana})
					}
				}
				var other *PinnedElsewhereError
				if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrState) && !errors.As(err, &other) {
					t.Fatal(err)
				}
			}
			live := map[string]int{}
			for _, id := range ids {
				entries := map[string]string{}
				for _, e := range must[[]Entry](t)(b.History(ctx, id)) {
					if m := e.Evidence.Pin.Message; m != "" {
						if was, ok := entries[m]; ok && was != e.ID {
							t.Errorf("%s has message %s twice: %s and %s", id, m, was, e.ID)
						}
						entries[m] = e.ID
					}
				}
				if i := must[Incident](t)(b.Incident(ctx, id)); i.Status == Duplicate {
					continue // its messages went to the other
				}
				for _, e := range must[[]Entry](t)(b.Timeline(ctx, id)) {
					if m := e.Evidence.Pin.Message; m != "" {
						live[m]++
					}
				}
				if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
					t.Errorf("%s broken at %s", id, broken)
				}
			}
			for m, is := range on {
				if want := map[bool]int{true: 1}[is]; live[m] != want {
					t.Errorf("message %s is on %d timelines, want %d", m, live[m], want)
				}
			}
		})
	}
}
