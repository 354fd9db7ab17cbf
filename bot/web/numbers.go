package web

// This file draws the numbers: one small chart for each time, all in the same
// form, the table behind each one click away. The charts are SVG made here;
// nothing on the page needs the script.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/commands"
)

// Numbers is what the page of the numbers shows; commands.Desk implements it.
type Numbers interface {
	NumbersPage(ctx context.Context, since string, by commands.Person) (commands.NumbersPage, error)
}

// measureTitles are the charts' titles, and from when to when each runs.
var measureTitles = map[string][2]string{
	"detect":      {"Time to detect", "from when it started to the first check, alert or report"},
	"declare":     {"Time to declare", "from detected to declared"},
	"acknowledge": {"Time to acknowledge", "from declared to the first commander"},
	"mitigate":    {"Time to mitigate", "from when it started to every endpoint good again"},
	"resolve":     {"Time to resolve", "from when it started to resolved"},
	"approval":    {"Wait for approval", "of renewals that asked for one"},
}

type numbersPage struct {
	page
	At      time.Time
	Since   time.Time
	By      string
	Count   int
	Open    int
	Private int
	Periods []choice
	Ways    []choice
	Charts  []chart
}

// choice is a link to the same page, seen another way.
type choice struct {
	Label, Path string
	Here        bool
}

// chart is one small multiple.
type chart struct {
	Title, From string
	Say         string // the text alternative
	Head        string // the figures of all together
	Of          string // how many incidents they are of
	Name        string // of the first column
	Wide, High  int
	Grid        []tick
	Marks       []mark
	Rows        []chartRow
	None        bool
	Lines       bool // a group a line (categories), else a column (months)
}

// tick is a line of the grid with its label; At is where, in the chart's units.
type tick struct {
	At    int
	Label string
}

// mark is one group: a line from the median to the 90th percentile, a dot at
// the median. With columns X is the column and the others are heights, with
// lines X is the line.
type mark struct {
	X, Median, P90 int
	Known          bool
	Label          string // beside it, where there is room
	Title          string
}

type chartRow struct {
	Name             string
	Count            int
	Median, P90, Max string
}

// The charts' geometry, in CSS pixels at full size.
const (
	chartWide  = 352
	columnHigh = 136
	chartTop   = 12
	chartLeft  = 56 // room for the labels of the grid
	lineLeft   = 144
	lineStep   = 24
	maxColumns = 24
	maxLines   = 10
)

