package commands

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certmedic/certmedic/incident/postmortem"
)

// exampleFields are the fields that make each verb's example; a verb that is
// not here takes no fields.
var exampleFields = map[string]map[string]string{
	"help":                {"verb": "incident note"},
	"certcheck":           {"certificate": "media"},
	"certcheck rehearse":  {"certificate": "media"},
	"certcheck who":       {"certificate": "media"},
	"renew":               {"certificate": "media", "yes": "true", "reason": "it has expired"},
	"renew approve":       {"renewal": "R-12", "reason": "expired certificate, names unchanged"},
	"renew deny":          {"renewal": "R-12", "reason": "another renewal of it is planned for tonight"},
	"renew stop":          {"renewal": "R-12", "reason": "the canary logs errors"},
	"renew resume":        {"renewal": "R-12"},
	"renew rollback":      {"renewal": "R-12", "reason": "clients refuse the new chain"},
	"renew status":        {"renewal": "R-12"},
	"incident declare":    {"severity": "sev2", "title": "images do not load", "cert": "media"},
	"incident status":     {"status": "identified", "text": "the certificate expired, the order is under way"},
	"incident sev":        {"severity": "1", "text": "every image is affected"},
	"incident lead":       {"person": "me"},
	"incident impact":     {"text": "images did not load for 40 minutes"},
	"incident note":       {"text": "first report", "at": "01:52Z"},
	"incident update":     {"text": "images load again on two of four hosts"},
	"incident edit":       {"entry": "E-5", "text": "the first report came from the forum"},
	"incident drop":       {"entry": "E-5", "why": "it was about another service"},
	"incident move":       {"entry": "E-5", "time": "01:49Z"},
	"incident temp":       {"do": "add", "text": "the CDN points to the old hosts", "undo": "set the CNAME back"},
	"incident task":       {"do": "add", "text": "renew without a person", "owner": "me", "due": "fri"},
	"incident role":       {"role": "scribe", "person": "me"},
	"incident invite":     {"person": "ben"},
	"incident handoff":    {"person": "me", "text": "I am awake now"},
	"incident rename":     {"title": "images and avatars do not load"},
	"incident started":    {"time": "01:52Z", "why": "the first user saw it"},
	"incident detected":   {"time": "01:53Z", "why": "a call to the hotline"},
	"incident reopen":     {"incident": "INC-7", "reason": "one host fails again"},
	"incident cancel":     {"incident": "INC-7", "reason": "declared by mistake"},
	"incident duplicate":  {"incident": "INC-7", "other": "INC-6"},
	"incident merge":      {"incident": "INC-7", "other": "INC-6"},
	"incident snooze":     {"reminder": "update", "for": "30m"},
	"incident quiet":      {"reminder": "update"},
	"incident timeline":   {"incident": "INC-7"},
	"incident show":       {"incident": "INC-7"},
	"incident stats":      {"since": "90d", "by": "cause"},
	"incident list":       {"which": "search", "words": "media"},
	"incident resolve":    {"text": "every host serves the new certificate"},
	"incident close":      {"incident": "INC-7"},
	"incident postmortem": {"incident": "INC-7", "do": "md"},
	"incident export":     {"incident": "INC-7", "form": "csv"},
}

// TestParamsOf: every verb has its parameters, named once, and they can say
// what its example says.
func TestParamsOf(t *testing.T) {
	words := paramWords()
	for _, v := range table() {
		ps := ParamsOf(v.Name)
		if v.Args != "" && words[v.Name] == nil {
			t.Errorf("%s takes %q and has no entry in params.go", v.Name, v.Args)
		}
		if v.Args == "" && words[v.Name] != nil {
			t.Errorf("%s takes no words and has an entry in params.go", v.Name)
		}
		delete(words, v.Name)
		seen := map[string]bool{}
		for i, p := range ps {
			if p.Name == "" || p.Name != strings.ToLower(p.Name) || p.Summary == "" || p.Kind == "" || seen[p.Name] {
				t.Errorf("%s: parameter %+v is not whole, or named twice", v.Name, p)
			}
			seen[p.Name] = true
			if p.Kind == ParamChoice && len(p.Choices) == 0 {
				t.Errorf("%s %s has no choices", v.Name, p.Name)
			}
			if p.Flag != v.knows(p.Name) {
				t.Errorf("%s %s: a flag in one place only", v.Name, p.Name)
			}
			if p.Flag && i > 0 && p.Required {
				t.Errorf("%s %s: a flag is never required", v.Name, p.Name)
			}
		}
		for _, f := range v.shown() {
			if !seen[f.Name] {
				t.Errorf("%s has no parameter for --%s", v.Name, f.Name)
			}
		}
		if got, want := said(t, Compose(v.Name, ps, exampleFields[v.Name])), said(t, v.Example); !cmp.Equal(got, want) {
			t.Errorf("%s: the fields do not say the example: %s", v.Name, cmp.Diff(want, got))
		}
		if none := Missing(ps, exampleFields[v.Name]); len(none) > 0 {
			t.Errorf("%s: the example leaves out %s", v.Name, none[0].Name)
		}
	}
	for name := range words {
		t.Errorf("params.go has %q, which is no verb", name)
	}
}

