package incident

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/store"
)

// oneUpdate is a store that takes one Update, as if killed after it.
type oneUpdate struct {
	store.Store
	done bool
}

var errKilled = errors.New("killed")

func (s *oneUpdate) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.done {
		return errKilled
	}
	s.done = true
	return s.Store.Update(ctx, fn)
}

// What a tracker says, and that it was read, is written together.
func TestSawTaskAtOnce(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	if _, _, err := b.AddTask(ctx, id, Task{Text: "renew sooner", Kind: "prevent"}, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExportTask(ctx, "T-1", "jira", Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExportedTask(ctx, "T-1", Export{State: ExportDone, Ref: "TLS-4", URL: "https://jira.example.com/browse/TLS-4"}, Change{}); err != nil {
		t.Fatal(err)
	}
	w.add(day)
	b.s = &oneUpdate{Store: b.s}
	_, task, err := b.SawTask(ctx, "T-1", ThereDone, w.now(), Change{})
	list := must[[]Task](t)(b.Exports(ctx))
	if err != nil || task.Export.There != ThereDone || len(list) != 1 || !list[0].Export.Seen.Equal(w.now()) || list[0].Export.There != ThereDone {
		t.Errorf("%+v %+v %v", task.Export, list, err)
	}
}

// However large alerts are in all their parts, a key holds no more than it may.
func TestParcelBytes(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	var list []string
	for n := range maxHeardList {
		list = append(list, fmt.Sprint(n)+strings.Repeat("\u00e9", 250))
	}
	var all []HeardAlert
	for n := range 300 {
		all = append(all, HeardAlert{Source: "s", ID: fmt.Sprint(n), Title: strings.Repeat("<", 200), Hosts: list, Names: list})
	}
	if err := b.TakeAlerts(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := b.s.View(t.Context(), func(tx store.Tx) error {
		return tx.Scan(store.Range{Prefix: keyHeardIn}, func(key string, v []byte) error {
			if len(v) > parcelBytes+1<<10 {
				t.Errorf("%s has %d KiB", key, len(v)>>10)
			}
			return nil
		})
	})
	for _, p := range must[[]Parcel](t)(b.Parcels(t.Context(), "", 0)) {
		for _, a := range p.Alerts {
			if a.ID != fmt.Sprint(n) || len(a.Hosts) != maxHeardList {
				t.Fatalf("alert %d: %+v", n, a)
			}
			n++
		}
	}
	if err != nil || n != len(all) {
		t.Errorf("%d of %d alerts, %v", n, len(all), err)
	}
}

// An image that came on no line is taken away with its bytes, and what is on a
// line, by whatever way, is not.
func TestDropImages(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	first := declare(t, b).ID
	second := must[Incident](t)(b.Declare(ctx, Declaration{Title: "other", By: ben}, true)).ID
	big := append(bytes.Clone(png[:8]), make([]byte, 3*imageChunk)...)
	keep := func(id string, data []byte) []PinImage {
		return []PinImage{must[PinImage](t)(b.KeepImage(ctx, id, "a.png", data))}
	}
	kept := func(id string) (bytes int64, keys int) {
		err := b.s.View(ctx, func(tx store.Tx) error {
			num, _ := number(id)
			r, err := getIncident(tx, num)
			bytes = r.ImageBytes
			return errors.Join(err, tx.Scan(store.Range{Prefix: keyImage + id + "/"}, func(string, []byte) error { keys++; return nil }))
		})
		if err != nil {
			t.Fatal(err)
		}
		return bytes, keys
	}
	lone := keep(first, big)
	if n, keys := kept(first); n != int64(len(big)) || keys != 5 {
		t.Errorf("kept: %d bytes, %d keys", n, keys)
	}
	for range 2 {
		if err := b.DropImages(ctx, first, append(lone, PinImage{Left: "too large"})); err != nil {
			t.Fatal(err)
		}
		if n, keys := kept(first); n != 0 || keys != 0 {
			t.Errorf("dropped: %d bytes, %d keys", n, keys)
		}
	}
	pin := aPin(w, "images are down")
	pin.Images = keep(first, png)
	must[Pinned](t)(b.Pin(ctx, first, pin))
	again := keep(second, png) // kept there, then the line comes with a merge
	if _, _, err := b.Merge(ctx, first, second, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	for id, images := range map[string][]PinImage{first: keep(first, png), second: again} {
		if err := b.DropImages(ctx, id, images); err != nil {
			t.Fatal(err)
		}
		if n, keys := kept(id); n != int64(len(png)) || keys != 1+(len(png)+imageChunk-1)/imageChunk {
			t.Errorf("%s: %d bytes, %d keys after what is on a line was to be dropped", id, n, keys)
		}
	}
}

// A merge of private incidents that an earlier version did is not done twice.
func TestMergePrivateAgain(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	var ids []string
	for range 2 {
		ids = append(ids, must[Incident](t)(b.Declare(ctx, Declaration{Title: "keys leaked", By: ben, Private: true}, true)).ID)
	}
	e, _, _, err := b.Append(ctx, ids[0], Entry{By: ben, Text: "seen"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := b.Append(ctx, ids[1], Entry{By: ben, Text: "From INC-1: seen", Key: "merge/" + ids[0] + "/" + e.ID}); err != nil {
		t.Fatal(err)
	}
	if _, n, err := b.Merge(ctx, ids[0], ids[1], Change{By: ben}); err != nil || n != 0 {
		t.Errorf("%d lines came again, %v", n, err)
	}
}
