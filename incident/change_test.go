package incident

import "testing"

// What nobody is named for, the bot did; who has no name is shown by id.
func TestChangeBy(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	must[Incident](t)(b.Declare(ctx, Declaration{Title: "x", By: Person{ID: "web:carl"}}, false))
	i := must[Incident](t)(b.Resolve(ctx, "INC-1", nil, Change{}))
	if m, _ := i.Milestone(ResolvedAt); m.Text != "resolved by certmedic" || m.By != Bot {
		t.Errorf("resolved %+v", m)
	}
	e := must[Entry](t)(b.Correct(ctx, "INC-1", "E-1", Correction{Text: "y"}, Change{By: ben, Link: "https://chat.example.com/2", Key: "k"}))
	if e.By != ben || e.Link != "https://chat.example.com/2" {
		t.Errorf("corrected %+v", e)
	}
	if again := must[Entry](t)(b.Correct(ctx, "INC-1", "E-1", Correction{Text: "z"}, Change{By: ben, Key: "k"})); again.Hash != e.Hash {
		t.Errorf("the same key corrected again: %+v", again)
	}
	h := must[[]Entry](t)(b.History(ctx, "INC-1"))
	if len(h) != 3 || h[0].Text != "web:carl declared SEV2: x" {
		t.Errorf("history %+v", h)
	}
}
