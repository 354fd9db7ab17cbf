package discord

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot"
)

// This file makes strangers' text harmless in Discord's Markdown, and cuts
// texts to their limits.

// active are characters with a meaning wherever they stand.
const active = "\\*_~`|<>[]@"

// lineStart are marks that mean something at a line's start: headings, lists,
// small text, quotes.
var lineStart = regexp.MustCompile(`(?m)^([ \t]*)([#+>-]|\d+[.)])`)

// inviteRE finds invitations, which are drawn as such without "https" too.
var inviteRE = regexp.MustCompile(`(?i)(discord(?:app)?\.(?:gg|com|new|gifts?))/`)

// escape makes a text mean itself: nothing in it formats, links or mentions.
// A backslash goes before what is active; after @ a space of no width too, so
// that no name follows it.
func escape(s string) string {
	s = bot.Clean(s)
	if !strings.ContainsAny(s, active+"#+->/.)") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for _, r := range s {
		if r < utf8.RuneSelf && strings.IndexByte(active, byte(r)) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' {
			b.WriteRune('\u200b')
		}
	}
	s = strings.ReplaceAll(b.String(), "://", `:\/\/`)
	s = inviteRE.ReplaceAllString(s, `$1\/`)
	return lineStart.ReplaceAllStringFunc(s, func(m string) string {
		return m[:len(m)-1] + `\` + m[len(m)-1:]
	})
}

// fit cuts an escaped text to n characters; no escape is cut in two.
func fit(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = string([]rune(s)[:max(n-1, 0)])
	if tail := len(s) - len(strings.TrimRight(s, `\`)); tail%2 == 1 {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// clip cuts a plain text to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var plainName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName keeps what is safe in a name.
func fileName(name string) string {
	name = strings.Trim(plainName.ReplaceAllString(name, "-"), "-.")
	if len(name) > 120 {
		name = name[len(name)-120:]
	}
	return or(name, "file.txt")
}
