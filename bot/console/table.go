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

// table draws t. Where it is too wide, the widest columns are wrapped; where
// even that does not do, every row becomes lines of "column: cell".
func (p *pen) table(t commands.Table) {
	if t.IsZero() {
		return
	}
	cells, marked := grid(t)
	left := 2
	if marked {
		left = 4
	}
	widths, ok := fit(cells, p.width-left)
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

// fit finds a width for every column so that all fit into room.
func fit(cells [][]string, room int) ([]int, bool) {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, c := range row {
			widths[i] = max(widths[i], length(c))
		}
	}
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	for ; sum > room; sum-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastCell {
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
