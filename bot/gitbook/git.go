package gitbook

// In this file: running git, and the clone. Every command is a fixed list of
// arguments, run without a shell, with an environment of its own.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// gitLimit bounds one git command; the first fetch of a large repository is
// the longest.
const gitLimit = 10 * time.Minute

// settings come before every command: whatever the machine's own say, no hook
// runs, nothing is cleaned up behind our back, and no transport but those of
// GIT_ALLOW_PROTOCOL is used (git-config(1), git(1)).
var settings = []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "protocol.ext.allow=never", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
	"-c", "core.fsmonitor=false", "-c", "push.gpgSign=false", "-c", "i18n.commitEncoding=UTF-8", "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"}

// passed are the variables of certmedic's own environment that git is given;
// no other, since certmedic's secrets are among them.
var passed = []string{"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SYSTEMROOT", "USERPROFILE"}

// environment is what git is given. Nobody is there to answer a question, so
// none is asked.
func environment(more []string) []string {
	env := []string{"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_ALLOW_PROTOCOL=file:https:ssh",
		"GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=20"}
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, more...)
}

// call is what a command is given beside its arguments.
type call struct {
	in      []byte
	env     []string
	outside bool // not in the clone
}

// gitError is a git command that failed.
type gitError struct {
	verb string
	said string // all that it wrote, at most maxSaid bytes
	err  error
}

const maxSaid = 4096

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", e.verb, e.err, strings.TrimSpace(e.said))
}

func (e *gitError) Unwrap() error { return e.err }

// git runs a git command and returns what it wrote, trimmed.
func (b *Book) git(ctx context.Context, c call, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitLimit)
	defer cancel()
	all := append([]string{}, settings...)
	if !c.outside {
		all = append(all, "--git-dir="+b.o.Dir)
	}
	cmd := exec.CommandContext(ctx, "git", append(all, args...)...)
	cmd.Dir = filepath.Dir(b.o.Dir)
	cmd.Env = environment(c.env)
	cmd.Stdin = bytes.NewReader(c.in)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	if err != nil {
		words := said.String() + "\n" + text
		return text, &gitError{verb: args[0], said: words[:min(len(words), maxSaid)], err: errors.Join(err, ctx.Err())}
	}
	return text, nil
}

// mark is a file by which a clone of ours is known.
const mark = "certmedic-clone"

// errForeign: something that is not ours stands where the clone is to be.
var errForeign = errors.New("the folder of the clone holds something else")

// ours reports whether the clone is there.
func (b *Book) ours() (bool, error) {
	_, err := os.Stat(filepath.Join(b.o.Dir, mark))
	if err == nil {
		return true, nil
	}
	if _, there := os.Lstat(b.o.Dir); errors.Is(err, fs.ErrNotExist) && errors.Is(there, fs.ErrNotExist) {
		return false, nil
	}
	return false, fmt.Errorf("%s: %w", b.o.Dir, errForeign)
}

// clone makes an empty bare clone, whole or not at all. id is an object's
// name of the remote, which tells its format ("" is SHA-1).
func (b *Book) clone(ctx context.Context, id string) error {
	there, err := b.ours()
	if err != nil || there {
		return err
	}
	fresh := b.o.Dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return err
	}
	format := "sha1"
	if len(id) == 64 {
		format = "sha256"
	}
	if _, err := b.git(ctx, call{outside: true}, "init", "--quiet", "--bare", "--template=", "--object-format="+format, fresh); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, mark), []byte("A copy that certmedic publishes postmortems with. It can be removed at any time.\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, b.o.Dir)
}

// remote asks which commit the branch has ("": it is not there) and which one
// a branch would start from ("": the repository is empty).
func (b *Book) remote(ctx context.Context) (branch, start string, err error) {
	ref := "refs/heads/" + b.o.Branch
	out, err := b.git(ctx, call{outside: true}, "ls-remote", "--", b.o.Repo, "HEAD", ref)
	for line := range strings.Lines(out) {
		switch id, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); name {
		case ref:
			branch = id
		case "HEAD":
			start = id
		}
	}
	return branch, start, err
}

// fetch returns the commit to build upon: the remote's branch, or where there
// is none yet its default one, or "" in an empty repository. A clone that
// cannot be used, after a kill for example, is made anew.
func (b *Book) fetch(ctx context.Context) (tip string, exists bool, err error) {
	if err := os.MkdirAll(filepath.Dir(b.o.Dir), 0o700); err != nil {
		return "", false, err
	}
	branch, start, err := b.remote(ctx)
	if err != nil {
		return "", false, err
	}
	from, id := "refs/heads/"+b.o.Branch, branch
	if branch == "" {
		from, id = "HEAD", start
	}
	if tip, err = b.bring(ctx, from, id); err == nil || errors.Is(err, errForeign) || ctx.Err() != nil {
		return tip, branch != "", err
	}
	if err := os.RemoveAll(b.o.Dir); err != nil {
		return "", false, err
	}
	tip, err = b.bring(ctx, from, id)
	return tip, branch != "", err
}

// bring has the clone hold a commit of the remote.
func (b *Book) bring(ctx context.Context, from, id string) (string, error) {
	if err := b.clone(ctx, id); err != nil || id == "" {
		return "", err
	}
	if have, err := b.git(ctx, call{}, "rev-parse", "--verify", "--quiet", tipRef+"^{commit}"); err == nil && have == id {
		return id, nil
	}
	if _, err := b.git(ctx, call{}, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--", b.o.Repo, "+"+from+":"+tipRef); err != nil {
		return "", err
	}
	return b.git(ctx, call{}, "rev-parse", "--verify", "--quiet", tipRef+"^{commit}")
}
