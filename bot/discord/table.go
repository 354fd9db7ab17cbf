package discord

import (
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// maxTable is how wide a table may be, in characters: in an embed on a desktop
// a longer line wraps, and the columns are lost.
const maxTable = 55

// minColumn is what a column is never cut below.
const minColumn = 14

// ofSeconds are those of a moment in a cell.
var ofSeconds = regexp.MustCompile(`\b(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d\b`)

// narrow makes a table fit: first without the seconds of its moments, then with
// its widest columns cut, then without the last columns. cut: something other
// than seconds is missing.
func narrow(t commands.Table) (_ commands.Table, cut bool) {
	if width(columns(t)) <= maxTable {
		return t, false
	}
	t.Columns, t.Rows = slices.Clone(t.Columns), slices.Clone(t.Rows)
	each := func(change func(i int, cell string) string) {
		for n := range t.Rows {
			cells := slices.Clone(t.Rows[n].Cells)
			for i, c := range cells {
				cells[i] = change(i, oneLine(c))
			}
			t.Rows[n].Cells = cells
		}
	}
	each(func(_ int, c string) string { return ofSeconds.ReplaceAllString(c, "$1") })
	for {
		ws := columns(t)
		over := width(ws) - maxTable
		if over <= 0 {
			return t, cut
		}
		cut = true
		wide := slices.Index(ws, slices.Max(ws))
		if ws[wide] > minColumn || len(ws) == 1 {
			n := max(ws[wide]-over, minColumn)
			if len(ws) == 1 {
				n = maxTable
			}
			mark := 0
			if wide == 0 {
				mark = 2 // the symbol and its space
			}
			if wide < len(t.Columns) {
				t.Columns[wide] = clip(t.Columns[wide], n)
			}
			each(func(i int, c string) string {
				if i == wide {
					return clip(c, n-mark)
				}
				return c
			})
			continue
		}
		last := len(ws) - 1
		t.Columns = t.Columns[:min(last, len(t.Columns))]
		for n := range t.Rows {
			t.Rows[n].Cells = t.Rows[n].Cells[:min(last, len(t.Rows[n].Cells))]
		}
	}
}

// columns are the widths of a table's columns, in characters.
func columns(t commands.Table) []int {
	var ws []int
	add := func(i int, cell string) {
		if i == len(ws) {
			ws = append(ws, 0)
		}
		ws[i] = max(ws[i], utf8.RuneCountInString(cell))
	}
	for i, c := range t.Columns {
		add(i, c)
	}
	for _, r := range t.Rows {
		for i, c := range r.Cells {
			if c = oneLine(c); i == 0 && bot.Symbol(r.State) != "" {
				c = bot.Symbol(r.State) + " " + c
			}
			add(i, c)
		}
	}
	return ws
}

// width is that of a line, with two spaces between columns.
func width(ws []int) int {
	n := max(2*len(ws)-2, 0)
	for _, w := range ws {
		n += w
	}
	return n
}
