package commands_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

var ids = regexp.MustCompile(`\b(INC|R)-[0-9]+\b`)

// TestVerbs: every row is whole, and its example is understood: what it names
// may be missing here, but the grammar is right.
func TestVerbs(t *testing.T) {
	t.Parallel()
	may := map[string]bool{"": true, "unknown_renewal": true, "unknown_incident": true, "no_incident": true, "not_resolved": true, "still_failing": true,
		"unknown_entry": true, "unknown_temp": true, "unknown_task": true}
	names := map[string]bool{}
	for _, v := range commands.Verbs() {
		if v.Name == "" || v.Summary == "" || v.Example == "" || names[v.Name] || strings.HasSuffix(v.Summary, ".") {
			t.Errorf("row %q is not whole", v.Name)
		}
		names[v.Name] = true
		if !strings.HasPrefix(v.Example, "/"+strings.Split(v.Name, " ")[0]) {
			t.Errorf("%s: the example is of another verb: %s", v.Name, v.Example)
		}
		r := newRoom(t)
		if p := r.say("ana", "main", v.Example); !may[p.Problem.Code] {
			t.Errorf("%s: %+v", v.Example, p.Problem)
		}
		// And with the incident and renewal that it names.
		r.must("ana", "main", "/incident declare api is slow --cert api")
		r.must("ana", "main", "/renew api --yes --force")
		line := ids.ReplaceAllString(v.Example, "${1}-1")
		if p := r.say("dan", "main", line); p.Problem.Code == "unknown_verb" || p.Problem.Code == "internal" || strings.HasPrefix(p.Problem.Code, "unknown_") && p.Problem.Code != "unknown_certificate" && !may[p.Problem.Code] {
			t.Errorf("%s: %+v", line, p.Problem)
		}
		if p := r.say("ana", "main", "/help "+v.Name); !p.Problem.IsZero() || !strings.Contains(draw(p), v.Example) {
			t.Errorf("/help %s: %s", v.Name, draw(p))
		}
	}
}

// TestHints: the example in every hint of the table's Problems is a verb.
func TestHints(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for _, v := range commands.Verbs() {
		p := r.say("ana", "main", "/"+v.Name+" --no-such-flag-at-all x y z x y z")
		if _, example, ok := strings.Cut(p.Problem.Hint, "For example: /"); ok {
			word, _, _ := strings.Cut(example, " ")
			if word != "incident" && word != "renew" && word != "certcheck" && word != "help" {
				t.Errorf("%s: the hint says %q", v.Name, p.Problem.Hint)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var got bytes.Buffer
	for _, line := range []string{"/help", "/help incident", "/help inc note", "/incident help", "/help declare", "/help renew", "?"} {
		fmt.Fprintf(&got, "> %s\n%s", line, draw(r.must("ana", "main", line)))
	}
	golden(t, "testdata/help.txt", got.Bytes())
}

// TestReference: docs/commands.md is what the table says.
func TestReference(t *testing.T) {
	t.Parallel()
	golden(t, "../docs/commands.md", commands.Reference())
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not what it should be; go test ./commands -update writes it anew", file)
	}
}

// FuzzDo: no line makes the desk panic or answer without a headline.
func FuzzDo(f *testing.F) {
	for _, v := range commands.Verbs() {
		f.Add(v.Example, "main")
	}
	r := newRoom(f)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	f.Fuzz(func(t *testing.T, line, where string) {
		p := r.desk.Do(context.Background(), commands.Request{Text: line, By: person("ana"), Room: where}, nil)
		if p.Headline == "" || p.Problem.Code == "internal" {
			t.Fatalf("%q: %+v", line, p)
		}
	})
}
