package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file holds forms: a verb asked for in fields, on platforms that have
// them. A form never does anything: filled in, it becomes lines that somebody
// could have typed. What each verb asks for is in form_incident.go and
// form_renew.go.

// ParamSeveral is a field of which any of the options may be chosen; its value
// is those chosen, joined by commas.
const ParamSeveral = "several"

// Form is a verb asked for in fields.
type Form struct {
	Verb    string // "incident close"
	Subject string // what it is about: "INC-7", "R-12"; "": nothing yet
	Title   string // at most 24 characters
	Submit  string // what the button says, at most 24 characters
	Intro   string // what happens on submitting, and to what
	Fields  []FormField
}

// FormField is one field of a Form.
type FormField struct {
	Param
	Label   string       // at most 75 characters
	Value   string       // filled in beforehand
	Options []FormOption // of ParamChoice and ParamSeveral
	Long    bool         // several lines of text
	Max     int          // characters; 0: as many as the platform takes
}

// FormOption is one thing to choose. Label and Note have at most 75 characters.
type FormOption struct {
	Value string
	Label string
	Note  string // what it means; ""
}

// FormAsk is which form somebody wants, and where.
type FormAsk struct {
	Verb    string
	Subject string
	Room    string
	By      Person
	At      time.Time         // of the press; zero: now
	Given   map[string]string // by field: what is known already
}

// formVerb is how a verb is asked for in fields.
type formVerb struct {
	label string // of the entry beside a button that does it at once
	build func(ctx context.Context, c *call, ask FormAsk) (Form, error)
	lines func(ctx context.Context, c *call, f Form, values map[string]string) ([]string, map[string]string, error)
	given func(c *call) (subject string, given map[string]string) // out of a line of the verb
	lacks func(ctx context.Context, c *call) bool                 // the line needs what only a person can say
}

func formVerbs() map[string]formVerb {
	return map[string]formVerb{
		"incident declare": {"Declare with details…", declareForm, declareLines, declareGiven, declareLacks},
		"incident status":  {"Update with words…", statusForm, statusLines, statusGiven, statusLacks},
		"incident close":   {"Close with words…", closeForm, closeLines, subjectGiven(isIncident), closeLacks},
		"renew approve":    {"Approve with a reason…", approveForm, approveLines, subjectGiven(isRenewal), nil},
	}
}

// Form returns a verb's form with what the record knows filled in. It reads the
// record alone and is quick. An error that is a Problem says why there is none.
func (d *Desk) Form(ctx context.Context, ask FormAsk) (Form, error) {
	v, ok := formVerbs()[ask.Verb]
	if !ok {
		return Form{}, Problem{Code: "no_form", Message: "/" + clip(oneLine(ask.Verb), 40) + " has no form.", Hint: "Type it: /help " + clip(oneLine(ask.Verb), 40)}
	}
	c := d.formCall(ask)
	if err := c.allowed(ctx); err != nil {
		return Form{}, d.formError(ctx, err)
	}
	f, err := v.build(ctx, c, ask)
	if err != nil {
		return f, d.formError(ctx, err)
	}
	f.Verb = ask.Verb
	for i, field := range f.Fields {
		if given := strings.TrimSpace(ask.Given[field.Name]); given != "" {
			f.Fields[i].Value = given
		}
		f.Fields[i].Value = field.fitting(f.Fields[i].Value)
	}
	return f, nil
}

// fitting is a value as far as the field can show it.
func (f FormField) fitting(value string) string {
	switch f.Kind {
	case ParamChoice:
		if !slices.ContainsFunc(f.Options, func(o FormOption) bool { return o.Value == value }) {
			return ""
		}
	case ParamSeveral:
		return strings.Join(f.chosen(value), ",")
	}
	if r := []rune(value); f.Max > 0 && len(r) > f.Max {
		value = string(r[:f.Max])
	}
	return value
}

// chosen are the options that a value of ParamSeveral names.
func (f FormField) chosen(value string) []string {
	var all []string
	for _, o := range f.Options {
		if slices.Contains(strings.Split(value, ","), o.Value) {
			all = append(all, o.Value)
		}
	}
	return all
}

