package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What would take the parser's memory, or never end, is refused before it is
// parsed; what editors and shells make of a good file is taken.
func TestConfigThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, x := range map[string]struct{ text, want string }{
		"deep":    {"teams: " + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000), ":1: the file nests deeper than 50"},
		"lists":   {strings.Repeat("- ", 200_000), ":1: the file nests deeper than 50"},
		"indent":  {"data: a.db\n" + strings.Repeat(" ", 4000) + "b: c\n", ":2: the file nests deeper than 50"},
		"anchor":  {"teams:\n  web: &w {people: [ana]}\n", ":2: the file has an anchor, an alias or a merge"},
		"alias":   {"teams:\n  web: {people: [ana]}\n  leads: *w\n", "the file has an anchor, an alias or a merge"},
		"merge":   {"teams:\n  web: &w {people: [ana]}\n  leads:\n    <<: *w\n", "the file has an anchor, an alias or a merge"},
		"large":   {"data: a.db\n#" + strings.Repeat("x", 2<<20), "has more than 1024 KiB"},
		"bom":     {"\ufeffdata: a.db\n", ""},
		"comment": {"data: a.db\n" + strings.Repeat(" ", 200) + "# far to the right\n", ""},
	} {
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, []byte(x.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig(file)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}
