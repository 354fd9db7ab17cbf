package incident

import (
	"fmt"
	"testing"
)

// What is said with a change to what is so already is kept: once for a
// delivery that comes twice, and no line where nothing was said.
func TestSaidAgainIsKept(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	must[Incident](t)(b.SetImpact(ctx, id, "images were gone", Change{By: ana}))
	changes := []func(Change) (Incident, error){
		func(c Change) (Incident, error) { return b.SetStatus(ctx, id, Monitoring, c) },
		func(c Change) (Incident, error) { return b.SetSeverity(ctx, id, 3, c) },
		func(c Change) (Incident, error) { return b.Resolve(ctx, id, nil, c) },
		func(c Change) (Incident, error) { return b.Close(ctx, id, c) },
	}
	for n, change := range changes {
		must[Incident](t)(change(Change{By: ana}))
		before := len(must[[]Entry](t)(b.Timeline(ctx, id)))
		must[Incident](t)(change(Change{By: ben}))
		if got := len(must[[]Entry](t)(b.Timeline(ctx, id))); got != before {
			t.Errorf("change %d: nothing was said, and %d lines became %d", n, before, got)
		}
		for range 2 { // delivered twice
			must[Incident](t)(change(Change{By: ben, Text: "one host hangs", Reason: "it is slow", Key: fmt.Sprint("again", n)}))
		}
		lines := must[[]Entry](t)(b.Timeline(ctx, id))
		if len(lines) != before+1 {
			t.Fatalf("change %d: %d lines became %d, want one more", n, before, len(lines))
		}
		if e := lines[len(lines)-1]; e.Text != "one host hangs Reason: it is slow." || e.By != ben || e.Kind != NoteKind {
			t.Errorf("change %d: the line is %+v", n, e)
		}
	}
}
