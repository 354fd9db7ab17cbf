package probe

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table in docs/checks.md")

const docs = "../../docs/checks.md"

// TestDocs keeps the table of docs/checks.md the same as Classes.
func TestDocs(t *testing.T) {
	const begin, end = "<!-- classes -->\n", "<!-- /classes -->\n"
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its marks", docs)
	}
	var w strings.Builder
	w.WriteString("| id | severity | reported when | what to do |\n|---|---|---|---|\n")
	for _, c := range Classes() {
		fmt.Fprintf(&w, "| `%s` | %s | %s | %s |\n", c.ID, c.Severity, c.Meaning, c.Next)
	}
	want := head + begin + w.String() + end + tail
	if want == string(b) {
		return
	}
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what Classes says; run go test ./renew/probe -run TestDocs -update", docs)
}

// TestClasses: every row is whole and its id is used by the code, and every id
// that the code uses has a row.
func TestClasses(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, c := range Classes() {
		if rows[c.ID] {
			t.Errorf("%s stands twice", c.ID)
		}
		rows[c.ID] = true
		if c.Meaning == "" || !strings.HasSuffix(c.Next, ".") || c.Severity.Rank() == 0 || strings.Contains(c.Meaning+c.Next, "|") {
			t.Errorf("row %+v is not whole", c)
		}
	}
	used := map[string]bool{}
	for _, lit := range literals(t) {
		used[lit] = true
	}
	for id := range rows {
		if !used[id] {
			t.Errorf("no code reports %s", id)
		}
	}
	for id := range called(t) {
		if !rows[id] {
			t.Errorf("the code reports %s, which has no row", id)
		}
	}
}

// sources parses the package's files but the table and the tests.
func sources(t *testing.T) []*ast.File {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") || n == "classes.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func literals(t *testing.T) (out []string) {
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, _ := strconv.Unquote(l.Value)
				out = append(out, s)
			}
			return true
		})
	}
	return out
}

// called are the ids given to found as they stand.
func called(t *testing.T) map[string]bool {
	out := map[string]bool{}
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := c.Fun.(*ast.Ident); !ok || id.Name != "found" {
				return true
			}
			if l, ok := c.Args[0].(*ast.BasicLit); ok {
				s, _ := strconv.Unquote(l.Value)
				out[s] = true
			}
			return true
		})
	}
	return out
}
