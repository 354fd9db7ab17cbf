package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestConfig reads each file of testdata/config and compares what is said of it.
func TestConfig(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := parseConfig("/etc/certmedic/certmedic.yaml", a.Files[0].Data)
			got := describe(c, err)
			if *update {
				a.Files = append(a.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(a.Files) != 2 {
				t.Fatalf("%s has no want", file)
			}
			if d := cmp.Diff(string(a.Files[1].Data), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func describe(c config, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, l := range c.People {
		fmt.Fprintf(&b, "%s is %s\n", l.Name, strings.Join(l.IDs, ", "))
	}
	for _, t := range c.Teams {
		if len(t.Groups) > 0 {
			fmt.Fprintf(&b, "team %s: people %s, groups %s\n", t.Name, strings.Join(t.People, ", "), strings.Join(t.Groups, ", "))
		}
	}
	if p := c.Policy; len(p.Look)+len(p.Declare)+len(p.Renew)+len(p.Close) > 0 {
		fmt.Fprintf(&b, "policy look %v declare %v renew %v close %v\n", p.Look, p.Declare, p.Renew, p.Close)
	}
	for _, x := range c.Inventory.Certificates {
		fmt.Fprintf(&b, "%s %s owner %s issuer %s", x.Name, strings.Join(x.Domains, ","), x.Owner, x.Issuer)
		for _, ch := range x.Challenges {
			fmt.Fprintf(&b, " %s", ch.Type)
		}
		b.WriteString(" hosts")
		for _, h := range x.Hosts() {
			fmt.Fprintf(&b, " %s", h.Name)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// FuzzConfig shows that no text makes the reader panic, and that every refusal
// names a line of the file.
func FuzzConfig(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.txt")
	for _, file := range files {
		if a, err := txtar.ParseFile(file); err == nil {
			f.Add(a.Files[0].Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := parseConfig("/etc/certmedic/certmedic.yaml", text)
		if err == nil {
			return
		}
		lines := strings.Count(string(text), "\n") + 2
		for _, p := range err.(*configError).Problems {
			if p.Line < 1 || p.Line > lines || p.Message == "" {
				t.Fatalf("line %d of %d: %q", p.Line, lines, p.Message)
			}
		}
	})
}
