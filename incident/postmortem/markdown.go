package postmortem

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/certmedic/certmedic/incident"
)

// In this file: writing Markdown, and making strangers' text harmless in it.

// writer writes one section at a time. Whatever strangers wrote goes through
// escape, code, quote, link or fence: it can neither end a table's cell nor
// become HTML.
type writer struct {
	d       *Draft
	zone    *time.Location // nil: UTC alone
	history []incident.Entry
	v       view
	told    []told // status updates
	name    string // of the section
	said    bool   // people wrote words for it
	known   *int   // how many gaps there are; nil: as many as were counted
	b       strings.Builder
}

// section runs write and returns what it wrote.
func (w *writer) section(name string, write func(*writer)) string {
	w.name = name
	w.b.Reset()
	w.said = w.words(name)
	write(w)
	return strings.TrimSpace(w.b.String())
}

// para writes a paragraph of text that is Markdown already; an empty one is left out.
func (w *writer) para(format string, args ...any) {
	if strings.TrimSpace(fmt.Sprintf(format, args...)) == "" {
		return
	}
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteString("\n\n")
}

// list writes a list of lines that are Markdown already.
func (w *writer) list(lines []string) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l == "" })
	for _, l := range lines {
		w.b.WriteString("- " + l + "\n")
	}
	if len(lines) > 0 {
		w.b.WriteByte('\n')
	}
}

// table writes a table; cells are Markdown already. Without rows it writes nothing.
func (w *writer) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	w.b.WriteString("| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat(" --- |", len(head)) + "\n")
	for _, r := range rows {
		w.b.WriteString("| " + strings.Join(r, " | ") + " |\n")
	}
	w.b.WriteByte('\n')
}

// gap marks what a person must fill, and counts it. A prompt for a person's
// words ends when somebody wrote words for its section: then it is empty.
func (w *writer) gap(what string) string {
	if w.said && slices.Contains(prompting, w.name) {
		if w.name == "summary" { // it stands in a sentence there
			return "see above"
		}
		return ""
	}
	return w.missing(what)
}

// missing marks a fact that only a person can give, whatever was written for
// its section.
func (w *writer) missing(what string) string {
	w.d.Gaps = append(w.d.Gaps, what)
	return "**TO FILL: " + what + "**"
}

// fact puts a statement of the draft on the list of facts.
func (w *writer) fact(name, value, source string, unaided bool) {
	w.d.Facts = append(w.d.Facts, Fact{Section: w.name, Name: name, Value: plain(value), Source: plain(source), Unaided: unaided})
}

// plain is text on one line.
func plain(s string) string { return strings.Join(strings.Fields(s), " ") }

// special characters of CommonMark and tables inside a line.
const special = "\\`*_[]<>|~&"

// escape makes text of strangers one line that reads as it was written.
func escape(s string) string {
	s = plain(s)
	var b strings.Builder
	b.Grow(len(s) + 8)
	for n, r := range s {
		if strings.ContainsRune(special, r) || n == 0 && startsBlock(s) {
			b.WriteByte('\\')
		}
		if !unicode.IsControl(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// startsBlock reports whether a line would start a heading, list or rule.
func startsBlock(s string) bool { return s != "" && strings.ContainsRune("#+-=:!", rune(s[0])) }

// quote writes text of strangers, lines kept, as a quotation.
func quote(s string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		lines = append(lines, strings.TrimRight("> "+escapeLine(line), " "))
	}
	return strings.Join(lines, "\\\n")
}

// escapeLine is escape for a line of its own: a number does not begin a list.
func escapeLine(line string) string {
	e := escape(line)
	if digits := strings.TrimLeft(e, "0123456789"); digits != e && digits != "" && (digits[0] == '.' || digits[0] == ')') {
		e = e[:len(e)-len(digits)] + "\\" + digits
	}
	return e
}

// code sets a name, serial or fingerprint in type of its own.
func code(s string) string {
	s = plain(s)
	if s == "" {
		return ""
	}
	for _, r := range s {
		if r >= 0x7f || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".:-_/ ,%+@", r) {
			return escape(s)
		}
	}
	return "`" + s + "`"
}

// codes sets a list of names.
func codes(names []string) string {
	var all []string
	for _, n := range names {
		all = append(all, code(n))
	}
	return strings.Join(all, ", ")
}

// link writes a link to where something was said: http, https or a path of
// certmedic's own pages; anything else is left out.
func link(text, address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	web := (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
	own := u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(u.Path, "//")
	if !web && !own {
		return ""
	}
	safe := strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", "\\", "%5C", "`", "%60", "(", "%28", ")", "%29", " ", "%20", "*", "%2A", "[", "%5B", "]", "%5D", "\"", "%22").Replace(u.String())
	if web && strings.ContainsAny(u.Host, "[]") { // an IPv6 address keeps its brackets
		safe = strings.Replace(strings.Replace(safe, "%5B", "[", 1), "%5D", "]", 1)
	}
	return "[" + text + "](<" + safe + ">)"
}

// fence writes output of a program as it was.
func fence(s string) string {
	mark := "```"
	for strings.Contains(s, mark) {
		mark += "`"
	}
	return mark + "text\n" + strings.TrimRight(s, "\n") + "\n" + mark
}

// local writes a moment in the zone beside UTC, its date only where it is not
// UTC's.
func local(t time.Time, zone *time.Location) string {
	l := t.In(zone)
	form := clockForm(t) + " MST"
	if l.YearDay() != t.UTC().YearDay() || l.Year() != t.UTC().Year() {
		form = "2006-01-02 " + form
	}
	return l.Format(form)
}

// clockForm shows seconds only where there are any.
func clockForm(t time.Time) string {
	if t.Second() == 0 {
		return "15:04"
	}
	return "15:04:05"
}

// when writes a moment: date, UTC, and the zone beside it.
func (w *writer) when(t time.Time) string {
	s := incident.When(t)
	if w.zone != nil {
		s += " (" + local(t, w.zone) + ")"
	}
	return s
}

// count writes "1 host", "4 hosts".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
