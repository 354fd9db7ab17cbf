package commands

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// stamp is a moment in full: "2026-11-22 01:52:10 UTC".
func stamp(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// ago is a moment seen from now: "2 min ago", "in 3 d 4 h", "now".
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d > -time.Second && d < time.Second:
		return "now"
	case d > 0:
		return span(d) + " ago"
	default:
		return "in " + span(-d)
	}
}

// span is a duration in the two largest units that matter: "45 s", "2 min",
// "1 h 5 min", "3 d 4 h", "60 d".
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 24*3600:
		return two(s/3600, "h", s%3600/60, "min")
	case s < 14*24*3600:
		return two(s/86400, "d", s%86400/3600, "h")
	}
	return fmt.Sprintf("%d d", s/86400)
}

func two(a int64, ua string, b int64, ub string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, ua)
	}
	return fmt.Sprintf("%d %s %d %s", a, ua, b, ub)
}

// took is how long something took, in the words of the record: "230 ms",
// "12 s", "3 min 4 s".
func took(d time.Duration) string { return incident.Took(max(d, time.Millisecond)) }

// minute is a moment in a cell of a table: "2026-11-22 01:52 UTC".
func minute(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// brief is a duration in a cell of a table, in one unit: "45 s", "3 h", "60 d".
func brief(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d < time.Hour:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " min"
	case d < 48*time.Hour:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
	}
	return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " d"
}

// briefAgo is a moment seen from now, in a cell: "2 min ago", "in 29 d".
func briefAgo(now, t time.Time) string {
	if t.After(now) {
		return "in " + brief(t.Sub(now))
	}
	return brief(now.Sub(t)) + " ago"
}

// clip cuts a text to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// oneLine makes one line of a text.
func oneLine(s string) string { return strings.Join(strings.Fields(plain(s)), " ") }

// quote puts what was typed into quotes, cut to a readable length.
func quote(s string) string { return `"` + clip(oneLine(s), 60) + `"` }

// plural is "1 host", "2 hosts".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// listed joins names: "a, b and c"; after max names "and 3 more".
func listed(names []string, max int) string {
	if len(names) > max {
		return strings.Join(names[:max], ", ") + fmt.Sprintf(" and %d more", len(names)-max)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// either joins names for a choice: "a, b or c".
func either(names []string, max int) string {
	if len(names) < 2 || len(names) > max {
		return listed(names, max)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// short8 is a serial or fingerprint in a cell: eight digits and "…".
func short8(s string) string {
	if len(s) > 9 {
		return s[:8] + "…"
	}
	return s
}

// short16 is the start of a fingerprint or serial.
func short16(s string) string {
	if len(s) > 16 {
		return s[:16]
	}
	return s
}

// upper makes the first letter a capital.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return strings.ToUpper(string(r)) + s[n:]
}

// end adds a full stop where there is none.
func end(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// sev is "SEV2".
func sev(s incident.Severity) string { return "SEV" + strconv.Itoa(int(s)) }

// severities says in one sentence what each severity means.
var severities = map[incident.Severity]string{
	1: "people cannot use a service at all: everybody who is needed joins now",
	2: "a service is broken for many people: somebody works on it until it is over",
	3: "a part is broken, or there is a way round: fixed within the day",
	4: "nobody is affected yet: fixed before it is",
}

// stateOf is the state that a verdict is shown in.
func stateOf(v renew.Severity) string {
	switch v {
	case renew.Critical:
		return StateCritical
	case renew.Warning:
		return StateWarning
	case renew.Good, renew.Info:
		return StateGood
	}
	return StateUnknown
}

// who is a person's name, or the bot's.
func who(name string) string {
	if name == "" {
		return "certmedic"
	}
	return name
}
