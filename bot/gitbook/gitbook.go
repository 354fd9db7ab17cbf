// Package gitbook puts postmortems into a git repository: each draft is a
// commit on a branch, pushed. It works in a bare clone of its own, by git's
// plumbing alone: no work tree, no index and no hook of anybody's is touched,
// and a kill at any point is made up for by doing it again.
package gitbook

// In this file: what a paper takes to stand on the branch. How git is run is
// in git.go, what its refusals mean in words.go, what a configuration may say
// in check.go.

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Options are where postmortems go. Check the parts with CheckRepo,
// CheckBranch, CheckFolder and ParseAuthor first.
type Options struct {
	Repo   string // an absolute path, https://..., ssh://... or user@host:path
	Branch string // "main"
	Folder string // in the repository, with slashes; "": its top
	Name   string // of the commits' author
	Email  string
	Dir    string // of the bare clone; made with mode 0700
	Log    *slog.Logger
}

// Book is a branch of a repository.
type Book struct {
	o  Options
	mu sync.Mutex // one Put at a time: they share the clone
}

// New returns a Book. Nothing is run or made before the first Put.
func New(o Options) *Book { return &Book{o: o} }

// Place names the branch and the repository.
func (b *Book) Place() string { return b.o.Branch + " of " + b.o.Repo }

// tipRef is the only ref of the clone: the remote's branch as last fetched.
const tipRef = "refs/certmedic/tip"

// pushTries is how often somebody else may push in between.
const pushTries = 4

// Put has a paper stand on the branch: a commit on the tip as it is now, and a
// push that is never forced. Nothing is kept between fetch and push, so a kill
// in between leaves nothing; what stands there already is found by its
// contents. Errors are Problems where git's words are known.
func (b *Book) Put(ctx context.Context, p commands.Paper) (commands.Placed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	for range pushTries {
		var placed commands.Placed
		var behind bool
		if placed, behind, err = b.put(ctx, p); err == nil || !behind || ctx.Err() != nil {
			if err != nil {
				b.o.Log.WarnContext(ctx, "postmortem not pushed", "incident", p.Incident, "err", err)
				err = b.words(p, err)
			}
			return placed, err
		}
	}
	return commands.Placed{}, b.words(p, err)
}

// put is one round: fetch, commit, push. behind: somebody pushed in between.
func (b *Book) put(ctx context.Context, p commands.Paper) (_ commands.Placed, behind bool, err error) {
	placed := commands.Placed{Path: path.Join(b.o.Folder, p.Path+p.Files[0].Name)}
	tip, exists, err := b.fetch(ctx)
	if err != nil {
		return placed, false, err
	}
	files, err := b.files(ctx, p)
	if err != nil {
		return placed, false, err
	}
	last := ""
	if tip != "" {
		if last, err = b.last(ctx, tip, p); err != nil {
			return placed, false, err
		}
	}
	same, err := b.compare(ctx, p, files, tip, last)
	if err != nil {
		return placed, false, err
	}
	if same && exists {
		if placed.Commit, placed.Already = last, true; last == "" {
			placed.Commit = tip
		}
		return placed, false, nil
	}
	if placed.Commit, err = b.commit(ctx, p, files, tip); err != nil {
		return placed, false, err
	}
	behind, err = b.push(ctx, placed.Commit)
	return placed, behind, err
}

// file is one of a paper's, as git knows it.
type file struct{ path, blob string }

// files writes a paper's contents into the clone.
func (b *Book) files(ctx context.Context, p commands.Paper) (all []file, err error) {
	for _, f := range p.Files {
		blob, err := b.git(ctx, call{in: f.Data}, "hash-object", "-w", "--stdin")
		if err != nil {
			return nil, err
		}
		all = append(all, file{path.Join(b.o.Folder, p.Path+f.Name), blob})
	}
	return all, nil
}

// at returns which blob stands at a path in a commit; "" for none.
func (b *Book) at(ctx context.Context, commit, file string) (string, error) {
	if commit == "" {
		return "", nil
	}
	line, err := b.git(ctx, call{}, "ls-tree", "--full-tree", commit, "--", file)
	if err != nil || line == "" {
		return "", err
	}
	fields := strings.Fields(line) // mode, type, object, path
	if len(fields) < 4 {
		return "", fmt.Errorf("git ls-tree says %.80q", line)
	}
	return fields[2], nil
}

