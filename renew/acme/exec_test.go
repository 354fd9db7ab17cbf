package acme

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func program(t *testing.T, dir, body string, more ...string) *exec {
	t.Helper()
	s := map[string]string{"program": script(t, dir, body)}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	e, err := newExec(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExecThatTakesTooLong(t *testing.T) {
	t.Parallel()
	e := program(t, t.TempDir(), `sleep 300`, "timeout", "100ms")
	if err := e.add(short(t), "x.", "v"); err == nil || !strings.Contains(err.Error(), "did not end within 100ms and was killed") {
		t.Error(err)
	}
}

func TestExecEndsWithItsContextAndItsChildren(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := program(t, dir, `sleep 300 & echo $! > `+dir+`/tmp; mv `+dir+`/tmp `+dir+`/child; wait`)
	why := errors.New("stopped by ana")
	ctx, cancel := context.WithCancelCause(short(t))
	done := make(chan error, 1)
	go func() { done <- e.add(ctx, "x.", "v") }()
	for {
		if _, err := os.Stat(filepath.Join(dir, "child")); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the program has not begun")
		}
		time.Sleep(time.Millisecond)
	}
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the child %d is still there", pid)
		}
	}
}

func TestExecThatFloods(t *testing.T) {
	t.Parallel()
	e := program(t, t.TempDir(), `yes flood | head -c 20000000; echo the end; exit 3`)
	err := e.add(short(t), "x.", "v")
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%.300v", err)
	}
}

func TestExecDoesNotSeeOurSecrets(t *testing.T) {
	got := environment([]string{"PATH=/bin", "CERTMEDIC_MASTER_KEY=secret", "AWS_TOKEN=theirs", "SLACK_BOT_TOKEN=ours", "SLACK_BOT_TOKENS=theirs"}, []string{"SLACK_BOT_TOKEN"})
	if strings.Join(got, " ") != "PATH=/bin AWS_TOKEN=theirs SLACK_BOT_TOKENS=theirs" {
		t.Error(got)
	}
}

func TestExecRunsDoNotOverlap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := program(t, dir, `mkdir `+dir+`/lock || exit 1; sleep 0.02; rmdir `+dir+`/lock`)
	other, err := newExec(map[string]string{"path": e.program}, nil) // another certificate's
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, e := range []*exec{e, other, e, other} {
		wg.Go(func() {
			if err := e.add(short(t), "x.", "v"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("key \"medic\" {\n\talgorithm hmac-sha512;\n\tsecret \""+tsigSecret+"\";\n};\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := newRFC2136(map[string]string{"nameserver": "127.0.0.1", "tsig_file": file, "ttl": "5", "zones": "example.com, example.org"})
	if err != nil || w.server != "127.0.0.1:53" || w.key != "medic." || w.secret != tsigSecret || w.algo != "hmac-sha512." || w.ttl != 5 || len(w.zones) != 2 {
		t.Errorf("%+v %v", w, err)
	}
	for want, s := range map[string]map[string]string{
		"nameserver":       {},
		`"nameserver"`:     {"nameservr": "x"},
		"go together":      {"nameserver": "x", "tsig_key": "k"},
		"not base64":       {"nameserver": "x", "tsig_key": "k", "tsig_secret": "***"},
		"hmac-md5":         {"nameserver": "x", "tsig_key": "k", "tsig_secret": tsigSecret, "tsig_algorithm": "hmac-md5"},
		"number of second": {"nameserver": "x", "ttl": "soon"},
		"no such file":     {"nameserver": "x", "tsig_file": "/no/such"},
	} {
		if _, err := newRFC2136(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", s, err)
		}
	}
	if _, err := newExec(map[string]string{"progam": "/bin/true"}, nil); err == nil || !strings.Contains(err.Error(), `"program"`) {
		t.Error(err)
	}
	if _, err := newExec(map[string]string{"program": "/no/such/program"}, nil); err == nil {
		t.Error("a missing program is taken")
	}
}
