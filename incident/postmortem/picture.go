package postmortem

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: the chart, drawn as SVG by presentation attributes alone (no
// style, no script, no id), and the same in words.

const (
	wide      = 960              // of the chart, in its own units
	leftEdge  = 150              // where time starts
	rightEdge = wide - 16        // where it ends
	rowHigh   = 22               // of a host
	labelHigh = 15               // of a row of labels
	glyph     = 6.2              // width of a letter of a label, about
	maxRows   = 60               // hosts drawn; the rest is counted
	least     = 15 * time.Second // what the chart spans at least
)

// looks of the states: apart in grey too, and each has its sign.
var looks = map[string]struct{ fill, ink, sign string }{
	good:    {"#5fb37c", "#1b1c1f", "✓"},
	failing: {"#b3261e", "#ffffff", "✕"},
	renewed: {"#a9d0ee", "#1b1c1f", "★"},
	unseen:  {"#e3e5e8", "#1b1c1f", "?"},
}

var stateOrder = []string{good, failing, renewed, unseen}

// chart maps moments to places.
type chart struct {
	from, to time.Time
	b        strings.Builder
}

func (c *chart) x(t time.Time) float64 {
	share := float64(t.Sub(c.from)) / float64(c.to.Sub(c.from))
	return leftEdge + min(1, max(0, share))*(rightEdge-leftEdge)
}

func (c *chart) add(format string, args ...any) { fmt.Fprintf(&c.b, format, args...) }

// label is a word over a thin line.
type label struct {
	at   time.Time
	text string
	row  int
	left float64
}

// svg draws the picture.
func (v *view) svg() string {
	c := &chart{from: v.from, to: v.to}
	if c.to.Sub(c.from) < least {
		c.to = c.from.Add(least)
	}
	pad := c.to.Sub(c.from) / 25
	c.from, c.to = c.from.Add(-pad), c.to.Add(pad)
	labels := v.labels(c)
	labelRows := 0
	for _, l := range labels {
		labelRows = max(labelRows, l.row+1)
	}
	hosts := v.hosts[:min(len(v.hosts), maxRows)]
	top := float64(labelRows*labelHigh + 12)
	bottom := top + float64(max(1, len(hosts))*rowHigh)
	high := bottom + 62
	if len(v.hosts) > maxRows {
		high += labelHigh
	}
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="11" fill="currentColor">`+"\n", wide, high, wide, high, svgText(v.inWords()))
	for n, h := range hosts {
		c.row(h, top+float64(n*rowHigh), v.to)
	}
	if len(hosts) == 0 {
		c.add(`<text x="%d" y="%.1f">No check of a host is on the record.</text>`+"\n", leftEdge+8, top+15)
	}
	for _, l := range labels {
		x, y := c.x(l.at), float64(l.row*labelHigh+12)
		c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="currentColor" stroke-width="1" stroke-opacity="0.75"/><text x="%.1f" y="%.1f">%s</text>`+"\n", x, y+3, x, bottom, l.left, y, svgText(l.text))
	}
	c.ticks(bottom)
	y := bottom + 44
	if len(v.hosts) > maxRows {
		c.add(`<text x="8" y="%.1f">and %s more, in the table</text>`+"\n", y, count(len(v.hosts)-maxRows, "host"))
		y += labelHigh
	}
	x := float64(leftEdge)
	for _, s := range stateOrder {
		c.add(`<rect x="%.1f" y="%.1f" width="14" height="12" fill="%s"/><text x="%.1f" y="%.1f">%s %s</text>`+"\n", x, y-10, looks[s].fill, x+18, y, looks[s].sign, s)
		x += 46 + float64(len(s)+2)*glyph
	}
	c.add("</svg>\n")
	return c.b.String()
}

// row draws the bands of one host. What is before its first check is unseen.
func (c *chart) row(h *host, y float64, end time.Time) {
	name := []rune(h.name)
	if len(name) > 22 {
		name = append(name[:21], '…')
	}
	c.add(`<text x="%d" y="%.1f" text-anchor="end" font-family="ui-monospace, monospace">%s</text>`+"\n", leftEdge-6, y+15, svgText(string(name)))
	all := slices.Concat([]stretch{{c.from, unseen, ""}}, h.states)
	for n := 0; n < len(all); {
		next := n + 1
		for next < len(all) && all[next].state == all[n].state {
			next++
		}
		until := end
		if next < len(all) {
			until = all[next].at
		}
		c.band(h.name, all[n], until, y)
		n = next
	}
}

