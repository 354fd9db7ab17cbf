package acme

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const maxOutput = 4 << 10 // of a program, kept

// exec writes by a program, with lego's contract for it:
//
//	PROGRAM present FQDN VALUE
//	PROGRAM cleanup FQDN VALUE
//
// where FQDN ends with a dot and has its aliases followed. Its settings:
//
//	program  path; needed ("path" is taken too)
//	timeout  of one run, default 60 s; then its whole process group is killed
//
// and sharedSettings. Runs of one program do not overlap: many such scripts
// read a zone, change it and write it. certmedic's own variables and those of
// Options.Hide are not in its environment.
type exec struct {
	program string
	timeout time.Duration
	hide    []string      // names of variables
	turn    chan struct{} // held while the program runs
}

var (
	turnsMu sync.Mutex
	turns   = map[string]chan struct{}{} // by program
)

func newExec(s map[string]string, hide []string) (*exec, error) {
	if err := known("exec", s, "program", "path", "timeout"); err != nil {
		return nil, err
	}
	e := &exec{program: s["program"], timeout: 60 * time.Second, hide: hide}
	if e.program == "" {
		e.program = s["path"]
	}
	if e.program == "" {
		return nil, errors.New("exec needs the setting program: the path of a script called as PROGRAM present|cleanup FQDN VALUE")
	}
	if s["timeout"] != "" {
		var err error
		if e.timeout, err = seconds("timeout", s["timeout"]); err != nil {
			return nil, err
		}
	}
	path, err := osexec.LookPath(e.program)
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	e.program = path
	turnsMu.Lock()
	defer turnsMu.Unlock()
	if turns[path] == nil {
		turns[path] = make(chan struct{}, 1)
	}
	e.turn = turns[path]
	return e, nil
}

func (e *exec) where() string { return e.program }

func (e *exec) add(ctx context.Context, fqdn, value string) error {
	return e.run(ctx, "present", fqdn, value)
}

func (e *exec) remove(ctx context.Context, fqdn, value string) error {
	return e.run(ctx, "cleanup", fqdn, value)
}

func (e *exec) run(ctx context.Context, args ...string) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var out tail
	cmd := osexec.CommandContext(ctx, e.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = environment(os.Environ(), e.hide)
	cmd.WaitDelay = time.Second // for a pipe that a grandchild holds open
	wholeGroup(cmd)
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case outer.Err() != nil:
		return context.Cause(outer)
	case ctx.Err() != nil:
		return &dnsError{"unreachable", fmt.Errorf("%s %s did not end within %s and was killed; it said: %q", e.program, args[0], e.timeout, out.String())}
	}
	return &dnsError{classify(out.String()), fmt.Errorf("%s %s: %w; it said: %q", e.program, args[0], err, out.String())}
}

// environment leaves out what is certmedic's own: its master key among others,
// and what is hidden.
func environment(all, hide []string) []string {
	var out []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "CERTMEDIC_") && !slices.Contains(hide, name) {
			out = append(out, kv)
		}
	}
	return out
}

// tail keeps the last maxOutput bytes of a program's output.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-maxOutput):]...)
	if over := len(t.b) - maxOutput; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return printable(t.b, 500) }

// classes of failures by what DNS providers' programs say, the first match
// counts.
var classes = []struct {
	class string
	words *regexp.Regexp
}{
	{"throttled", regexp.MustCompile(`(?i)throttl|rate.?limit|too many requests|\b429\b|quota`)},
	{"permission", regexp.MustCompile(`(?i)denied|permission|forbidden|unauthori[sz]ed|authorizationfailed|not authori[sz]ed|invalid (api )?(token|key|credential)|\b40[13]\b|expired token|refused by policy|(?-i:\bREFUSED\b|NOTAUTH|BADKEY|BADSIG)`)},
	{"zone", regexp.MustCompile(`(?i)(zone|domain).{0,40}(not found|does not exist|unknown|no such)|(no such|unknown|not find|could not find).{0,20}(zone|domain)|NOTZONE`)},
	{"unreachable", regexp.MustCompile(`(?i)timed? ?out|unreachable|connection (refused|reset)|no route|could not resolve|temporary failure|network|\b50[234]\b`)},
}

func classify(output string) string {
	for _, c := range classes {
		if c.words.MatchString(output) {
			return c.class
		}
	}
	return "failed"
}
