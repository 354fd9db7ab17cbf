package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// TestPublishGit: a close puts the draft into a real repository; with the
// repository away it waits through a restart, and what the room says of it is
// one message.
func TestPublishGit(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("SKIPPED: the git program is missing, so publication to git was not tested: apt install git")
	}
	dir := t.TempDir()
	remote, file := filepath.Join(dir, "remote.git"), filepath.Join(dir, "certmedic.yaml")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(git, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "--bare", "-b", "main", remote)
	writeFile(t, file, []byte("data: certmedic.db\npostmortem: {git: {repo: remote.git, branch: drafts, folder: ops/incidents, author: 'ops <ops@example.com>'}}\n"))
	cfg, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	session := func(lines []string, until func(p *program) bool) {
		t.Helper()
		p, err := open(t.Context(), cfg, programOptions{Name: "test", Log: newLog(io.Discard, false), Watch: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		stop := make(chan error, 1)
		go func() { _, err := p.Run(ctx); stop <- err }()
		for _, line := range lines {
			if r := p.rooms.Say(ctx, commands.Request{Text: line, By: ana, Room: "main"}); !r.Problem.IsZero() {
				t.Fatalf("%s: %+v", line, r.Problem)
			}
		}
		for limit := time.Now().Add(time.Minute); !until(p); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("a minute went by")
			}
		}
		end()
		if err := <-stop; err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	said := func(p *program) (texts []string) {
		ms, err := p.rooms.Messages(t.Context(), "INC-1", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if m.Reply.Key == "publish/INC-1" {
				texts = append(texts, m.Reply.Headline)
			}
		}
		return texts
	}
	if err := os.Rename(remote, remote+".away"); err != nil {
		t.Fatal(err)
	}
	session([]string{"/incident declare images do not load", "/incident close INC-1 --anyway over"}, func(p *program) bool {
		pub, _, err := p.book.Publication(t.Context(), "INC-1")
		return err == nil && pub.Tries > 0
	})
	if err := os.Rename(remote+".away", remote); err != nil {
		t.Fatal(err)
	}
	session(nil, func(p *program) bool {
		pub, _, err := p.book.Publication(t.Context(), "INC-1")
		if err != nil || pub.Waits {
			return false
		}
		if texts := said(p); len(texts) != 1 || texts[0] != "The postmortem of INC-1 is published." {
			t.Errorf("the room says %q", texts)
		}
		return true
	})
	if got := run("--git-dir="+remote, "log", "--format=%an %s", "drafts"); got != "ops INC-1: postmortem of images do not load" {
		t.Errorf("log %q", got)
	}
	if got := run("--git-dir="+remote, "ls-tree", "-r", "--name-only", "drafts"); got != "ops/incidents/INC-1-images-do-not-load.md\nops/incidents/INC-1-images-do-not-load.png" {
		t.Errorf("files %q", got)
	}
	if got := run("--git-dir="+remote, "show", "drafts:ops/incidents/INC-1-images-do-not-load.md"); !strings.HasPrefix(got, "# Postmortem of INC-1: images do not load") {
		t.Errorf("%.200s", got)
	}
	if fi, err := os.Stat(filepath.Join(dir, "certmedic.postmortems.git")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the clone: %v %v", fi, err)
	}
	s, err := store.Open(t.Context(), cfg.Data, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if broken, err := incident.NewBook(s, time.Now).Verify(t.Context(), "INC-1"); broken != "" || err != nil {
		t.Errorf("chain: %s %v", broken, err)
	}
}

// What postmortem.git takes, and what it says of the rest, by line.
func TestConfigGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parse := func(git string) (config, error) {
		return parseConfig(filepath.Join(dir, "certmedic.yaml"), []byte("data: a.db\npostmortem:\n  git:\n"+git))
	}
	for repo, want := range map[string]string{"../drafts.git": filepath.Join(filepath.Dir(dir), "drafts.git"), "/srv/drafts.git": "/srv/drafts.git", "https://git.example.com/ops/drafts.git": "",
		"ssh://git@git.example.com:2222/drafts.git": "", "git@git.example.com:ops/drafts.git": "", "file:///srv/drafts.git": ""} {
		c, err := parse("    repo: " + repo + "\n")
		if want == "" {
			want = repo
		}
		if g := c.Postmortem.Git; err != nil || g != (gitConfig{want, "main", "postmortems", "certmedic", "certmedic@localhost"}) {
			t.Errorf("%s: %v %+v", repo, err, g)
		}
	}
	c, err := parse("    repo: /srv/drafts.git\n    branch: team/drafts\n    folder: .\n    author: Ops Bot <ops@example.com>\n")
	if g := c.Postmortem.Git; err != nil || g != (gitConfig{"/srv/drafts.git", "team/drafts", "", "Ops Bot", "ops@example.com"}) {
		t.Errorf("%v %+v", err, g)
	}
	for git, want := range map[string]string{
		"    repo: http://git.example.com/x.git\n":         "yaml:4: postmortem.git.repo: http:// is not taken",
		"    repo: git://git.example.com/x.git\n":          "yaml:4: postmortem.git.repo: git:// is not taken",
		"    repo: 'ext::sh -c true'\n":                    "yaml:4: postmortem.git.repo: it is neither a path nor",
		"    repo: 'host:path'\n":                          "yaml:4: postmortem.git.repo: it is neither a path nor",
		"    repo: https://ana:secret@git.example.com/x\n": "it holds a name or a password",
		"    repo: https://token@git.example.com/x\n":      "it holds a name or a password",
		"    repo: ssh://git:secret@git.example.com/x\n":   "it holds a name or a password",
		"    repo: ssh://-oProxyCommand=x/y\n":             "postmortem.git.repo",
		"    repo: a@-oProxyCommand=x:y\n":                 "postmortem.git.repo",
		"    branch: main\n":                               "postmortem.git has no repo",
		"    repo: /x\n    branch: -f\n":                   "yaml:5: postmortem.git.branch: \"-f\" is no name",
		"    repo: /x\n    branch: a..b\n":                 "is no name of a branch",
		"    repo: /x\n    branch: 'a:b'\n":                "is no name of a branch",
		"    repo: /x\n    branch: a.lock\n":               "is no name of a branch",
		"    repo: /x\n    folder: ../up\n":                "yaml:5: postmortem.git.folder: \"../up\" is no folder",
		"    repo: /x\n    folder: /abs\n":                 "is no folder",
		"    repo: /x\n    folder: a/.git/hooks\n":         "is no folder",
		"    repo: /x\n    author: ops\n":                  "yaml:5: postmortem.git.author is no name with a mail address",
		"    repo: /x\n    athor: ops <ops@example.com>\n": "did you mean author?",
	} {
		if _, err := parse(git); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", git, err, want)
		}
	}
}
