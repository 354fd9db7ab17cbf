package commands_test

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// draw is a reply as text, everything in it, for golden files.
func draw(r commands.Reply) string {
	var b strings.Builder
	mark := ""
	if r.Public {
		mark = " public"
	}
	if r.Key != "" {
		mark += " key=" + r.Key
	}
	fmt.Fprintf(&b, "[%s%s] %s\n", r.State, mark, r.Headline)
	if !r.Problem.IsZero() {
		fmt.Fprintf(&b, "  problem %s: %s\n  hint: %s\n", r.Problem.Code, r.Problem.Message, r.Problem.Hint)
	}
	if r.Body != "" && r.Body != r.Problem.Hint {
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(r.Body, "\n", "\n  "))
	}
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "  %s: %s\n", f.Name, f.Value)
	}
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "  (%s) %s\n", s.State, s.Text)
	}
	if r.Of > 0 {
		fmt.Fprintf(&b, "  %d/%d\n", r.Done, r.Of)
	}
	if !r.Table.IsZero() {
		fmt.Fprintf(&b, "  | %s |\n", strings.Join(r.Table.Columns, " | "))
		for _, row := range r.Table.Rows {
			s := ""
			if row.State != "" {
				s = " (" + row.State + ")"
			}
			fmt.Fprintf(&b, "  | %s |%s\n", strings.Join(row.Cells, " | "), s)
		}
	}
	for _, x := range r.Buttons {
		fmt.Fprintf(&b, "  <%s> %s", x.Label, x.Command)
		if x.Confirm != "" {
			fmt.Fprintf(&b, " ? %s", x.Confirm)
		}
		b.WriteByte('\n')
	}
	for _, l := range r.Links {
		fmt.Fprintf(&b, "  link %s %s\n", l.Label, l.Path)
	}
	for _, f := range r.Files {
		fmt.Fprintf(&b, "  file %s %s\n", f.Name, f.Type)
	}
	return b.String()
}
