package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// A line that was changed, and one that was taken away, are named; the other
// incidents still fit.
func TestVerifyFindsWhatWasChanged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg := config{Data: filepath.Join(t.TempDir(), "certmedic.db")}
	s, err := store.Open(ctx, cfg.Data, store.Options{Program: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	book := incident.NewBook(s, time.Now)
	for _, title := range []string{"one", "two", "three"} {
		i, err := book.Declare(ctx, incident.Declaration{Title: title}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"first", "second"} {
			if _, _, _, err := book.Append(ctx, i.ID, incident.Entry{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = s.Update(ctx, func(tx store.Tx) error {
		key := "incident/INC-1/line/00000002"
		v, err := tx.Get(key)
		if err != nil || !bytes.Contains(v, []byte("first")) {
			t.Fatalf("%s: %s %v", key, v, err)
		}
		if err := tx.Put(key, bytes.Replace(v, []byte("first"), []byte("FIRST"), 1)); err != nil {
			return err
		}
		return tx.Delete("incident/INC-3/line/00000003")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	broken, err := verify(ctx, cfg, nil, &out)
	if err != nil || broken != 2 || !strings.Contains(out.String(), "INC-1: E-2 does not fit") || !strings.Contains(out.String(), "INC-3: line 3 does not fit") || !strings.Contains(out.String(), "1 of 3 timelines fit") {
		t.Errorf("%d broken, %v:\n%s", broken, err, &out)
	}
}
