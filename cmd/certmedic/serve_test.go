package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// cli runs the program as a process of its own and returns what it printed.
func cli(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1", "NO_COLOR=1")
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	_ = c.Run() // its exit code is looked at
	return c.ProcessState.ExitCode(), o.String(), e.String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestServe: health, metrics, `run` and `backup` through the running server,
// and a graceful stop.
func TestServe(t *testing.T) {
	e := startLoop(t, 1, 2)
	k := &killer{t: t, e: e}
	server, address, log := k.start()
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()

	if code, body := get(t, address+"/healthz"); code != http.StatusOK || !strings.Contains(body, `"ok":true`) {
		t.Errorf("health: %d %s", code, body)
	}
	if code, out, errOut := cli(t, "run", "-c", e.file, "--as", "ana", "/certcheck site0"); code != exitDone || !strings.Contains(out, "site0") {
		t.Errorf("run through the server: %d %s%s", code, out, errOut)
	}
	if code, out, errOut := cli(t, "run", "-c", e.file, "--as", "ana", "/renew site0 --yes --force"); code != exitDone || !strings.Contains(out, "2 of 2") {
		t.Errorf("run waits for the renewal's end: %d %s%s", code, out, errOut)
	}
	if code, out, _ := cli(t, "run", "-c", e.file, "/renew site9 --yes"); code != exitFailed || !strings.Contains(out, "site9") {
		t.Errorf("a refusal: %d %s", code, out)
	}
	if code, out, _ := cli(t, "run", "-c", e.file, "/renew site0 --bogus"); code != exitMisused || !strings.Contains(out, "--yes") {
		t.Errorf("wrong use: %d %s", code, out)
	}
	for line, want := range map[string]string{"": "The line is empty.", "/incident note " + strings.Repeat("x", 20<<10): "The line is too long"} {
		if code, out, errOut := cli(t, "run", "-c", e.file, line); code != exitFailed || !strings.Contains(out, "not done  "+want) || strings.Contains(out+errOut, "{") {
			t.Errorf("refused by the server: %d %s%s", code, out, errOut)
		}
	}
	if code, body := get(t, address+"/metrics"); code != http.StatusOK || !strings.Contains(body, `certmedic_certificate_hosts_good{certificate="site0"} 2`) {
		t.Errorf("metrics: %d %s", code, body)
	}
	if _, err := k.say(t.Context(), address, "/incident declare sev3 site0 is slow --cert site0", false); err != nil {
		t.Fatal(err)
	}
	if code, body := get(t, address+"/metrics"); code != http.StatusOK || !strings.Contains(body, `certmedic_incident_duration_seconds_count{measure="declare",severity="SEV3"} 1`) || !strings.Contains(body, `certmedic_incidents_counted{severity="SEV3"} 1`) {
		t.Errorf("metrics of incidents: %d %s", code, body)
	}
	if code, body := get(t, address+"/numbers"); code != http.StatusOK || !strings.Contains(body, "<h2>Time to declare</h2>") {
		t.Errorf("numbers: %d %s", code, body)
	}
	if code, out, errOut := cli(t, "run", "--json", "-c", e.file, "/incident stats --by severity"); code != exitDone || !strings.Contains(out, `"tallies": [`) || !strings.Contains(out, `"by": "severity"`) {
		t.Errorf("stats as JSON: %d %s%s", code, out, errOut)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if code, out, errOut := cli(t, "backup", "-c", e.file, copied); code != exitDone {
		t.Errorf("backup through the server: %d %s%s", code, out, errOut)
	}
	if text, err := os.ReadFile(copied); err != nil || len(text) == 0 || bytes.Contains(text, []byte("PRIVATE KEY")) {
		t.Errorf("backup of %d bytes: %v", len(text), err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v %v", info.Mode(), err)
	}
	if code, _, errOut := cli(t, "serve", "-c", e.file); code != exitFailed || !strings.Contains(errOut, "in use by certmedic serve, process") {
		t.Errorf("a second server: %d %s", code, errOut)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("stop: %v\n%s", err, log)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(e.file), "*.holder")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestStopResumes: SIGTERM in the middle of a renewal; the server says what
// goes on later, and the next start finishes it with the same order.
func TestStopResumes(t *testing.T) {
	e := startLoop(t, 1, 3)
	k := &killer{t: t, e: e}
	server, address, log := k.start()
	if _, err := k.say(t.Context(), address, "/renew site0 --yes --force", false); err != nil {
		t.Fatal(err)
	}
	for len(e.ca.NewOrders()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(k.out)
	if err := server.Wait(); err != nil {
		t.Fatalf("stop: %v\n%s", err, log)
	}
	if !strings.Contains(string(said), "R-1 will go on at the next start") {
		t.Errorf("at the stop it said: %s", said)
	}
	p := startProgram(t, e.cfg, programOptions{Name: "test"})
	r, err := p.runner.Wait(t.Context(), "R-1")
	if err != nil || r.State != renew.Done {
		t.Errorf("%v %s %s", err, r.State, r.Problem)
	}
	if n := len(e.ca.NewOrders()); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// TestOffLoopback: other machines can reach it only with a token.
func TestOffLoopback(t *testing.T) {
	e := startLoop(t, 1, 1)
	e.cfg.Listen = "0.0.0.0:0"
	if _, err := open(t.Context(), e.cfg, programOptions{Name: "test", Listen: true, Log: newLog(testLog{t}, false)}); err == nil || !strings.Contains(err.Error(), "CERTMEDIC_TOKEN") {
		t.Fatalf("off loopback without a token: %v", err)
	}
	p := startProgram(t, e.cfg, programOptions{Name: "test", Listen: true, Token: "a-long-token-of-the-test"})
	if code, _ := get(t, p.Address()+"/metrics"); code != http.StatusUnauthorized {
		t.Errorf("metrics without the token: %d", code)
	}
	if code, body := get(t, p.Address()+"/estate"); strings.Contains(body, "site0") {
		t.Errorf("the estate without the token: %d", code)
	}
}