// compare reports whether the files stand at the tip as they are to be. What
// others changed there since the last commit of this incident, or made there
// without one, is left alone unless the paper is to go over it.
func (b *Book) compare(ctx context.Context, p commands.Paper, files []file, tip, last string) (same bool, err error) {
	same = true
	for _, f := range files {
		now, err := b.at(ctx, tip, f.path)
		if err != nil {
			return false, err
		}
		if now == f.blob {
			continue
		}
		same = false
		was, err := b.at(ctx, last, f.path)
		if err != nil {
			return false, err
		}
		if now != was && !p.Over {
			return false, b.edited(p, f.path, now == "")
		}
	}
	return same, nil
}

// Trailers of a commit. The incident's has the time of its declaration: another
// record's incident of the same number is another one.
func incidentTrailer(p commands.Paper) string {
	return "Certmedic-Incident: " + p.Incident + " " + p.Declared.UTC().Format(time.RFC3339)
}

func contentTrailer(p commands.Paper) string { return "Certmedic-Content: " + p.Content }

// last finds the newest commit of an incident on the branch; "" for none.
func (b *Book) last(ctx context.Context, tip string, p commands.Paper) (string, error) {
	return b.git(ctx, call{}, "rev-list", "--max-count=1", "--basic-regexp", "--grep=^"+incidentTrailer(p)+"$", tip, "--")
}

// commit makes the commit, in an index of its own that is gone afterwards. The
// same paper on the same tip is the same commit.
func (b *Book) commit(ctx context.Context, p commands.Paper, files []file, tip string) (string, error) {
	left, _ := filepath.Glob(filepath.Join(b.o.Dir, "index-*")) // by a kill
	for _, dir := range left {
		os.RemoveAll(dir)
	}
	dir, err := os.MkdirTemp(b.o.Dir, "index-")
	if err != nil {
		return "", fmt.Errorf("make an index: %w", err)
	}
	defer os.RemoveAll(dir)
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	read := []string{"read-tree", "--empty"}
	if tip != "" {
		read = []string{"read-tree", tip}
	}
	if _, err := b.git(ctx, call{env: index}, read...); err != nil {
		return "", err
	}
	for _, f := range files {
		if _, err := b.git(ctx, call{env: index}, "update-index", "--add", "--cacheinfo", "100644,"+f.blob+","+f.path); err != nil {
			return "", err
		}
	}
	tree, err := b.git(ctx, call{env: index}, "write-tree")
	if err != nil {
		return "", err
	}
	at := fmt.Sprintf("@%d +0000", p.At.Unix())
	who := []string{"GIT_AUTHOR_NAME=" + b.o.Name, "GIT_AUTHOR_EMAIL=" + b.o.Email, "GIT_AUTHOR_DATE=" + at,
		"GIT_COMMITTER_NAME=" + b.o.Name, "GIT_COMMITTER_EMAIL=" + b.o.Email, "GIT_COMMITTER_DATE=" + at}
	args := []string{"commit-tree", tree, "-F", "-"}
	if tip != "" {
		args = append(args, "-p", tip)
	}
	text := p.Subject + "\n\nDrawn from the record of the incident by certmedic.\n\n" + incidentTrailer(p) + "\n" + contentTrailer(p) + "\n"
	return b.git(ctx, call{in: []byte(text), env: who}, args...)
}

// push hands a commit over; behind says that the branch has moved meanwhile.
func (b *Book) push(ctx context.Context, commit string) (behind bool, err error) {
	out, err := b.git(ctx, call{}, "push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no", "--", b.o.Repo, commit+":refs/heads/"+b.o.Branch)
	for _, why := range []string{"(fetch first)", "(non-fast-forward)", "(stale info)", "cannot lock ref", "failed to update ref", "incorrect old value"} {
		behind = behind || err != nil && strings.Contains(out+err.Error(), why)
	}
	return behind, err
}
