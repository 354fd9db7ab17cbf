package postmortem

import (
	"math"
	"slices"
	"time"
)

// In this file: the labels over the rows, and the axis under them.

// label is a word over a thin line: a milestone, or an act.
type label struct {
	at      time.Time
	text    string
	act     bool // somebody did it: it has a mark
	row     int
	x       float64
	left, w float64 // of its text
}

// labels are the milestones and acts, placed so that no two touch and, where
// there is room, no line goes through another's text. It returns how many rows
// they need.
func (v *view) labels(s *sheet) (all []label, rows int) {
	span := s.to.Sub(s.from)
	add := func(at time.Time, word string, act bool) {
		form := clockForm(at)
		switch {
		case span > 20*time.Hour:
			form = "Jan 2 15:04"
		case span > time.Hour:
			form = "15:04"
		case span < 10*time.Minute:
			form = "15:04:05"
		}
		all = append(all, label{at: at, text: word + " " + at.UTC().Format(form), act: act})
	}
	for _, m := range v.i.Milestones {
		if !m.At.After(v.to) { // closed, the day after
			add(m.At, m.Kind, m.Kind == "declared")
		}
	}
	for _, r := range v.renewals {
		if r.approved.ID != "" {
			add(r.approved.At, "approved", true)
		}
	}
	placed, canary := 0, (*host)(nil)
	for _, h := range v.hosts {
		if h.placed.ID == "" {
			continue
		}
		if placed++; canary == nil || h.placed.At.Before(canary.placed.At) {
			canary = h
		}
	}
	if placed > 1 {
		add(canary.placed.At, "canary", true)
	}
	for _, e := range v.entries {
		if st := e.Evidence.Step; st.Step == "rollback" && st.Outcome == "ok" {
			add(e.At, "rolled back", true)
			break
		}
	}
	slices.SortStableFunc(all, func(a, b label) int { return a.at.Compare(b.at) })
	// Labels have more room than their words need: a page's own font may be wider.
	late := 0 // those that have room to their right come first; the others from the right edge on
	for n := range all {
		l := &all[n]
		if l.x, l.w = math.Round(s.x(l.at)), 1.12*width(l.text, false); l.x+4+l.w <= wide-4 {
			late = n + 1
		}
	}
	slices.Reverse(all[late:])
	for n := range all {
		all[n].place(all[:n], rows)
		rows = max(rows, all[n].row+1)
	}
	return all, rows
}

// place finds the row and the side for l at which it disturbs least; a new row
// has always room.
func (l *label) place(others []label, rows int) {
	best := math.Inf(1)
	for row := range rows + 1 {
		for side, left := range []float64{l.x + 4, l.x - 4 - l.w} {
			if left < 4 || left+l.w > wide-4 {
				continue
			}
			try := label{x: l.x, row: row, left: left, w: l.w}
			cost := float64(row) + .5*float64(side)
			for _, o := range others {
				cost += try.disturbs(o)
			}
			if cost < best {
				best, l.row, l.left = cost, row, left
			}
		}
	}
}

// disturbs weighs two labels: touching is never right, a line through a text is
// a pity.
func (l label) disturbs(o label) (cost float64) {
	if l.row == o.row && l.left < o.left+o.w+8 && o.left < l.left+l.w+8 {
		cost += 1000
	}
	if l.row <= o.row && l.x > o.left-2 && l.x < o.left+o.w+2 || o.row <= l.row && o.x > l.left-2 && o.x < l.left+l.w+2 {
		cost += 10
	}
	return cost
}

// steps that ticks may be apart.
var steps = []time.Duration{
	2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// apart is how many pixels ticks are apart at least: a date has room.
const apart = 84

// ticks draws the axis under the rows: UTC, the date where it changes.
func (s *sheet) ticks(y float64) {
	span := s.to.Sub(s.from)
	most := int64((rightEdge - s.left) / apart)
	step := max(steps[len(steps)-1], (span/time.Duration(most)).Truncate(time.Hour)+time.Hour)
	for _, d := range steps {
		if int64(span/d) < most {
			step = d
			break
		}
	}
	s.add(shape{points: []float64{s.left, y, rightEdge, y, rightEdge, y + 1, s.left, y + 1}, box: true, fill: ink, faint: true})
	form, under := "15:04", "2006-01-02"
	switch {
	case step < time.Minute:
		form = "15:04:05"
	case step >= 24*time.Hour:
		form, under = "Jan 2", "2006"
	}
	last, end := "", 0.0
	for t := s.from.UTC().Truncate(step).Add(step); t.Before(s.to); t = t.Add(step) {
		x := math.Round(s.x(t))
		s.add(shape{points: []float64{x - .5, y, x + .5, y, x + .5, y + 5, x - .5, y + 5}, box: true, fill: ink, faint: true})
		s.tick(x, y+18, t.Format(form))
		if d := t.Format(under); d != last && x-width(d, false)/2 > end {
			last, end = d, x+width(d, false)/2+6
			s.tick(x, y+33, d)
		}
	}
	s.text(8, y+18, "", ink, "UTC", false)
}

// tick writes under a tick, inside the picture and to the right of "UTC".
func (s *sheet) tick(x, y float64, words string) {
	w := width(words, false)
	s.text(max(min(x-w/2, wide-4-w), 42), y, "", ink, words, false)
}
