package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/certmedic/certmedic"

// rooms says what each package may import inside the module. A package that
// is not named may import nothing of it. cmd may import everything.
var rooms = map[string][]string{
	"store":               {},
	"store/storetest":     {"store"},
	"incident":            {"store"},
	"incident/postmortem": {"incident"},
	"renew":               {"store"},
	"renew/acme":          {"renew"},
	"renew/deploy":        {"renew"},
	"renew/probe":         {"renew"},
	"renew/renewtest":     {},
	"commands":            {"incident", "incident/postmortem", "renew"},
	"bot":                 {"commands"},
	"bot/bottest":         {"bot", "commands", "incident", "renew", "store"}, // its stand of what is done outside has a real record
	"bot/console":         {"bot", "commands"},
	"bot/notify":          {"bot", "commands"}, // floor 4 too: updates leave through it as words leave through bot/slack
	"bot/gitbook":         {"bot", "commands"}, // one outside service, git, that drafts go out to; as a chat platform is
	"bot/slack":           {"bot", "commands"},
	"bot/discord":         {"bot", "commands"},
	"bot/tracker":         {"bot", "commands"}, // likewise for action items
	"bot/web":             {"bot", "commands"},
	".ci/report":          {},
}

// owners says which packages alone may import a module: the first match of an
// import path's start decides.
var owners = []struct {
	path string
	by   []string
}{
	{"go.etcd.io/bbolt", []string{"store"}},
	{"github.com/go-acme/lego/", []string{"renew/acme"}},
	{"github.com/slack-go/slack", []string{"bot/slack"}},
	{"github.com/bwmarrin/discordgo", []string{"bot/discord"}},
	{"github.com/wneessen/go-mail", []string{"bot/notify"}},
	{"github.com/google/go-github/", []string{"bot/tracker"}},
	{"github.com/yuin/goldmark", []string{"incident/postmortem"}},
	{"golang.org/x/image", []string{"incident/postmortem"}},
	{"github.com/letsencrypt/", []string{"renew/renewtest", "cmd/certmedic/drill"}},
	{"github.com/goccy/go-yaml", []string{"cmd/certmedic"}},
	{"github.com/spf13/cobra", []string{"cmd/certmedic"}},
	{"github.com/prometheus/", []string{"cmd/certmedic"}},
}

// testHelpers may be imported by tests and by the drill alone.
var testHelpers = []string{"renew/renewtest", "bot/bottest", "store/storetest"}

var banned = []string{"util", "utils", "common", "helper", "helpers", "internal", "pkg", "manager", "misc", "lib"}

var topFolders = []string{"bot", "commands", "incident", "renew", "store", "cmd", "docs", ".ci", ".git"}

