package postmortem

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// In this file: the picture as SVG, by presentation attributes alone (no
// style, no script, no id).

// svg writes the sheet.
func (s *sheet) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 %d %s" width="%d" height="%s" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="%d" fill="currentColor">`+"\n",
		wide, short1(s.high), wide, short1(s.high), svgText(s.words), textSize)
	for _, o := range s.shapes {
		o.svg(&b)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (o shape) svg(b *strings.Builder) {
	fill := ""
	switch o.fill {
	case ink:
	case paper:
		fill = ` fill="none" pointer-events="all"`
	default:
		fill = ` fill="` + o.fill + `"`
	}
	if o.faint {
		fill += ` fill-opacity="0.6"`
	}
	name, end := "path", "/>\n"
	switch {
	case o.text != "":
		font := ""
		if o.mono {
			font = ` font-family="ui-monospace, monospace"`
		}
		x := o.points[0]
		if o.anchor != "" { // a reader's own font may be wider than the one that was measured
			x, font = o.at, font+` text-anchor="`+o.anchor+`"`
		}
		fmt.Fprintf(b, `<text x="%s" y="%s"%s%s>%s</text>`+"\n", short1(x), short1(o.points[1]), fill, font, svgText(o.text))
		return
	case o.box:
		name = "rect"
		fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s"%s`, short1(o.points[0]), short1(o.points[1]), short1(o.points[2]-o.points[0]), short1(o.points[5]-o.points[1]), fill)
	default:
		b.WriteString(`<path d="M`)
		for n, p := range o.points {
			if n > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(short1(p))
		}
		b.WriteString(`z"` + fill)
	}
	if o.tip != "" {
		end = "><title>" + svgText(o.tip) + "</title></" + name + ">\n"
	}
	b.WriteString(end)
}

// short1 writes a number with one decimal at most.
func short1(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// svgText escapes text for SVG.
func svgText(s string) string { return html.EscapeString(oneLine(s)) }
