package bot

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/certmedic/certmedic/commands"
)

// This file draws replies, and parts of them, as plain text, as the chat
// platforms show them and put them into files.

// looks are a state's symbol and word: colour is never the only signal.
var looks = map[string]string{
	commands.StateGood: "✓ good", commands.StateWarning: "▲ warning", commands.StateCritical: "✕ critical",
	commands.StateRunning: "… running", commands.StateUnknown: "? unknown",
}

// Look is a state's symbol and word; "" for one that needs none.
func Look(state string) string { return looks[state] }

// Symbol is a state's symbol alone.
func Symbol(state string) string {
	s, _, _ := strings.Cut(looks[state], " ")
	return s
}

// Bar shows how much is done, in ten characters.
func Bar(done, of int) string {
	done = min(max(done, 0), of)
	n := 10 * done / of
	return strings.Repeat("█", n) + strings.Repeat("░", 10-n)
}

// Text is all of a reply, for a file.
func Text(r commands.Reply) string {
	var b strings.Builder
	b.WriteString(r.Headline + "\n\n")
	if r.Problem.Hint != "" {
		b.WriteString(r.Problem.Hint + "\n\n")
	}
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	if r.Body != "" {
		b.WriteString("\n" + r.Body + "\n")
	}
	for _, l := range r.Steps {
		b.WriteString(Symbol(l.State) + " " + l.Text + "\n")
	}
	b.WriteString("\n" + TableText(r.Table))
	return b.String()
}

// TableText is a table in columns of fixed width.
func TableText(t commands.Table) string {
	if t.IsZero() {
		return ""
	}
	rows := [][]string{t.Columns}
	for _, r := range t.Rows {
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, strings.Join(strings.Fields(c), " "))
		}
		if s := Symbol(r.State); s != "" && len(cells) > 0 {
			cells[0] = s + " " + cells[0]
		}
		rows = append(rows, cells)
	}
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], min(utf8.RuneCountInString(c), 60))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := ""
		for i, c := range r {
			line += c + strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(c), 0)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