// line is what a line says.
type line struct {
	Verb  string
	Words string
	Flags map[string][]string
}

func said(t *testing.T, src string) line {
	t.Helper()
	v, ws, err := route(undo(src))
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	a, err := parse(v, undo(src), ws)
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	return line{v.Name, a.rest(), a.flags}
}

// TestEveryFieldStays: with every field of a verb filled, with quotes and
// dashes in it, the line is the verb's, and each flag has its value alone.
func TestEveryFieldStays(t *testing.T) {
	for _, v := range table() {
		values := map[string]string{}
		for _, p := range ParamsOf(v.Name) {
			switch p.Kind {
			case ParamSwitch:
				values[p.Name] = "true"
			case ParamChoice:
				values[p.Name] = p.Choices[0]
			case ParamIncident:
				values[p.Name] = "INC-7"
			default:
				values[p.Name] = `it's --private "x" ` + p.Name
			}
		}
		src := Compose(v.Name, ParamsOf(v.Name), values)
		got := said(t, src)
		if got.Verb != v.Name && v.Name != "incident" {
			t.Errorf("%q became %s", src, got.Verb)
		}
		for _, p := range ParamsOf(v.Name) {
			switch {
			case p.Kind == ParamSwitch && !slices.Equal(got.Flags[p.Name], []string{"true"}):
				t.Errorf("%q: --%s is %q", src, p.Name, got.Flags[p.Name])
			case p.Flag && p.Kind != ParamSwitch && (len(got.Flags[p.Name]) != 1 || strings.ReplaceAll(values[p.Name], `"`, "'") != strings.ReplaceAll(got.Flags[p.Name][0], `"`, "'")):
				t.Errorf("%q: --%s is %q", src, p.Name, got.Flags[p.Name])
			case !p.Flag && !strings.Contains(got.Words, p.Name) && !strings.Contains(got.Words, values[p.Name]):
				t.Errorf("%q: the words lack %s: %q", src, p.Name, got.Words)
			}
		}
		for f := range got.Flags {
			if values[f] == "" {
				t.Errorf("%q: a value became --%s", src, f)
			}
		}
	}
}

// TestTemplateParam: a template is a word that the desk completes, one's own
// too, and what is chosen is what is meant.
func TestTemplateParam(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ours.md"), []byte("# {{.ID}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := postmortem.LoadTemplates(dir)
	if err != nil {
		t.Fatal(err)
	}
	desk := New(Options{Templates: own, Updates: Updates{Templates: map[string]string{"handover": "x"}}})
	for verb, name := range map[string]string{"incident postmortem": "ours", "incident update": "handover"} {
		ps := ParamsOf(verb)
		i := slices.IndexFunc(ps, func(p Param) bool { return p.Name == "template" })
		if i < 0 || ps[i].Kind != ParamTemplate || len(ps[i].Choices) > 0 {
			t.Fatalf("%s: %+v", verb, ps)
		}
		if got, want := Compose(verb, ps, map[string]string{"template": name}), "/"+verb+" --template="+name; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		head := "/" + verb + " --template "
		if got := desk.Complete(t.Context(), head+name[:2], "main"); !slices.Contains(got, head+name) {
			t.Errorf("%s: %q", head, got)
		}
	}
}
