package main

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestProgramsSeeNoSecrets: the DNS program of a certificate is given none of
// certmedic's own secrets, however they are named, and keeps its own.
func TestProgramsSeeNoSecrets(t *testing.T) {
	e := startLoop(t, 1, 1)
	dir := t.TempDir()
	seen, script := filepath.Join(dir, "seen"), filepath.Join(dir, "dns")
	writeFile(t, script, []byte("#!/bin/sh\nenv >> "+seen+"\nexit 1\n"))
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range secretNames {
		t.Setenv(name, "ours-"+name)
		t.Setenv(name+"_FILE", "ours-"+name)
	}
	t.Setenv("CERTMEDIC_TOKEN", "ours-token")
	t.Setenv("ZONE_TOKEN", "the program's own")
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	from, to, _ := strings.Cut(string(text), "challenge: {")
	_, to, _ = strings.Cut(to, "}, endpoints")
	writeFile(t, e.file, []byte(from+"challenge: {dns-01: {provider: exec, settings: {program: "+script+", timeout: {env: TSIG_OF_OURS}}, resolvers: [\""+e.dns.Addr()+"\"]}}, endpoints"+to))
	t.Setenv("TSIG_OF_OURS", "7s")
	cfg, err := loadConfig(e.file)
	if err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Log: newLog(io.Discard, false)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	say(t, p, "/certcheck rehearse site0")
	var got []byte
	for ctx.Err() == nil && !strings.Contains(string(got), "ZONE_TOKEN") {
		got, _ = os.ReadFile(seen)
		time.Sleep(5 * time.Millisecond)
	}
	if !strings.Contains(string(got), "ZONE_TOKEN=the program's own") {
		t.Fatalf("the program was not run, or without its own: %s", got)
	}
	for _, bad := range []string{"ours-", "TSIG_OF_OURS", "CERTMEDIC_"} {
		if strings.Contains(string(got), bad) {
			t.Errorf("%s is given to the program:\n%s", bad, got)
		}
	}
}

// TestSecretNamesAreKept: nothing in this package reads a variable that could
// hold a secret past environment(), and environment() reads those of the list
// alone. New readers of the environment stand here with a reason.
func TestSecretNamesAreKept(t *testing.T) {
	if s, err := environment("SOME_NEW_SECRET"); err == nil {
		t.Errorf("a variable that is not in the list is read: %q", s)
	}
	may := map[string]string{"environment": "it is the one reader", "webToken": "CERTMEDIC_TOKEN", "secret": "{env: NAME}, noted in SecretVariables",
		"beThrifty": "GOGC", "terminalOf": "NO_COLOR"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := s.X.(*ast.Ident)
				if ok && x.Name == "os" && (s.Sel.Name == "Getenv" || s.Sel.Name == "LookupEnv" || s.Sel.Name == "Environ" || s.Sel.Name == "ExpandEnv") && may[fn.Name.Name] == "" {
					t.Errorf("%s: %s reads the environment by os.%s: read a secret by environment(), so that no program inherits it", file, fn.Name.Name, s.Sel.Name)
				}
				return true
			})
		}
	}
}
