package commands_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// A renewal that waits for approval is said after 5, 10 and 20 minutes and
// every 20 from then on, each time to the next in the escalation list, to the
// last of it in the end; also when the program was away in between.
func TestApprovalEscalates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	teams := []commands.Team{{Name: "leads", People: []string{"cleo"}, Escalate: []string{"heads"}}, {Name: "heads", People: []string{"dan"}, Escalate: []string{"board", "leads"}}, {Name: "board", People: []string{"eve"}}}
	waiting := func(t *testing.T) (*room, time.Time) {
		r := linkedRoom(t, func(o *commands.Options) { o.Teams = teams })
		r.must("ana", "main", "/incident declare images do not load --cert api")
		r.must("ana", "INC-1", "/incident lead me")
		r.must("ana", "INC-1", "/renew api --yes --force")
		ren, err := r.engine.Renewal(ctx, "R-1")
		if err != nil {
			t.Fatal(err)
		}
		return r, ren.Asked
	}
	tick := func(t *testing.T, r *room) (said []string) {
		r.posts = nil
		if err := r.desk.Tick(ctx, r.clock.now(), r.post); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.posts {
			if _, to, ok := strings.Cut(p.Reply.Headline, "team "); ok && p.Room == "INC-1" {
				said = append(said, strings.TrimSuffix(to, "."))
			}
		}
		return said
	}
	t.Run("each time to the next", func(t *testing.T) {
		r, asked := waiting(t)
		var got []string
		for r.clock.now().Before(asked.Add(65 * time.Minute)) {
			r.clock.add(15 * time.Second)
			for _, to := range tick(t, r) {
				got = append(got, fmt.Sprintf("%d min: %s", r.clock.now().Sub(asked)/time.Minute, to))
			}
			if len(got) == 1 { // a restart
				r.desk = commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Teams: teams})
			}
		}
		want := []string{"5 min: leads is asked, that is cleo", "10 min: heads is asked, that is dan", "20 min: board is asked, that is eve", "40 min: board is asked, that is eve", "60 min: board is asked, that is eve"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("away for a while", func(t *testing.T) {
		r, _ := waiting(t)
		r.clock.add(12 * time.Minute)
		if got := tick(t, r); !slices.Equal(got, []string{"heads is asked, that is dan"}) {
			t.Errorf("after 12 minutes: %q", got)
		}
		r.clock.add(9 * time.Minute)
		if got := tick(t, r); !slices.Equal(got, []string{"board is asked, that is eve"}) {
			t.Errorf("after 21 minutes: %q", got)
		}
	})
}
