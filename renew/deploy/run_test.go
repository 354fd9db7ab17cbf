package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/renew"
)

func sh(script string) renew.Command { return renew.Command{Argv: []string{"/bin/sh", "-c", script}} }

func TestRunEnvironment(t *testing.T) {
	t.Setenv("CERTMEDIC_MASTER_KEY", "secret-1")
	t.Setenv("SLACK_TOKEN", "secret-2")
	t.Setenv("DISCORD_TOKEN", "secret-3")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-4")
	dir := t.TempDir()
	for layout, files := range map[string]string{renew.Flat: dir, renew.Certbot: dir + "/live/media"} {
		out, err := newDeployer(t).Run(t.Context(), "media", target(dir, layout), sh("env"))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(out, "\n")
		for _, want := range []string{
			"CERT_NAME=media", "NODE=cdn-1", "CERT_PATH=" + files + "/cert.pem", "KEY_PATH=" + files + "/privkey.pem",
			"CHAIN_PATH=" + files + "/chain.pem", "FULLCHAIN_PATH=" + files + "/fullchain.pem", "PATH=" + os.Getenv("PATH"),
		} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %s in\n%s", layout, want, out)
			}
		}
		if strings.Contains(out, "secret-") {
			t.Errorf("a secret reached the hook:\n%s", out)
		}
	}
}

func TestRunOutcomes(t *testing.T) {
	t.Parallel()
	d, tg := newDeployer(t), target(t.TempDir(), renew.Flat)
	out, err := d.Run(t.Context(), "media", tg, renew.Command{})
	if out != "" || err != nil {
		t.Errorf("an empty command: %q %v", out, err)
	}
	out, err = d.Run(t.Context(), "media", tg, sh("echo one; echo two >&2; exit 7"))
	if out != "one\ntwo" || err == nil || !strings.Contains(err.Error(), "on cdn-1 failed with exit code 7") {
		t.Errorf("a failing hook: %q %v", out, err)
	}
	_, err = d.Run(t.Context(), "media", tg, renew.Command{Argv: []string{"no-such-program-here"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-program-here on cdn-1 cannot be started") {
		t.Errorf("a missing program: %v", err)
	}
	_, err = d.Run(t.Context(), "media", tg, sh("kill -9 $$"))
	if err == nil || !strings.Contains(err.Error(), "signal") {
		t.Errorf("a killed hook: %v", err)
	}
	// No shell: arguments stay as they are.
	out, err = d.Run(t.Context(), "media", tg, renew.Command{Argv: []string{"printf", "%s|", "$(id)", "a b", ";ls"}})
	if out != "$(id)|a b|;ls|" || err != nil {
		t.Errorf("arguments: %q %v", out, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = d.Run(ctx, "media", tg, sh("sleep 60")); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped by the caller: %v", err)
	}
}

func TestRunHangingHookIsKilledWithItsGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	c := sh("sleep 600 & echo $! >> " + pids + "; echo $$ >> " + pids + "; echo began; wait")
	c.Timeout = 2 * time.Second
	out, err := newDeployer(t).Run(t.Context(), "media", target(dir, renew.Flat), c)
	if err == nil || !strings.Contains(err.Error(), "did not end within 2 s") || out != "began" {
		t.Errorf("%q %v", out, err)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	ps := strings.Fields(string(b))
	if len(ps) != 2 {
		t.Fatalf("pids %q", ps)
	}
	for _, p := range ps {
		pid, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		if !ends(pid) {
			t.Errorf("process %d of the hook is still there", pid)
		}
	}
}

// ends waits for a process to be gone, or to be a zombie that init has yet to
// collect.
func ends(pid int) bool {
	for range 500 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return true
		}
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(b), ") Z ") {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func TestRunDaemonHoldingTheOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Now()
	out, err := newDeployer(t).Run(t.Context(), "media", target(dir, renew.Flat), sh("sleep 600 & echo $!; exit 0"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(out)
	if err != nil {
		t.Fatalf("output %q", out)
	}
	defer syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // ends with the test
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("waited %s for a daemon", took)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the daemon did not stay: %v", err)
	}
}

func TestRunFlood(t *testing.T) {
	t.Parallel()
	out, err := newDeployer(t).Run(t.Context(), "media", target(t.TempDir(), renew.Flat),
		sh("echo first; i=0; while [ $i -lt 3000 ]; do echo 'a line of sixty-four bytes that nobody wants to read in a room'; i=$((i+1)); done; echo the reason; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("error %v", err)
	}
	if len(out) > headBytes+tailBytes+64 || !strings.HasPrefix(out, "first\n") || !strings.HasSuffix(out, "the reason") {
		t.Errorf("%d bytes: %.40q ... %q", len(out), out, out[max(0, len(out)-40):])
	}
	if !strings.Contains(out, " bytes left out]") {
		t.Error("what was left out is not counted")
	}
}

func TestRunShowsNoKey(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), newDeployer(t)
	tg := target(dir, renew.Flat)
	place(t, d, tg, good(t))
	key := filepath.Join(dir, "privkey.pem")
	for _, script := range []string{
		"cat $KEY_PATH; echo after",
		"cat $FULLCHAIN_PATH $KEY_PATH $KEY_PATH; echo after",
		"grep -v -e ----- $KEY_PATH; echo after", // without its frame
		"head -n 2 $KEY_PATH",                    // never closed
		"i=0; while [ $i -lt 150 ]; do cat $KEY_PATH; i=$((i+1)); done; echo after",
		"sed 's/^/> /' $KEY_PATH; echo after",
		"while read -r l; do printf '%s\\\\n' \"$l\"; done < $KEY_PATH; echo after", // on one line
	} {
		out, err := d.Run(t.Context(), "media", tg, sh(script))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range keyLines(key) {
			if strings.Contains(out, line) {
				t.Errorf("%s: shows the key:\n%s", script, out)
			}
		}
		if !strings.Contains(out, cutOut) {
			t.Errorf("%s: does not say that something was cut out:\n%s", script, out)
		}
		if strings.HasSuffix(script, "after") && !strings.HasSuffix(out, "after") {
			t.Errorf("%s: what follows the key is lost:\n%s", script, out)
		}
	}
}

func TestRunControlCharacters(t *testing.T) {
	t.Parallel()
	out, err := newDeployer(t).Run(t.Context(), "media", target(t.TempDir(), renew.Flat),
		sh(`printf 'a\033[31mred\033[0m\007\000b\r\nc\tü\033]0;title\007d\342\200\256e\377f'`))
	if want := "aredb\nc\tüde�f"; out != want || err != nil {
		t.Errorf("%q, want %q: %v", out, want, err)
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----\nok"), uint8(3))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"), uint8(1))
	f.Add([]byte("\x1b[31m-----BEGIN -----BEGIN EC PRIVATE KEY-----x"), uint8(7))
	const secret = "MIGHAgEAMBMGByqGSM49"
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		var whole, parts output
		feed := func(o *output, p []byte) {
			if n, err := o.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		framed := slices.Concat(b, []byte("-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n"))
		feed(&whole, framed)
		for chunk := range slices.Chunk(framed, int(step)+1) {
			feed(&parts, chunk)
		}
		got := whole.text(nil)
		if other := parts.text(nil); got != other {
			t.Fatalf("in one piece %q, in pieces of %d %q", got, int(step)+1, other)
		}
		if strings.Contains(got, secret) && !strings.Contains(clean(string(b), nil), secret) {
			t.Fatalf("the key is shown: %q", got)
		}
		if !utf8.ValidString(got) || len(got) > headBytes+tailBytes+64 || strings.ContainsAny(got, "\x00\x07\x1b\r") {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
}
