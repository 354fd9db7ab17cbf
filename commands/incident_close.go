package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
)

func closeVerb() *verb {
	return &verb{Verb: Verb{Name: "incident close", Args: "[INC] [text]", Summary: "close a resolved incident and hand over the postmortem draft",
		Example: "/incident close INC-7", Public: true,
		Flags: []Flag{{"anyway", "text", "although the impact is empty, a temporary change stands or it is not resolved: why"}}}, text: true, run: closeIncident}
}

func closeIncident(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	ch := c.change(c.args.rest())
	ch.Reason = c.args.value("anyway")
	ch.Publish = c.d.o.Publisher != nil && !i.Drill && !i.Private
	from := i
	i, err = c.d.o.Book.Close(ctx, i.ID, ch)
	if errors.Is(err, incident.ErrState) && from.Status.Open() {
		return Reply{}, Problem{Code: "not_resolved", Message: fmt.Sprintf("%s is %s, not resolved.", from.ID, c.d.status(from.Status)),
			Hint: "Resolve it first: /incident resolve " + from.ID + ". Or close it all the same: /incident close " + from.ID + " --anyway declared by mistake"}
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if ch.Publish {
		c.d.publishPoke()
	}
	r, err := c.draftReply(ctx, i, c.d.o.Template, []string{"md", "html", "json", "png"})
	if bad := (*postmortem.TemplateError)(nil); errors.As(err, &bad) { // it is closed all the same
		if r, err = c.draftReply(ctx, i, "standard", []string{"md", "html", "json", "png"}); err == nil {
			r.Body = "The template " + bad.Template + " failed, so this is the standard form: " + clip(bad.Error(), 300)
		}
	}
	if err != nil {
		return Reply{}, err
	}
	r.Headline = fmt.Sprintf("%s is closed. The postmortem draft is ready, with %s to fill in.", i.ID, r.Facts[0].Value)
	r.Public, r.Incident = c.public(i), i.ID
	return r, nil
}

func postmortemVerb() *verb {
	return &verb{Verb: Verb{Name: "incident postmortem", Args: "[INC] [md | html | json | png | finish | review | share | publish | set section text]", Summary: "the postmortem draft, drawn from the record at any time; set writes your words into a section; finish, review and share say how far it is; publish puts it into the git repository",
		Example: "/incident postmortem INC-7 md", Flags: []Flag{{"template", "name", "standard, brief, blog, status-page, or one of your own"},
			{"anyway", "text", "finish although gaps are left, or out of turn; publish a private one, or over what others changed: why"},
			{"seen", "entry", "with set: the last line that you saw; words that somebody wrote since are not replaced"}}}, text: true, run: postmortemRun}
}

// draftStates are the words that say how far a postmortem is.
var draftStates = map[string]string{"finish": incident.DraftFinished, "finished": incident.DraftFinished, "review": incident.DraftReviewed, "reviewed": incident.DraftReviewed,
	"share": incident.DraftShared, "shared": incident.DraftShared}

func postmortemRun(ctx context.Context, c *call) (Reply, error) {
	named := c.takeNamed("")
	word, _ := c.args.peek()
	word = strings.ToLower(word)
	to := draftStates[word]
	if word == "set" || word == publishWord || to != "" {
		_, _ = c.args.take()
		named = c.takeNamed(named)
	}
	i, err := c.incidentNamed(ctx, named)
	if err != nil {
		return Reply{}, err
	}
	if word == "set" {
		return c.setSection(ctx, i)
	}
	forms := []string{"md"}
	if w, ok := c.args.peek(); ok && to == "" && word != publishWord {
		_, _ = c.args.take()
		form, err := formOf(w)
		if t := strings.ToLower(w); err != nil && slices.Contains(c.d.o.Templates.Names(), t) {
			return Reply{}, Problem{Code: "bad_form", Message: quote(w) + " is a template, not a form of the draft.", Hint: "For example: /incident postmortem " + i.ID + " --template " + t}
		}
		if err != nil {
			return Reply{}, err
		}
		forms = []string{form}
	}
	if len(c.args.words) > 0 {
		return Reply{}, c.v.problem("extra_words", "/"+c.v.Name+" does not take "+quote(c.args.rest())+".")
	}
	if word == publishWord {
		return c.askPublish(ctx, i)
	}
	if to != "" {
		return c.advance(ctx, i, to)
	}
	template, names := strings.ToLower(orElse(c.args.value("template"), c.d.o.Template)), c.d.o.Templates.Names()
	if template != "" && !slices.Contains(names, template) {
		return Reply{}, Problem{Code: "bad_template", Message: quote(template) + " is not a template: there are " + listed(names, 12) + ".", Hint: "For example: /incident postmortem " + i.ID + " --template brief"}
	}
	r, err := c.draftReply(ctx, i, template, forms)
	if bad := (*postmortem.TemplateError)(nil); errors.As(err, &bad) {
		return Reply{}, Problem{Code: "template_failed", Message: "The template " + bad.Template + " could not be written: " + clip(bad.Error(), 300) + ".", Hint: "The standard form works: /incident postmortem " + i.ID + " --template standard"}
	}
	return r, err
}

// takeNamed takes the id of an incident when one stands next and none was
// named before.
func (c *call) takeNamed(named string) string {
	if s, ok := c.args.peek(); ok && named == "" && isIncident(s) {
		_, _ = c.args.take()
		return strings.ToUpper(s)
	}
	return named
}

// setSection puts a person's words into a section of the draft.
func (c *call) setSection(ctx context.Context, i incident.Incident) (Reply, error) {
	word, ok := c.args.take()
	names, name := postmortem.Settable(), strings.ToLower(strings.TrimRight(word, ":,."))
	if !slices.Contains(names, name) {
		p := Problem{Code: "bad_section", Message: quote(word) + " is not a section of the draft: there are " + listed(names, 12) + ".", Hint: "For example: /incident postmortem set " + i.ID + " lessons the alert went unseen"}
		if !ok {
			p.Message = "Name the section: " + either(names, 12) + "."
		}
		if n := nearest(name, names); n != "" {
			p.Hint = "Did you mean " + n + "? " + p.Hint
		}
		return Reply{}, p
	}
	text := c.args.rest()
	if text == "" {
		return Reply{}, Problem{Code: "missing_text", Message: "Say what is to stand in the section " + name + ".", Hint: "For example: /incident postmortem set " + i.ID + " " + name + " the alert went unseen for an hour"}
	}
	text, cut := incident.Clean(text, 1<<20)
	if n := len([]rune(text)); n > maxWords {
		return Reply{}, Problem{Code: "too_long", Message: fmt.Sprintf("The words have %d characters; at most %d are taken for a section.", n, maxWords), Hint: "Keep the essence here and link the rest: /incident note " + i.ID + " https://wiki.example.com/outage"}
	}
	seen, err := seenLine(c.args.value("seen"))
	if err != nil {
		return Reply{}, err
	}
	from := i
	i, err = c.d.o.Book.ReplaceSection(ctx, i.ID, name, text, seen, c.change(""))
	if errors.Is(err, incident.ErrStale) {
		return Reply{}, c.stale(ctx, from, name)
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	draft, err := c.d.draft(ctx, i, nil)
	if err != nil {
		return Reply{}, err
	}
	r := Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s: your words stand in the section %s of the draft, with %s left to fill in.", i.ID, name, plural(len(draft.Gaps), "gap")),
		Body:  clip(text, 400) + "\nEvery draft from now on has them; to replace them, say it again.",
		Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}, Buttons: []Button{{Label: "Draft", Command: "/incident postmortem " + i.ID}}}
	return warnCut(r, cut), nil
}

// maxWords is how many characters a person can write for a section.
const maxWords = 4000

// draftReply hands the draft over as files and as a page.
func (c *call) draftReply(ctx context.Context, i incident.Incident, template string, forms []string) (Reply, error) {
	draft, err := c.d.draftOf(ctx, i, zoneOf(c.r.By.Zone), template)
	if err != nil {
		return Reply{}, err
	}
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("%s: the postmortem draft, with %s to fill in.", i.ID, plural(len(draft.Gaps), "gap")),
		Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}}
	for _, form := range forms {
		f, err := fileOf(i.ID, draft, form)
		if err != nil {
			return Reply{}, err
		}
		r.Files = append(r.Files, f)
	}
	unaided := 0
	for _, f := range draft.Facts {
		if f.Unaided {
			unaided++
		}
	}
	r.Facts = []Fact{{"to fill in", plural(len(draft.Gaps), "gap")}, {"facts", fmt.Sprintf("%d of %d that nobody typed", unaided, len(draft.Facts))}}
	for _, s := range draft.Metrics.Spans {
		if s.Name == "detect" || s.Name == "mitigate" || s.Name == "resolve" {
			r.Facts = append(r.Facts, Fact{"time to " + s.Name, took(s.Took)})
		}
	}
	return r, nil
}
