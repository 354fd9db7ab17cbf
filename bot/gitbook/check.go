package gitbook

// In this file: what a configuration may say. Each check returns why not, for
// people, or "".

import (
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	scpForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*@([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]):[^-:\s][^\s]*$`)
	branchForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	partForm   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

// IsPath reports whether a repository is named by a path of this machine.
func IsPath(repo string) bool { return !strings.Contains(repo, "://") && !scpForm.MatchString(repo) }

// CheckRepo checks where a repository is: an absolute path, or a URL that
// holds no secret. git's other transports, which can run programs, are refused
// (gitremote-helpers(7)).
func CheckRepo(repo string) string {
	if strings.ContainsFunc(repo, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "it holds a control character"
	}
	if scpForm.MatchString(repo) {
		return ""
	}
	if !strings.Contains(repo, "://") {
		if head, _, _ := strings.Cut(repo, "/"); strings.Contains(head, ":") && !filepath.IsAbs(repo) {
			return "it is neither a path nor https://..., ssh://... or git@host:path"
		}
		return ""
	}
	u, err := url.Parse(repo)
	switch {
	case err != nil:
		return "it is no URL"
	case u.Scheme != "https" && u.Scheme != "ssh" && u.Scheme != "file":
		return u.Scheme + ":// is not taken; there are https://, ssh:// and file://"
	case u.RawQuery != "" || u.Fragment != "":
		return "it has a ? or a # part"
	case u.Scheme == "file" && (u.Host != "" || !strings.HasPrefix(u.Path, "/")):
		return "a file URL begins with file:///"
	case u.Scheme != "file" && (u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-")):
		return "it has no host"
	}
	if _, secret := u.User.Password(); secret || u.Scheme == "https" && u.User != nil {
		return "it holds a name or a password; a credential helper of git keeps it (docs/postmortem.md)"
	}
	if strings.HasPrefix(u.User.Username(), "-") {
		return "its user begins with a dash"
	}
	return ""
}

// CheckBranch checks a branch's name: a part of what git-check-ref-format(1) allows.
func CheckBranch(name string) string {
	switch {
	case !branchForm.MatchString(name) || len(name) > 120:
		return "up to 120 letters, digits, -, _, . and / between them"
	case strings.Contains(name, "..") || strings.HasSuffix(name, ".") || strings.Contains(name+"/", ".lock/") || strings.Contains(name, "./"):
		return "git takes no .., no dot at the end and no .lock"
	}
	return ""
}

// CheckFolder checks a folder in the repository.
func CheckFolder(folder string) string {
	parts := strings.Split(folder, "/")
	for _, p := range parts {
		if !partForm.MatchString(p) || len(folder) > 200 {
			return "names of letters, digits, -, _ and . with / between them, from the top of the repository, none beginning with a dot"
		}
	}
	return ""
}

// ParseAuthor reads "name <mail address>".
func ParseAuthor(s string) (name, email, wrong string) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name == "" || strings.ContainsAny(a.Name+a.Address, "<>\n\r\x00") {
		return "", "", "write it like certmedic <certmedic@example.com>"
	}
	return a.Name, a.Address, ""
}
