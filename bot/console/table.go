package console

import (
	"strings"

	"github.com/certmedic/certmedic/commands"
)

const (
	gap       = 2 // spaces between columns
	leastCell = 7 // a column is not drawn narrower than this or its content
	mostLines = 4 // of one cell; what is beyond is cut with "…"
)

// table draws t. Where it is too wide, the widest columns are wrapped at
// spaces; then what is the same on every row is said once, above; then words
// are broken; and where even that does not do, every row becomes lines of
// "column: cell".
func (p *pen) table(t commands.Table) {
	if t.IsZero() {
		return
	}
	cells, marked := grid(t)
	left := 2
	if marked {
		left = 4
	}
	widths, ok := fit(cells, p.width-left, false)
	if !ok {
		var same []string
		if cells, same = common(cells); len(same) > 0 {
			p.put("  ", "  ", wrap("the same on every row: "+strings.Join(same, ", "), p.width-2, false))
			widths, ok = fit(cells, p.width-left, false)
		}
	}
	if !ok {
		widths, ok = fit(cells, p.width-left, true)
	}
	if !ok {
		p.records(t, cells)
		return
	}
	for i, row := range cells {
		mark, code := strings.Repeat(" ", left), "1"
		if i > 0 {
			l := looks[t.Rows[i-1].State]
			code = ""
			if l.symbol != "" {
				mark = "  " + p.paint(l.colour, l.symbol) + " "
			}
		}
		p.row(mark, strings.Repeat(" ", left), code, row, widths)
	}
	if len(t.Rows) == 0 {
		p.put("  ", "", []string{"(none)"})
	}
}

// grid returns the cells, the columns' names first, and whether a row has a mark.
func grid(t commands.Table) (cells [][]string, marked bool) {
	row := func(in []string) []string {
		out := make([]string, len(t.Columns))
		for i := range out {
			if i < len(in) {
				out[i] = line(in[i])
			}
		}
		return out
	}
	cells = append(cells, row(t.Columns))
	for _, r := range t.Rows {
		cells = append(cells, row(r.Cells))
		marked = marked || looks[r.State].symbol != ""
	}
	return cells, marked
}

// common takes out the columns that have a name and the same cell on every one
// of two rows or more, and returns what they hold. At least one column stays.
func common(cells [][]string) (rest [][]string, same []string) {
	names := cells[0]
	if len(cells) < 3 {
		return cells, nil
	}
	var keep []int
	for i, name := range names {
		alike := name != "" && cells[1][i] != ""
		for _, row := range cells[2:] {
			alike = alike && row[i] == cells[1][i]
		}
		if alike {
			same = append(same, name+" "+cells[1][i])
		} else {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 || len(same) == 0 {
		return cells, nil
	}
	for _, row := range cells {
		var short []string
		for _, i := range keep {
			short = append(short, row[i])
		}
		rest = append(rest, short)
	}
	return rest, same
}

// fit finds a width for every column so that all fit into room. Words stay
// whole unless hard is set.
func fit(cells [][]string, room int, hard bool) ([]int, bool) {
	widths, least := make([]int, len(cells[0])), make([]int, len(cells[0]))
	for _, row := range cells {
		for i, c := range row {
			widths[i], least[i] = max(widths[i], length(c)), max(least[i], leastCell)
			for _, w := range strings.Fields(c) {
				if !hard {
					least[i] = max(least[i], length(w))
				}
			}
		}
	}
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	for ; sum > room; sum-- {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil, false
		}
		widths[widest]--
	}
	return widths, true
}

// row draws one row, over as many lines as its highest cell needs.
func (p *pen) row(first, other, code string, row []string, widths []int) {
	high := 0
	split := make([][]string, len(row))
	for i, c := range row {
		split[i] = clip(wrap(c, widths[i], true), widths[i])
		high = max(high, len(split[i]))
	}
	lines := make([]string, high)
	for n := range lines {
		var b strings.Builder
		for i := range row {
			c := ""
			if n < len(split[i]) {
				c = split[i][n]
			}
			if i < len(row)-1 {
				c = pad(c, widths[i]+gap)
			}
			b.WriteString(c)
		}
		lines[n] = p.paint(code, strings.TrimRight(b.String(), " "))
	}
	p.put(first, other, lines)
}

// clip keeps the first lines of a cell.
func clip(lines []string, width int) []string {
	if len(lines) <= mostLines {
		return lines
	}
	head, _ := cut(lines[mostLines-1], max(width-1, 1))
	return append(lines[:mostLines-1:mostLines-1], head+"…")
}

// records draws the rows one below the other.
func (p *pen) records(t commands.Table, cells [][]string) {
	for i, row := range cells[1:] {
		l := looks[t.Rows[i].State]
		mark := "· "
		if l.symbol != "" {
			mark = p.paint(l.colour, l.symbol) + " "
		}
		for c, text := range row {
			if text == "" {
				continue
			}
			if cells[0][c] != "" {
				text = cells[0][c] + ": " + text
			}
			p.put("  "+mark, "      ", wrap(text, p.width-6, true))
			mark = "  "
		}
	}
}
