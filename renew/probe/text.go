package probe

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// found makes a finding of the class with this id.
func found(id string, proof map[string]string, cause string, args ...any) renew.Finding {
	c := class(id)
	f := renew.Finding{ID: id, Severity: c.Severity, Next: c.Next, Proof: map[string]string{}}
	f.Cause = clean(fmt.Sprintf(cause, args...), 500)
	for k, v := range proof {
		if v != "" {
			f.Proof[k] = clean(v, 600)
		}
	}
	return f
}

// with returns a copy of proof with more pairs.
func with(proof map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(proof)
	if out == nil {
		out = map[string]string{}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// clean makes a stranger's text fit to be shown: no control, format or invalid
// characters, and at most n runes.
func clean(s string, n int) string { return renew.Printable(s, n) }

// stamp shows a time as people read it, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// span shows a duration in its one or two largest units.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Second:
		return "less than 1 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", min(59, (d+time.Second/2)/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// list joins names for a sentence: the first n, then how many more.
func list(names []string, n int) string {
	if len(names) == 0 {
		return "none"
	}
	short := make([]string, 0, n)
	for _, s := range names[:min(n, len(names))] {
		short = append(short, clean(s, 64))
	}
	out := strings.Join(short, ", ")
	if more := len(names) - n; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// shown renders a server's bytes: printable as quoted text, and hexadecimal.
func shown(b []byte) string {
	return fmt.Sprintf("%q", b[:min(len(b), 64)])
}

func plural(n int, one string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}
