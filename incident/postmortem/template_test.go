package postmortem

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The forms that come with the program read as what they are, count their gaps
// and make a page.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	r := hachyderm(t).record(zone(t, "Europe/Berlin"))
	for _, name := range BuiltIn {
		r.Template = name
		d := New(r)
		if d.Template != name {
			t.Errorf("%s: made by %s", name, d.Template)
		}
		marked(t, d)
		if _, err := d.HTML(); err != nil {
			t.Error(name, err)
		}
		if name != "standard" && name != "brief" {
			golden(t, name+".md", d.Markdown())
			for _, empty := range []Record{{Template: name}, sample()} {
				empty.Template = name
				if e := New(empty); e.Template != name {
					t.Errorf("%s of an empty record: made by %s", name, e.Template)
				}
			}
		}
	}
}

// What strangers wrote is as harmless in a template as elsewhere.
func TestTemplateHostile(t *testing.T) {
	t.Parallel()
	for n, bad := range hostile {
		r := sample()
		r.Incident.Title, r.Incident.Impact, r.Incident.Commander.Name, r.Incident.Owner = bad, bad, bad, bad
		r.Incident.Temps[0].Text, r.Incident.Tasks[0].Text = bad, bad
		for k := range r.Timeline {
			r.Timeline[k].Text, r.Timeline[k].By.Name = bad, bad
		}
		for _, name := range []string{"blog", "status-page"} {
			r.Template = name
			d := New(r)
			if d.Template != name {
				t.Fatalf("text %d: %s", n, d.Template)
			}
			out := page(t, d)
			if strings.Contains(string(out), "<script") || strings.Contains(string(out), "<img") || strings.Contains(string(out), "raw HTML omitted") || strings.Contains(string(out), `class="gap">TO FILL: fake`) {
				t.Errorf("text %d became markup in %s", n, name)
			}
			if got := strings.Count(string(out), "<h2"); got != len(d.Sections)-1 || got > 9 {
				t.Errorf("text %d: %d second headings in %s", n, got, name)
			}
		}
	}
}

// An own template reorders, renames, drops and adds sections; one of the name
// of the program's replaces it.
func TestOwnTemplate(t *testing.T) {
	t.Parallel()
	s, err := LoadTemplates(folder(t, map[string]string{
		"ours.md":  "# Review: {{.Title}}\n\n{{.Gaps}} open, {{.State}}\n\n## What we do {#actions}\n\n{{.Sections.actions.Body}}\n\n## In short {#summary}\n\n{{.Sections.summary.Body}}\n\n## Cost\n\n{{gap \"cost in euro\"}}\n\n```text\n## no heading\n```\n",
		"brief.md": "# Ours\n\n## Cost\n\nnone\n",
		"no.txt":   "{{.Nothing}}",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Names(), " "); got != "standard brief blog status-page ours" {
		t.Errorf("names %s", got)
	}
	r := hachyderm(t).record(nil)
	r.Template = "ours"
	d, err := s.Draft(r)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range d.Sections {
		names = append(names, one.Name+"="+one.Title)
	}
	if got, want := strings.Join(names, "; "), "header=Review: Images of media do not load; actions=What we do; summary=In short; cost=Cost"; got != want {
		t.Errorf("sections %q, want %q", got, want)
	}
	if !strings.HasPrefix(d.Sections[0].Body, "2 open, draft") || len(d.Gaps) != 2 {
		t.Errorf("gaps %q, header %q", d.Gaps, d.Sections[0].Body)
	}
	marked(t, d)
	if strings.Contains(string(d.Markdown()), "{#") {
		t.Error("the names of sections stand in the text")
	}
	r.Template = "brief"
	if d, err = s.Draft(r); err != nil || d.Sections[1].Name != "cost" {
		t.Errorf("brief was not replaced: %v", err)
	}
	r.Template = "lnog"
	if _, err = s.Draft(r); err == nil || !strings.Contains(err.Error(), "standard, brief, blog, status-page, ours") {
		t.Errorf("an unknown one: %v", err)
	}
}

// A mistake names the template, the line, and what there is.
func TestTemplateMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"x", "# a\n\n{{.Titel}}\n", "line 3: there is no field Titel in Data; there are ID, Title, Severity"},
		{"x", "{{range .Hosts}}\n{{.Serial}}{{end}}", "line 2: there is no field Serial in DataHost; there are Name, SerialBefore"},
		{"x", "{{.Sections.sumary.Body}}", "line 1: there is no section sumary; there are summary, impact"},
		{"x", "a\n{{if}}", "line 2: "},
		{"x", "{{env \"HOME\"}}", "function \"env\" not defined"},
		{"x", "{{range 1000000000}}{{end}}", "its loops go round more than"},
		{"x", "{{$n := 1000000000}}{{range $n}}{{if .}}{{end}}{{end}}", "its loops go round more than"},
		{"x", "{{define \"a\"}}{{template \"a\" .}}{{template \"a\" .}}{{end}}{{template \"a\" .}}", "exceeded maximum template depth"},
		{"x", "{{range 1999999}}{{$.Title}}{{end}}", "it writes more than"},
		{"Bad Name", "x", "small letters"},
	} {
		_, err := LoadTemplates(folder(t, map[string]string{c.name + ".md": c.text}))
		var bad *TemplateError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name+".md") {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := LoadTemplates(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there was read")
	}
}