// band is a stretch of one state.
func (c *chart) band(host string, s stretch, until time.Time, y float64) {
	x := c.x(s.at)
	w := c.x(until) - x
	if w <= 0 {
		return
	}
	look := looks[s.state]
	tip := fmt.Sprintf("%s: %s from %s", host, s.state, incident.When(s.at))
	if s.entry != "" {
		tip += " (" + s.entry + ")"
	}
	c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`, x, y+2, w, rowHigh-4, look.fill, svgText(tip))
	switch full := look.sign + " " + s.state; {
	case w > float64(len(full))*glyph+10:
		c.add(`<text x="%.1f" y="%.1f" fill="%s">%s</text>`, x+5, y+15, look.ink, svgText(full))
	case w > 18:
		c.add(`<text x="%.1f" y="%.1f" fill="%s">%s</text>`, x+4, y+15, look.ink, look.sign)
	}
	c.add("\n")
}

// labels are the milestones and approvals, each in the first row where it
// touches no other.
func (v *view) labels(c *chart) []label {
	var all []label
	for _, m := range v.i.Milestones {
		if m.At.After(v.to) {
			continue // closed, the day after
		}
		all = append(all, label{at: m.At, text: m.Kind + " " + m.At.UTC().Format(clockForm(m.At))})
	}
	for _, r := range v.renewals {
		if r.approved.ID != "" {
			all = append(all, label{at: r.approved.At, text: "approved " + r.approved.At.UTC().Format(clockForm(r.approved.At))})
		}
	}
	for _, e := range v.entries {
		if s := e.Evidence.Step; s.Step == "rollback" && s.Outcome == "ok" {
			all = append(all, label{at: e.At, text: "rolled back " + e.At.UTC().Format(clockForm(e.At))})
			break
		}
	}
	slices.SortStableFunc(all, func(a, b label) int { return a.at.Compare(b.at) })
	var ends []float64 // right end of each row's last label
	for n := range all {
		l := &all[n]
		long := float64(len([]rune(l.text))) * glyph
		l.left = min(c.x(l.at)-3, wide-4-long)
		for l.row < len(ends) && ends[l.row] > l.left-6 {
			l.row++
		}
		if l.row == len(ends) {
			ends = append(ends, 0)
		}
		ends[l.row] = l.left + long
	}
	return all
}

// steps that ticks may be apart.
var steps = []time.Duration{
	2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// ticks draws the axis under the rows: UTC, the date where it changes.
func (c *chart) ticks(y float64) {
	span := c.to.Sub(c.from)
	step := max(steps[len(steps)-1], (span / 8).Truncate(time.Hour))
	for _, s := range steps {
		if span/s <= 9 {
			step = s
			break
		}
	}
	c.add(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="currentColor" stroke-opacity="0.5"/>`+"\n", leftEdge, y, rightEdge, y)
	day, form := "", "15:04"
	if step < time.Minute {
		form = "15:04:05"
	}
	for t := c.from.UTC().Truncate(step).Add(step); t.Before(c.to); t = t.Add(step) {
		x := c.x(t)
		c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="currentColor" stroke-opacity="0.5"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, y, x, y+4, x, y+15, t.Format(form))
		if d := t.Format("2006-01-02"); d != day {
			day = d
			c.add(`<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, y+28, d)
		}
		c.add("\n")
	}
	c.add(`<text x="%d" y="%.1f" text-anchor="end">UTC</text>`+"\n", leftEdge-6, y+15)
}

// svgText escapes text for SVG and drops what XML cannot hold.
func svgText(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s))
}

// inWords says what the picture shows, in three sentences.
func (v *view) inWords() string {
	names, last := v.proven()
	var marks []string
	for _, m := range v.i.Milestones { // the close too: words have room
		marks = append(marks, m.Kind+" "+incident.When(m.At))
	}
	first := fmt.Sprintf("The picture shows %s from %s to %s.", count(len(v.hosts), "host"), incident.When(v.from), incident.When(v.to))
	failed := v.failed()
	second := "No host failed in a check."
	if len(failed) > 0 {
		second = fmt.Sprintf("%s failed (%s)", count(len(failed), "host"), strings.Join(some(failed), ", "))
		if len(names) > 0 {
			second += fmt.Sprintf(", and %d served the new certificate, the last from %s.", len(names), incident.When(last.At))
		} else {
			second += ", and none was verified with a new certificate."
		}
	}
	return first + " " + second + " Milestones: " + strings.Join(marks, ", ") + "."
}

// moments are the times at which a host's state changed, in order.
func (v *view) moments() (all []time.Time) {
	for _, h := range v.hosts {
		for _, s := range h.states {
			all = append(all, s.at)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}
