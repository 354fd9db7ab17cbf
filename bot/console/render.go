package console

import (
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// In this file: a reply as text. The order is that of every platform: the
// answer, the proof, what to do next. Tables are in table.go.

// fallbackWidth is the width where none is known; minWidth the least that is
// drawn for.
const (
	fallbackWidth = 80
	minWidth      = 32
	barWidth      = 12
)

// look is how a state is shown: never by colour alone.
type look struct{ symbol, word, colour string }

var looks = map[string]look{
	commands.StateGood:     {"✓", "good", "32"},
	commands.StateWarning:  {"!", "warning", "33"},
	commands.StateCritical: {"✕", "critical", "31"},
	commands.StateRunning:  {"…", "running", "34"},
	commands.StateUnknown:  {"?", "unknown", "90"},
}

// pen draws one reply.
type pen struct {
	strings.Builder
	width  int
	colour bool
	site   string // "": pages are named by their path
	files  string // path that a file's number is put after; "": they cannot be fetched
}

// Render draws one reply as plain text, width columns wide (0: 80), with
// colour when colour is true. It ends with a newline. Commands, paths and
// words that are longer than a line stand unbroken, so that they can be
// copied. certmedic run uses it too.
func Render(r commands.Reply, width int, colour bool) string {
	if width <= 0 {
		width = fallbackWidth
	}
	p := &pen{width: max(width, minWidth), colour: colour}
	p.reply(r)
	return p.String()
}

func (p *pen) reply(r commands.Reply) {
	p.head(r)
	p.body(r)
	p.facts(r.Facts)
	p.table(r.Table)
	p.progress(r)
	p.next(r)
}

// paint colours s.
func (p *pen) paint(code, s string) string {
	if !p.colour || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// put writes lines, each after an indent of its own.
func (p *pen) put(first, other string, lines []string) {
	for i, l := range lines {
		indent := other
		if i == 0 {
			indent = first
		}
		p.WriteString(strings.TrimRight(indent+l, " ") + "\n")
	}
}

// head is the answer: the state in symbol and word, and one sentence.
func (p *pen) head(r commands.Reply) {
	l := looks[r.State]
	text := line(r.Headline)
	if text == "" {
		text = line(r.Problem.Message)
	}
	if !r.Problem.IsZero() {
		l.word = "not done"
	}
	mark := ""
	if l.symbol != "" {
		mark = l.symbol + " " + l.word + "  "
	}
	lines := wrap(text, p.width-length(mark), false)
	if rest := lines[1:]; len(rest) > 0 && mark != "" { // below the mark there is more room
		lines = append(lines[:1:1], wrap(strings.Join(rest, " "), p.width-2, false)...)
	}
	for i := range lines {
		lines[i] = p.paint("1", lines[i])
	}
	p.put(p.paint(l.colour, strings.TrimRight(mark, " "))+spaces(mark), strings.Repeat(" ", min(length(mark), 2)), lines)
}

// spaces are the spaces that mark ends with.
func spaces(mark string) string { return mark[len(strings.TrimRight(mark, " ")):] }

// body is the problem's message and hint, and the reply's text.
func (p *pen) body(r commands.Reply) {
	if m := line(r.Problem.Message); m != "" && m != line(r.Headline) && r.Headline != "" {
		p.put("  ", "  ", wrap(m, p.width-2, false))
	}
	if h := line(r.Problem.Hint); h != "" && !strings.Contains(line(r.Body), h) {
		p.put("  ", "  ", wrap(h, p.width-2, false))
	}
	text := strings.TrimRight(clean(r.Body), " \t\n")
	if text == "" {
		return
	}
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.ReplaceAll(l, "\t", "    ")
		deep := "  " + l[:len(l)-len(strings.TrimLeft(l, " "))]
		if length(deep) > p.width/2 {
			deep = "  "
		}
		if 2+length(l) <= p.width { // spaces within a line that fits are kept
			p.put("  ", "  ", []string{strings.TrimRight(l, " ")})
			continue
		}
		p.put(deep, deep, wrap(l, p.width-length(deep), false))
	}
}

// facts are short fields, their values below each other.
func (p *pen) facts(facts []commands.Fact) {
	most := 0
	for _, f := range facts {
		most = max(most, length(line(f.Name)))
	}
	most = min(most, p.width/3)
	for _, f := range facts {
		name, _ := cut(line(f.Name), most)
		first := "  " + p.paint("2", name+":") + strings.Repeat(" ", most-length(name)+1)
		p.put(first, strings.Repeat(" ", most+4), wrap(line(f.Value), p.width-most-4, false))
	}
}

// progress is the bar and the steps.
func (p *pen) progress(r commands.Reply) {
	if r.Of > 0 {
		done := min(max(r.Done, 0), r.Of)
		full := int(int64(barWidth) * int64(done) / int64(r.Of))
		p.put("  ", "", []string{fmt.Sprintf("[%s%s] %d of %d hosts", strings.Repeat("=", full), strings.Repeat("-", barWidth-full), done, r.Of)})
	}
	for _, s := range r.Steps {
		l := looks[s.State]
		if l.symbol == "" {
			l.symbol = "·"
		}
		p.put("  "+p.paint(l.colour, l.symbol)+" ", "    ", wrap(line(s.Text), p.width-4, false))
	}
}

// next is what can be done now, as the commands to type, and where more stands.
func (p *pen) next(r commands.Reply) {
	for i, b := range r.Buttons {
		word := "next: "
		if i > 0 {
			word = "or:   "
		}
		command, label := line(b.Command), line(b.Label)
		text := p.paint("36", command)
		if label != "" && length(command)+length(label)+9 <= p.width {
			text += p.paint("2", "  ("+label+")")
		}
		p.put(word, "", []string{text})
	}
	for _, l := range r.Links {
		path, label := line(l.Path), line(l.Label)
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			continue // not a page of ours
		}
		if path = p.site + path; label != "" && length(path)+length(label)+9 <= p.width {
			path += p.paint("2", "  ("+label+")")
		}
		p.put("page: ", "", []string{path})
	}
	for i, f := range r.Files {
		if p.site != "" && p.files != "" {
			p.put("file: ", "", []string{fmt.Sprintf("%s%s%d", p.site, p.files, i) + p.paint("2", fmt.Sprintf("  (%s, %s)", line(f.Name), size(len(f.Data))))})
			continue
		}
		p.put("file: ", "      ", wrap(fmt.Sprintf("%s (%s)", line(f.Name), size(len(f.Data))), p.width-6, false))
	}
}

// size is a number of bytes in words.
func size(n int) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
}
