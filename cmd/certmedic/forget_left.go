package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// tellLeft says what a forgotten name may stand in still: what has left the
// record of those incidents, each with where it is, and what certmedic does not
// know of.
func tellLeft(out io.Writer, cfg config, left []incident.Left) error {
	var b strings.Builder
	of := func(what string) (some []incident.Left) {
		for _, l := range left {
			if l.What == what {
				some = append(some, l)
			}
		}
		return some
	}
	if len(left) > 0 {
		b.WriteString("\nThese left the record before, and the name may stand in them still:\n")
	}
	if some := of(incident.LeftPublished); len(some) > 0 {
		where := "a git repository that the configuration does not name any more"
		if g := cfg.Postmortem.Git; g.Repo != "" {
			where = fmt.Sprintf("%s, branch %s, folder %s", g.Repo, g.Branch, orWord(g.Folder, "none"))
		}
		fmt.Fprintf(&b, "  postmortems in %s. The next start publishes them without the name; their earlier commits keep it:\n", where)
		for _, l := range some {
			fmt.Fprintf(&b, "    %s, last commit %.12s\n", l.Name, l.Ref)
		}
	}
	if some := of(incident.LeftExported); len(some) > 0 {
		b.WriteString("  action items in trackers:\n")
		for _, l := range some {
			fmt.Fprintf(&b, "    %s of %s: %s, %s, exported %s\n", l.Name, l.Incident, l.Where, l.Ref, incident.When(l.At))
		}
	}
	if some := of(incident.LeftSent); len(some) > 0 {
		b.WriteString("  status updates that were sent:\n")
		for _, l := range some {
			line := fmt.Sprintf("    %s of %s: to %s", l.Name, l.Incident, l.Where)
			if l.Ref != "" {
				line += ", there " + l.Ref
			}
			if !l.At.IsZero() {
				line += ", " + incident.When(l.At)
			}
			b.WriteString(line + "\n")
		}
	}
	b.WriteString("Not touched and not known here: backups (`certmedic backup`), files that somebody exported or downloaded, the configuration, and what chat platforms keep.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
