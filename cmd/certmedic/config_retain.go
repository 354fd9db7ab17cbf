package main

import (
	"regexp"
	"strconv"
	"time"
)

// This file reads how long the record is kept: retain:.

// retainConfig says how long incidents that are over, and what was said in
// rooms, are kept. Zero: for ever.
type retainConfig struct {
	Incidents time.Duration
	Rooms     time.Duration
}

var ageForm = regexp.MustCompile(`^([1-9][0-9]{0,4})(d|w|mo|y)$`)

// days of each unit; a month and a year are their longest, so that nothing is
// removed early.
var ageDays = map[string]int{"d": 1, "w": 7, "mo": 31, "y": 366}

// age reads "90d", "8w", "18mo", "5y" or "forever", at least low days.
func (r *yamlReader) age(n node, what string, low int) time.Duration {
	s := r.scalar(n)
	if s == "forever" {
		return 0
	}
	m := ageForm.FindStringSubmatch(s)
	if m == nil {
		r.add(n, "%s: %q is no length of time", "write days, weeks, months or years: 90d, 8w, 18mo, 5y, or forever", what, s)
		return 0
	}
	count, _ := strconv.Atoi(m[1])
	days := count * ageDays[m[2]]
	if days < low || days > 100*366 {
		r.add(n, "%s: %s is too short or too long", "at least "+strconv.Itoa(low)+"d, at most 100y", what, s)
		return 0
	}
	return time.Duration(days) * 24 * time.Hour
}

func (r *yamlReader) retain(n node) retainConfig {
	var c retainConfig
	r.mapping(n, "retain", fields{
		"incidents": func(n node) { c.Incidents = r.age(n, "retain.incidents", 30) },
		"rooms":     func(n node) { c.Rooms = r.age(n, "retain.rooms", 7) },
	})
	return c
}