func TestHouse(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	packages := 0
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			return folder(t, rel, d.Name())
		}
		if !strings.HasSuffix(rel, ".go") || strings.Contains(rel, "/testdata/") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		if _, seen := documented[dir]; !seen {
			documented[dir] = false
			packages++
		}
		if f.Doc != nil && !strings.HasSuffix(rel, "_test.go") {
			documented[dir] = true
		}
		for _, i := range f.Imports {
			if why := refuse(dir, strings.HasSuffix(rel, "_test.go"), strings.Trim(i.Path.Value, `"`)); why != "" {
				t.Errorf("%s: %s", rel, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
	if packages < len(rooms) {
		t.Errorf("walked %d packages of at least %d: the walk missed some", packages, len(rooms))
	}
}

// folder checks a folder's name.
func folder(t *testing.T, rel, name string) error {
	switch {
	case rel == ".":
		return nil
	case rel == ".git" || name == "testdata" || name == "node_modules":
		return filepath.SkipDir
	case !strings.Contains(rel, "/") && !slices.Contains(topFolders, rel):
		if _, err := os.Stat(filepath.Join("../..", rel, ".gitkeep")); err == nil || hasGo(rel) {
			t.Errorf("%s: a top-level folder that the house does not have", rel)
		}
		return filepath.SkipDir
	case slices.Contains(banned, name):
		t.Errorf("%s: a folder name that the house does not allow", rel)
	}
	return nil
}

func hasGo(rel string) bool {
	m, _ := filepath.Glob(filepath.Join("../..", rel, "*.go"))
	return len(m) > 0
}

// refuse says why a package may not import a path, or "".
func refuse(dir string, test bool, imp string) string {
	if inside, ok := strings.CutPrefix(imp, module+"/"); ok {
		return refuseInside(dir, test, inside)
	}
	for _, o := range owners {
		if strings.HasPrefix(imp, o.path) && !slices.Contains(o.by, dir) && !(test && strings.HasPrefix(dir, "cmd/")) {
			return "imports " + imp + ", which belongs to " + strings.Join(o.by, ", ")
		}
	}
	return ""
}

func refuseInside(dir string, test bool, inside string) string {
	if slices.Contains(testHelpers, inside) {
		if test || dir == "cmd/certmedic/drill" {
			return ""
		}
		return "imports " + inside + ", which is for tests and the drill"
	}
	if strings.HasPrefix(dir, "cmd/") || dir == inside {
		return ""
	}
	if slices.Contains(rooms[dir], inside) {
		return ""
	}
	if test && slices.Contains(below(dir), inside) {
		return ""
	}
	return "may not import " + inside
}

// below is all that a package's tests may stand on: its floor and those under
// it, so that a test can use the real thing.
func below(dir string) []string {
	seen := []string{}
	var walk func(string)
	walk = func(d string) {
		for _, n := range rooms[d] {
			if !slices.Contains(seen, n) {
				seen = append(seen, n)
				walk(n)
			}
		}
	}
	walk(dir)
	return seen
}

// TestHouseRefuses shows that the table says no.
func TestHouseRefuses(t *testing.T) {
	for _, c := range []struct {
		dir  string
		test bool
		imp  string
		no   bool
	}{
		{"store", false, module + "/incident", true},
		{"incident", false, module + "/renew", true},
		{"renew", false, module + "/incident", true},
		{"renew/probe", false, module + "/renew/acme", true},
		{"commands", false, module + "/store", true},
		{"commands", true, module + "/store", false},
		{"bot", false, module + "/incident", true},
		{"bot/web", false, module + "/bot/console", true},
		{"renew/acme", false, module + "/renew/renewtest", true},
		{"renew/acme", true, module + "/renew/renewtest", false},
		{"cmd/certmedic/drill", false, module + "/renew/renewtest", false},
		{"incident", false, "go.etcd.io/bbolt", true},
		{"store", false, "go.etcd.io/bbolt", false},
		{"renew", false, "github.com/go-acme/lego/v4/acme/api", true},
		{"cmd/certmedic", false, "github.com/letsencrypt/pebble/v2/wfe", true},
		{"commands", false, module + "/incident", false},
		{"cmd/certmedic", false, module + "/store", false},
	} {
		if why := refuse(c.dir, c.test, c.imp); (why != "") != c.no {
			t.Errorf("%s (test %t) imports %s: refused %q, want refused %t", c.dir, c.test, c.imp, why, c.no)
		}
	}
}

// TestDependenciesAreExplained: docs/dependencies.md has a line for each
// direct dependency of go.mod, and none for what is gone.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{"honnef.co/go/tools": true, "golang.org/x/vuln": true} // tools
	for l := range strings.Lines(string(mod)) {
		f := strings.Fields(l)
		if len(f) == 2 && strings.Contains(f[0], ".") && strings.HasPrefix(f[1], "v") {
			direct[f[0]] = true
		}
	}
	for path := range direct {
		if !strings.Contains(string(doc), path) {
			t.Errorf("docs/dependencies.md does not say what %s is for", path)
		}
	}
	for l := range strings.Lines(string(doc)) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(l, "| "), " ")
		if path := strings.TrimSuffix(cell, ","); strings.Contains(path, ".") && strings.Contains(path, "/") && !direct[path] {
			t.Errorf("docs/dependencies.md speaks of %s, which go.mod does not need directly", path)
		}
	}
	if len(direct) < 10 {
		t.Errorf("go.mod has only %d direct dependencies: the test misreads it", len(direct))
	}
}
