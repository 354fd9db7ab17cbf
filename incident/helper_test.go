package incident

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// watch is a clock that tests set.
type watch struct {
	mu sync.Mutex
	t  time.Time
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.t
}

func (w *watch) set(t time.Time) { w.mu.Lock(); w.t = t; w.mu.Unlock() }

func (w *watch) add(d time.Duration) { w.set(w.now().Add(d)) }

// testStore opens a record in a directory of the test's own.
func testStore(t testing.TB) store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"), store.Options{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// testBook is a book at 01:57 UTC on 28 February 2023, and its clock.
func testBook(t testing.TB) (*Book, *watch) {
	t.Helper()
	w := &watch{t: time.Date(2023, 2, 28, 1, 57, 0, 0, time.UTC)}
	return NewBook(testStore(t), w.now), w
}

var (
	ana = Person{ID: "web:ana", Name: "ana", Platform: "web"}
	ben = Person{ID: "web:ben", Name: "ben", Platform: "web"}
)

// utc reads "15:04" or "15:04:05" of a day.
func utc(t testing.TB, day, clock string) time.Time {
	t.Helper()
	if len(clock) == 5 {
		clock += ":00"
	}
	at, err := time.Parse("2006-01-02 15:04:05", day+" "+clock)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// declare opens an incident on media.
func declare(t testing.TB, b *Book) Incident {
	t.Helper()
	i, err := b.Declare(t.Context(), Declaration{Title: "images down", Severity: 1, Certificates: []string{"media"}, Owner: "web", By: ana}, false)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
