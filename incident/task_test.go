package incident

import (
	"errors"
	"testing"
	"time"
)

// Action items are numbered across incidents, live on after the close, and are
// made and done once.
func TestTasks(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	first := declare(t, b).ID
	second := must[Incident](t)(b.Declare(ctx, Declaration{Title: "another", By: ben, Private: true}, false)).ID
	due := utc(t, "2023-03-03", "17:30")
	want := Task{Text: "renew without a person", Owner: ben, Due: due}
	_, one, err := b.AddTask(ctx, first, want, Change{By: ana, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if one.ID != "T-1" || one.Kind != Prevent || one.Owner != ben || !one.Due.Equal(utc(t, "2023-03-03", "00:00")) || one.Incident != first || !one.Open() {
		t.Errorf("%+v", one)
	}
	if i, again, err := b.AddTask(ctx, first, want, Change{By: ana, Key: "k"}); err != nil || again != one || len(i.Tasks) != 1 {
		t.Errorf("the same key again: %+v %v", again, err)
	}
	if _, two, err := b.AddTask(ctx, second, Task{Text: "x", Kind: Detect}, Change{By: ben}); err != nil || two.ID != "T-2" || two.Incident != second {
		t.Errorf("of another incident: %+v %v", two, err)
	}
	if _, _, err := b.AddTask(ctx, first, Task{Text: "x", Kind: "hope"}, Change{By: ben}); !errors.Is(err, ErrState) {
		t.Errorf("kind hope: %v", err)
	}
	must[Incident](t)(b.Close(ctx, first, Change{By: ana, Reason: "over"}))
	w.add(time.Hour)
	if _, _, err := b.DoTask(ctx, "t-1", Change{By: ben, At: one.At.Add(-time.Minute)}); !errors.Is(err, ErrOrder) {
		t.Errorf("done before it was written: %v", err)
	}
	again := NewBook(b.s, w.now) // a restart
	i, got, err := again.DoTask(ctx, "T-1", Change{By: ben, Text: "cron is gone"})
	if err != nil || got.Open() || got.DoneBy != ben || got.How != "cron is gone" || i.ID != first {
		t.Errorf("done: %+v %v", got, err)
	}
	if j, _, err := again.DoTask(ctx, "T-1", Change{By: ana}); err != nil || j.Entries != i.Entries {
		t.Errorf("done twice: %d lines, were %d, %v", j.Entries, i.Entries, err)
	}
	for _, bad := range []string{"T-9", "T-0", "T-01", "x", ""} {
		if _, _, err := b.DoTask(ctx, bad, Change{By: ana}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	open, all := must[[]Task](t)(b.Tasks(ctx, false)), must[[]Task](t)(b.Tasks(ctx, true))
	if len(open) != 1 || open[0].ID != "T-2" || len(all) != 2 || all[0] != got {
		t.Errorf("open %+v all %+v", open, all)
	}
	for _, id := range []string{first, second} {
		if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
			t.Errorf("%s broken at %s", id, broken)
		}
	}
}
