package commands

// This file holds the grammar: how a typed line becomes words and flags. What
// platforms and phones make of a line is undone first. Nothing here fails:
// an unclosed quote is an ordinary character.

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is one word of a line; from and to are its bytes in the line.
type word struct {
	text     string // without quotes
	from, to int
	quoted   bool
}

var (
	mention = regexp.MustCompile(`<@!?([A-Za-z0-9]+)(?:\|([^<>|]*))?>`)
	channel = regexp.MustCompile(`<#([A-Za-z0-9]+)(?:\|([^<>|]*))?>`)
	linked  = regexp.MustCompile(`<((?:https?://|mailto:)[^<>|\s]+)(?:\|([^<>|]*))?>`)
	escapes = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">",
		"“", `"`, "”", `"`, "„", `"`, "‟", `"`, "‘", "'", "’", "'", "‚", "'",
		"\u00a0", " ", "\u202f", " ", "\r\n", "\n", "\r", "\n")
)

// undo takes back what platforms and phones make of a typed line.
func undo(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = mention.ReplaceAllStringFunc(s, func(m string) string { return "@" + label(mention, m) })
	s = channel.ReplaceAllStringFunc(s, func(m string) string { return "#" + label(channel, m) })
	s = linked.ReplaceAllStringFunc(s, func(m string) string {
		p := linked.FindStringSubmatch(m)
		bare := strings.TrimSuffix(p[1], "/")
		for _, scheme := range []string{"http://", "https://", "mailto:"} {
			bare = strings.TrimPrefix(bare, scheme)
		}
		if p[2] != "" && bare == strings.TrimSuffix(p[2], "/") {
			return p[2] // linked by the platform, not by the person
		}
		return p[1]
	})
	return strings.TrimSpace(plain(escapes.Replace(s)))
}

// label returns a mention's name, else its id.
func label(re *regexp.Regexp, m string) string {
	p := re.FindStringSubmatch(m)
	if p[2] != "" {
		return strings.TrimPrefix(strings.TrimPrefix(p[2], "@"), "#")
	}
	return p[1]
}

// plain removes control characters except line breaks, and the characters that
// turn the direction of text.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0xfeff:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// split cuts a line into words. A quote opens only at the start of a word (or
// of a flag's value) and closes only at the end of one.
func split(s string) []word {
	var words []word
	var never [2]bool // no quote of this kind closes from here on
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if unicode.IsSpace(r) {
			i += n
			continue
		}
		w := next(s, i, &never)
		words = append(words, w)
		i = w.to
	}
	return words
}

// next returns the word that starts at i.
func next(s string, i int, never *[2]bool) word {
	open := i
	if m := flagged.FindStringSubmatchIndex(s[i:]); m != nil && m[4] >= 0 {
		open = i + m[4] + 1 // after the equals sign
	}
	if kind := strings.IndexByte(`"'`, at(s, open)); kind >= 0 && !never[kind] {
		for j := open + 1; j < len(s); j++ {
			if s[j] == s[open] && (j+1 == len(s) || unicode.IsSpace(rune(s[j+1]))) {
				return word{text: s[i:open] + s[open+1:j], from: i, to: j + 1, quoted: open == i}
			}
		}
		never[kind] = true
	}
	end := strings.IndexFunc(s[i:], unicode.IsSpace)
	if end < 0 {
		end = len(s) - i
	}
	return word{text: s[i : i+end], from: i, to: i + end}
}

// at is the byte at i, or a space after the end.
func at(s string, i int) byte {
	if i >= len(s) {
		return ' '
	}
	return s[i]
}

// flagged matches a flag at the start of a word: two hyphens, or the dash that
// a phone makes of them. Group 1 is the name, group 2 "=" and the value.
var flagged = regexp.MustCompile(`^(?:--|—|–|––|-–)([A-Za-z][A-Za-z-]*)(=[^\s]*)?`)

