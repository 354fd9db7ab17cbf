package incident

// In this file: medians and 90th percentiles over many incidents, together and
// by month, severity, cause or owner.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// What numbers can be told apart by.
const (
	ByMonth    = "month"    // of the declaration, UTC
	BySeverity = "severity" // as it was last
	ByCause    = "cause"    // the finding on the record
	ByOwner    = "owner"    // the team
)

// Dimensions are what numbers can be told apart by.
var Dimensions = []string{ByMonth, BySeverity, ByCause, ByOwner}

// Tally is the numbers over some incidents.
type Tally struct {
	Since  time.Time `json:"since,omitzero"` // declared since then; absent: all
	By     string    `json:"by"`             // one of Dimensions
	Open   int       `json:"open"`           // of those counted, not resolved yet
	Total  Group     `json:"total"`          // all together
	Groups []Group   `json:"groups"`         // months in order, also those without an incident; severities in order; the others by how many they are
}

// Group is the numbers of the incidents that have one thing in common.
type Group struct {
	Name     string    `json:"name"`      // "2026-11", "SEV1", "expired", "web"; "" where the record has none
	Count    int       `json:"incidents"` // how many incidents
	Measures []Measure `json:"measures"`  // by Measures
}

// Measure is one time over the incidents of a group.
type Measure struct {
	Name   string  `json:"name"`
	Count  int     `json:"incidents"` // how many incidents have it
	Median Seconds `json:"median_seconds"`
	P90    Seconds `json:"p90_seconds"` // nearest rank: the smallest that at least 90 % do not pass
	Max    Seconds `json:"max_seconds"`
}

// Seconds is a duration that is a number of seconds in JSON.
type Seconds time.Duration

// MarshalJSON writes seconds, to the millisecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(time.Duration(s).Seconds()*1000) / 1000)
}

// UnmarshalJSON reads them back.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("seconds: %w", err)
	}
	*s = Seconds(math.Round(f*1000)) * Seconds(time.Millisecond)
	return nil
}

// maxMonths is how far back months are told apart; earlier ones count in the
// total alone.
const maxMonths = 120

// TallyOf adds rows up. now ends the months.
func TallyOf(rows []Number, by string, since, now time.Time) Tally {
	t := Tally{Since: since, By: by, Groups: []Group{}}
	parts := map[string][]int{}
	all := make([]int, len(rows))
	for n, r := range rows {
		all[n] = n
		if r.Open {
			t.Open++
		}
		key := r.key(by)
		parts[key] = append(parts[key], n)
	}
	t.Total = groupOf("all", rows, all)
	if by == ByMonth {
		for _, m := range monthsOf(rows, since, now) {
			t.Groups = append(t.Groups, groupOf(m, rows, parts[m]))
		}
		return t
	}
	for name, list := range parts {
		t.Groups = append(t.Groups, groupOf(name, rows, list))
	}
	slices.SortFunc(t.Groups, func(a, b Group) int {
		if by != BySeverity && a.Count != b.Count {
			return b.Count - a.Count
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return t
}

// privateGroup is where private incidents count when numbers are told apart by
// what would say what they are about.
const privateGroup = "private"

func (n Number) key(by string) string {
	switch by {
	case BySeverity:
		return "SEV" + strconv.Itoa(int(n.Severity))
	case ByCause:
		if n.Private { // what it was is for who is part of it
			return privateGroup
		}
		return n.Cause
	case ByOwner:
		if n.Private {
			return privateGroup
		}
		return n.Owner
	}
	return monthOf(n.Declared)
}

// monthOf is "2026-11"; Format would cost most of a tally.
func monthOf(t time.Time) string {
	y, m, _ := t.UTC().Date()
	b := strconv.AppendInt(make([]byte, 0, 8), int64(y), 10)
	return string(append(b, '-', '0'+byte(m)/10, '0'+byte(m)%10))
}

// monthsOf are the months from the first declaration (or since) to now.
func monthsOf(rows []Number, since, now time.Time) []string {
	if len(rows) == 0 {
		return nil
	}
	first, last := rows[0].Declared, now
	for _, r := range rows {
		if r.Declared.Before(first) {
			first = r.Declared
		}
		if r.Declared.After(last) {
			last = r.Declared
		}
	}
	if !since.IsZero() && since.Before(first) {
		first = since
	}
	var out []string
	end := monthOf(last)
	y, m, _ := last.UTC().Date()
	for at := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC); len(out) < maxMonths; at = at.AddDate(0, -1, 0) {
		if name := monthOf(at); name <= end {
			out = append(out, name)
		}
		if !at.After(first) {
			break
		}
	}
	slices.Reverse(out)
	return out
}

// groupOf works one group out.
func groupOf(name string, rows []Number, list []int) Group {
	g := Group{Name: name, Count: len(list), Measures: make([]Measure, len(Measures))}
	took := make([]time.Duration, 0, len(list))
	for k, measure := range Measures {
		took = took[:0]
		for _, n := range list {
			if t := rows[n].Took[k]; t >= 0 {
				took = append(took, t)
			}
		}
		slices.Sort(took)
		m := Measure{Name: measure, Count: len(took)}
		if n := len(took); n > 0 {
			m.Median = Seconds(took[n/2])
			if n%2 == 0 {
				m.Median = Seconds((took[n/2-1] + took[n/2]) / 2)
			}
			m.P90, m.Max = Seconds(took[(9*n+9)/10-1]), Seconds(took[n-1])
		}
		g.Measures[k] = m
	}
	return g
}
