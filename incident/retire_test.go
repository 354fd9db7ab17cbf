package incident

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

func closed(t *testing.T, b *Book, title string) string {
	t.Helper()
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: title, By: ana, Certificates: []string{"media"}}, true))
	must[Incident](t)(b.Close(t.Context(), i.ID, Change{By: ana, Reason: "over"}))
	return i.ID
}

func TestRetire(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := closed(t, b, "walrus")
	for range 100 {
		if _, _, _, err := b.Append(ctx, id, Entry{By: ana, Text: "walrus"}); err != nil {
			t.Fatal(err)
		}
	}
	pin := aPin(w, "walrus pinned")
	pin.Images = []PinImage{must[PinImage](t)(b.KeepImage(ctx, id, "walrus.png", png))}
	must[Pinned](t)(b.Pin(ctx, id, pin))
	if _, _, err := b.AddTask(ctx, id, Task{Text: "walrus"}, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	open := declare(t, b).ID
	w.add(400 * day)
	young := closed(t, b, "young")
	year := w.now().Add(-365 * day)
	if ids, err := b.Retire(ctx, year); err != nil || len(ids) != 0 {
		t.Fatalf("with an open action item: %v %v", ids, err)
	}
	if _, _, err := b.DoTask(ctx, "T-1", Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	w.add(366 * day)
	ids, err := b.Retire(ctx, w.now().Add(-366*day+time.Minute))
	if err != nil || len(ids) != 2 || ids[0] != id || ids[1] != young {
		t.Fatalf("%v %v", ids, err)
	}
	all := raw(t, b.s)
	for _, word := range []string{"walrus", "incident/INC-1/", "image/INC-1", "incident/task/", keyPin} {
		if bytes.Contains(all, []byte(word)) {
			t.Errorf("%s is there still", word)
		}
	}
	if _, err := b.Incident(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	g, found, err := b.Gone(ctx, id)
	if err != nil || !found || g.Lines < 100 || g.Head == "" || !g.Removed.Equal(w.now()) {
		t.Errorf("%+v %t %v", g, found, err)
	}
	if missing, gone, err := b.Missing(ctx); err != nil || len(missing) != 0 || gone != 2 {
		t.Errorf("%v %d %v", missing, gone, err)
	}
	list := must[[]Incident](t)(b.List(ctx, Filter{}))
	if len(list) != 1 || list[0].ID != open {
		t.Errorf("%+v", list)
	}
	if tasks := must[[]Task](t)(b.Tasks(ctx, true)); len(tasks) != 0 {
		t.Errorf("%+v", tasks)
	}
	if again := must[Pinned](t)(b.Pin(ctx, open, pin)); !again.Added {
		t.Errorf("its message cannot be pinned elsewhere: %+v", again)
	}
	if next := must[Incident](t)(b.Declare(ctx, Declaration{Title: "next", By: ana}, true)); next.ID != "INC-4" {
		t.Errorf("the next one is %s", next.ID)
	}
	if ids, err := b.Retire(ctx, w.now()); err != nil || len(ids) != 0 {
		t.Errorf("again: %v %v", ids, err)
	}
}

// Whatever a kill cuts short is finished by the next Retire, and in between
// nothing is half there for readers.
func TestRetireResumes(t *testing.T) {
	t.Parallel()
	for stop := 1; ; stop++ {
		b, w := testBook(t)
		id := closed(t, b, "walrus")
		for range 60 {
			if _, _, _, err := b.Append(t.Context(), id, Entry{By: ana, Text: "walrus"}); err != nil {
				t.Fatal(err)
			}
		}
		w.add(10 * day)
		cut := &failing{Store: b.s, left: stop}
		_, err := NewBook(cut, w.now).Retire(t.Context(), w.now())
		if err == nil {
			if stop < 4 {
				t.Fatalf("%d transactions only", stop)
			}
			return
		}
		for _, i := range must[[]Incident](t)(b.List(t.Context(), Filter{})) {
			if broken := must[string](t)(b.Verify(t.Context(), i.ID)); broken != "" {
				t.Errorf("after %d: it is listed and broken at %s", stop, broken)
			}
		}
		if missing, _, err := b.Missing(t.Context()); err != nil || len(missing) != 0 {
			t.Errorf("after %d: missing %v %v", stop, missing, err)
		}
		if _, err := b.Retire(t.Context(), w.now()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw(t, b.s), []byte("walrus")) {
			t.Errorf("after %d: it is there still", stop)
		}
	}
}

// failing is a store whose Updates fail after some.
type failing struct {
	store.Store
	left int
}

var errCut = errors.New("cut short")

func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.left--; f.left < 0 {
		return errCut
	}
	return f.Store.Update(ctx, fn)
}

// An incident that somebody took away is missing.
func TestMissing(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	declare(t, b)
	second := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana}, true)).ID
	if err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(keyRecord + padded(1)) }); err != nil {
		t.Fatal(err)
	}
	missing, gone, err := b.Missing(t.Context())
	if err != nil || gone != 0 || strings.Join(missing, " ") != "INC-1" {
		t.Errorf("%v %d %v; there is %s", missing, gone, err, second)
	}
}
