package postmortem

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// In this file: templates that write a draft as Markdown from Data: the forms
// blog and status-page, and people's own. What they are given is in data.go.
// They reach nothing outside of it: no function does, and what they write, what
// they keep and how long they run is bounded (template_bound.go).

//go:embed templates/*.md
var builtin embed.FS

const (
	maxTemplate  = 256 << 10 // bytes of a template
	maxTemplates = 100       // in a folder
	maxOutput    = 16 << 20  // bytes of a draft
)

// Templates are the forms that a draft can have. The zero value has those that
// come with the program.
type Templates struct {
	own map[string]*form
}

// form is one template.
type form struct {
	name, file string
	t          *Bounded
}

// TemplateError says what is wrong with a template, and on which line.
type TemplateError struct {
	Template string // its name
	File     string // "": it comes with the program
	Line     int    // 0: not known
	What     string
}

func (e *TemplateError) Error() string {
	where := "template " + e.Template
	if e.File != "" {
		where = e.File
	}
	if e.Line > 0 {
		where += fmt.Sprintf(", line %d", e.Line)
	}
	return where + ": " + e.What
}

var templateName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// LoadTemplates reads the templates of a folder: each file NAME.md is one, and
// replaces the one of that name that comes with the program. Each is tried on
// a record that has everything and on one that has nothing, so that a mistake
// is found now: a *TemplateError for each, joined.
func LoadTemplates(dir string) (*Templates, error) {
	s := &Templates{own: map[string]*form{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return nil, fmt.Errorf("look for templates in %s: %w", dir, err)
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("look for templates: %w", err)
	}
	if len(files) > maxTemplates {
		return nil, fmt.Errorf("%s has %d templates, at most %d are read", dir, len(files), maxTemplates)
	}
	var errs []error
	for _, file := range files {
		f, err := loadForm(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.own[f.name] = f
	}
	return s, errors.Join(errs...)
}

func loadForm(file string) (*form, error) {
	name := strings.TrimSuffix(filepath.Base(file), ".md")
	fail := func(what string) (*form, error) {
		return nil, &TemplateError{Template: name, File: file, What: what}
	}
	if !templateName.MatchString(name) {
		return fail("the name of a template has small letters, digits and - alone, at most 40")
	}
	if i, err := os.Stat(file); err != nil || !i.Mode().IsRegular() || i.Size() > maxTemplate {
		return fail(fmt.Sprintf("it cannot be read, or has more than %d KiB", maxTemplate>>10))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fail(err.Error())
	}
	f, err := parseForm(name, file, string(text))
	if err != nil {
		return nil, err
	}
	for _, r := range []Record{sample(), {}} {
		r.Template = name
		if _, err := f.draft(r); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parseForm parses a template.
func parseForm(name, file, text string) (*form, error) {
	f := &form{name: name, file: file}
	t, err := Bound(name, text, drafting)
	if err != nil {
		return nil, f.explain(err)
	}
	f.t = t
	return f, nil
}

// drafting are the functions of a draft's templates, beside those of Bounded.
var drafting = template.FuncMap{
	"gap": func(what string) string { return "**TO FILL: " + escape(what) + "**" },
	"first": func(n int, list any) (any, error) {
		v := reflect.ValueOf(list)
		if v.Kind() != reflect.Slice || n < 0 {
			return nil, errors.New("first takes a number and a list")
		}
		return v.Slice(0, min(n, v.Len())).Interface(), nil
	},
}

// execute writes the template on d.
func (f *form) execute(d Data) (string, error) {
	text, err := f.t.Execute(d, maxOutput)
	if err != nil {
		return "", f.explain(err)
	}
	return text, nil
}

var (
	atLine    = regexp.MustCompile(`^template: [^:]+:([0-9]+)(?::[0-9]+)?: (?s:(.*))$`)
	noField   = regexp.MustCompile(`can't evaluate field (\w+) in type \*?postmortem\.(\w+)`)
	noEntry   = regexp.MustCompile(`map has no entry for key "([^"]*)"`)
	calling   = regexp.MustCompile(`error calling \w+: (.*)$`)
	executing = regexp.MustCompile(`^executing "[^"]*" at (<[^>]*>): `)
)

// explain turns an error of text/template into a *TemplateError that names the
// line and, for a field that is not there, those that are.
func (f *form) explain(err error) error {
	e := &TemplateError{Template: f.name, File: f.file, What: err.Error()}
	if m := atLine.FindStringSubmatch(e.What); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.What = executing.ReplaceAllString(m[2], "at $1: ")
	}
	if m := noField.FindStringSubmatch(e.What); m != nil {
		e.What = fmt.Sprintf("there is no field %s in %s; there are %s", m[1], m[2], strings.Join(fieldsOf(m[2]), ", "))
	} else if m := noEntry.FindStringSubmatch(e.What); m != nil {
		e.What = fmt.Sprintf("there is no section %s; there are %s", m[1], strings.Join(Settable(), ", ")+", header")
	} else if m := calling.FindStringSubmatch(e.What); m != nil {
		e.What = m[1]
	}
	return e
}

// fieldsOf lists the fields of a type of Data by its name.
func fieldsOf(name string) (all []string) {
	for _, t := range dataTypes {
		if t.Name() == name {
			for f := range t.Fields() {
				if f.IsExported() {
					all = append(all, f.Name)
				}
			}
		}
	}
	return all
}

// Names returns the names of all templates, those that come with the program first.
func (s *Templates) Names() []string {
	all := slices.Clone(BuiltIn)
	if s == nil {
		return all
	}
	var own []string
	for name := range s.own {
		if !slices.Contains(all, name) {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return append(all, own...)
}

// Draft makes the draft of a record by r.Template. An own template that fails
// is a *TemplateError.
func (s *Templates) Draft(r Record) (Draft, error) {
	name := or(r.Template, "standard")
	if s != nil && s.own[name] != nil {
		return s.own[name].draft(r)
	}
	switch name {
	case "standard", "brief":
		return plainDraft(r), nil
	}
	if !slices.Contains(BuiltIn, name) {
		return Draft{}, &TemplateError{Template: name, What: "there is no such template; there are " + strings.Join(s.Names(), ", ")}
	}
	f, err := builtIn(name)
	if err != nil {
		return Draft{}, err
	}
	return f.draft(r)
}

// builtIn parses a template that comes with the program.
func builtIn(name string) (*form, error) {
	text, err := fs.ReadFile(builtin, "templates/"+name+".md")
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	return parseForm(name, "", string(text))
}

// marker is how a gap is marked.
var marker = regexp.MustCompile(`\*\*TO FILL: (.+?)\*\*`)

// draft makes the draft of a record by this template: twice, since how many
// gaps there are is only known once it is written.
func (f *form) draft(r Record) (Draft, error) {
	r.Template = ""
	d := plainDraft(r)
	d.Template = f.name
	data := dataOf(r, d)
	text, err := f.execute(data)
	if err != nil {
		return Draft{}, err
	}
	gaps := []string{}
	for _, m := range marker.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(gaps, m[1]) {
			gaps = append(gaps, m[1])
		}
	}
	d.Gaps = gaps
	data = dataOf(r, d)
	if text, err = f.execute(data); err != nil {
		return Draft{}, err
	}
	d.Sections = split(text, d.Incident.ID+": "+plain(d.Incident.Title))
	return d, nil
}

var headingName = regexp.MustCompile(`\s*\{#([a-z0-9][a-z0-9-]{0,39})\}\s*$`)

// split takes a written draft apart at its headings of level one and two. A
// heading ends in {#name} where its section is one of the record's; else its
// name is made of its words.
func split(text, title string) []Section {
	all := []Section{{Name: "header", Title: title}}
	var body strings.Builder
	fence, names := "", map[string]bool{"header": true}
	flush := func() {
		all[len(all)-1].Body = strings.TrimSpace(squeeze(body.String()))
		body.Reset()
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		trimmed := strings.TrimRight(line, " \t")
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		case fence != "" && trimmed == fence:
			fence = ""
		}
		head, two := strings.CutPrefix(trimmed, "## ")
		if one, ok := strings.CutPrefix(trimmed, "# "); ok && fence == "" {
			all[0].Title = unescape(headingName.ReplaceAllString(one, ""))
			continue
		}
		if !two || fence != "" {
			body.WriteString(line + "\n")
			continue
		}
		flush()
		name := slug(headingName.ReplaceAllString(head, ""))
		if m := headingName.FindStringSubmatch(head); m != nil {
			name = m[1]
		}
		for base, n := or(name, "section"), 2; names[name] || name == ""; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		names[name] = true
		all = append(all, Section{Name: name, Title: unescape(headingName.ReplaceAllString(head, ""))})
	}
	flush()
	return all
}

// squeeze leaves one empty line where a template left several, outside of
// fences.
func squeeze(s string) string {
	var b strings.Builder
	empty, fence := 0, ""
	for line := range strings.SplitSeq(s, "\n") {
		t := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(t, "```"):
			fence = t[:len(t)-len(strings.TrimLeft(t, "`"))]
		case fence != "" && t == fence:
			fence = ""
		}
		if t != "" || fence != "" {
			empty = 0
		} else if empty++; empty > 1 {
			continue
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// unescape takes the backslashes off a title: Markdown and pages put their own
// back.
func unescape(s string) string {
	var b strings.Builder
	for n := 0; n < len(s); n++ {
		if s[n] == '\\' && n+1 < len(s) && strings.IndexByte(special+"#+-=:!.)", s[n+1]) >= 0 {
			n++
		}
		b.WriteByte(s[n])
	}
	return b.String()
}
