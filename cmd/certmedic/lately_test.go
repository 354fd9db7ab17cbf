package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// TestLately: every open incident is told of, also beyond the newest 200; those
// that ended lately too, whenever they were declared; older ones are not; one
// that is reopened is there again.
func TestLately(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "x.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	book := incident.NewBook(s, func() time.Time { return now })
	ana := incident.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}
	declare := func(title string) incident.Incident {
		t.Helper()
		i, err := book.Declare(ctx, incident.Declaration{Title: title, Severity: 3, By: ana}, true)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	end := func(id string) {
		t.Helper()
		if _, err := book.Cancel(ctx, id, incident.Change{By: ana, Reason: "no incident", Text: "no incident"}); err != nil {
			t.Fatal(err)
		}
	}
	first := declare("the first, open all the time")
	second := declare("the second, ended after all others")
	for n := range 230 {
		i := declare(fmt.Sprintf("number %d", n))
		if n%2 == 0 {
			end(i.ID)
		}
	}
	has := func(l *lately, id string) bool {
		t.Helper()
		all, err := l.list(ctx, book, now)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, i := range all {
			if i.ID == id {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%s is told of %d times", id, n)
		}
		return n == 1
	}
	now = now.Add(31 * 24 * time.Hour)
	l := &lately{}
	if all, err := l.list(ctx, book, now); err != nil || len(all) != 2+115 {
		t.Fatalf("%d of 117: %v", len(all), err)
	}
	if !has(l, first.ID) || !has(l, second.ID) || has(l, "INC-3") {
		t.Error("an open one is missing, or an old one is there")
	}
	end(second.ID)
	if !has(l, second.ID) || !has(&lately{}, second.ID) {
		t.Error("one that ended just now is missing")
	}
	quick := declare("declared and ended between two looks")
	end(quick.ID)
	if !has(l, quick.ID) {
		t.Error("one that was declared and ended between two looks is missing")
	}
	if _, err := book.Reopen(ctx, "INC-3", incident.Change{By: ana, Reason: "again", Text: "again"}); err != nil {
		t.Fatal(err)
	}
	if !has(l, "INC-3") {
		t.Error("the reopened one is missing")
	}
	now = now.Add(31 * 24 * time.Hour)
	if has(l, second.ID) || !has(l, first.ID) {
		t.Error("after a month an ended one is there, or an open one is not")
	}
}
