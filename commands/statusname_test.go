package commands_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// Statuses go by the names that people gave them, wherever one is read or
// typed; their own words are taken too, and the record has those.
func TestStatusNames(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	names := incident.Names{incident.Investigating: "Triage", incident.Identified: "known", incident.Monitoring: "watching"}
	r := linkedRoom(t, func(o *commands.Options) { o.Statuses = names })
	r.book.Call(names)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	if p := r.say("ana", "INC-1", "/incident status"); !strings.Contains(p.Problem.Message, "is Triage") || !strings.Contains(p.Problem.Message, "Triage, known, watching or resolved") {
		t.Errorf("without a status: %+v", p.Problem)
	}
	if p := r.must("ana", "INC-1", "/incident status KNOWN it expired"); !strings.HasPrefix(p.Headline, "INC-1 is known now, was Triage.") {
		t.Errorf("by its name: %s", p.Headline)
	}
	if p := r.must("ana", "INC-1", "/incident status monitoring"); !strings.HasPrefix(p.Headline, "INC-1 is watching now, was known.") {
		t.Errorf("by its own word: %s", p.Headline)
	}
	if p := r.say("ana", "INC-1", "/incident status wathcing"); !strings.Contains(p.Problem.Hint, "Did you mean watching?") {
		t.Errorf("mistyped: %+v", p.Problem)
	}
	i, err := r.book.Incident(ctx, "INC-1")
	if err != nil || i.Status != incident.Monitoring {
		t.Errorf("on the record: %s, %v", i.Status, err)
	}
	for _, line := range []string{"/incident list", "/incident show INC-1", "/incident list search images", "/incident timeline INC-1"} {
		if text := draw(r.must("zoe", "main", line)); !strings.Contains(text, "watching") || strings.Contains(text, "monitoring") {
			t.Errorf("%s: %s", line, text)
		}
	}
	if got := r.desk.Complete(ctx, "/incident status ", "INC-1"); !slices.Contains(got, "/incident status Triage") || !slices.Contains(got, "/incident status investigating") {
		t.Errorf("completed: %q", got)
	}
	f := r.form("ana", "incident status", "INC-1")
	if f.Fields[0].Options[2].Label != "Watching" || f.Fields[0].Options[2].Value != "monitoring" || !strings.Contains(f.Intro, "watching") {
		t.Errorf("form: %+v", f)
	}
	md, err := r.desk.Draft(ctx, "INC-1", "md", person("ana"))
	if err != nil || !strings.Contains(string(md.Data), "watching") || strings.Contains(string(md.Data), "monitoring") {
		t.Errorf("draft: %s, %v", md.Data, err)
	}
	for _, line := range []string{"/help", "/help incident", "/help incident status"} {
		if text := draw(r.must("zoe", "main", line)); !strings.Contains(text, "Triage|known|watching|resolved") || strings.Contains(text, "|monitoring") || strings.Contains(text, "status identified") {
			t.Errorf("%s: %s", line, text)
		}
	}
	at := slices.IndexFunc(commands.ParamsCalled(names)("incident status"), func(p commands.Param) bool { return p.Name == "status" })
	if got := commands.ParamsCalled(names)("incident status")[at].Choices; !slices.Equal(got, []string{"Triage", "known", "watching", "resolved"}) {
		t.Errorf("to choose from: %q", got)
	}
	if got := commands.ParamsOf("incident status")[at].Choices; got[0] != "investigating" {
		t.Errorf("those of everybody were changed: %q", got)
	}
	// Other names later break nothing of what was written.
	r.desk = linkedRoom(t, func(o *commands.Options) { o.Book = r.book }).desk
	if p := r.must("ana", "INC-1", "/incident status investigating --reason it fails again"); !strings.HasPrefix(p.Headline, "INC-1 is investigating now, was monitoring.") {
		t.Errorf("named otherwise: %s", p.Headline)
	}
}
