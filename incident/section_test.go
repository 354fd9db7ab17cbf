package incident

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// Words that somebody has not seen are not replaced; who has seen them, or
// does not say what they saw, replaces them; each section by itself, also
// after the record was opened anew, and in another incident alike.
func TestReplaceSection(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := must[Incident](t)(b.Declare(ctx, Declaration{Title: "images", By: ana}, false)).ID
	seen := must[Incident](t)(b.Incident(ctx, id)).Entries
	must[Incident](t)(b.ReplaceSection(ctx, id, "lessons", "ana's", seen, Change{By: ana, Key: "one"}))
	if _, err := b.ReplaceSection(ctx, id, "lessons", "ben's", seen, Change{By: ben}); !errors.Is(err, ErrStale) {
		t.Errorf("words that ben has not seen: %v", err)
	}
	must[Incident](t)(b.ReplaceSection(ctx, id, "lessons", "ana's", seen, Change{By: ana, Key: "one"})) // the same once more is done
	must[Incident](t)(b.ReplaceSection(ctx, id, "impact", "ben's", seen, Change{By: ben}))
	b = NewBook(b.s, w.now)
	if _, err := b.ReplaceSection(ctx, id, "lessons", "ben's", seen, Change{By: ben}); !errors.Is(err, ErrStale) {
		t.Errorf("after a restart: %v", err)
	}
	seen = must[Incident](t)(b.Incident(ctx, id)).Entries
	must[Incident](t)(b.ReplaceSection(ctx, id, "lessons", "ben's", seen, Change{By: ben}))
	must[Incident](t)(b.SetSection(ctx, id, "lessons", "ana again", Change{By: ana}))

	// Many at once on the same page: one is first.
	seen = must[Incident](t)(b.Incident(ctx, id)).Entries
	w.add(time.Minute)
	var all sync.WaitGroup
	results := make(chan error, 8)
	for range 8 {
		all.Go(func() {
			_, err := b.ReplaceSection(ctx, id, "summary", "mine", seen, Change{By: ben})
			results <- err
		})
	}
	all.Wait()
	close(results)
	done := 0
	for err := range results {
		if err == nil {
			done++
		} else if !errors.Is(err, ErrStale) {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d of 8 wrote over what they had not seen", done-1)
	}
}