// flagOf returns the flag that a word is, and its value after "=".
func flagOf(w word) (name, value string, has, ok bool) {
	if w.quoted {
		return "", "", false, false
	}
	m := flagged.FindStringSubmatch(w.text)
	if m == nil {
		return "", "", false, false
	}
	prefix := w.text[:len(m[0])-len(m[2])]
	tail := w.text[len(prefix):]
	if tail != "" && tail[0] != '=' {
		return "", "", false, false
	}
	return strings.ToLower(m[1]), strings.TrimPrefix(tail, "="), tail != "", true
}

// args is what a verb was given: words in order, and flags.
type args struct {
	src   string
	words []word
	flags map[string][]string
}

// take removes and returns the first word.
func (a *args) take() (string, bool) {
	if len(a.words) == 0 {
		return "", false
	}
	w := a.words[0]
	a.words = a.words[1:]
	return w.text, true
}

// peek returns the first word.
func (a *args) peek() (string, bool) {
	if len(a.words) == 0 {
		return "", false
	}
	return a.words[0].text, true
}

// rest removes and returns all words as they were typed. Quotes around the
// whole are taken off.
func (a *args) rest() string {
	ws := a.words
	a.words = nil
	return a.raw(ws)
}

func (a *args) raw(ws []word) string {
	if len(ws) == 1 {
		return strings.TrimSpace(ws[0].text)
	}
	var b strings.Builder
	for i, w := range ws {
		if i > 0 {
			if gap := a.src[ws[i-1].to:w.from]; strings.TrimSpace(gap) == "" {
				b.WriteString(gap)
			} else {
				b.WriteByte(' ') // a flag stood here
			}
		}
		b.WriteString(a.src[w.from:w.to])
	}
	return strings.TrimSpace(b.String())
}

// has reports a flag; value returns its last value.
func (a *args) has(flag string) bool { return len(a.flags[flag]) > 0 }

func (a *args) value(flag string) string {
	if v := a.flags[flag]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// parse sorts words into arguments and flags of a verb. An unknown flag of a
// verb that takes free text is text, unless it is nearly one of its own.
func parse(v *verb, src string, ws []word) (*args, error) {
	a := &args{src: src, flags: map[string][]string{}}
	for i := 0; i < len(ws); i++ {
		w := ws[i]
		if w.text == "--" && !w.quoted {
			a.words = append(a.words, ws[i+1:]...)
			break
		}
		name, value, has, ok := flagOf(w)
		if !ok {
			a.words = append(a.words, w)
			continue
		}
		f, known := v.flag(name)
		if !known {
			if v.text && !v.nearFlag(name) {
				a.words = append(a.words, w)
				continue
			}
			return nil, v.unknownFlag(name)
		}
		switch {
		case f.Value == "" && has:
			return nil, v.problem("bad_flag", "--"+name+" takes no value; "+quote(value)+" was given.")
		case f.Value == "":
			value = "true"
		case !has:
			n := v.valueWords(f, src, ws[i+1:])
			if n == 0 {
				return nil, v.problem("missing_value", "--"+name+" needs a value: "+f.Value+".")
			}
			value = a.raw(ws[i+1 : i+1+n])
			i += n
		}
		if len(a.flags[name]) > 0 && name != "cert" && f.Value != "" {
			return nil, v.problem("flag_twice", "--"+name+" was given twice.")
		}
		a.flags[name] = append(a.flags[name], value)
	}
	return a, nil
}

// valueWords returns how many of the words after a flag are its value: one;
// for a text everything up to the next flag; for a time as many as it has.
func (v *verb) valueWords(f Flag, src string, ws []word) int {
	if len(ws) == 0 {
		return 0
	}
	if _, _, _, flag := flagOf(ws[0]); flag {
		if name, _, _, _ := flagOf(ws[0]); v.knows(name) {
			return 0
		}
	}
	switch {
	case ws[0].quoted:
		return 1
	case f.Value == "text":
		n := 0
		for _, w := range ws {
			if name, _, _, ok := flagOf(w); ok && v.knows(name) {
				break
			}
			n++
		}
		return n
	case f.Value == "time":
		for n := min(4, len(ws)); n > 1; n-- {
			if looksLikeTime(src[ws[0].from:ws[n-1].to]) {
				return n
			}
		}
	}
	return 1
}
