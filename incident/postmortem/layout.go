package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: where everything of the picture stands. It is laid out once,
// as shapes; svg.go writes them as SVG, png.go draws them as pixels. The labels
// over the rows are in labels.go, what it says in words in picture.go.

// Measures in pixels, which are the SVG's units too.
const (
	wide      = 800 // of the picture
	rightEdge = wide - 16
	textSize  = 12
	labelHigh = 16               // of a row of labels
	waveHigh  = 18               // of the name of a wave over its rows
	maxRows   = 60               // hosts drawn; the rest is counted
	least     = 15 * time.Second // what the picture spans at least
	longName  = 26               // runes of a host's name
)

// ink is the colour of text and lines: the page's own in SVG, black in PNG.
const ink = "ink"

// paper is what is drawn on: nothing in SVG, white in PNG.
const paper = "paper"

// look is how a state is drawn: apart in grey too, each with its sign.
type look struct {
	fill, ink string
	sign      string // of signs
	hatch     bool   // lines across it
	border    bool
}

// What a host served, as the picture shows it. failing is told apart by what
// was found: expired, wrong (another certificate than the right one), down (no
// TLS at all).
const (
	expired = "expired"
	wrong   = "wrong"
	down    = "down"
)

var looks = map[string]look{
	good:    {fill: "#9fd3ae", ink: "#1b1c1f", sign: "check"},
	expired: {fill: "#a3201a", ink: "#ffffff", sign: "cross"},
	wrong:   {fill: "#e8a33d", ink: "#1b1c1f", sign: "unlike", hatch: true},
	down:    {fill: "#4a4d55", ink: "#ffffff", sign: "dash"},
	failing: {fill: "#a3201a", ink: "#ffffff", sign: "cross"},
	renewed: {fill: "#2f78b7", ink: "#ffffff", sign: "star"},
	unseen:  {fill: paper, ink: ink, sign: "query", border: true},
}

var stateOrder = []string{good, expired, wrong, down, failing, renewed, unseen}

// shape is a filled polygon, or a text.
type shape struct {
	points []float64 // x, y, x, y, ...; of a text its start on the base line
	box    bool      // the points are the corners of an upright box
	fill   string    // "#rrggbb", ink or paper
	faint  bool      // half as strong
	text   string
	mono   bool
	anchor string  // of a text: "", "end" or "middle" at x
	at     float64 // of a text with an anchor: its x
	tip    string  // shown when the pointer rests on it
}

// sheet is the picture laid out.
type sheet struct {
	high     float64
	shapes   []shape
	over     []shape   // signs and words of the bands: above the lines
	from, to time.Time // what the width spans
	left     float64   // where time begins
	words    string    // the same in words
}

// x is where a moment stands.
func (s *sheet) x(t time.Time) float64 {
	share := float64(t.Sub(s.from)) / float64(s.to.Sub(s.from))
	return s.left + min(1, max(0, share))*(rightEdge-s.left)
}

func (s *sheet) add(one shape) { s.shapes = append(s.shapes, one) }

func (s *sheet) rect(x, y, w, h float64, fill string) {
	s.add(shape{points: []float64{x, y, x + w, y, x + w, y + h, x, y + h}, box: true, fill: fill})
}

// text writes from x on to the right; to the left of x, or around it, when
// anchor is "end" or "middle".
func (s *sheet) text(x, y float64, anchor, fill, words string, mono bool) {
	at := x
	switch w := width(words, mono); anchor {
	case "end":
		x -= w
	case "middle":
		x -= w / 2
	}
	s.add(shape{points: []float64{x, y}, fill: fill, text: words, mono: mono, anchor: anchor, at: at})
}

