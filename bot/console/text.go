package console

import (
	"strings"
	"unicode"

	"github.com/certmedic/certmedic/bot"
)

// In this file: text that strangers may have written, made safe and measured.

// clean takes out terminal sequences whole, and then every other character
// that is not text. Newlines and tabs stay.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == 0x1b || r >= 0x80 && r <= 0x9f }) {
		return bot.Clean(s)
	}
	var b strings.Builder
	for s != "" {
		if n := sequence(s); n > 0 {
			s = s[n:]
			continue
		}
		i := strings.IndexFunc(s[1:], func(r rune) bool { return r == 0x1b || r >= 0x80 && r <= 0x9f }) + 1
		if i == 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		s = s[i:]
	}
	return bot.Clean(b.String())
}

// sequence returns the length of the terminal sequence that s starts with, or
// 0. One without an end is as long as its introducer, so that it hides nothing.
func sequence(s string) int {
	kind, n := byte(0), 0
	switch {
	case len(s) >= 2 && s[0] == 0x1b:
		kind, n = s[1], 2
	case strings.HasPrefix(s, "\u009b"): // CSI as one character
		kind, n = '[', 2
	case strings.HasPrefix(s, "\u009d"): // OSC
		kind, n = ']', 2
	default:
		return 0
	}
	switch kind {
	case '[':
		for i := n; i < len(s) && i < n+64; i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x3f {
				break
			}
		}
	case ']', 'P', '_', '^', 'X': // strings that end with BEL or ST
		line, _, _ := strings.Cut(s[n:], "\n")
		for i := range line {
			switch {
			case line[i] == '\a':
				return n + i + 1
			case strings.HasPrefix(line[i:], "\x1b\\"), strings.HasPrefix(line[i:], "\u009c"):
				return n + i + 2
			}
		}
	}
	if kind < 0x20 || kind > 0x7e {
		return 1 // an escape before something else
	}
	return n
}

// line is clean text on one line.
func line(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// wide are the ranges of characters that take two columns.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
	{0xa000, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe4f}, {0xff00, 0xff60},
	{0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
}

// columns is the number of terminal columns that r takes.
func columns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return 2
		}
	}
	return 1
}

// length is the number of columns that s takes; colours take none.
func length(s string) int {
	n := 0
	for s != "" {
		if skip := sequence(s); skip > 0 {
			s = s[skip:]
			continue
		}
		for i, r := range s {
			if i > 0 && r == 0x1b {
				s = s[i:]
				break
			}
			n += columns(r)
			if i+len(string(r)) >= len(s) {
				s = ""
			}
		}
	}
	return n
}

// pad fills s up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-length(s)))
}

// cut returns the longest start of s that fits into width columns, and the rest.
func cut(s string, width int) (head, rest string) {
	n := 0
	for i, r := range s {
		n += columns(r)
		if n > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// wrap breaks s into lines of at most width columns, at spaces. A word that is
// longer is broken too when hard is set; else it stands on a line of its own,
// whole, so that it can be copied.
func wrap(s string, width int, hard bool) []string {
	width = max(width, 1)
	var lines []string
	at := ""
	for _, w := range strings.Fields(s) {
		for hard && length(w) > width {
			room := width
			if at != "" {
				if room = width - length(at) - 1; room < 4 {
					lines, at, room = append(lines, at), "", width
				}
			}
			var head string
			head, w = cut(w, room)
			lines, at = append(lines, join(at, head)), ""
		}
		if at != "" && length(at)+1+length(w) > width {
			lines, at = append(lines, at), ""
		}
		at = join(at, w)
	}
	if at != "" || len(lines) == 0 {
		lines = append(lines, at)
	}
	return lines
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}
