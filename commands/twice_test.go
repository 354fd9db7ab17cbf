package commands_test

import (
	"context"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// Every verb that changes an incident, delivered again, also to a program that
// was started anew on the same record, changes nothing and is no problem.
func TestEveryChangeTwiceIsOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media --start -20m")
	r.must("ana", "INC-1", "/incident note the first report")
	r.must("dan", "main", "/incident declare the same again --cert api")
	r.must("dan", "INC-2", "/incident note a line to carry over")
	lines := []string{"/incident edit E-6 the very first report", "/incident move E-6 -15m", "/incident drop E-6 no", "/incident temp add CDN moved --undo move it back", "/incident temp undo 1 moved back",
		"/incident task add alert sooner @ben due fri --detect", "/incident task done T-1 it does", "/incident role scribe ben", "/incident rename images and avatars", "/incident started -25m",
		"/incident detected -10m", "/incident handoff ben", "/incident snooze update 1h", "/incident quiet close", "/incident postmortem set lessons we were lucky",
		"/incident merge INC-2 INC-1", "/incident cancel INC-1 it was nothing", "/incident reopen INC-1 it was something", "/incident close INC-1 --anyway done", "/incident postmortem finish INC-1 --anyway nobody knows more", "/incident postmortem review INC-1 --anyway nobody else", "/incident postmortem share INC-1"}
	count := func() (n int) {
		for _, id := range []string{"INC-1", "INC-2"} {
			h, err := r.book.History(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			n += len(h)
			if broken, err := r.book.Verify(ctx, id); err != nil || broken != "" {
				t.Errorf("%s broken at %s %v", id, broken, err)
			}
		}
		return n
	}
	for _, line := range lines {
		before := count()
		r.clock.add(1e9)
		q := commands.Request{ID: "same " + line, Text: line, By: person("ana"), Room: "INC-1"}
		first := r.desk.Do(ctx, q, nil)
		if !first.Problem.IsZero() {
			t.Fatalf("%s: %+v", line, first.Problem)
		}
		after := count()
		if after == before || !first.Public || first.Incident == "" {
			t.Errorf("%s: %d lines, %d before; public %t, echoed in %q", line, after, before, first.Public, first.Incident)
		}
		again := commands.New(commands.Options{Book: incident.NewBook(r.store, r.clock.now), Renewer: r.engine, Now: r.clock.now, Teams: []commands.Team{{Name: "web", People: []string{"ana", "ben"}}}})
		for n, d := range []*commands.Desk{r.desk, again} {
			if p := d.Do(ctx, q, nil); !p.Problem.IsZero() {
				t.Errorf("%s: again, desk %d: %+v", line, n, p.Problem)
			}
		}
		if n := count(); n != after {
			t.Errorf("%s: %d lines after it came again, were %d", line, n, after)
		}
	}
}
