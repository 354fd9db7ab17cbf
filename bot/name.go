package bot

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certmedic/certmedic/commands"
)

const (
	longName  = 40 // characters
	mostMarks = 2  // on one letter
)

// ValidName reports whether somebody may call himself so: 1 to 40 characters
// that can be seen, no space at the ends, no pile of accents, and not the bot's
// own name. It does not say that he is who he says: on the pages, in a script
// and in the terminal names are declared, not proved.
func ValidName(n string) bool {
	if n == "" || !utf8.ValidString(n) || utf8.RuneCountInString(n) > longName || strings.TrimSpace(n) != n {
		return false
	}
	if strings.EqualFold(strings.TrimLeft(n, "@ "), Bot.Name) {
		return false
	}
	marks := mostMarks // none begins a name
	for _, r := range n {
		switch {
		case !unicode.IsPrint(r), unseen(r):
			return false
		case !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Me, r):
			marks = 0
		case marks == mostMarks:
			return false
		default:
			marks++
		}
	}
	return true
}

// unseen: a character that counts as printable and shows nothing.
func unseen(r rune) bool {
	const brailleBlank = 0x2800
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// elsewhere is where somebody speaks, as seen from another service.
var elsewhere = map[string]string{"slack": "on Slack", "discord": "on Discord", "web": "in the browser", "console": "in the terminal", "cli": "by certmedic run", "api": "by the API"}

// Where is a person's name as the rooms of one platform show it: with the
// place, when that is another platform: "ana", "ana on Slack".
func Where(p commands.Person, here string) string {
	if e := elsewhere[p.Platform]; e != "" && p.Platform != here {
		return p.Name + " " + e
	}
	return p.Name
}
