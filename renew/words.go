package renew

import (
	"fmt"
	"strings"
	"time"
)

// when writes a moment for people: date and time, UTC.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// until writes a certificate's end, with seconds where it lives for less than a day.
func until(l Leaf) string {
	if l.NotAfter.Sub(l.NotBefore) < 24*time.Hour {
		return l.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return when(l.NotAfter)
}

// serial shortens a serial number.
func serial(l Leaf) string {
	if len(l.Serial) > 10 {
		return "serial " + l.Serial[:8] + "…"
	}
	return "serial " + l.Serial
}

// named is a leaf in words: "serial 03ab12cd… until 2027-02-20 10:00 UTC".
func named(l Leaf) string {
	if l.SHA256 == "" {
		return "no certificate"
	}
	return serial(l) + " until " + until(l)
}

// hosts counts: "1 host", "4 hosts".
func hosts(n int) string { return plural(n, "host") }

// serving says that hosts serve: "1 host serves", "4 hosts serve".
func serving(n int) string {
	if n == 1 {
		return "1 host serves"
	}
	return hosts(n) + " serve"
}

// plural says a number of things: "1 look", "4 looks".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list joins names: "a", "a and b", "a, b and c".
func list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// who is a person's name.
func who(p Person) string {
	switch {
	case p.Name != "":
		return p.Name
	case p.ID != "":
		return p.ID
	}
	return "certmedic"
}

// because adds a reason, when there is one.
func because(reason string) string {
	if reason = strings.TrimSpace(reason); reason == "" {
		return "."
	}
	return ": " + strings.TrimSuffix(reason, ".") + "."
}

// sentence makes sure that a text ends as one.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}

// expired reports whether a leaf has passed its last second, which counts in.
func expired(l Leaf, now time.Time) bool {
	return l.SHA256 != "" && now.After(l.NotAfter.Add(time.Second-1))
}