// layout places the picture of a view. With a title it stands by itself.
func (v *view) layout(title, zone string) *sheet {
	s := &sheet{from: v.from, to: v.to, words: v.inWords()}
	if s.to.Sub(s.from) < least {
		s.to = s.from.Add(least)
	}
	pad := s.to.Sub(s.from) / 25
	s.from, s.to = s.from.Add(-pad), s.to.Add(pad)
	groups, more := drawn(v.groups)
	count := 0
	for _, g := range groups {
		count += len(g.hosts)
		if v.waved() > 0 {
			s.left = max(s.left, width(g.title(), false))
		}
		for _, h := range g.hosts {
			s.left = max(s.left, width(short(h.name), true))
		}
	}
	s.left = max(s.left+16, 56)
	y := 4.0
	if title != "" {
		s.text(8, y+13, "", ink, fit(title, wide-16), false)
		y += 24
	}
	labels, deep := v.labels(s)
	top := y + float64(deep*labelHigh) + 4
	high, used := rowHigh(count), map[string]bool{}
	bottom := top
	for n, g := range groups {
		if v.waved() > 0 {
			s.heading(g, n, bottom)
			bottom += waveHigh
		}
		for _, h := range g.hosts {
			s.row(h, bottom, high, v.to, used)
			bottom += high
		}
	}
	bottom = max(bottom, top+high)
	for _, l := range labels {
		at := y + float64(l.row*labelHigh)
		s.line(l, labels, y, bottom)
		if l.act {
			s.add(shape{points: []float64{l.x - 4, top - 6, l.x + 4, top - 6, l.x, top}, fill: ink})
		}
		s.text(l.left, at+11, "", ink, l.text, false)
	}
	s.shapes = append(s.shapes, s.over...)
	s.ticks(bottom)
	s.foot(bottom+52, more, used, zone)
	return s
}

// line is the thin line of a label, from its own row down through all hosts. It
// is interrupted where another label's words stand.
func (s *sheet) line(l label, others []label, y, bottom float64) {
	from := y + float64(l.row*labelHigh) + 2
	draw := func(to float64) {
		if to > from {
			s.add(shape{points: []float64{l.x - .5, from, l.x + .5, from, l.x + .5, to, l.x - .5, to}, box: true, fill: ink, faint: true})
		}
	}
	for row := l.row + 1; float64(row*labelHigh) < bottom-y; row++ {
		if slices.ContainsFunc(others, func(o label) bool { return o.row == row && l.x > o.left-2 && l.x < o.left+o.w+2 }) {
			draw(y + float64(row*labelHigh))
			from = y + float64((row+1)*labelHigh) - 1
		}
	}
	draw(bottom)
}

// rowHigh is how high a row is: lower when there are many.
func rowHigh(hosts int) float64 {
	switch {
	case hosts > 30:
		return 16
	case hosts > 15:
		return 18
	}
	return 22
}

// drawn leaves out the hosts for which there is no room, and counts them.
func drawn(groups []group) (all []group, more int) {
	room := maxRows
	for _, g := range groups {
		n := min(room, len(g.hosts))
		more += len(g.hosts) - n
		if room -= n; n > 0 {
			all = append(all, group{g.wave, g.hosts[:n]})
		}
	}
	return all, more
}

// heading stands over the rows of a group; a line parts it from the one above.
func (s *sheet) heading(g group, n int, y float64) {
	if n > 0 {
		s.add(shape{points: []float64{8, y + 2, rightEdge, y + 2, rightEdge, y + 3, 8, y + 3}, box: true, fill: ink, faint: true})
	}
	s.text(8, y+14, "", ink, g.title(), false)
}

// short is a host's name as it stands before its row.
func short(name string) string {
	r := []rune(oneLine(name))
	if len(r) > longName { // the ends tell names apart
		return string(r[:longName/2]) + "…" + string(r[len(r)-longName/2+1:])
	}
	return string(r)
}

// row draws the bands of one host. What is before its first check is unseen.
func (s *sheet) row(h *host, y, high float64, end time.Time, used map[string]bool) {
	s.text(s.left-8, y+high/2+4, "end", ink, short(h.name), true)
	all := slices.Concat([]stretch{{at: s.from, state: unseen}}, h.states)
	for n := 0; n < len(all); {
		next := n + 1
		for next < len(all) && all[next].shown() == all[n].shown() {
			next++
		}
		until := end
		if next < len(all) {
			until = all[next].at
		}
		s.band(h.name, all[n], until, y, high, used)
		n = next
	}
	if h.placed.ID != "" {
		x := s.x(h.placed.At)
		s.add(shape{points: []float64{x - 4, y, x + 4, y, x, y + 6}, fill: ink, tip: h.name + ": placed at " + incident.When(h.placed.At) + " (" + h.placed.ID + ")"})
	}
}

// shown is the state as the picture tells it apart.
func (s stretch) shown() string {
	if s.state == failing && s.how != "" {
		return s.how
	}
	return s.state
}

