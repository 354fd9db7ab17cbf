package console_test

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// vt is a screen: as much of a VT100 as the console uses, with all that has
// scrolled away kept. It fails loudly on what it does not know.
type vt struct {
	width int
	lines [][]rune
	x, y  int
	rest  []byte // of a sequence or character that is not complete
}

func newVT(width int) *vt { return &vt{width: width, lines: [][]rune{nil}} }

func (v *vt) String() string {
	var b strings.Builder
	for _, l := range v.lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return b.String()
}

func (v *vt) write(b []byte) {
	b = append(v.rest, b...)
	for len(b) > 0 {
		if b[0] == 0x1b {
			n := v.escape(b)
			if n == 0 {
				break
			}
			b = b[n:]
			continue
		}
		if !utf8.FullRune(b) {
			break
		}
		r, n := utf8.DecodeRune(b)
		v.put(r)
		b = b[n:]
	}
	v.rest = append([]byte(nil), b...)
}

func (v *vt) put(r rune) {
	switch r {
	case '\r':
		v.x = 0
		return
	case '\n':
		v.down(1)
		return
	}
	if v.x == v.width {
		v.x = 0
		v.down(1)
	}
	l := v.lines[v.y]
	for len(l) <= v.x {
		l = append(l, ' ')
	}
	l[v.x] = r
	v.lines[v.y] = l
	v.x++
}

func (v *vt) down(n int) {
	for v.y += n; v.y >= len(v.lines); {
		v.lines = append(v.lines, nil)
	}
}

// escape does the sequence that b starts with and returns its length, or 0
// when it is not complete.
func (v *vt) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != '[' {
		v.unknown(b[:2])
		return 2
	}
	for i := 2; i < len(b); i++ {
		if b[i] < 0x40 || b[i] > 0x7e {
			continue
		}
		n, err := strconv.Atoi(string(b[2:i]))
		if err != nil {
			n = 1
		}
		v.move(b[i], n, b[:i+1])
		return i + 1
	}
	return 0
}

func (v *vt) move(final byte, n int, whole []byte) {
	switch final {
	case 'A':
		v.y = max(0, v.y-n)
	case 'B':
		v.down(n)
	case 'C':
		v.x = min(v.width-1, v.x+n)
	case 'D':
		v.x = max(0, v.x-n)
	case 'K', 'J':
		if v.x < len(v.lines[v.y]) {
			v.lines[v.y] = v.lines[v.y][:v.x]
		}
		if final == 'J' {
			v.lines = v.lines[:v.y+1]
		}
	case 'm':
	default:
		v.unknown(whole)
	}
}

func (v *vt) unknown(seq []byte) {
	for _, r := range "<unknown sequence " + strconv.Quote(string(seq)) + ">" {
		v.put(r)
	}
}
