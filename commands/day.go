package commands

// This file reads the day that something is due: 2026-12-01, fri, tomorrow,
// 3d, 2w. A day is kept as its midnight in UTC, and shown as a day.

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	aheadRE = regexp.MustCompile(`^(?:\+|in)?([0-9]{1,4})(d|w)$`)
	dayRE   = regexp.MustCompile(`^([0-9]{4})-([0-9]{2})-([0-9]{2})$`)
)

// weekday finds the day of the week that a word is: its name or the first
// three letters and more of it.
func weekday(s string) (time.Weekday, bool) {
	if len(s) < 3 {
		return 0, false
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.HasPrefix(strings.ToLower(d.String()), s) {
			return d, true
		}
	}
	return 0, false
}

// looksLikeDay reports that a word is meant as a day.
func looksLikeDay(s string) bool {
	s = trimDay(s)
	_, name := weekday(s)
	return name || s == "today" || s == "tomorrow" || aheadRE.MatchString(s) || dayRE.MatchString(s)
}

func trimDay(s string) string { return strings.ToLower(strings.TrimRight(s, ",.;:!")) }

// readDay reads a day from now on, in a person's zone ("": UTC). read says how
// it was read, when it was not a date; a weekday is the next one after today.
func readDay(s, zone string, now time.Time) (day time.Time, read string, err error) {
	typed := s
	s = trimDay(s)
	loc := time.UTC
	if l, err := time.LoadLocation(zone); err == nil && zone != "" {
		loc = l
	}
	y, m, d := now.In(loc).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	bad := func(why string) error {
		return Problem{Code: "bad_day", Message: quote(typed) + " is not a day: " + why + ".", Hint: "Days are 2026-12-01, fri, today, tomorrow, 3d or 2w. For example: /incident task add look at the renewals due fri"}
	}
	switch w, name := weekday(s); {
	case s == "today":
		day = today
	case s == "tomorrow":
		day = today.AddDate(0, 0, 1)
	case name:
		day = today.AddDate(0, 0, 1+(int(w)-int(today.Weekday())+6)%7)
	case aheadRE.MatchString(s):
		p := aheadRE.FindStringSubmatch(s)
		n, _ := strconv.Atoi(p[1])
		if p[2] == "w" {
			n *= 7
		}
		day = today.AddDate(0, 0, n)
	default:
		p := dayRE.FindStringSubmatch(s)
		if p == nil {
			return day, "", bad("it could not be read")
		}
		day = time.Date(number(p[1]), time.Month(number(p[2])), number(p[3]), 0, 0, 0, 0, time.UTC)
		if day.Format(time.DateOnly) != s {
			return day, "", bad("there is no such day")
		}
		if day.Before(today) {
			return day, "", bad(fmt.Sprintf("it is over (today is %s)", today.Format(time.DateOnly)))
		}
		return day, "", nil
	}
	if day.Year() > 9999 {
		return day, "", bad("it is too far away")
	}
	return day, fmt.Sprintf("%s read as %s, %s.", strings.TrimRight(typed, ",.;:!"), day.Weekday(), day.Format(time.DateOnly)), nil
}
