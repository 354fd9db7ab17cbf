package commands

// This file reads times as people type them, and says how it read them. A time
// without a zone is in the person's zone; a time of day that is still to come
// is yesterday's.

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name on machines that have none installed
)

// when is a time that was typed.
type when struct {
	at   time.Time // UTC
	read string    // "14:05 read as 2026-11-21 14:05:00 UTC (Europe/Berlin was 15:05)"
	warn string    // what does not fit; "" when all does
}

// errNotTime: the text is no time at all.
var errNotTime = errors.New("not a time")

var (
	clockRE = `(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?`
	zoneRE  = `(?:\s*(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{1,2})|\s+([A-Za-z]{2,5}|[A-Za-z_]+/[A-Za-z_/+-]+\d*))?`
	timeRE  = regexp.MustCompile(`^(?:(\d{4})-(\d{2})-(\d{2})(?:[Tt]|\s+)|(today|yesterday|Today|Yesterday)\s+)?` + clockRE + zoneRE + `$`)
	backRE  = regexp.MustCompile(`^[-−–—]((?:\d+(?:d|h|min|m|s)\s*)+)$`)
	partRE  = regexp.MustCompile(`(\d+)(d|h|min|m|s)`)
	dateRE  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

// abbreviation is a zone's short name: its offset in minutes, and a place
// where it is used.
type abbreviation struct {
	minutes int
	place   string
}

var abbreviations = map[string]abbreviation{
	"UTC": {0, ""}, "GMT": {0, ""}, "Z": {0, ""},
	"WET": {0, "Europe/Lisbon"}, "WEST": {60, "Europe/Lisbon"}, "BST": {60, "Europe/London"},
	"CET": {60, "Europe/Berlin"}, "CEST": {120, "Europe/Berlin"}, "EET": {120, "Europe/Helsinki"}, "EEST": {180, "Europe/Helsinki"},
	"MSK": {180, "Europe/Moscow"},
	"EST": {-300, "America/New_York"}, "EDT": {-240, "America/New_York"}, "CST": {-360, "America/Chicago"}, "CDT": {-300, "America/Chicago"},
	"MST": {-420, "America/Denver"}, "MDT": {-360, "America/Denver"}, "PST": {-480, "America/Los_Angeles"}, "PDT": {-420, "America/Los_Angeles"},
	"AKST": {-540, "America/Anchorage"}, "AKDT": {-480, "America/Anchorage"}, "HST": {-600, "Pacific/Honolulu"},
	"JST": {540, "Asia/Tokyo"}, "KST": {540, "Asia/Seoul"}, "SAST": {120, "Africa/Johannesburg"},
	"AEST": {600, "Australia/Sydney"}, "AEDT": {660, "Australia/Sydney"}, "NZST": {720, "Pacific/Auckland"}, "NZDT": {780, "Pacific/Auckland"},
}

// places are names of a zone that mean standard or summer time by date.
var places = map[string]string{"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}

// several are abbreviations of more than one zone.
var several = map[string]string{"IST": "India (+05:30), Israel (+02:00) and Ireland (+01:00)", "AST": "the Atlantic coast (-04:00) and Arabia (+03:00)"}

// looksLikeTime reports that a text is a time, right or wrong.
func looksLikeTime(s string) bool {
	_, err := readTime(s, "", time.Unix(0, 0), true)
	return !errors.Is(err, errNotTime)
}

// readTime reads a time. zone is the person's IANA zone ("": UTC). Without plan
// a time after now is refused.
func readTime(s, zone string, now time.Time, plan bool) (when, error) {
	if len(s) > 100 {
		return when{}, errNotTime
	}
	s = strings.Trim(strings.TrimSpace(s), `"'`)
	w, err := readAny(s, zone, now, plan)
	if err != nil {
		return when{}, err
	}
	w.at = w.at.UTC()
	if !plan && w.at.After(now) {
		return when{}, Problem{Code: "future", Message: quote(s) + " is in the future: " + stamp(w.at) + ", " + ago(now, w.at) + ".",
			Hint: "Give a time that has passed, for example -20m or yesterday 14:05. For something planned: /incident note the rollout goes on @ 14:05 --plan"}
	}
	return w, nil
}

func readAny(s, zone string, now time.Time, plan bool) (when, error) {
	if strings.EqualFold(s, "now") {
		return when{at: now, read: "now read as " + stamp(now)}, nil
	}
	if m := backRE.FindStringSubmatch(s); m != nil {
		return readBack(s, m[1], now)
	}
	if dateRE.MatchString(s) {
		return when{}, badTime(s, "it has no time of day")
	}
	m := timeRE.FindStringSubmatch(s)
	if m == nil {
		return when{}, errNotTime
	}
	hour, minute, second := number(m[5]), number(m[6]), number(m[7])
	if hour > 23 || minute > 59 || second > 59 {
		return when{}, badTime(s, "there is no such time of day")
	}
	z, err := readZone(s, m[8], m[9], zone)
	if err != nil {
		return when{}, err
	}
	local := now.In(z.loc)
	year, month, day := local.Date()
	if m[1] != "" {
		year, month, day = number(m[1]), time.Month(number(m[2])), number(m[3])
		if d := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); d.Day() != day || d.Month() != month {
			return when{}, badTime(s, "there is no such day")
		}
	}
	if strings.EqualFold(m[4], "yesterday") {
		day--
	}
	w := when{at: wall(year, month, day, hour, minute, second, z.loc)}
	if m[1] == "" && m[4] == "" && !plan && w.at.After(now) {
		w.at = wall(year, month, day-1, hour, minute, second, z.loc)
	}
	w.read = fmt.Sprintf("%s read as %s%s", s, stamp(w.at), z.said(w.at))
	w.warn = z.fits(w.at, hour, minute)
	return w, nil
}

// wall is a time on the clock on the wall of a place. One that was there twice
// is the later one, one that the clocks skipped is read as if they had not been
// put forward; time.Date promises neither.
func wall(year int, month time.Month, day, hour, minute, second int, loc *time.Location) time.Time {
	plain := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	at := func(near time.Time) time.Time {
		_, offset := near.In(loc).Zone()
		return plain.Add(-time.Duration(offset) * time.Second)
	}
	before, after := at(plain.Add(-26*time.Hour)), at(plain.Add(26*time.Hour))
	for _, t := range []time.Time{after, before} { // clocks put back: after is the later one
		if l := t.In(loc); l.Hour() == hour && l.Minute() == minute {
			return t.In(loc)
		}
	}
	return before.In(loc)
}

func readBack(s, spec string, now time.Time) (when, error) {
	var total time.Duration
	for _, p := range partRE.FindAllStringSubmatch(spec, -1) {
		n, err := strconv.ParseInt(p[1], 10, 32)
		if err != nil || n > 1_000_000 {
			return when{}, badTime(s, "that is too long ago")
		}
		total += time.Duration(n) * map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "min": time.Minute, "m": time.Minute, "s": time.Second}[p[2]]
	}
	if total < 0 || total > 10*366*24*time.Hour {
		return when{}, badTime(s, "that is too long ago")
	}
	at := now.Add(-total)
	return when{at: at, read: s + " read as " + stamp(at)}, nil
}

