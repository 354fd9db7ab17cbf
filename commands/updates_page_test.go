package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

// panel is the page's list of status updates in a few words.
func (r *room) panel() string {
	r.t.Helper()
	p, err := r.desk.IncidentPage(r.t.Context(), "INC-1", commands.Person{ID: "web:ana", Name: "ana", Platform: "web"})
	if err != nil {
		r.t.Fatal(err)
	}
	var out strings.Builder
	for _, u := range p.Updates.Updates {
		fmt.Fprintf(&out, "%s %s/%s", u.ID, u.State, u.Word)
		for _, w := range u.Where {
			fmt.Fprintf(&out, " | %s %s", w.Target, w.Word)
		}
		for _, b := range u.Buttons {
			fmt.Fprintf(&out, " [%s]", b.Label)
		}
		out.WriteByte('\n')
	}
	if p.Updates.Word.Command != "" {
		out.WriteString("[" + p.Updates.Word.Label + "]")
	}
	return out.String()
}

// TestUpdatesPage: the page shows where each update stands, with the button
// that the room has for it; pressing what it shows leads on.
func TestUpdatesPage(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.configure("approve")
	r.must("ana", "main", "/incident declare sev2 images do not load --cert media")
	want := func(what string) {
		t.Helper()
		if got := r.panel(); got != what {
			t.Errorf("the page shows\n%s\nwant\n%s", got, what)
		}
	}
	want("[Word an update]")
	r.must("ana", "INC-1", "/incident update --to none the rooms alone")
	r.must("ana", "INC-1", "/incident update --to board,page images load slowly")
	want("U-2 warning/waits for approval | mail board not sent | statuspage page not sent [I am communications] [Approve] [Deny]\nU-1 good/said in the rooms\n[Word an update]")
	r.must("ben", "INC-1", "/incident role INC-1 communications me")
	want("U-2 warning/waits for approval | mail board not sent | statuspage page not sent [Approve] [Deny]\nU-1 good/said in the rooms\n[Word an update]")
	p, _ := r.desk.IncidentPage(t.Context(), "INC-1", commands.Person{ID: "web:ben", Name: "ben", Platform: "web"})
	r.must("ben", "INC-1", p.Updates.Updates[0].Buttons[0].Command)
	want("U-2 running/on its way | mail board on its way | statuspage page on its way\nU-1 good/said in the rooms\n[Word an update]")
	r.deliver("failed 550 no such user")
	want("U-2 critical/failed | mail board failed | statuspage page failed [Try again]\nU-1 good/said in the rooms\n[Word an update]")
	p, _ = r.desk.IncidentPage(t.Context(), "INC-1", commands.Person{ID: "web:ben", Name: "ben", Platform: "web"})
	r.must("ben", "INC-1", p.Updates.Updates[0].Buttons[0].Command)
	r.deliver("")
	want("U-2 good/sent | mail board delivered | statuspage page delivered\nU-1 good/said in the rooms\n[Word an update]")
	u := p.Updates.Updates[0]
	if d := u.Deliveries[0]; d.Kind != commands.MailTarget || d.Audience != commands.Internal || u.Deliveries[1].Kind != commands.StatuspageTarget || u.Deliveries[1].Audience != commands.External {
		t.Errorf("the record does not say what kind of target it was: %+v", u.Deliveries)
	}
	r.must("ana", "INC-1", "/incident update --to board one more")
	r.must("ben", "INC-1", "/incident update deny INC-1 U-3 not now")
	if got := r.panel(); !strings.HasPrefix(got, "U-3 info/denied | mail board not sent\n") {
		t.Error(got)
	}
	draft, err := r.desk.Draft(t.Context(), "INC-1", "md", commands.Person{ID: "web:ana", Name: "ana", Platform: "web"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"**U-2**, status investigating, sent at ", ", approved by ben (", "- To mail board (internal): delivered at ", ", tried again by hand (", "**U-3**, not sent: ben denied it at "} {
		if !strings.Contains(string(draft.Data), line) {
			t.Errorf("the draft has no %q", line)
		}
	}
}