func (s *Site) numbers(w http.ResponseWriter, r *http.Request) {
	if s.o.Numbers == nil {
		s.notFound(w, r)
		return
	}
	q := r.URL.Query()
	n, err := s.o.Numbers.NumbersPage(r.Context(), clip(q.Get("since"), 40), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	by := q.Get("by")
	if !slices.Contains(commands.NumberWays, by) {
		by = commands.ByMonth
	}
	p := numbersPage{page: s.page(w, r, ""), At: n.At, Since: n.Since, By: by, Private: n.Private}
	since := q.Get("since")
	if since == "" {
		since = "90d"
	}
	path := func(since, by string) string { return "/numbers?since=" + url.QueryEscape(since) + "&by=" + by }
	for _, c := range [][2]string{{"30d", "30 days"}, {"90d", "90 days"}, {"1y", "a year"}, {"all", "all"}} {
		p.Periods = append(p.Periods, choice{Label: c[1], Path: path(c[0], by), Here: c[0] == since})
	}
	for _, t := range n.Tallies {
		p.Ways = append(p.Ways, choice{Label: t.By, Path: path(since, t.By), Here: t.By == by})
		if t.By == by {
			p.Count, p.Open = t.Total.Count, t.Open
			for k := range t.Total.Measures {
				p.Charts = append(p.Charts, chartOf(t, k))
			}
		}
	}
	p.Title, p.Here = "Numbers: "+many(p.Count, "incident"), "numbers"
	s.show(w, r, http.StatusOK, "numbers", p)
}

// numbersJSON serves the same numbers, told apart in every way.
func (s *Site) numbersJSON(w http.ResponseWriter, r *http.Request) {
	if s.o.Numbers == nil {
		s.notFound(w, r)
		return
	}
	n, err := s.o.Numbers.NumbersPage(r.Context(), clip(r.URL.Query().Get("since"), 40), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, n)
}

func many(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// chartOf draws measure k of a tally.
func chartOf(t commands.Tally, k int) chart {
	all := t.Total.Measures[k]
	c := chart{Title: measureTitles[all.Name][0], From: measureTitles[all.Name][1], Name: t.By, Wide: chartWide, Lines: t.By != commands.ByMonth, None: all.Count == 0}
	if c.None {
		c.Head = "none on record"
	} else {
		c.Head = fmt.Sprintf("median %s, 90 %% within %s", took(time.Duration(all.Median)), took(time.Duration(all.P90)))
		c.Of = many(all.Count, "incident")
	}
	groups := t.Groups
	for _, g := range groups {
		m := g.Measures[k]
		row := chartRow{Name: commands.GroupName(t.By, g.Name), Count: m.Count}
		if m.Count > 0 {
			row.Median, row.P90, row.Max = took(time.Duration(m.Median)), took(time.Duration(m.P90)), took(time.Duration(m.Max))
		}
		c.Rows = append(c.Rows, row)
	}
	if c.Lines {
		groups = groups[:min(len(groups), maxLines)]
	} else {
		groups = groups[max(0, len(groups)-maxColumns):]
	}
	most := time.Second
	for _, g := range groups {
		most = max(most, time.Duration(g.Measures[k].P90))
	}
	top := roundUp(most)
	if c.Lines {
		c.lines(t.By, groups, k, top)
	} else {
		c.columns(groups, k, top)
	}
	c.Say = c.Title + ": " + c.Head + ", of " + c.Of + "."
	return c
}

// columns draws a column a month, time upwards.
func (c *chart) columns(groups []commands.TallyGroup, k int, top time.Duration) {
	c.High = columnHigh
	floor := columnHigh - 20
	y := func(d time.Duration) int { return floor - int(float64(floor-chartTop)*float64(d)/float64(top)) }
	for _, part := range []time.Duration{0, top / 2, top} {
		c.Grid = append(c.Grid, tick{At: y(part), Label: axis(part)})
	}
	step := float64(c.Wide-chartLeft-8) / float64(max(len(groups), 1))
	every := 1 + (len(groups)-1)/6 // labels that do not touch
	for n, g := range groups {
		m := g.Measures[k]
		x := mark{X: chartLeft + int(step*(float64(n)+.5)), Known: m.Count > 0, Median: y(time.Duration(m.Median)), P90: y(time.Duration(m.P90)), Title: markTitle(g.Name, m)}
		if (len(groups)-1-n)%every == 0 {
			x.Label = monthLabel(g.Name)
		}
		c.Marks = append(c.Marks, x)
	}
}

// lines draws a line a category, time to the right.
func (c *chart) lines(by string, groups []commands.TallyGroup, k int, top time.Duration) {
	c.High = chartTop + lineStep*len(groups) + 20
	right := c.Wide - 32
	x := func(d time.Duration) int { return lineLeft + int(float64(right-lineLeft)*float64(d)/float64(top)) }
	for _, part := range []time.Duration{0, top / 2, top} {
		c.Grid = append(c.Grid, tick{At: x(part), Label: axis(part)})
	}
	for n, g := range groups {
		m := g.Measures[k]
		name := commands.GroupName(by, g.Name)
		c.Marks = append(c.Marks, mark{X: chartTop + lineStep*n + lineStep/2, Known: m.Count > 0, Median: x(time.Duration(m.Median)), P90: x(time.Duration(m.P90)), Label: short(name, 16), Title: markTitle(name, m)})
	}
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

func markTitle(name string, m commands.TallyMeasure) string {
	if m.Count == 0 {
		return name + ": none"
	}
	return fmt.Sprintf("%s: median %s, 90 %% within %s, %s", name, took(time.Duration(m.Median)), took(time.Duration(m.P90)), many(m.Count, "incident"))
}

// roundUp is the next time that reads well on an axis and halves well.
func roundUp(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Minute, time.Hour} {
		for _, n := range []time.Duration{2, 4, 10, 20, 30, 40, 60} {
			if d <= n*unit && (unit != time.Hour || n <= 20) {
				return n * unit
			}
		}
	}
	for n := 2 * 24 * time.Hour; ; n *= 2 {
		if d <= n || n > 1<<61 {
			return n
		}
	}
}

// axis is a time as a label of the grid: "0", "30 s", "2 h".
func axis(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return took(d)
}

var monthNames = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// monthLabel is "2026-11" as a label: "Nov", and "2026" for January.
func monthLabel(s string) string {
	t, err := time.Parse("2006-01", s)
	if err != nil {
		return s
	}
	if t.Month() == time.January {
		return t.Format("2006")
	}
	return monthNames[t.Month()-1]
}
