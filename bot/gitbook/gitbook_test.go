package gitbook

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// In this file: papers put into real repositories.

var declared = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

// needGit skips, loudly, where there is no git.
func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: the git program is missing, so nothing about publication to git was tested: apt install git")
	}
}

// run runs git as a person would, and returns what it says.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=ana", "GIT_COMMITTER_EMAIL=ana@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// bare makes an empty bare repository.
func bare(t *testing.T) string {
	t.Helper()
	needGit(t)
	dir := filepath.Join(t.TempDir(), "remote.git")
	run(t, "", "init", "-q", "--bare", "-b", "main", dir)
	return dir
}

// work clones a repository as a person would, and commits a file.
func work(t *testing.T, remote string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	run(t, "", "clone", "-q", remote, dir)
	run(t, dir, "checkout", "-q", "-B", "main")
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// says commits a file in a person's clone and pushes it.
func says(t *testing.T, dir, file, text string) {
	t.Helper()
	run(t, dir, "pull", "-q", "--rebase", "origin", "main")
	write(t, filepath.Join(dir, file), text)
	run(t, dir, "add", "-A")
	run(t, dir, "commit", "-q", "-m", "by hand")
	run(t, dir, "push", "-q", "origin", "main")
}

func book(t *testing.T, remote string) *Book {
	t.Helper()
	return New(Options{Repo: remote, Branch: "main", Folder: "postmortems", Name: "certmedic", Email: "certmedic@example.com",
		Dir: filepath.Join(t.TempDir(), "data", "certmedic.postmortems.git"), Log: slog.New(slog.DiscardHandler)})
}

func paper(text string) commands.Paper {
	return commands.Paper{Incident: "INC-7", Declared: declared, Path: "INC-7-images-down", Subject: "INC-7: postmortem of images down", Content: "c0ffee" + text, At: declared.Add(time.Hour),
		Files: []commands.File{{Name: ".md", Data: []byte("# " + text + "\n")}, {Name: ".png", Data: []byte("\x89PNG" + text)}}}
}

func put(t *testing.T, b *Book, p commands.Paper) commands.Placed {
	t.Helper()
	placed, err := b.Put(t.Context(), p)
	if err != nil {
		t.Fatalf("%v\n%+v", err, err)
	}
	return placed
}

// refusal returns the code and all words of an error.
func refusal(t *testing.T, err error) (string, string) {
	t.Helper()
	var p commands.Problem
	if !errors.As(err, &p) {
		t.Fatalf("not for people: %v", err)
	}
	return p.Code, p.Message + "\n" + p.Hint
}

// A first publication into an empty repository, the same again, a second
// version; author, date and trailers are the record's.
func TestPut(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	b := book(t, remote)
	first := put(t, b, paper("one"))
	if first.Already || first.Path != "postmortems/INC-7-images-down.md" {
		t.Errorf("%+v", first)
	}
	if got := run(t, remote, "show", "main:postmortems/INC-7-images-down.md"); got != "# one" {
		t.Errorf("it holds %q", got)
	}
	if got := run(t, remote, "log", "-1", "--format=%an <%ae> %aI %cI|%B", "main"); got != "certmedic <certmedic@example.com> 2026-11-22T06:00:00+00:00 2026-11-22T06:00:00+00:00|"+
		"INC-7: postmortem of images down\n\nDrawn from the record of the incident by certmedic.\n\nCertmedic-Incident: INC-7 2026-11-22T05:00:00Z\nCertmedic-Content: c0ffeeone" {
		t.Errorf("commit %s", got)
	}
	if again := put(t, b, paper("one")); !again.Already || again.Commit != first.Commit {
		t.Errorf("again: %+v", again)
	}
	second := put(t, b, paper("two"))
	if got := run(t, remote, "rev-list", "main"); got != second.Commit+"\n"+first.Commit {
		t.Errorf("commits %s", got)
	}
	other := book(t, bare(t)) // the same record, elsewhere
	if o := put(t, other, paper("one")); o.Commit != first.Commit {
		t.Errorf("the same paper is commit %s and %s", first.Commit, o.Commit)
	}
}

// A kill after the commit leaves nothing; a kill after the push is found by
// what is there. Neither publishes twice, also with the clone lost or broken.
func TestKilled(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	says(t, seeded(t, remote), "README.md", "ours\n")
	b := book(t, remote)
	ctx := t.Context()
	tip, exists, err := b.fetch(ctx)
	if err != nil || !exists {
		t.Fatal(tip, exists, err)
	}
	files, err := b.files(ctx, paper("one"))
	if err != nil {
		t.Fatal(err)
	}
	commit, err := b.commit(ctx, paper("one"), files, tip)
	if err != nil {
		t.Fatal(err)
	}
	if run(t, remote, "rev-parse", "main") != tip {
		t.Error("the commit is pushed before the push")
	}
	write(t, filepath.Join(b.o.Dir, tipRef+".lock"), "") // what a killed git leaves
	write(t, filepath.Join(b.o.Dir, "index-1", "index.lock"), "")
	says(t, work(t, remote), "other.md", "meanwhile\n")
	placed := put(t, New(b.o), paper("one"))
	if placed.Commit == commit || placed.Already {
		t.Errorf("built upon the old tip: %+v", placed)
	}
	again := put(t, New(b.o), paper("one")) // killed before it was recorded
	if !again.Already || again.Commit != placed.Commit || run(t, remote, "rev-list", "--count", "main") != "4" {
		t.Errorf("twice: %+v, %s", again, run(t, remote, "log", "--oneline", "main"))
	}
	if err := os.RemoveAll(b.o.Dir); err != nil {
		t.Fatal(err)
	}
	if lost := put(t, New(b.o), paper("one")); !lost.Already || lost.Commit != placed.Commit {
		t.Errorf("with a new clone: %+v", lost)
	}
}

// seeded is a person's clone of a repository that it gives a first commit.
func seeded(t *testing.T, remote string) string {
	t.Helper()
	dir := work(t, remote)
	write(t, filepath.Join(dir, "first"), "first\n")
	run(t, dir, "add", "-A")
	run(t, dir, "commit", "-q", "-m", "first")
	run(t, dir, "push", "-q", "origin", "main")
	return dir
}

// The branch moves between fetch and push: the commit is made anew upon what
// is there, and nothing of others is lost.
func TestDiverged(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	dir := seeded(t, remote)
	b := book(t, remote)
	put(t, b, paper("one"))
	// A hook in the remote that lets others in first, once.
	rival := run(t, remote, "rev-parse", "main")
	tree := run(t, remote, "rev-parse", "main^{tree}")
	rival = run(t, remote, "commit-tree", tree, "-p", rival, "-m", "a rival")
	// Inside a quarantine no ref may be changed: it leaves it.
	write(t, filepath.Join(remote, "hooks", "pre-receive"), "#!/bin/sh\nif [ ! -e fired ]; then touch fired; env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main "+rival+"; fi\n")
	if err := os.Chmod(filepath.Join(remote, "hooks", "pre-receive"), 0o755); err != nil {
		t.Fatal(err)
	}
	placed := put(t, b, paper("two"))
	if _, err := os.Stat(filepath.Join(remote, "fired")); err != nil {
		t.Fatal("the rival never came: ", err)
	}
	if got := run(t, remote, "rev-parse", placed.Commit+"^"); got != rival {
		t.Errorf("built upon %s, not upon the rival %s", got, rival)
	}
	if got := run(t, remote, "log", "--format=%s", "main"); got != "INC-7: postmortem of images down\na rival\nINC-7: postmortem of images down\nfirst" {
		t.Errorf("history:\n%s", got)
	}
	// A history that was rewritten.
	run(t, dir, "push", "-q", "-f", "origin", "main")
	if placed := put(t, b, paper("two")); placed.Already || run(t, remote, "rev-list", "--count", "main") != "2" {
		t.Errorf("after a rewritten history: %+v", placed)
	}
}

// What people changed or removed in the repository is left alone until somebody
// says otherwise, and so is a file that stood there before.
func TestEdited(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	dir := seeded(t, remote)
	b := book(t, remote)
	says(t, dir, "postmortems/INC-7-images-down.md", "of somebody else\n")
	code, words := refusal(t, second(b.Put(t.Context(), paper("one"))))
	if code != commands.PublishEdited || !strings.Contains(words, "postmortems/INC-7-images-down.md") || !strings.Contains(words, "--anyway") {
		t.Errorf("stood there before: %s %s", code, words)
	}
	over := paper("one")
	over.Over = true
	put(t, b, over)
	says(t, dir, "postmortems/INC-7-images-down.md", "# one, by hand\n")
	if code, _ := refusal(t, second(b.Put(t.Context(), paper("two")))); code != commands.PublishEdited {
		t.Errorf("edited: %s", code)
	}
	if got := run(t, remote, "show", "main:postmortems/INC-7-images-down.md"); got != "# one, by hand" {
		t.Errorf("their words are %q", got)
	}
	again := paper("one")
	again.Declared = declared.Add(24 * time.Hour) // another record's INC-7
	if code, _ := refusal(t, second(b.Put(t.Context(), again))); code != commands.PublishEdited {
		t.Errorf("another record's: %s", code)
	}
	run(t, dir, "rm", "-q", "postmortems/INC-7-images-down.md")
	run(t, dir, "commit", "-q", "-m", "no")
	run(t, dir, "push", "-q", "origin", "main")
	if code, words := refusal(t, second(b.Put(t.Context(), paper("two")))); code != commands.PublishEdited || !strings.Contains(words, "removed") {
		t.Errorf("removed: %s %s", code, words)
	}
	over = paper("two")
	over.Over = true
	put(t, b, over)
	if got := run(t, remote, "show", "main:postmortems/INC-7-images-down.md"); got != "# two" {
		t.Errorf("published over: %q", got)
	}
}

func second(_ commands.Placed, err error) error { return err }

// A branch that is not there starts from the default one.
func TestNewBranch(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	seeded(t, remote)
	b := book(t, remote)
	b.o.Branch = "incidents/drafts"
	placed := put(t, b, paper("one"))
	if run(t, remote, "rev-parse", "incidents/drafts") != placed.Commit || run(t, remote, "rev-parse", placed.Commit+"^") != run(t, remote, "rev-parse", "main") {
		t.Errorf("%+v", placed)
	}
}

// Hooks that would fire do not: in the clone, and those of a user's settings.
// A push to a branch of a repository in which somebody works leaves the work
// tree and the index alone, and the branch that is checked out is refused.
func TestNothingOfTheirs(t *testing.T) {
	needGit(t)
	home := t.TempDir()
	fired := filepath.Join(home, "fired")
	hook := "#!/bin/sh\necho $0 >>" + fired + "\nexit 1\n"
	for _, name := range []string{"pre-push", "pre-commit", "post-checkout", "pre-auto-gc", "post-index-change"} {
		write(t, filepath.Join(home, "hooks", name), hook)
		write(t, filepath.Join(home, "template", "hooks", name), hook)
		for _, d := range []string{"hooks", "template/hooks"} {
			if err := os.Chmod(filepath.Join(home, d, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(home, ".gitconfig"), "[core]\n\thooksPath = "+home+"/hooks\n[init]\n\ttemplateDir = "+home+"/template\n[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n\tfollowTags = true\n[user]\n\tname = somebody\n\temail = s@example.com\n[grep]\n\tpatternType = fixed\n")
	remote := filepath.Join(t.TempDir(), "theirs")
	run(t, "", "init", "-q", "-b", "main", remote)
	write(t, filepath.Join(remote, "a.txt"), "a\n")
	run(t, remote, "add", "-A")
	run(t, remote, "commit", "-q", "-m", "first")
	write(t, filepath.Join(remote, "a.txt"), "being edited\n")
	write(t, filepath.Join(remote, "staged.txt"), "staged\n")
	run(t, remote, "add", "staged.txt")
	before := run(t, remote, "status", "--porcelain=v2", "--branch")

	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "none"))
	t.Setenv("GIT_DIR", filepath.Join(remote, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(remote, ".git", "index"))
	t.Setenv("GIT_WORK_TREE", remote)
	b := book(t, remote)
	b.o.Branch = "postmortems"
	placed := put(t, b, paper("one"))
	write(t, filepath.Join(b.o.Dir, "hooks", "reference-transaction"), hook) // somebody's, in the clone
	if err := os.Chmod(filepath.Join(b.o.Dir, "hooks", "reference-transaction"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, b, paper("two"))
	code, words := refusal(t, second(New(Options{Repo: remote, Branch: "main", Name: "c", Email: "c@example.com", Dir: b.o.Dir, Log: b.o.Log}).Put(t.Context(), paper("one"))))
	for _, name := range []string{"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} {
		os.Unsetenv(name)
	}
	if after := run(t, remote, "status", "--porcelain=v2", "--branch"); after != before {
		t.Errorf("the work tree was\n%s\nand is\n%s", before, after)
	}
	if run(t, remote, "log", "-1", "--format=%an", placed.Commit) != "certmedic" {
		t.Error("somebody else's name")
	}
	if code != "checked_out" || !strings.Contains(words, "bare") {
		t.Errorf("the branch that is checked out: %s %s", code, words)
	}
	if text, err := os.ReadFile(fired); err == nil {
		t.Errorf("hooks ran:\n%s", text)
	}
}

// git gets nothing of certmedic's secrets.
func TestEnvironment(t *testing.T) {
	needGit(t)
	t.Setenv("CERTMEDIC_TOKEN", "very-secret-token")
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-very-secret")
	t.Setenv("GIT_SSH_COMMAND", "touch /tmp/no")
	remote := bare(t)
	seen := filepath.Join(t.TempDir(), "seen")
	write(t, filepath.Join(remote, "hooks", "pre-receive"), "#!/bin/sh\nenv >"+seen+"\n") // the server's, which run for a path too
	if err := os.Chmod(filepath.Join(remote, "hooks", "pre-receive"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, book(t, remote), paper("one"))
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "GIT_TERMINAL_PROMPT=0") || strings.Contains(string(text), "secret") || strings.Contains(string(text), "/tmp/no") {
		t.Errorf("git was given\n%s", text)
	}
}

// Everything that goes wrong outside has words and a next step.
func TestRefusals(t *testing.T) {
	t.Parallel()
	remote := bare(t)
	seeded(t, remote)
	gone := book(t, filepath.Join(t.TempDir(), "gone.git"))
	code, words := refusal(t, second(gone.Put(t.Context(), paper("one"))))
	if code != "unreachable" || !strings.Contains(words, "git ls-remote") || !strings.Contains(words, "gone.git") {
		t.Errorf("a repository that is not there: %s %s", code, words)
	}
	closed := book(t, "https://127.0.0.1:1/x.git")
	if code, words = refusal(t, second(closed.Put(t.Context(), paper("one")))); code != "unreachable" {
		t.Errorf("a closed port: %s %s", code, words)
	}
	evil := filepath.Join(t.TempDir(), "pwned")
	ext := book(t, "ext::sh -c touch% "+evil)
	if code, words = refusal(t, second(ext.Put(t.Context(), paper("one")))); code != "unreachable" || !strings.Contains(words, "not allowed") {
		t.Errorf("ext: %s %s", code, words)
	}
	if _, err := os.Stat(evil); err == nil {
		t.Error("ext:: ran a program")
	}
	plain := book(t, "http://127.0.0.1:1/x.git")
	if _, words = refusal(t, second(plain.Put(t.Context(), paper("one")))); !strings.Contains(words, "not allowed") {
		t.Errorf("http: %s", words)
	}
	write(t, filepath.Join(remote, "hooks", "update"), "#!/bin/sh\necho 'main is a protected branch, ask the platform team <script>'\nexit 1\n")
	if err := os.Chmod(filepath.Join(remote, "hooks", "update"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := book(t, remote)
	if code, words = refusal(t, second(b.Put(t.Context(), paper("one")))); code != "protected" || !strings.Contains(words, "ask the platform team") {
		t.Errorf("protected: %s %s", code, words)
	}
	if err := os.Remove(filepath.Join(remote, "hooks", "update")); err != nil {
		t.Fatal(err)
	}
	put(t, b, paper("one")) // put right: it goes through
	b.o.Folder = "first"    // a file there
	if code, words = refusal(t, second(b.Put(t.Context(), paper("one")))); code != "in_the_way" {
		t.Errorf("in the way: %s %s", code, words)
	}
	foreign := book(t, remote)
	write(t, filepath.Join(foreign.o.Dir, "precious"), "mine\n")
	if code, words = refusal(t, second(foreign.Put(t.Context(), paper("one")))); code != "foreign_clone" {
		t.Errorf("a foreign folder: %s %s", code, words)
	}
	if text, err := os.ReadFile(filepath.Join(foreign.o.Dir, "precious")); err != nil || string(text) != "mine\n" {
		t.Errorf("it was touched: %q %v", text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := book(t, remote).Put(ctx, paper("one")); !errors.Is(err, context.Canceled) && err == nil {
		t.Errorf("stopped: %v", err)
	}
}

// Without git, people are told so.
func TestNoGit(t *testing.T) {
	remote := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	code, words := refusal(t, second(book(t, remote).Put(t.Context(), paper("one"))))
	if code != "no_git" || !strings.Contains(words, "apt install git") {
		t.Errorf("%s %s", code, words)
	}
}
