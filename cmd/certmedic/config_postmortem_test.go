package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Templates of one's own are read at the start; a mistake names its file, line
// and what there is.
func TestConfigPostmortem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "forms"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "forms", "ours.md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parse := func(text string) (config, error) {
		return parseConfig(filepath.Join(dir, "certmedic.yaml"), []byte(text))
	}
	write("# {{.Title}}\n")
	c, err := parse("postmortem: {templates: forms, template: ours}\n")
	if err != nil || c.Postmortem.Template != "ours" || !strings.HasSuffix(strings.Join(c.Postmortem.Templates.Names(), " "), " ours") {
		t.Errorf("%v, %q", err, c.Postmortem.Template)
	}
	if _, err = parse("postmortem: {template: lnog}\n"); err == nil || !strings.Contains(err.Error(), "status-page") {
		t.Errorf("an unknown template: %v", err)
	}
	if _, err = parse("postmortem: {templates: none}\n"); err == nil || !strings.Contains(err.Error(), "there is no folder") {
		t.Errorf("no folder: %v", err)
	}
	write("# a\n{{.Titel}}\n")
	if _, err = parse("postmortem: {templates: forms}\n"); err == nil || !strings.Contains(err.Error(), "ours.md, line 2: there is no field Titel in Data; there are ID, Title") {
		t.Errorf("a mistake: %v", err)
	}
}
