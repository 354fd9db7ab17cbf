package commands

// This file answers /incident stats, and makes the numbers for their page, for
// programs and for metrics. What is counted and how is in incident/numbers.go
// and incident/tally.go.

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// numbersPath is the page of the numbers.
const numbersPath = "/numbers"

func statsVerb() *verb {
	return &verb{Verb: Verb{Name: "incident stats", Summary: "how long it takes: to detect, declare, acknowledge, mitigate, resolve, and to get an approval",
		Example: "/incident stats --since 90d --by cause", Rare: true, Flags: []Flag{
			{"since", "date", "declared since: 90d, 12w, 2026-01-01 or all; default 90d"},
			{"by", "word", "month, severity, cause or owner"},
		}}, run: stats}
}

// The numbers' parts, for the pages.
type (
	Tally        = incident.Tally
	TallyGroup   = incident.Group
	TallyMeasure = incident.Measure
)

// NumberWays are what numbers can be told apart by; ByMonth is the first.
var NumberWays = incident.Dimensions

// ByMonth tells numbers apart by the month of the declaration.
const ByMonth = incident.ByMonth

// NumbersPage is the numbers since a moment, told apart in every way.
type NumbersPage struct {
	At      time.Time        `json:"at"`
	Since   time.Time        `json:"since,omitzero"` // absent: all
	Private int              `json:"private"`        // of those counted; they are not named anywhere
	Tallies []incident.Tally `json:"tallies"`        // by incident.Dimensions
}

// NumbersPage returns the numbers to who may look. since is what people type:
// "90d", a date or "all"; "" is 90 days.
func (d *Desk) NumbersPage(ctx context.Context, since string, by Person) (NumbersPage, error) {
	if err := d.mayLook(ctx, d.Who(by), "", nil); err != nil {
		return NumbersPage{}, err
	}
	return d.numbers(ctx, since)
}

func (d *Desk) numbers(ctx context.Context, since string) (NumbersPage, error) {
	p := NumbersPage{At: d.o.Now().UTC()}
	var err error
	if p.Since, err = readSince(since, p.At); err != nil {
		return p, err
	}
	rows, err := d.o.Book.Numbers(ctx, p.Since)
	if err != nil {
		return p, err
	}
	for _, r := range rows {
		if r.Private {
			p.Private++
		}
	}
	for _, by := range incident.Dimensions {
		p.Tallies = append(p.Tallies, incident.TallyOf(rows, by, p.Since, p.At))
	}
	return p, nil
}

var sinceRE = regexp.MustCompile(`^([0-9]{1,4})([dwmy])$`)

// readSince reads how far back numbers go. Months are calendar months.
func readSince(s string, now time.Time) (time.Time, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		s = "90d"
	}
	if s == "all" {
		return time.Time{}, nil
	}
	if p := sinceRE.FindStringSubmatch(s); p != nil {
		n := number(p[1])
		from := map[string]time.Time{"d": now.AddDate(0, 0, -n), "w": now.AddDate(0, 0, -7*n), "m": now.AddDate(0, -n, 0), "y": now.AddDate(-n, 0, 0)}[p[2]]
		if from.Year() < 1970 { // before there was any record; and JSON has no year below 0
			return time.Time{}, nil
		}
		return from, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		if t.After(now) {
			return t, Problem{Code: "bad_since", Message: s + " is in the future.", Hint: "For example: /incident stats --since 90d"}
		}
		return t, nil
	}
	return now, Problem{Code: "bad_since", Message: quote(s) + " does not say how far back.", Hint: "It can be 90d, 12w, 6m, 1y, 2026-01-01 or all. For example: /incident stats --since 90d"}
}

func stats(ctx context.Context, c *call) (Reply, error) {
	by := strings.ToLower(c.args.value("by"))
	if by != "" && !slices.Contains(incident.Dimensions, by) {
		return Reply{}, c.v.problem("bad_by", "The numbers cannot be parted by "+quote(by)+": it can be "+either(incident.Dimensions, 9)+".")
	}
	since := c.args.value("since")
	p, err := c.d.numbers(ctx, since)
	if err != nil {
		return Reply{}, err
	}
	query := "?since=" + orElse(strings.ToLower(since), "90d")
	if by != "" {
		query += "&by=" + by
	}
	t := p.Tallies[0]
	for _, o := range p.Tallies {
		if o.By == by {
			t = o
		}
	}
	r := Reply{State: StateInfo, Links: []Link{{"Numbers", numbersPath + query}}}
	if r.Data, err = json.Marshal(p); err != nil {
		return Reply{}, fmt.Errorf("encode the numbers: %w", err)
	}
	r.Headline = "No incident" + sinceWords(p.Since) + "."
	if t.Total.Count == 0 {
		r.Body = "Drills, cancelled incidents and duplicates do not count. To look further back: /incident stats --since all"
		return r, nil
	}
	r.Headline = fmt.Sprintf("%s%s, %d open. Drills, cancelled ones and duplicates do not count.", plural(t.Total.Count, "incident"), sinceWords(p.Since), t.Open)
	if by == "" {
		r.Table = Table{Columns: []string{"time to", "incidents", "median", "90 % within", "longest"}}
		for _, m := range t.Total.Measures {
			row := []string{measureWords(m.Name), fmt.Sprint(m.Count), "-", "-", "-"}
			if m.Count > 0 {
				row[2], row[3], row[4] = span(time.Duration(m.Median)), span(time.Duration(m.P90)), span(time.Duration(m.Max))
			}
			r.Table.Rows = append(r.Table.Rows, Row{Cells: row})
		}
		return r, nil
	}
	r.Body = "Each cell: the median, and what 90 % stay within."
	r.Table = Table{Columns: []string{by, "n", "detect", "declare", "ack", "mitigate", "resolve", "approval"}}
	for _, g := range t.Groups[max(0, len(t.Groups)-maxRows):] {
		row := []string{GroupName(by, g.Name), fmt.Sprint(g.Count)}
		for _, m := range g.Measures {
			cell := "-"
			if m.Count > 0 {
				cell = tight(time.Duration(m.Median)) + "/" + tight(time.Duration(m.P90))
			}
			row = append(row, cell)
		}
		r.Table.Rows = append(r.Table.Rows, Row{Cells: row})
	}
	return r, nil
}

func sinceWords(t time.Time) string {
	if t.IsZero() {
		return " on record"
	}
	return " since " + t.Format(time.DateOnly)
}

// measureWords is a measure as people read it.
func measureWords(name string) string {
	if name == "approval" {
		return "get an approval"
	}
	return name
}

// GroupName is a group of numbers as people read it.
func GroupName(by, name string) string {
	switch {
	case name == "" && by == incident.ByOwner:
		return "no owner"
	case name == "":
		return "not on record"
	case by == incident.ByCause:
		return faultWord(name)
	}
	return clip(oneLine(name), 40)
}

// tight is a duration in a narrow cell: "45s", "12m", "3h", "4d".
func tight(d time.Duration) string {
	return strings.NewReplacer(" s", "s", " min", "m", " h", "h", " d", "d").Replace(brief(d))
}