// band is a stretch of one state.
func (s *sheet) band(host string, of stretch, until time.Time, y, high float64, used map[string]bool) {
	x := s.x(of.at)
	w := s.x(until) - x
	if w <= 0 {
		return
	}
	state := of.shown()
	used[state] = true
	tip := fmt.Sprintf("%s: %s from %s", host, state, incident.When(of.at))
	if of.entry != "" {
		tip += " (" + of.entry + ")"
	}
	s.swatch(state, x, y+2, w, high-4, tip)
	fill, below := looks[state].ink, len(s.shapes)
	if w > 16 {
		s.sign(looks[state].sign, x+9, y+high/2, fill)
	}
	if w > width(state, false)+24 {
		s.text(x+18, y+high/2+4, "", fill, state, false)
	}
	s.over = append(s.over, s.shapes[below:]...)
	s.shapes = s.shapes[:below]
}

// swatch is a box that looks like a state.
func (s *sheet) swatch(state string, x, y, w, h float64, tip string) {
	l := looks[state]
	s.rect(x, y, w, h, l.fill)
	s.shapes[len(s.shapes)-1].tip = tip
	if l.border {
		for _, b := range [][4]float64{{x, y, w, 1}, {x, y + h - 1, w, 1}, {x, y, 1, h}, {x + w - 1, y, 1, h}} {
			s.rect(b[0], b[1], min(b[2], w), b[3], "#8a8f98")
		}
	}
	if l.hatch {
		for at := x + 34; at+h < x+w; at += 12 {
			if at > x+18+width(state, false) {
				s.add(shape{points: []float64{at, y + h, at + 2, y + h, at + 2 + h, y, at + h, y}, fill: "#8f5a00"})
			}
		}
	}
}

// foot is the legend, of the states that are there, and the caption.
func (s *sheet) foot(y float64, more int, used map[string]bool, zone string) {
	x := 8.0
	for _, state := range stateOrder {
		if !used[state] {
			continue
		}
		w := 22 + 1.12*width(state, false) + 16 // a page's own font may be wider
		if x+w > rightEdge {
			x, y = 8, y+labelHigh+4
		}
		s.swatch(state, x, y-11, 16, 14, "")
		s.sign(looks[state].sign, x+8, y-4, looks[state].ink)
		s.text(x+22, y, "", ink, state, false)
		x += w
	}
	caption := "Times are UTC."
	if zone != "" {
		caption = "Times are UTC; " + zone + "."
	}
	if len(used) == 0 {
		caption = "No check of a host is on the record. " + caption
	}
	if more > 0 {
		caption = "And " + count(more, "host") + " more, in the table. " + caption
	}
	w := width(caption, false)
	if x+w > rightEdge {
		y += labelHigh + 4
	}
	s.text(rightEdge, y, "end", ink, caption, false)
	s.high = y + 10
}

// sign draws the mark of a state around a middle.
func (s *sheet) sign(name string, x, y float64, fill string) {
	stroke := func(ax, ay, bx, by float64) { s.stroke(x+ax, y+ay, x+bx, y+by, fill) }
	switch name {
	case "check":
		stroke(-4, 0, -1, 3)
		stroke(-1, 3, 4, -3.5)
	case "cross":
		stroke(-3, -3, 3, 3)
		stroke(-3, 3, 3, -3)
	case "dash":
		stroke(-4, 0, 4, 0)
	case "unlike":
		stroke(-4, -1.8, 4, -1.8)
		stroke(-4, 1.8, 4, 1.8)
		stroke(-2, 4, 2, -4)
	case "star":
		s.add(shape{points: star(x, y), fill: fill})
	case "query":
		s.text(x, y+4, "middle", fill, "?", false)
	}
}

// star has five points.
func star(x, y float64) []float64 {
	// Of a circle of radius 5, every 36 degrees, the odd ones at radius 2.
	unit := [][2]float64{{0, -1}, {.588, -.809}, {.951, -.309}, {.951, .309}, {.588, .809}, {0, 1}, {-.588, .809}, {-.951, .309}, {-.951, -.309}, {-.588, -.809}}
	var p []float64
	for n, u := range unit {
		r := 5.0
		if n%2 == 1 {
			r = 2
		}
		p = append(p, x+u[0]*r, y+u[1]*r)
	}
	return p
}

// fit shortens words until they are no wider than w.
func fit(words string, w float64) string {
	r := []rune(oneLine(words))
	if width(string(r), false) <= w {
		return string(r)
	}
	for len(r) > 1 && width(string(r)+"…", false) > w {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// oneLine is text on one line without what XML cannot hold.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, plain(s))
}