func badTime(s, why string) Problem {
	return Problem{Code: "bad_time", Message: quote(s) + " is not a time: " + why + ".",
		Hint: "Times are 14:05, 14:05Z, 14:05 CET, 2026-11-21 14:05+01:00, -20m or yesterday 14:05."}
}

// zoneRead is the zone that a time is read in.
type zoneRead struct {
	loc  *time.Location
	abbr string // typed abbreviation
	own  bool   // no zone was typed: the person's own
	lost string // the person's zone, when it is not known
}

func readZone(s, offset, name, own string) (zoneRead, error) {
	switch {
	case offset == "Z" || offset == "z":
		return zoneRead{loc: time.UTC}, nil
	case offset != "":
		digits := strings.ReplaceAll(offset[1:], ":", "")
		if len(digits) <= 2 {
			digits += "00"
		}
		n := number(digits)
		minutes := n/100*60 + n%100
		if n/100 > 14 || n%100 > 59 {
			return zoneRead{}, badTime(s, "there is no zone "+offset)
		}
		if offset[0] == '-' {
			minutes = -minutes
		}
		return zoneRead{loc: time.FixedZone(offset, minutes*60)}, nil
	case name != "":
		return namedZone(s, name)
	case own == "":
		return zoneRead{loc: time.UTC, own: true}, nil
	}
	loc, err := time.LoadLocation(own)
	if err != nil {
		return zoneRead{loc: time.UTC, own: true, lost: own}, nil
	}
	return zoneRead{loc: loc, own: true}, nil
}

func namedZone(s, name string) (zoneRead, error) {
	up := strings.ToUpper(name)
	if several[up] != "" {
		return zoneRead{}, badTime(s, up+" is the zone of "+several[up]+", so write the offset")
	}
	if a, ok := abbreviations[up]; ok {
		return zoneRead{loc: time.FixedZone(up, a.minutes*60), abbr: up}, nil
	}
	place := places[up]
	if strings.Contains(name, "/") && !strings.Contains(name, "..") {
		place = name
	}
	if place == "" {
		return zoneRead{}, errNotTime
	}
	loc, err := time.LoadLocation(place)
	if err != nil {
		return zoneRead{}, badTime(s, "there is no zone "+name)
	}
	return zoneRead{loc: loc}, nil
}

// said tells which zone was taken when none was typed.
func (z zoneRead) said(t time.Time) string {
	switch {
	case !z.own:
		return ""
	case z.lost != "":
		return " (your zone " + z.lost + " is not known here, so UTC)"
	case z.loc == time.UTC || isUTC(z.loc):
		return " (no zone was typed, so UTC)"
	}
	return " (your zone " + z.loc.String() + ", " + t.In(z.loc).Format("2006-01-02 15:04 -07:00") + ")"
}

// fits says what does not fit: an abbreviation that was not in use on that
// day, a time of day that the clocks skipped or had twice.
func (z zoneRead) fits(t time.Time, hour, minute int) string {
	if a := abbreviations[z.abbr]; a.place != "" {
		loc, err := time.LoadLocation(a.place)
		if err != nil {
			return ""
		}
		used, off := t.In(loc).Zone()
		if off != a.minutes*60 {
			return fmt.Sprintf("%s was not in use on %s: %s had %s (%s). It was read as %s (%s) all the same.",
				z.abbr, t.In(loc).Format("2006-01-02"), a.place, used, t.In(loc).Format("-07:00"), z.abbr, t.Format("-07:00"))
		}
		return ""
	}
	l := t.In(z.loc)
	if l.Hour() != hour || l.Minute() != minute {
		return fmt.Sprintf("%02d:%02d did not exist on that day in %s: the clocks were put forward.", hour, minute, z.loc)
	}
	for _, d := range []time.Duration{-time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour} { // Lord Howe has half an hour
		if o := t.Add(d).In(z.loc); o.Hour() == hour && o.Minute() == minute {
			return fmt.Sprintf("%02d:%02d was there twice on that day in %s: %s was taken. Add the offset for the other.", hour, minute, z.loc, l.Format("-07:00"))
		}
	}
	return ""
}

// number reads digits; "" is 0.
func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