// FormLines makes the lines to be said of a filled form, in order: each only
// when the one before it was not refused. wrong says by field what is wrong;
// then there are no lines. Nothing is done, whatever the values.
func (d *Desk) FormLines(ctx context.Context, ask FormAsk, values map[string]string) (lines []string, wrong map[string]string, err error) {
	f, err := d.Form(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	clean := map[string]string{}
	wrong = map[string]string{}
	for _, field := range f.Fields {
		v := strings.TrimSpace(plain(values[field.Name]))
		if n := len([]rune(v)); field.Max > 0 && n > field.Max {
			wrong[field.Name] = fmt.Sprintf("This has %d characters; at most %d are taken.", n, field.Max)
		}
		if v != "" && field.Kind == ParamChoice && field.fitting(v) == "" {
			wrong[field.Name] = quote(v) + " is none of the choices."
		}
		if field.Kind == ParamSeveral {
			v = strings.Join(field.chosen(v), ",")
		}
		if field.Required && v == "" {
			wrong[field.Name] = "This is needed."
		}
		clean[field.Name] = v
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	lines, wrong, err = formVerbs()[ask.Verb].lines(ctx, d.formCall(ask), f, clean)
	if err != nil {
		return nil, nil, d.formError(ctx, err)
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	return lines, nil, nil
}

// FormFor returns the form that a line wants: one that lacks what only a
// person can say (a title, the impact), and would be refused for it.
func (d *Desk) FormFor(ctx context.Context, line, room string, by Person) (FormAsk, bool) {
	c, ask, v, ok := d.formOf(line, room, by)
	if !ok || v.lacks == nil || !v.lacks(ctx, c) {
		return FormAsk{}, false
	}
	return ask, true
}

// FormBeside returns the form that a button's line can be opened in instead of
// being said at once, and what to call it.
func (d *Desk) FormBeside(line, room string, by Person) (ask FormAsk, label string, ok bool) {
	_, ask, v, ok := d.formOf(line, room, by)
	return ask, v.label, ok
}

func (d *Desk) formOf(line, room string, by Person) (c *call, ask FormAsk, v formVerb, ok bool) {
	if len(line) > maxLine {
		return nil, ask, v, false
	}
	src, told := undo(line), false
	if ws := strings.Fields(strings.ToLower(src)); len(ws) >= 2 && len(ws) <= 3 && groups[strings.TrimPrefix(ws[0], "/")] == "incident" && ws[1] == "update" && (len(ws) == 2 || isIncident(ws[2])) {
		told = true
		src = strings.Join(append([]string{ws[0], "status"}, ws[2:]...), " ") // an update without words: its form asks for them
	}
	verb, words, err := route(src)
	if err != nil {
		return nil, ask, v, false
	}
	if v, ok = formVerbs()[verb.Name]; !ok {
		return nil, ask, v, false
	}
	c = d.formCall(FormAsk{Verb: verb.Name, Room: room, By: by})
	if c.args, err = parse(verb, src, words); err != nil {
		return nil, ask, v, false
	}
	ask = FormAsk{Verb: verb.Name, Room: room, By: by}
	was := slices.Clone(c.args.words)
	ask.Subject, ask.Given = v.given(c)
	c.args.words = was
	if told {
		ask.Given["tell"] = "update"
	}
	return c, ask, v, true
}

// formCall is a request that is only looked at.
func (d *Desk) formCall(ask FormAsk) *call {
	text := strings.TrimSpace("/" + ask.Verb + " " + ask.Subject)
	c := &call{d: d, v: lookup(ask.Verb), r: Request{Text: text, By: d.Who(ask.By), Room: ask.Room, At: ask.At}, args: &args{flags: map[string][]string{}}}
	if ask.Subject != "" {
		c.args.words = []word{{text: ask.Subject}}
	}
	return c
}

// formError gives an error its words.
func (d *Desk) formError(ctx context.Context, err error) error {
	var own *refused
	if errors.As(err, &own) {
		return own.Problem
	}
	return d.explain(ctx, err)
}

// fieldProblem puts a refusal beside the field that it is about; other is the
// field for all the rest.
func fieldProblem(err error, fields map[string]string, other string) (map[string]string, error) {
	var p Problem
	var own *refused
	switch {
	case errors.As(err, &own):
		p = own.Problem
	case errors.As(err, &p):
	default:
		return nil, err
	}
	name := fields[p.Code]
	if name == "" {
		name = other
	}
	return map[string]string{name: clip(oneLine(p.Message), 300)}, nil
}

// subjectGiven takes the subject of a line: its first word, when it is one.
func subjectGiven(is func(string) bool) func(*call) (string, map[string]string) {
	return func(c *call) (string, map[string]string) {
		if s, ok := c.args.peek(); ok && is(s) {
			return strings.ToUpper(s), nil
		}
		return "", nil
	}
}
