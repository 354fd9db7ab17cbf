package gitbook

// In this file: what git's refusals mean for people. Messages are the same
// for the same cause; git's own words, which may differ each time, stand in
// the hint.

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// edited is the refusal to write over what others did.
func (b *Book) edited(p commands.Paper, file string, gone bool) error {
	what := "Somebody changed " + file + " on " + b.Place() + ", or it stood there before."
	if gone {
		what = "Somebody removed " + file + " from " + b.Place() + "."
	}
	return commands.Problem{Code: commands.PublishEdited, Message: what,
		Hint: "Take over what is to stay: /incident postmortem set " + p.Incident + " lessons ... Then publish over it: /incident postmortem " + p.Incident + " publish --anyway why"}
}

// causes are git's words, the first that fits counts. %s is the place.
var causes = []struct{ code, says, message, hint string }{
	{"dubious", "dubious ownership", "git does not use the repository of another user of this machine: %s.", "As the user that runs certmedic: git config --global --add safe.directory with its path"},
	{"checked_out", "branch is currently checked out", "git refused the push to %s: somebody works there with that very branch checked out.", "Name a bare repository, or a branch of its own, under postmortem: git: in the configuration."},
	{"not_let_in", "Permission denied", "certmedic was not let in to %s.", letIn},
	{"not_let_in", "could not read Username", "certmedic was not let in to %s.", letIn},
	{"not_let_in", "could not read Password", "certmedic was not let in to %s.", letIn},
	{"not_let_in", "Authentication failed", "certmedic was not let in to %s.", letIn},
	{"not_let_in", "The requested URL returned error: 403", "certmedic was not let in to %s.", letIn},
	{"host_key", "Host key verification failed", "The host key of the server is not known here: %s.", "As the user that runs certmedic, connect once with ssh and compare the key."},
	{"protected", "protected branch", "The branch is protected: the push to %s was refused.", "Let certmedic's user push to it, or name a branch of its own under postmortem: git: branch."},
	{"hook", "hook declined", "A hook of the server refused the push to %s.", "Its words follow; whoever keeps the repository can let certmedic's commits in."},
	{"in_the_way", "appears as both a file and as a directory", "Something else stands where the folder is to be on %s.", "Name another folder under postmortem: git: folder."},
	{"moving", "(fetch first)", "Others push to %s all the time.", "Nothing is to be done."},
	{"moving", "(non-fast-forward)", "Others push to %s all the time.", "Nothing is to be done."},
	{"refused", "[remote rejected]", "The server refused the push to %s.", "Its words follow; whoever keeps the repository can say more."},
	{"refused", "[rejected]", "The push to %s was refused.", "git's words follow."},
	{"no_room", "No space left on device", "The disk is full, here or where %s is.", "Free some room."},
}

const letIn = "Give the user that runs certmedic a key (ssh) or a credential helper (https) for the repository, with the right to push; docs/postmortem.md says how."

// words turns an error into what people can act on, where it is known.
func (b *Book) words(p commands.Paper, err error) error {
	var known commands.Problem
	var g *gitError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, exec.ErrNotFound):
		return commands.Problem{Code: "no_git", Message: "There is no git program where certmedic runs.", Hint: "Install git there, for example: apt install git"}
	case errors.Is(err, errForeign):
		return commands.Problem{Code: "foreign_clone", Message: "The folder " + b.o.Dir + " is needed for a copy of the repository, and holds something else.", Hint: "Move it away."}
	case !errors.As(err, &g):
		return fmt.Errorf("publish to %s: %w", b.Place(), err)
	}
	problem := commands.Problem{Code: "git_failed", Message: "git failed to publish to " + b.Place() + ".", Hint: "Read what it said."}
	if g.verb == "ls-remote" || g.verb == "fetch" {
		problem = commands.Problem{Code: "unreachable", Message: b.Place() + " cannot be reached.", Hint: "Is its address right, and is it up? Try it as the user that runs certmedic: git ls-remote " + b.o.Repo}
	}
	for _, c := range causes {
		if strings.Contains(g.said, c.says) {
			problem = commands.Problem{Code: c.code, Message: fmt.Sprintf(c.message, b.Place()), Hint: c.hint}
			break
		}
	}
	if line := said(g.said); line != "" {
		problem.Hint += "\ngit: " + line
	}
	return problem
}

// said picks what tells most of what git and the server wrote: at most two
// lines of 160 characters.
func said(text string) string {
	var lines []string
	for _, start := range []string{"remote: ", "!", "fatal: ", "error: ", ""} {
		for line := range strings.Lines(text) {
			line = strings.Join(strings.Fields(line), " ")
			rest := strings.TrimSpace(strings.TrimPrefix(line, "remote:"))
			if len(lines) < 2 && rest != "" && strings.HasPrefix(line, strings.TrimSpace(start)) && (start != "" || len(lines) == 0) {
				if r := []rune(rest); len(r) > 160 {
					rest = string(r[:160]) + "…"
				}
				lines = append(lines, strings.ToValidUTF8(rest, "?"))
			}
		}
	}
	return strings.Join(lines, " / ")
}
