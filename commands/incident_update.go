package commands

// This file is /incident update: a status update typed or made from facts,
// shown before it leaves, let out or put before who approves. Approval and
// what follows are in update_decide.go, targets and results in updates.go.

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func updateVerb() *verb {
	return &verb{Verb: Verb{Name: "incident update", Args: "[INC] text | approve U-n | deny U-n [reason] | retry U-n | list", Summary: "a status update: to the rooms, and to the mail, webhook and status page configured",
		Example: "/incident update images load again on two of four hosts", Public: true, Flags: []Flag{
			{"to", "names", "only to these targets, as board,page; none: to the rooms alone"},
			{"template", "name", "worded from the facts (investigating, identified, monitoring, resolved or an own one), shown before it is sent"},
			{"draft", "audience", "internal or external: worded from the facts for the present status, shown before it is sent"},
			{"title", "text", "what those outside read above it, instead of the incident's title"},
			{"preview", "", "show what would be said to whom, and send nothing"},
			{"yes", "", "send it without a preview"},
			{"packed", "", ""}, // the text is as pack writes it
		}}, text: true, run: update}
}

// maxUpdate is how many characters an update can have.
const maxUpdate = 4000

var updateID = regexp.MustCompile(`^(?i)u-[1-9][0-9]{0,8}$`)

// updateAsk is a status update as asked for.
type updateAsk struct {
	text, title string
	targets     []Target
	to          string // what --to said; "": nothing
	cut         bool   // a secret was cut out
	made        bool   // worded by a template
}

func update(ctx context.Context, c *call) (Reply, error) {
	named := c.takeNamed("")
	if word, done := c.updateWord(); done {
		if word == "list" {
			return c.updateList(ctx, c.takeNamed(named))
		}
		return c.updateDecide(ctx, word, named)
	}
	i, err := c.incidentNamed(ctx, named)
	if err != nil {
		return Reply{}, err
	}
	a, err := c.updateAsk(ctx, i)
	if err != nil {
		return Reply{}, err
	}
	ask := a.made || c.args.has("preview") || c.d.o.Updates.Preview || i.Private && len(a.targets) > 0
	if ask && !c.args.has("yes") {
		return c.updatePreview(i, a), nil
	}
	return c.updateSend(ctx, i, a)
}

// updateWord takes "approve", "deny" or "retry" when the number of an update
// stands near, and "list" when it stands alone: else they are text.
func (c *call) updateWord() (string, bool) {
	ws := c.args.words
	if len(ws) == 0 || ws[0].quoted || c.args.has("packed") {
		return "", false
	}
	w := strings.ToLower(ws[0].text)
	switch {
	case w == "list" && (len(ws) == 1 || len(ws) == 2 && isIncident(ws[1].text)):
	case !slices.Contains([]string{"approve", "deny", "retry"}, w):
		return "", false
	case len(ws) > 1 && updateID.MatchString(ws[1].text), len(ws) > 2 && isIncident(ws[1].text) && updateID.MatchString(ws[2].text), len(ws) == 1:
	default:
		return "", false
	}
	_, _ = c.args.take()
	return w, true
}

// updateAsk reads or makes the text, and finds the targets.
func (c *call) updateAsk(ctx context.Context, i incident.Incident) (a updateAsk, err error) {
	text := c.args.rest()
	if c.args.has("packed") {
		text = unpack(text)
	}
	title := c.args.value("title")
	if c.args.has("packed") {
		title = unpack(title)
	}
	name, audience := strings.ToLower(c.args.value("template")), strings.ToLower(c.args.value("draft"))
	switch {
	case text != "" && name+audience != "":
		return a, c.v.problem("text_and_template", "Either type the text or have it worded, not both.")
	case name+audience != "":
		if text, audience, err = c.updateWorded(ctx, i, name, audience); err != nil {
			return a, err
		}
		a.made = true
	case text == "":
		p := c.v.problem("missing_text", "Say where "+i.ID+" stands.")
		p.Hint += ". To have it worded from the facts: /incident update " + i.ID + " --draft external"
		return a, p
	}
	a.text, a.cut = incident.Clean(text, 1<<20)
	a.title, _ = incident.Clean(oneLine(orElse(title, i.Title)), 1<<20)
	if n := len([]rune(a.text)); n > maxUpdate {
		return a, Problem{Code: "too_long", Message: fmt.Sprintf("The update has %d characters; at most %d are taken.", n, maxUpdate), Hint: "Say the essence, and put the rest on the timeline: /incident note " + i.ID + " the rest"}
	}
	if n := len([]rune(a.title)); n > 200 {
		return a, Problem{Code: "long_title", Message: fmt.Sprintf("The title has %d characters; at most 200 are taken.", n), Hint: "For example: --title \"Secure connections fail\""}
	}
	if i.Drill {
		a.text, a.title = "DRILL, this is an exercise: "+strings.TrimPrefix(a.text, "DRILL, this is an exercise: "), "DRILL: "+strings.TrimPrefix(a.title, "DRILL: ")
	}
	a.to = c.args.value("to")
	a.targets, err = c.updateTargets(i, a.to, audience)
	return a, err
}

