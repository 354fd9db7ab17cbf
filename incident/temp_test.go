package incident

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A temporary change refuses the close until it is undone or somebody says why
// not; both acts are lines, and doing one twice does it once.
func TestTemps(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	c := Change{By: ana, Text: "the CDN points elsewhere", Key: "k1"}
	_, one, err := b.AddTemp(ctx, id, "set the CNAME back", c)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = b.AddTemp(ctx, id, "", Change{By: ben, Text: "alert is quiet", Key: "k2"}); err != nil {
		t.Fatal(err)
	}
	i, again, err := b.AddTemp(ctx, id, "x", c)
	if err != nil || again != one || len(i.Temps) != 2 || one.N != 1 || one.By != ana || one.Undo != "set the CNAME back" || one.Entry != "E-2" {
		t.Errorf("the same key again: %+v %+v %v", i.Temps, again, err)
	}
	w.add(time.Minute)
	must[Incident](t)(b.SetImpact(ctx, id, "images", Change{By: ana}))
	must[Incident](t)(b.Resolve(ctx, id, nil, Change{By: ana}))
	if _, err := b.Close(ctx, id, Change{By: ana}); !errors.Is(err, ErrTemps) {
		t.Errorf("close with two: %v", err)
	}
	if _, _, err := b.UndoTemp(ctx, id, 1, Change{By: ben, At: one.At.Add(-time.Second)}); !errors.Is(err, ErrOrder) {
		t.Errorf("undone before it was made: %v", err)
	}
	if _, _, err := b.UndoTemp(ctx, id, 3, Change{By: ben}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a third: %v", err)
	}
	before, got, err := b.UndoTemp(ctx, id, 1, Change{By: ben, Text: "CNAME set back"})
	if err != nil || got.Open() || got.UndoneBy != ben || got.How != "CNAME set back" || !got.Undone.Equal(w.now()) || len(before.OpenTemps()) != 1 {
		t.Errorf("undone: %+v %v", got, err)
	}
	if after, _, _ := b.UndoTemp(ctx, id, 1, Change{By: ana}); after.Entries != before.Entries {
		t.Error("undone twice wrote a line")
	}
	i = must[Incident](t)(b.Close(ctx, id, Change{By: ana, Reason: "it ends by itself"}))
	tl := must[[]Entry](t)(b.Timeline(ctx, id))
	if last := tl[len(tl)-1].Text; i.Status != Closed || !strings.Contains(last, "1 temporary change not undone") || !strings.Contains(last, "it ends by itself") {
		t.Errorf("closed: %s %q", i.Status, last)
	}
	if _, _, err := b.AddTemp(ctx, id, "", Change{By: ana, Text: "late"}); !errors.Is(err, ErrState) {
		t.Errorf("made after the close: %v", err)
	}
	if _, got, err := b.UndoTemp(ctx, id, 2, Change{By: ana}); err != nil || got.Open() {
		t.Errorf("undone after the close: %+v %v", got, err)
	}
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
}
