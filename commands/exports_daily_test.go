package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// An item in a tracker is read there once a day: not sooner, also after a
// restart, and again the day after.
func TestItemsAreReadDaily(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "INC-1", "/incident task add two owners")
	ana := incident.Change{By: incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}}
	if _, _, err := r.book.ExportTask(ctx, "T-1", "github", ana); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.book.ExportedTask(ctx, "T-1", incident.Export{State: incident.ExportDone, Ref: "7", URL: "https://github.example/7"}, incident.Change{}); err != nil {
		t.Fatal(err)
	}
	for day := range 3 {
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {23*time.Hour + 59*time.Minute, 0}, {time.Minute, 1}} {
			r.clock.add(c.after)
			desk := commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now})
			all, err := desk.Exports(ctx, r.clock.now())
			if err != nil || len(all) != c.want || c.want == 1 && !all[0].Read {
				t.Errorf("day %d, after %s: %+v %v", day, c.after, all, err)
			}
		}
		if _, _, err := r.book.SawTask(ctx, "T-1", incident.ThereOpen, r.clock.now(), incident.Change{}); err != nil {
			t.Fatal(err)
		}
	}
}
