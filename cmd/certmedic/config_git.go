package main

import (
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/certmedic/certmedic/bot/gitbook"
	"github.com/certmedic/certmedic/commands"
)

// This file reads the git repository that postmortems are published to:
// postmortem.git.

// gitConfig is postmortem.git of the configuration.
type gitConfig struct {
	Repo   string // "": nothing is published
	Branch string
	Folder string // "": the top of the repository
	Name   string // of the author
	Email  string
}

// git reads postmortem.git. Whether the repository can be reached is not asked
// here: certmedic must start when it cannot.
func (r *yamlReader) git(n node) gitConfig {
	g := gitConfig{Branch: "main", Folder: "postmortems", Name: "certmedic", Email: "certmedic@localhost"}
	r.mapping(n, "postmortem.git", fields{
		"repo": func(n node) {
			s := r.text(n, "postmortem.git.repo")
			if why := gitbook.CheckRepo(s); why != "" {
				r.add(n, "postmortem.git.repo: %s", "write a path, https://host/name.git, ssh://git@host/name.git or git@host:name.git", why)
				return
			}
			if g.Repo = s; s != "" && gitbook.IsPath(s) {
				g.Repo = r.path(n, "postmortem.git.repo")
			}
		},
		"branch": func(n node) {
			g.Branch = r.text(n, "postmortem.git.branch")
			if why := gitbook.CheckBranch(g.Branch); why != "" {
				r.add(n, "postmortem.git.branch: %q is no name of a branch", why, g.Branch)
			}
		},
		"folder": func(n node) {
			if g.Folder = r.text(n, "postmortem.git.folder"); g.Folder == "." {
				g.Folder = ""
				return
			}
			if why := gitbook.CheckFolder(g.Folder); why != "" {
				r.add(n, "postmortem.git.folder: %q is no folder of a repository", why, g.Folder)
			}
		},
		"author": func(n node) {
			var why string
			if g.Name, g.Email, why = gitbook.ParseAuthor(r.text(n, "postmortem.git.author")); why != "" {
				r.add(n, "postmortem.git.author is no name with a mail address", why)
			}
		},
	})
	if !r.has(n, "repo") {
		r.add(n, "postmortem.git has no repo", "name the repository: `repo: git@example.com:ops/postmortems.git`")
	}
	return g
}

// publisher is what drafts are published with; nil when nothing is configured.
// Its clone stands beside the record.
func (c config) publisher(log *slog.Logger) commands.Publisher {
	g := c.Postmortem.Git
	if g.Repo == "" {
		return nil
	}
	return gitbook.New(gitbook.Options{Repo: g.Repo, Branch: g.Branch, Folder: g.Folder, Name: g.Name, Email: g.Email, Log: log,
		Dir: strings.TrimSuffix(c.Data, filepath.Ext(c.Data)) + ".postmortems.git"})
}
