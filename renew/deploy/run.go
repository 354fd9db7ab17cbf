package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/certmedic/certmedic/renew"
)

const (
	defaultTimeout = 30 * time.Second
	// pipeWait is how long a command that has ended may have its output held
	// open by what it left running.
	pipeWait = time.Second
)

// inherited are the variables that a command gets from our own environment.
// Everything else stays here: it may hold secrets.
var inherited = []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME"}

// Run runs one of the target's commands, without a shell, in a process group
// of its own that is killed at the timeout. output is at most 16 KiB and the
// note of what was left out, without private keys and control characters; it
// is returned with an error too. An empty command is nothing and no error.
//
// A command that ends well but leaves a process holding its output is given a
// second and then counts as done: that is how daemons are started.
func (d *Deployer) Run(ctx context.Context, cert string, t renew.Target, c renew.Command) (string, error) {
	if len(c.Argv) == 0 {
		return "", nil
	}
	if err := checkName(cert); err != nil {
		return "", on(t, "run "+c.Argv[0], err)
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	inner, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	dir := filesOf(cert, t)
	var out output
	cmd := exec.CommandContext(inner, c.Argv[0], c.Argv[1:]...)
	cmd.Env = environment(cert, t.Name, dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = pipeWait

	began := d.now()
	err := cmd.Run()
	text := out.text(keyLines(filepath.Join(dir, kindKey+".pem")))
	d.log.Info("command ended", "certificate", cert, "host", t.Name, "command", c.Argv[0], "took", d.now().Sub(began), "err", err)
	return text, on1(c.Argv[0], t, outcome(ctx, inner, timeout, err))
}

// outcome puts the end of a command into words; nil when it ended well.
func outcome(ctx, inner context.Context, timeout time.Duration, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && inner.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("was stopped before it ended: %w", ctx.Err())
	case inner.Err() != nil:
		return fmt.Errorf("did not end within %s and was killed", spoken(timeout))
	case errors.As(err, &exit) && exit.Exited():
		return fmt.Errorf("failed with exit code %d: %w", exit.ExitCode(), err)
	case errors.As(err, &exit):
		return fmt.Errorf("was ended by a signal: %w", err)
	}
	return fmt.Errorf("cannot be started: %w", err)
}

func on1(program string, t renew.Target, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s on %s %w", program, t.Name, err)
}

// spoken writes a duration as people say it: 30 s, 1m30s.
func spoken(d time.Duration) string {
	if d < time.Minute {
		return strings.Replace(d.String(), "s", " s", 1)
	}
	return d.String()
}

// filesOf is the directory where a service finds the certificate's files.
func filesOf(cert string, t renew.Target) string {
	dir := t.Directory.Path
	if t.Directory.Layout == renew.Certbot {
		dir = filepath.Join(dir, "live", cert)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

func environment(cert, node, dir string) []string {
	var env []string
	for _, k := range inherited {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return append(env,
		"CERT_NAME="+cert,
		"CERT_PATH="+filepath.Join(dir, kindCert+".pem"),
		"KEY_PATH="+filepath.Join(dir, kindKey+".pem"),
		"CHAIN_PATH="+filepath.Join(dir, kindChain+".pem"),
		"FULLCHAIN_PATH="+filepath.Join(dir, kindFull+".pem"),
		"NODE="+node,
	)
}

// keyLines returns the base64 lines of the key in place, so that they can be
// cut out of an output that shows them without their frame.
func keyLines(file string) []string {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil // no key there that could be shown
	}
	b, _, err := new(tree).content(f, file)
	if err != nil {
		return nil // it is no key
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}
