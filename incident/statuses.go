package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// In this file: what people call the statuses of work. The record has the
// status itself, so that another name breaks nothing that was written before;
// a line says it by the name of its day.

// Named are the statuses that can have another name, in their order.
var Named = statuses

// maxName is how many characters a name of a status may have.
const maxName = 24

// Names are names of statuses; one that is not there goes by its own word.
type Names map[Status]string

// Of is what people call a status.
func (n Names) Of(s Status) string {
	if name := n[s]; name != "" {
		return name
	}
	return string(s)
}

// Find returns the status of a word that somebody typed: a name or the
// status's own word, or three letters or more that only one of them begins
// with. Upper and lower case are the same.
func (n Names) Find(word string) (Status, bool) {
	var near []Status
	for _, s := range Named {
		for _, name := range []string{n.Of(s), string(s)} {
			if strings.EqualFold(name, word) {
				return s, true
			}
			if utf8.RuneCountInString(word) >= 3 && strings.HasPrefix(strings.ToLower(name), strings.ToLower(word)) && !slices.Contains(near, s) {
				near = append(near, s)
			}
		}
	}
	if len(near) != 1 {
		return "", false
	}
	return near[0], true
}

// Words are all that Find knows, names first.
func (n Names) Words() (all []string) {
	for _, s := range Named {
		all = append(all, n.Of(s))
	}
	for _, s := range Named {
		if !slices.Contains(all, string(s)) {
			all = append(all, string(s))
		}
	}
	return all
}

// taken are words that a status cannot be called: other states of an incident,
// and what people mean otherwise behind /incident status.
var taken = []string{string(Closed), string(Cancelled), string(Duplicate), "open", "close", "cancel", "reopen", "resolve", "me", "list"}

// CheckName says what is wrong with a name, in words for whoever configures
// it; nil is nothing.
func (n Names) CheckName(s Status) error {
	name := n[s]
	switch {
	case !slices.Contains(Named, s):
		return fmt.Errorf("%q is not a status; there are investigating, identified, monitoring and resolved", string(s))
	case name == "":
		return errors.New("the name is empty")
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("%.40q has %d characters, at most %d are taken", name, utf8.RuneCountInString(name), maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }):
		return fmt.Errorf("%q has other characters than letters, digits and -; it is typed as one word", name)
	case !unicode.IsLetter([]rune(name)[0]):
		return fmt.Errorf("%q does not begin with a letter", name)
	case slices.ContainsFunc(taken, func(w string) bool { return strings.EqualFold(w, name) }):
		return fmt.Errorf("%q means something else behind /incident status", name)
	case strings.HasPrefix(strings.ToUpper(name), "INC-"):
		return fmt.Errorf("%q reads as the id of an incident", name)
	}
	for _, o := range Named {
		if o == s {
			continue
		}
		if strings.EqualFold(string(o), name) {
			return fmt.Errorf("%q is the word of another status", name)
		}
		if strings.EqualFold(n[o], name) {
			return fmt.Errorf("%q is the name of %s and of %s", name, o, s)
		}
	}
	return nil
}

// Call sets what lines call the statuses. It is called before the book is used.
func (b *Book) Call(names Names) { b.names = names }

// StatusRest is what a line of the change says beyond it.
func StatusRest(text string) (rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "Status: ")
	if !ok {
		return "", false
	}
	to, rest, ok := strings.Cut(text, ", was ")
	from, rest, end := strings.Cut(rest, ".")
	if !ok || !end || strings.ContainsAny(to+from, " .,:") {
		return "", false
	}
	return strings.TrimSpace(rest), true
}
