package bot

import (
	"slices"
	"strings"
	"unicode"

	"github.com/certmedic/certmedic/commands"
)

// Clean takes out what no line of text needs and what harms where it is shown:
// control characters (terminal sequences begin with one) other than newline
// and tab, characters that reverse the direction of the text around them, and
// bytes that are not UTF-8.
func Clean(s string) string {
	if !strings.ContainsFunc(s, harmful) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if harmful(r) {
			return -1
		}
		return r
	}, s)
}

func harmful(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r), r == unicode.ReplacementChar:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return true // bidirectional controls
	}
	return r == 0x2028 || r == 0x2029
}

// cleanReply cleans every text of a reply; the data of its files stays.
func cleanReply(r commands.Reply) commands.Reply {
	for _, s := range []*string{&r.Headline, &r.Body, &r.Problem.Code, &r.Problem.Message, &r.Problem.Hint} {
		*s = Clean(*s)
	}
	r.Facts = each(r.Facts, func(f *commands.Fact) { f.Name, f.Value = Clean(f.Name), Clean(f.Value) })
	r.Steps = each(r.Steps, func(l *commands.Line) { l.Text = Clean(l.Text) })
	r.Buttons = each(r.Buttons, func(b *commands.Button) {
		b.Label, b.Command, b.Confirm = Clean(b.Label), Clean(b.Command), Clean(b.Confirm)
	})
	r.Links = each(r.Links, func(l *commands.Link) { l.Label, l.Path = Clean(l.Label), Clean(l.Path) })
	r.Files = each(r.Files, func(f *commands.File) { f.Name, f.Type, f.Alt = Clean(f.Name), Clean(f.Type), Clean(f.Alt) })
	words := func(s *string) { *s = Clean(*s) }
	r.Table.Columns = each(r.Table.Columns, words)
	r.Table.Rows = each(r.Table.Rows, func(row *commands.Row) { row.Cells = each(row.Cells, words) })
	return r
}

// each returns a copy of all with f done to every element.
func each[T any](all []T, f func(*T)) []T {
	all = slices.Clone(all)
	for i := range all {
		f(&all[i])
	}
	return all
}
