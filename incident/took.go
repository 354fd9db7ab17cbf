package incident

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Took writes a duration for people in its two largest units, rounded down:
// "1 d 3 h", "2 h 29 min", "4 min 10 s", "4.2 s", "350 ms".
func Took(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 0 {
		return "-" + Took(-max(d, -1<<62))
	}
	two := func(big, small time.Duration, b, s string) string {
		text := strconv.FormatInt(int64(d/big), 10) + " " + b
		if rest := d % big / small; rest > 0 {
			text += " " + strconv.FormatInt(int64(rest), 10) + " " + s
		}
		return text
	}
	switch {
	case d >= day:
		return two(day, time.Hour, "d", "h")
	case d >= time.Hour:
		return two(time.Hour, time.Minute, "h", "min")
	case d >= time.Minute:
		return two(time.Minute, time.Second, "min", "s")
	case d >= 10*time.Second:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d >= time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Truncate(100*time.Millisecond).Seconds()), ".0") + " s"
	case d == 0:
		return "0 s"
	}
	return strconv.FormatInt(int64(d/time.Millisecond), 10) + " ms"
}

// When writes a moment for people: date, time and zone, seconds where there
// are any: "2023-02-28 01:52 UTC".
func When(t time.Time) string {
	t = t.UTC()
	if t.Second() == 0 {
		return t.Format("2006-01-02 15:04 UTC")
	}
	return t.Format("2006-01-02 15:04:05 UTC")
}
