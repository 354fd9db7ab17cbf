package commands

import (
	"unicode/utf8"

	"github.com/certmedic/certmedic/incident"
)

// WithoutSecrets returns a line with private keys, tokens and passwords
// replaced by what they were, as the record does with its texts; a line
// without any stays as it is. Rooms keep lines, so they ask first.
func WithoutSecrets(line string) string {
	if clean, cut := incident.Clean(line, utf8.RuneCountInString(line)+1); cut {
		return clean
	}
	return line
}
