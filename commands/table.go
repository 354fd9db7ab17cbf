package commands

import (
	"context"
	"strings"
	"sync"
)

// Verb is one row of the table: everything that router, help, completion and
// (later) the platforms' registrations need to know of it.
type Verb struct {
	Name    string // "incident note"
	Alias   string // "inc note" is derived from the group; an own one, or ""
	Args    string // usage after the name: "[INC] text [@ time]"
	Summary string // one line
	Example string // one correct line
	Flags   []Flag
	Public  bool   // changes the record
	Needs   string // the right it takes, see Policy; "": none
	Rare    bool   // left out of the first help; the group's help has it
}

// Flag is a flag of a verb.
type Flag struct {
	Name    string // "reason"
	Value   string // "text" (all up to the next flag), "time", a word for one word; "": a switch
	Summary string // "": buttons alone use it, and people are not told
}

// shown are the flags that people are told of.
func (v Verb) shown() (all []Flag) {
	for _, f := range v.Flags {
		if f.Summary != "" {
			all = append(all, f)
		}
	}
	return all
}

// verb is a Verb with what it does.
type verb struct {
	Verb
	text bool // takes free text: what is no flag of it is text
	max  int  // most words it takes, without text
	run  func(ctx context.Context, c *call) (Reply, error)
}

// groups are the first words and their short forms.
var groups = map[string]string{
	"help": "help", "?": "help",
	"certcheck": "certcheck", "cc": "certcheck",
	"renew": "renew", "rn": "renew",
	"incident": "incident", "inc": "incident",
}

// short is the alias of a group.
var short = map[string]string{"certcheck": "cc", "renew": "rn", "incident": "inc"}

var (
	rows     []*verb
	rowsOnce sync.Once
)

// table returns every verb in the order of the help.
func table() []*verb {
	rowsOnce.Do(func() {
		rows = allVerbs()
		for _, v := range rows {
			v.Needs = rights[v.Name]
		}
	})
	return rows
}

func allVerbs() []*verb {
	return []*verb{
		helpVerb(),
		certcheckVerb(), rehearseVerb(), whoVerb(),
		renewVerb(), approveVerb(), denyVerb(), stopVerb(), resumeVerb(), rollbackVerb(), renewStatusVerb(),
		incidentVerb(), declareVerb(), statusVerb(), sevVerb(), leadVerb(), impactVerb(), noteVerb(), updateVerb(),
		editVerb(), dropVerb(), moveVerb(), tempVerb(), taskVerb(),
		roleVerb(), inviteVerb(), handoffVerb(), renameVerb(), startedVerb(), detectedVerb(), reopenVerb(), cancelVerb(), duplicateVerb(), mergeVerb(), snoozeVerb(), quietVerb(),
		timelineVerb(), showVerb(), listVerb(), statsVerb(), resolveVerb(), closeVerb(), postmortemVerb(), exportVerb(),
	}
}

// Verbs returns the one table of verbs, in the order of the help.
func Verbs() []Verb {
	var vs []Verb
	for _, v := range table() {
		vs = append(vs, v.Verb)
	}
	return vs
}

// Short returns the verb's name with the short form of its group, for example
// "inc note"; "" when the group has none.
func (v Verb) Short() string {
	group, rest, _ := strings.Cut(v.Name, " ")
	if short[group] == "" {
		return ""
	}
	return strings.TrimSpace(short[group] + " " + rest)
}

// Usage is the verb with its arguments and flags, as typed.
func (v Verb) Usage() string {
	u := "/" + v.Name
	if v.Args != "" {
		u += " " + v.Args
	}
	for _, f := range v.shown() {
		u += " [--" + f.Name
		if f.Value != "" {
			u += " " + f.Value
		}
		u += "]"
	}
	return u
}

func (v *verb) flag(name string) (Flag, bool) {
	for _, f := range v.Flags {
		if f.Name == name {
			return f, true
		}
	}
	return Flag{}, false
}

func (v *verb) knows(name string) bool {
	_, ok := v.flag(name)
	return ok
}

func (v *verb) flagNames() []string {
	var names []string
	for _, f := range v.shown() {
		names = append(names, f.Name)
	}
	return names
}

// nearFlag reports that a name is most likely a mistyped flag of the verb.
func (v *verb) nearFlag(name string) bool { return nearest(name, v.flagNames()) != "" }

// problem is a Problem whose hint is the verb's example.
func (v *verb) problem(code, message string) Problem {
	return Problem{Code: code, Message: message, Hint: "For example: " + v.Example}
}

func (v *verb) unknownFlag(name string) Problem {
	p := v.problem("unknown_flag", "/"+v.Name+" has no flag --"+name+".")
	if n := nearest(name, v.flagNames()); n != "" {
		p.Hint = "Did you mean --" + n + "? " + p.Hint
		if v.text {
			p.Hint += " Put the text in quotes when --" + name + " belongs to it."
		}
	} else if len(v.Flags) > 0 {
		p.Hint = "It has --" + strings.Join(v.flagNames(), ", --") + ". " + p.Hint
	}
	return p
}

