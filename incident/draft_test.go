package incident

import (
	"errors"
	"testing"
)

// A postmortem goes from finished to reviewed to shared, each with who and
// when, each once; out of turn only with a reason.
func TestAdvanceDraft(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx, ok := t.Context(), must[Incident](t)
	id := ok(b.Declare(ctx, Declaration{Title: "x", By: ana}, false)).ID
	if _, err := b.AdvanceDraft(ctx, id, DraftFinished, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("finished while open: %v", err)
	}
	ok(b.Close(ctx, id, Change{By: ana, Reason: "x"}))
	if _, err := b.AdvanceDraft(ctx, id, DraftShared, Change{By: ana}); !errors.Is(err, ErrOrder) {
		t.Errorf("shared as a draft: %v", err)
	}
	i := ok(b.AdvanceDraft(ctx, id, DraftFinished, Change{By: ana}))
	if again := ok(b.AdvanceDraft(ctx, id, DraftFinished, Change{By: ben})); again.Entries != i.Entries || again.LastDraft().By != ana {
		t.Errorf("finished twice: %+v", again.DraftStates)
	}
	if _, err := b.AdvanceDraft(ctx, id, DraftReviewed, Change{By: ana}); !errors.Is(err, ErrOwnReview) {
		t.Errorf("reviewed by who finished it: %v", err)
	}
	ok(b.AdvanceDraft(ctx, id, DraftReviewed, Change{By: ben}))
	i = ok(b.AdvanceDraft(ctx, id, DraftShared, Change{By: ana}))
	if len(i.DraftStates) != 3 || i.DraftStates[1].By != ben || i.LastDraft().State != DraftShared || i.LastDraft().At.IsZero() {
		t.Errorf("states %+v", i.DraftStates)
	}
	if i = ok(b.Reopen(ctx, id, Change{By: ana, Reason: "again"})); len(i.DraftStates) != 0 || !i.DraftDone.IsZero() {
		t.Errorf("reopened and still %+v", i.DraftStates)
	}
}
