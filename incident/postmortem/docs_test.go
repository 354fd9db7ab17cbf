package postmortem

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// Every field of the JSON form is described in docs/postmortem.md, and every section.
func TestDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/postmortem.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	var walk func(r reflect.Type)
	seen := map[reflect.Type]bool{}
	walk = func(r reflect.Type) {
		switch r.Kind() {
		case reflect.Slice:
			walk(r.Elem())
		case reflect.Struct:
			if seen[r] || !strings.Contains(r.PkgPath(), "certmedic") {
				return
			}
			seen[r] = true
			for f := range r.Fields() {
				if !f.IsExported() {
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if !strings.Contains(doc, "`"+name+"`") {
					t.Errorf("docs/postmortem.md does not describe %s of %s", name, r.Name())
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Draft]())
	if len(seen) < 10 {
		t.Errorf("looked at %d types only", len(seen))
	}
	for _, s := range sections {
		if !strings.Contains(doc, "| `"+s.name+"` |") {
			t.Errorf("docs/postmortem.md does not describe the section %s", s.name)
		}
	}
}

// Every field that a template is given is described.
func TestDataDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/postmortem.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range dataTypes {
		_, row, ok := strings.Cut(string(b), "| `"+r.Name()+"` | ")
		row, _, _ = strings.Cut(row, "\n")
		for _, f := range fieldsOf(r.Name()) {
			if !ok || !strings.Contains(row, "`"+f+"` ") {
				t.Errorf("docs/postmortem.md does not describe %s.%s", r.Name(), f)
			}
		}
	}
}
