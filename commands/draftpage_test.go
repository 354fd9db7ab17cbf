package commands_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
)

// Words that somebody wrote since are named, with who and where, and stay; what
// stands after "--" is text alone.
func TestSetSeen(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ben", "INC-1", "/incident postmortem set lessons ben's words")
	p := r.say("ana", "INC-1", "/incident postmortem set lessons --seen E-1 -- ana's --anyway words")
	if p.Problem.Code != "stale" || !strings.HasPrefix(p.Problem.Message, "ben wrote at 2026-11-22 ") || !strings.Contains(p.Problem.Message, "(E-") || !strings.Contains(p.Problem.Hint, "/incident/INC-1/draft") {
		t.Errorf("%+v", p.Problem)
	}
	if d := r.draftText("INC-1"); !strings.Contains(d, "ben's words") || strings.Contains(d, "ana's") {
		t.Errorf("the draft:\n%s", d)
	}
	r.must("ana", "INC-1", "/incident postmortem set lessons --seen E-999 -- ana's --anyway words\n\n--template x --seen E-1")
	if d := r.draftText("INC-1"); !strings.Contains(d, "ana's --anyway words\n\n\\--template x --seen E-1") {
		t.Errorf("the draft:\n%s", d)
	}
	for _, seen := range []string{"yesterday", "E-", "E-99999999999", "INC-1"} {
		if p := r.say("ana", "INC-1", "/incident postmortem set lessons --seen "+seen+" -- x"); p.Problem.Code != "bad_entry" {
			t.Errorf("%s: %+v", seen, p)
		}
	}
}

// The draft's page and its files are by the template that was asked for, else
// by the one of the configuration; a private incident's are not there.
func TestDraftPage(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := privateRoom(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ours.md"), []byte("# {{.Title}}\n\n## Cost\n{{gap \"cost in euro\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := postmortem.LoadTemplates(dir)
	if err != nil {
		t.Fatal(err)
	}
	desk := commands.New(commands.Options{Book: incident.NewBook(r.store, r.clock.now), Renewer: r.engine, Now: r.clock.now, Templates: own, Template: "ours"})
	for asked, want := range map[string]string{"": "ours", "ours": "ours", "OURS": "ours", "standard": "standard", "brief": "brief", "blog": "blog"} {
		d, err := desk.DraftPage(ctx, "inc-2", asked, person("zoe"))
		if err != nil || d.Template != want || d.Incident.ID != "INC-2" || strings.Join(d.Templates, " ") != "standard brief blog status-page ours" || len(d.Parts) == 0 || d.Gaps == 0 || len(d.Marks) == 0 {
			t.Errorf("%q: %v, %q, %v, %d gaps", asked, err, d.Template, d.Templates, d.Gaps)
		}
		f, err := desk.DraftAs(ctx, "INC-2", "md", asked, person("zoe"))
		if err != nil || strings.Contains(string(f.Data), "cost in euro") != (want == "ours") {
			t.Errorf("%q: %v %s", asked, err, f.Data)
		}
	}
	i, err := r.book.Incident(ctx, "INC-2")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := desk.DraftPage(ctx, "INC-2", "", person("zoe")); err != nil || d.Seen == "" || d.Seen != fmt.Sprintf("E-%d", i.Entries) {
		t.Errorf("it has seen %q, the record has %d entries, %v", d.Seen, i.Entries, err)
	}
	var p commands.Problem
	for id, code := range map[string]string{"INC-1": "unknown_incident", "INC-9": "unknown_incident", "x": "unknown_incident"} {
		if d, err := desk.DraftPage(ctx, id, "", person("zoe")); !errors.As(err, &p) || p.Code != code || len(d.Parts) > 0 || d.Incident.Title != "" {
			t.Errorf("%s: %v %+v", id, err, d)
		}
		if _, err := desk.DraftAs(ctx, id, "md", "standard", person("zoe")); !errors.As(err, &p) || p.Code != code {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := desk.DraftPage(ctx, "INC-2", "../x", person("zoe")); !errors.As(err, &p) || p.Code != "bad_template" {
		t.Error(err)
	}
}