// updateWorded words an update by a template's name, or by audience and the
// present status.
func (c *call) updateWorded(ctx context.Context, i incident.Incident, name, audience string) (text, who string, err error) {
	if audience != "" && audience != Internal && audience != External {
		return "", "", Problem{Code: "bad_draft", Message: quote(audience) + " is neither internal nor external.", Hint: "For example: /incident update " + i.ID + " --draft external"}
	}
	if name == "" {
		name = shownStatus(i.Status)
	}
	if names := c.d.templateNames(); !slices.Contains(names, name) {
		p := Problem{Code: "bad_template", Message: quote(name) + " is not a template: there are " + listed(names, 10) + ".", Hint: "For example: /incident update " + i.ID + " --template identified"}
		if n := nearest(name, names); n != "" {
			p.Hint = "Did you mean " + n + "? " + p.Hint
		}
		return "", "", p
	}
	text, err = c.d.wording(ctx, i, name, orElse(audience, External))
	return text, audience, err
}

// updateTargets finds where an update goes: what --to names; else every target
// that does not have to be named, of the audience. Nothing leaves a private
// incident or a drill unless it is named, and a drill is never shown on a
// status page.
func (c *call) updateTargets(i incident.Incident, to, audience string) ([]Target, error) {
	var out []Target
	if to == "" {
		for _, t := range c.d.o.Updates.Targets {
			if !t.Named && !i.Private && !i.Drill && (audience == "" || t.Audience == audience) {
				out = append(out, t)
			}
		}
		return out, nil
	}
	var names []string
	for _, t := range c.d.o.Updates.Targets {
		names = append(names, t.Name)
	}
	for name := range strings.FieldsFuncSeq(to, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		name = strings.TrimPrefix(name, "@")
		if w := strings.ToLower(name); w == "none" || w == "rooms" {
			continue
		}
		t, ok := c.d.target(name)
		switch {
		case !ok:
			p := Problem{Code: "unknown_target", Message: quote(name) + " is not a target of status updates.", Hint: targetsHint(names)}
			if n := nearest(name, names); n != "" {
				p.Hint = "Did you mean " + n + "? " + p.Hint
			}
			return nil, p
		case i.Drill && t.Kind == StatuspageTarget:
			return nil, Problem{Code: "drill", Message: i.ID + " is a drill; it is not shown on the status page.", Hint: "Leave it out of --to: --to none says it in the rooms alone."}
		case !slices.ContainsFunc(out, func(o Target) bool { return o.Name == t.Name }):
			out = append(out, t)
		}
	}
	return out, nil
}

func toNames(ts []Target) string {
	var names []string
	for _, t := range ts {
		names = append(names, t.Name)
	}
	return orElse(strings.Join(names, ","), "none")
}

// updateCommand is the command that sends exactly this.
func updateCommand(i incident.Incident, a updateAsk, ts []Target) string {
	cmd := "/incident update " + i.ID + " --packed --yes --to " + toNames(ts)
	if a.title != i.Title {
		cmd += ` --title="` + pack(a.title) + `"`
	}
	return cmd + " -- " + pack(a.text)
}