// lookup finds the verb of a name such as "incident note", case ignored.
func lookup(name string) *verb {
	for _, v := range table() {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// subs are the second words of a group.
func subs(group string) []string {
	var out []string
	for _, v := range table() {
		if g, s, ok := strings.Cut(v.Name, " "); ok && g == group {
			out = append(out, s)
		}
	}
	return out
}

// ownAlias maps other second words that people try to the verb that they mean.
var ownAlias = map[string]string{
	"incident severity": "incident sev", "incident commander": "incident lead", "incident draft": "incident postmortem",
	"incident announce": "incident update", "incident publish": "incident update", "incident statuspage": "incident update", "incident open": "incident declare", "incident new": "incident declare", "incident ls": "incident list", "incident search": "incident list", "incident find": "incident list",
	"incident tasks": "incident task", "incident remove": "incident drop", "incident delete": "incident drop", "incident title": "incident rename", "incident assign": "incident lead",
	"incident comment": "incident note", "incident log": "incident note",
	"renew cancel": "renew stop", "certcheck owner": "certcheck who", "certcheck preflight": "certcheck rehearse",
}

// route finds the verb that a line names and the words after it.
func route(src string) (*verb, []word, error) {
	ws := split(src)
	if len(ws) == 0 {
		return lookup("help"), nil, nil
	}
	first := strings.ToLower(strings.TrimPrefix(ws[0].text, "/"))
	group, ok := groups[first]
	if !ok && !strings.HasPrefix(ws[0].text, "/") && len(ws) > 2 {
		return nil, nil, spoken(src)
	}
	if !ok {
		return nil, nil, unknownVerb(first)
	}
	ws = ws[1:]
	if len(ws) > 0 && !ws[0].quoted {
		second := strings.ToLower(ws[0].text)
		if second == "help" && group != "help" {
			return lookup("help"), []word{{text: group}}, nil
		}
		name := group + " " + second
		if a := ownAlias[name]; a != "" {
			name = a
		}
		if v := lookup(name); v != nil && strings.Contains(name, " ") {
			return v, ws[1:], nil
		}
	}
	v := lookup(group)
	if group == "incident" && len(ws) > 0 {
		if isIncident(ws[0].text) {
			return lookup("incident show"), ws, nil
		}
		if _, _, _, flag := flagOf(ws[0]); !flag {
			return nil, nil, unknownSub(group, ws[0].text)
		}
	}
	return v, ws, nil
}

// spoken answers a line that is talk: it may be meant for the timeline.
func spoken(src string) error {
	text := oneLine(src)
	p := Problem{Code: "unknown_verb", Message: "This line does not start with a verb, so nothing was recorded.",
		Hint: "To put it on the timeline: /incident note " + clip(text, 60)}
	r := Reply{State: StateInfo, Headline: p.Message, Body: p.Hint}
	if len(text) <= 2000 {
		r.Buttons = []Button{{Label: "Add as a note", Command: "/incident note " + text}}
	}
	return &refused{p, r}
}

func unknownVerb(first string) Problem {
	p := Problem{Code: "unknown_verb", Message: quote(first) + " is not a verb.", Hint: "Say /help for all verbs. For example: /certcheck"}
	var all []string
	for g := range groups {
		all = append(all, g)
	}
	if n := nearest(first, all); n != "" {
		p.Hint = "Did you mean /" + groups[n] + "? /help " + groups[n] + " explains it. For example: " + lookup(groups[n]).Example
		return p
	}
	for _, g := range []string{"incident", "renew", "certcheck"} {
		if v := lookup(g + " " + first); v != nil {
			p.Hint = "Did you mean /" + v.Name + "? For example: " + v.Example
			return p
		}
	}
	return p
}

func unknownSub(group, second string) Problem {
	p := Problem{Code: "unknown_verb", Message: "/" + group + " has no verb " + quote(second) + ".",
		Hint: "It has " + strings.Join(subs(group), ", ") + ". For example: " + lookup(group).Example}
	if n := nearest(strings.ToLower(second), subs(group)); n != "" {
		v := lookup(group + " " + n)
		p.Hint = "Did you mean /" + v.Name + "? For example: " + v.Example
	}
	return p
}

// nearest returns the candidate closest to s, or "" when none is close: at
// most one change for up to four letters, else at most two.
func nearest(s string, candidates []string) string {
	best, at := "", 3
	if len(s) <= 4 {
		at = 2
	}
	if len(s) > 64 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(s), strings.ToLower(c)); d < at || d == at-1 && d == 0 || best != "" && d == at && c < best {
			best, at = c, d
		}
	}
	return best
}

// distance counts the changes (Levenshtein, and a swap of neighbours as one)
// between two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
