package commands_test

import (
	"context"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/renew"
)

// TestStepsThatComeTogetherAreOneEdit: a step that another one follows goes on
// the timeline, and leaves the renewal's card to that other one.
func TestStepsThatComeTogetherAreOneEdit(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	var all []renew.Event
	r.engine.emit = func(e renew.Event) { all = append(all, e) }
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew media --yes")
	before, _ := r.book.History(ctx, "INC-1")
	var steps []renew.Event
	for _, e := range all {
		if e.Kind == renew.EventStep && e.Step.Outcome != renew.Started {
			steps = append(steps, e)
		}
	}
	if len(steps) < 5 {
		t.Fatalf("%d steps", len(steps))
	}
	posts := map[string][]commands.Post{}
	for i, e := range steps {
		e.More = i < len(steps)-1
		err := r.desk.Event(ctx, e, func(p commands.Post) {
			if e.More {
				t.Errorf("step %d, which is followed, is said in %s", i, p.Room)
			}
			posts[p.Room] = append(posts[p.Room], p)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(posts["main"]) != 1 || len(posts["INC-1"]) != 1 {
		t.Errorf("%d posts in main and %d in INC-1 for the last step", len(posts["main"]), len(posts["INC-1"]))
	}
	after, _ := r.book.History(ctx, "INC-1")
	if added := len(after) - len(before); added != len(steps) {
		t.Errorf("%d entries for %d steps", added, len(steps))
	}
}
