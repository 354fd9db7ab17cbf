package commands

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a field holds stays in its field, whatever it is.
func TestComposeIsReadBack(t *testing.T) {
	params := []Param{{Name: "severity", Kind: ParamChoice}, {Name: "cert", Kind: ParamCertificate, Flag: true}, {Name: "start", Kind: ParamTime, Flag: true}, {Name: "drill", Kind: ParamSwitch, Flag: true}, {Name: "title", Kind: ParamText}}
	for _, c := range []struct {
		values map[string]string
		line   string
		words  string
		flags  map[string][]string
	}{
		{map[string]string{"severity": "sev2", "title": "images do not load", "cert": "media"}, "/incident declare --cert=media sev2 images do not load", "sev2 images do not load", map[string][]string{"cert": {"media"}}},
		{map[string]string{"title": "a --private title", "drill": "true"}, "/incident declare --drill -- a --private title", "a --private title", map[string][]string{"drill": {"true"}}},
		{map[string]string{"title": "phones — too", "cert": `me"dia --drill`}, `/incident declare --cert="me'dia --drill" phones — too`, "phones — too", map[string][]string{"cert": {"me'dia --drill"}}},
		{map[string]string{"title": "x", "start": "yesterday 14:05"}, `/incident declare --start="yesterday 14:05" x`, "x", map[string][]string{"start": {"yesterday 14:05"}}},
		{map[string]string{"drill": "no"}, "/incident declare", "", map[string][]string{}},
	} {
		line := Compose("incident declare", params, c.values)
		if line != c.line {
			t.Errorf("%v: %q, want %q", c.values, line, c.line)
		}
		v, ws, err := route(undo(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		a, err := parse(v, undo(line), ws)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if diff := cmp.Diff(c.flags, a.flags); diff != "" {
			t.Errorf("%q: flags %s", line, diff)
		}
		if got := a.rest(); got != c.words {
			t.Errorf("%q: words %q, want %q", line, got, c.words)
		}
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("media", "a title --drill")
	f.Add(`"x" --anyway`, `'--private'`)
	params := []Param{{Name: "cert", Kind: ParamCertificate, Flag: true}, {Name: "title", Kind: ParamText}}
	f.Fuzz(func(t *testing.T, cert, title string) {
		line := undo(Compose("incident declare", params, map[string]string{"cert": cert, "title": title}))
		v, ws, err := route(line)
		if err != nil || v.Name != "incident declare" {
			t.Fatalf("%q: %v", line, err)
		}
		a, err := parse(v, line, ws)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for name := range a.flags {
			if name != "cert" {
				t.Fatalf("%q: a value became --%s", line, name)
			}
		}
	})
}