// updatePreview shows what would be said to whom.
func (c *call) updatePreview(i incident.Incident, a updateAsk) Reply {
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("Nothing is sent yet. This is what would be said of %s:", i.ID), Body: a.text, Table: c.updateTable(i, a),
		Links: []Link{{i.ID, incidentPath(i.ID)}}}
	send := Button{Label: "Send", Command: updateCommand(i, a, a.targets), Style: "primary"}
	if c.d.o.Updates.Approve && len(a.targets) > 0 {
		send.Label = "Ask for approval"
	}
	if i.Private && len(a.targets) > 0 {
		r.State, r.Headline = StateWarning, fmt.Sprintf("%s is private. Nothing is sent yet; this would leave it:", i.ID)
		send.Style, send.Confirm = "danger", fmt.Sprintf("%s is private. Send its title and this text to %s?", i.ID, toNames(a.targets))
	}
	r.Buttons = []Button{send}
	if len(a.targets) > 0 {
		r.Buttons = append(r.Buttons, Button{Label: "To the rooms only", Command: updateCommand(i, a, nil)})
	}
	r.Body += "\n\nTo change it, type it again: /incident update " + i.ID + " your words"
	return warnCut(r, a.cut)
}

// updateTable says who gets an update, and under which title.
func (c *call) updateTable(i incident.Incident, a updateAsk) Table {
	room := i.ID + " and main"
	if i.Private {
		room = i.ID
	}
	t := Table{Columns: []string{"to", "who", "title"}, Rows: []Row{{Cells: []string{"rooms", room, clip(i.Title, 80)}}}}
	for _, x := range a.targets {
		t.Rows = append(t.Rows, Row{Cells: []string{c.d.targetWord(x.Name), x.Whom, clip(a.title, 80)}})
	}
	return t
}

// updateSend records the update and says it in the rooms; from there it goes
// to its targets by itself. Where updates are approved, one that leaves the
// rooms waits.
func (c *call) updateSend(ctx context.Context, i incident.Incident, a updateAsk) (Reply, error) {
	u := incident.Update{Text: a.text, Title: a.title}
	for _, t := range a.targets {
		u.Deliveries = append(u.Deliveries, incident.Delivery{Target: t.Name, Kind: t.Kind, Audience: t.Audience})
	}
	from := i
	i, u, err := c.d.o.Book.AddUpdate(ctx, i.ID, u, c.d.o.Updates.Approve && len(u.Deliveries) > 0, c.change(""))
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	if u.State == incident.UpdateWaiting {
		return warnCut(c.updateWaits(i, u), a.cut), nil
	}
	return warnCut(c.updateOut(i, u), a.cut), nil
}

// updateOut is what the rooms are told of an update that left.
func (c *call) updateOut(i incident.Incident, u incident.Update) Reply {
	r := Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Key: fmt.Sprintf("update/%s/%s", i.ID, u.ID), Links: []Link{{i.ID, incidentPath(i.ID)}},
		Headline: fmt.Sprintf("%s, %s, %s by %s: %s", i.ID, sev(u.Severity), u.ID, who(u.By.Name), strings.TrimRight(clip(i.Title, 120), ".")+"."), Body: u.Text,
		Facts: []Fact{{"status", c.d.status(u.Status)}}}
	if len(u.Deliveries) > 0 {
		r.Facts = append(r.Facts, Fact{"goes to", listed(c.d.targetWords(u), 6)})
	}
	if u.Decided.Name != "" {
		r.Facts = append(r.Facts, Fact{"approved by", u.Decided.Name})
	}
	if !i.Private && c.r.Room != mainRoom && c.r.Room != "" {
		c.post(mainRoom, r)
	}
	return r
}

// completeUpdate offers values of a flag of /incident update.
func (d *Desk) completeUpdate(flag string, add func(...string)) bool {
	switch flag {
	case "to":
		for _, t := range d.o.Updates.Targets {
			add(t.Name)
		}
		add("none")
	case "template":
		add(d.templateNames()...)
	case "draft":
		add(Internal, External)
	default:
		return false
	}
	return true
}

// targetsHint says what --to takes.
func targetsHint(names []string) string {
	if len(names) == 0 {
		return "No target is configured: name some under updates.targets. Without --to it is said in the rooms alone."
	}
	return "There are " + listed(names, 8) + ". To say it in the rooms alone: --to none"
}
