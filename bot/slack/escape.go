package slack

import (
	"strings"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot"
)

// This file makes strangers' text harmless in Slack's markup, and cuts texts to
// their limits.

// size is the length as Slack counts it, once escaped.
func size(s string) int { return utf8.RuneCountInString(escape(s)) }

// wide is a character's size.
func wide(c rune) int {
	switch c {
	case '&':
		return 5
	case '<', '>':
		return 4
	}
	return 1
}

var special = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes Slack's three special characters ordinary.
func escape(s string) string {
	return special.Replace(bot.Clean(s))
}

// clip cuts to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// fit cuts until the escaped text has at most n characters.
func fit(s string, n int) string {
	if size(s) <= n {
		return s
	}
	r, left := []rune(s), n-1
	for i, c := range r {
		if left -= wide(c); left < 0 {
			return string(r[:i]) + "…"
		}
	}
	return s
}

// split cuts into parts of at most n characters (escaped), at line ends where it can.
func split(s string, n int) []string {
	var parts []string
	for s != "" {
		if len(s) <= n && size(s) <= n {
			return append(parts, s)
		}
		left, end, line := n, 0, 0
		for i, c := range s {
			if left -= wide(c); left < 0 {
				break
			}
			end = i + utf8.RuneLen(c)
			if c == '\n' {
				line = end
			}
		}
		if line > end/2 {
			end = line
		}
		if end == 0 {
			return parts
		}
		if p := strings.TrimRight(s[:end], "\n"); p != "" {
			parts = append(parts, p)
		}
		s = s[end:]
	}
	return parts
}
