package web

import (
	"fmt"
	"html/template"
	"path"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds the words and symbols of the templates.

// symbols stand beside each state's word, so that colour is never alone.
var symbols = map[string]string{
	commands.StateGood: "✓", commands.StateWarning: "!", commands.StateCritical: "✕",
	commands.StateRunning: "…", commands.StateUnknown: "?", commands.StateInfo: "·",
}

// class is a state as a class name: one of ours, whatever came in.
func class(state string) string {
	if _, ok := symbols[state]; ok {
		return state
	}
	return commands.StateInfo
}

func (s *Site) funcs() template.FuncMap {
	return template.FuncMap{
		"class":  class,
		"symbol": func(state string) string { return symbols[class(state)] },
		"ago":    ago,
		"left":   left,
		"took":   took,
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"stamp":  stamp,
		"exact":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"day":    func(t time.Time) string { return t.UTC().Format("Monday 2006-01-02") },
		"local":  func(p string) bool { return p != "" && localPath(p) == p },
		"used":   func(u bot.Used, now time.Time) string { return u.Line(now) },
		"base":   path.Base,
		"begins": strings.HasPrefix,
		"add":    func(a, b int) int { return a + b },
		"dict":   dict,
		"room":   roomPath,
		"nth": func(all []string, i int) string {
			if i < len(all) {
				return all[i]
			}
			return ""
		},
		"spaced": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	}
}

// dict makes a map for a template called with more than one value.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// stamp is a date with its time, in UTC with the zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// ago is how long before now a moment was: "4 min ago".
func ago(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case t.After(now):
		return "in " + took(t.Sub(now))
	case now.Sub(t) < time.Second:
		return "now"
	}
	return took(now.Sub(t)) + " ago"
}

// left is how long until a certificate ends, or since it ended.
func left(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "not known"
	case t.After(now):
		return took(t.Sub(now)) + " left"
	}
	return "ended " + took(now.Sub(t)) + " ago"
}

// took is a duration in its two largest units; days are never dropped.
func took(d time.Duration) string {
	if d < 0 {
		return "−" + took(-d)
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(int(d/time.Minute), "min", int(d%time.Minute/time.Second), "s")
	case d < 24*time.Hour:
		return two(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "min")
	case d < 14*24*time.Hour:
		return two(int(d/(24*time.Hour)), "d", int(d%(24*time.Hour)/time.Hour), "h")
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

func two(a int, ua string, b int, ub string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, ua)
	}
	return fmt.Sprintf("%d %s %d %s", a, ua, b, ub)
}
