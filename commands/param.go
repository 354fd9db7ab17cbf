package commands

import (
	"slices"
	"strings"
)

// This file holds a verb's parameters one by one, for the platforms that ask
// for them in fields (Discord's options, forms), and how filled fields become
// the line that somebody could have typed.

// Kinds of a Param: how a platform asks for it and completes it.
const (
	ParamText        = "text" // free text, the last of the words
	ParamWord        = "word"
	ParamChoice      = "choice"
	ParamIncident    = "incident"    // INC-7
	ParamCertificate = "certificate" // a name of the inventory, or host:port
	ParamRenewal     = "renewal"
	ParamPerson      = "person"
	ParamTime        = "time"
	ParamTemplate    = "template" // a name of a template, one's own too: the desk completes it
	ParamSwitch      = "switch"   // a flag without a value: "true" or ""
)

// Param is one thing that a verb takes, in the order of the line.
type Param struct {
	Name     string // lower case, "cert"; a flag's name when Flag
	Kind     string
	Summary  string // a few words: "the certificate"
	Required bool
	Choices  []string // of ParamChoice: what is put into the line
	Flag     bool     // said as --name value
	Lead     string   // of a word: what stands before its value in the line, "@ " or "due "
}

// Compose is the line of a verb with its parameters filled in; a parameter
// without a value is left out. Whatever a value holds, it stays that value: it
// cannot become a flag or another word.
func Compose(verb string, params []Param, values map[string]string) string {
	line := "/" + verb
	var words []string
	for _, p := range params {
		v := strings.TrimSpace(values[p.Name])
		switch {
		case v == "" || p.Kind == ParamSwitch && v != "true":
		case p.Kind == ParamSwitch:
			line += " --" + p.Name
		case p.Flag:
			line += " --" + p.Name + "=" + quoted(v)
		case p.Lead != "":
			words = append(words, p.Lead+oneLine(v))
		case p.Kind == ParamText:
			words = append(words, v)
		default:
			words = append(words, quoted(v))
		}
	}
	if slices.ContainsFunc(strings.Fields(undo(strings.Join(words, " "))), likeFlag) {
		line += " --"
	}
	return strings.TrimSpace(line + " " + strings.Join(words, " "))
}

// likeFlag reports a word that could be taken for a flag, or for the end of them.
func likeFlag(word string) bool { return word == "--" || flagged.MatchString(word) }

// quoted is a value as one word.
func quoted(v string) string {
	v = oneLine(v)
	if v != "" && !strings.ContainsAny(v, " \t\"'") {
		return v
	}
	return `"` + strings.ReplaceAll(v, `"`, "'") + `"`
}
