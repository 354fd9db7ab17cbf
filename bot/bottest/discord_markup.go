package bottest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// This file reads Discord's markup: what a client shows for it, as plain text.

// plain is text as a client shows it: code as it is, everything else without
// its markup.
func (f *Discord) plain(s string) string {
	var b strings.Builder
	at := 0
	for _, span := range inCode.FindAllStringIndex(s, -1) {
		if n := len(s[:span[0]]) - len(strings.TrimRight(s[:span[0]], `\`)); n%2 == 1 {
			continue // an escaped backtick begins no code
		}
		if span[0] < at {
			continue
		}
		b.WriteString(f.unmark(s[at:span[0]]))
		code := s[span[0]:span[1]]
		if strings.HasPrefix(code, "```") {
			code = strings.Trim(code, "`")
			if lang, rest, ok := strings.Cut(code, "\n"); ok && !strings.ContainsAny(lang, " \t") {
				code = rest
			}
			code = strings.TrimSuffix(code, "\n")
		} else {
			code = strings.Trim(code, "`")
		}
		b.WriteString(code)
		at = span[1]
	}
	b.WriteString(f.unmark(s[at:]))
	return b.String()
}

var (
	headings = regexp.MustCompile(`(?m)^(#{1,3} |-# |>>> |> )`)
	emphasis = regexp.MustCompile(`\*\*|__|~~|\|\||\*|\b_|_\b`)
	escaped  = regexp.MustCompile(`\\([^A-Za-z0-9\s])`)
	bare     = regexp.MustCompile(`<(https?://[^>\s]+)>`)
)

func (f *Discord) unmark(s string) string {
	// Escaped characters step aside while the markup is read.
	var kept []string
	s = escaped.ReplaceAllStringFunc(s, func(m string) string {
		kept = append(kept, m[1:])
		return "\x00" + string(rune(0xE000+len(kept)-1))
	})
	s = mentionUser.ReplaceAllStringFunc(s, func(m string) string { return "@" + f.name(mentionUser.FindStringSubmatch(m)[1]) })
	s = mentionRole.ReplaceAllStringFunc(s, func(m string) string {
		for _, r := range f.roles {
			if r.ID == mentionRole.FindStringSubmatch(m)[1] {
				return "@" + r.Name
			}
		}
		return "@unknown-role"
	})
	s = mentionRoom.ReplaceAllStringFunc(s, func(m string) string {
		if c := f.channels[mentionRoom.FindStringSubmatch(m)[1]]; c != nil {
			return "#" + c.Name
		}
		return "#unknown"
	})
	s = mentionTime.ReplaceAllStringFunc(s, func(m string) string {
		hit := mentionTime.FindStringSubmatch(m)
		n, _ := strconv.ParseInt(hit[1], 10, 64)
		at := time.Unix(n, 0).UTC() // a client shows its own zone
		switch hit[2] {
		case "R":
			return relative(f.now().Sub(at))
		case "t":
			return at.Format("15:04")
		case "T":
			return at.Format("15:04:05")
		case "d", "D":
			return at.Format("2006-01-02")
		}
		return at.Format("2006-01-02 15:04:05 UTC")
	})
	s = mentionVerb.ReplaceAllString(s, "/$1")
	s = maskedLink.ReplaceAllString(s, "$1 ($2)")
	s = bare.ReplaceAllString(s, "$1")
	s = headings.ReplaceAllString(s, "")
	s = emphasis.ReplaceAllString(s, "")
	for i, k := range kept {
		s = strings.ReplaceAll(s, "\x00"+string(rune(0xE000+i)), k)
	}
	return s
}

// relative is a span as clients write it: "in 5 minutes", "5 minutes ago".
func relative(ago time.Duration) string {
	n, unit := int(ago.Abs().Seconds()), "seconds"
	switch {
	case n >= 86400:
		n, unit = n/86400, "days"
	case n >= 3600:
		n, unit = n/3600, "hours"
	case n >= 60:
		n, unit = n/60, "minutes"
	}
	if ago < 0 {
		return fmt.Sprintf("in %d %s", n, unit)
	}
	return fmt.Sprintf("%d %s ago", n, unit)
}
