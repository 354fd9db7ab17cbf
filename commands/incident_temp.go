package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func tempVerb() *verb {
	return &verb{Verb: Verb{Name: "incident temp", Args: "[INC] add text | undo n [how] | list", Summary: "what was changed for the moment; all of it is undone before the close",
		Example: "/incident temp add the CDN points to the old hosts --undo set the CNAME back", Public: true, Rare: true, Flags: []Flag{
			{"undo", "text", "how it is to be undone"},
			{"at", "time", "when it was made or undone, if not now"},
		}}, text: true, run: temp}
}

func temp(ctx context.Context, c *call) (Reply, error) {
	word, i, err := c.subOf(ctx, "list", "add", "undo", "list")
	if err != nil {
		return Reply{}, err
	}
	ch := c.change(c.args.rest())
	note := ""
	if c.args.has("at") {
		w, err := readWhen(c.args.value("at"), c, false)
		if err != nil {
			return Reply{}, err
		}
		ch.At, note = w.at, w.words()
	}
	switch word {
	case "add":
		return c.tempAdd(ctx, i, ch, note)
	case "undo":
		return c.tempUndo(ctx, i, ch, note)
	}
	return c.tempList(i)
}

// subOf takes the second word of a verb that has several, and the incident,
// in either order. Without a word it is the first one given.
func (c *call) subOf(ctx context.Context, without string, words ...string) (string, incident.Incident, error) {
	sub, named, err := c.subWord(without, words...)
	if err != nil {
		return "", incident.Incident{}, err
	}
	i, err := c.incidentNamed(ctx, named)
	return sub, i, err
}

// incidentNamed is the incident of that id; without one as c.incident finds it.
func (c *call) incidentNamed(ctx context.Context, id string) (incident.Incident, error) {
	if id == "" {
		return c.incident(ctx)
	}
	i, err := c.d.incidentByID(ctx, id, c.r.By)
	c.id = i.ID
	if err == nil {
		err = c.mine(ctx, i)
	}
	return i, err
}

// subWord takes the second word of a verb and the id of an incident before or
// after it ("": none was named).
func (c *call) subWord(without string, words ...string) (sub, named string, err error) {
	name := func() {
		if s, ok := c.args.peek(); ok && named == "" && isIncident(s) {
			_, _ = c.args.take()
			named = strings.ToUpper(s)
		}
	}
	name()
	sub = without
	if s, ok := c.args.take(); ok {
		if sub = nearest(strings.ToLower(s), words); sub == "" || distance(sub, strings.ToLower(s)) > 0 {
			p := c.v.problem("bad_word", quote(s)+" is not a word of /"+c.v.Name+": it has "+either(words, 6)+".")
			if sub != "" {
				p.Hint = "Did you mean " + sub + "? " + p.Hint
			}
			return "", "", p
		}
	}
	name()
	return sub, named, nil
}

func (c *call) tempAdd(ctx context.Context, i incident.Incident, ch incident.Change, note string) (Reply, error) {
	if ch.Text == "" {
		return Reply{}, c.v.problem("missing_text", "Say what was changed for the moment.")
	}
	_, cut := incident.Clean(ch.Text+"\n"+c.args.value("undo"), 1<<20)
	from := i
	i, t, err := c.d.o.Book.AddTemp(ctx, i.ID, c.args.value("undo"), ch)
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	r := c.tempReply(i, fmt.Sprintf("%s: temporary change %d is on the record: %s", i.ID, t.N, clip(oneLine(t.Text), 200)))
	r.State = StateWarning
	r.Body = strings.TrimSpace("It is to be undone before the close" + howUndo(t) + ".\n" + note)
	return warnCut(r, cut), nil
}

func howUndo(t incident.Temp) string {
	if t.Undo == "" {
		return ""
	}
	return ": " + strings.TrimRight(clip(t.Undo, 200), ".")
}

func (c *call) tempUndo(ctx context.Context, i incident.Incident, ch incident.Change, note string) (Reply, error) {
	word, how, _ := strings.Cut(ch.Text, " ")
	n, err := strconv.Atoi(strings.Trim(word, "#.,:"))
	if err != nil {
		p := c.v.problem("missing_number", "Say which temporary change was undone, by its number.")
		if open := i.OpenTemps(); len(open) > 0 {
			p.Hint = "Not undone: " + tempsListed(i) + ". For example: /incident temp undo " + i.ID + " " + strconv.Itoa(open[0].N)
		}
		return Reply{}, p
	}
	if n >= 1 && n <= len(i.Temps) && !i.Temps[n-1].Open() && !c.repeated(ctx, i.ID) {
		t := i.Temps[n-1]
		return Reply{}, Problem{Code: "undone", Message: fmt.Sprintf("Temporary change %d of %s was undone by %s at %s.", n, i.ID, t.UndoneBy.Name, stamp(t.Undone)), Hint: "See them all: /incident temp list " + i.ID}
	}
	ch.Text = strings.TrimSpace(how)
	from := i
	i, t, err := c.d.o.Book.UndoTemp(ctx, i.ID, n, ch)
	switch {
	case errors.Is(err, incident.ErrNotFound):
		return Reply{}, Problem{Code: "unknown_temp", Message: fmt.Sprintf("%s has no temporary change %d: it has %s.", from.ID, n, plural(len(from.Temps), "temporary change")), Hint: "See them: /incident temp list " + from.ID}
	case errors.Is(err, incident.ErrOrder):
		return Reply{}, Problem{Code: "order", Message: fmt.Sprintf("Temporary change %d was made at %s, so it was not undone before that.", n, stamp(from.Temps[n-1].At)), Hint: "Give a later time, or none for now: /incident temp undo " + from.ID + " " + strconv.Itoa(n)}
	case err != nil:
		return Reply{}, c.bookError(from, err)
	}
	r := c.tempReply(i, fmt.Sprintf("%s: temporary change %d is undone: %s", i.ID, t.N, clip(oneLine(t.Text), 200)))
	left := "None is left."
	r.State = StateGood
	if open := len(i.OpenTemps()); open > 0 {
		left, r.State = upper(end(tempsWord(i))), StateInfo
	}
	r.Body = strings.TrimSpace(left + "\n" + note)
	return r, nil
}

// tempReply is an answer that changes the record, with what is left to undo.
func (c *call) tempReply(i incident.Incident, headline string) Reply {
	r := Reply{State: StateInfo, Headline: headline, Public: c.public(i), Incident: i.ID, Links: []Link{{i.ID, incidentPath(i.ID)}}}
	for _, t := range i.OpenTemps() {
		if len(r.Buttons) < 3 {
			r.Buttons = append(r.Buttons, undoButton(i, t))
		}
	}
	return r
}

func undoButton(i incident.Incident, t incident.Temp) Button {
	return Button{Label: fmt.Sprintf("Undone: %d", t.N), Command: fmt.Sprintf("/incident temp undo %s %d", i.ID, t.N),
		Confirm: "Put on the record that this is undone: " + clip(oneLine(t.Text), 120) + "?"}
}

func (c *call) tempList(i incident.Incident) (Reply, error) {
	r := c.tempReply(i, "")
	r.Public, r.Incident = false, ""
	switch open := len(i.OpenTemps()); {
	case len(i.Temps) == 0:
		r.State, r.Headline = StateGood, i.ID+" has no temporary change on record."
		r.Body = "To record one: " + c.v.Example
	case i.Status == incident.Duplicate:
		r.Headline = fmt.Sprintf("%s: %s; what is not undone stands in %s.", i.ID, plural(len(i.Temps), "temporary change"), cmp.Or(i.DuplicateOf, "the incident that it is merged into"))
	case open == 0:
		r.State, r.Headline = StateGood, fmt.Sprintf("%s: %s, all undone.", i.ID, plural(len(i.Temps), "temporary change"))
	default:
		r.State, r.Headline = StateWarning, i.ID+": "+end(tempsWord(i))
	}
	if len(i.Temps) == 0 {
		return r, nil
	}
	r.Table = Table{Columns: []string{"change", "what", "who", "when", "to undo", "undone"}}
	for _, t := range i.Temps[max(0, len(i.Temps)-maxTimeline):] {
		undone, state := "not yet", StateWarning
		if !t.Open() {
			undone, state = stamp(t.Undone)+" by "+who(t.UndoneBy.Name), StateGood
			if t.How != "" {
				undone += ": " + clip(t.How, 80)
			}
		}
		r.Table.Rows = append(r.Table.Rows, Row{State: state, Cells: []string{strconv.Itoa(t.N), clip(oneLine(t.Text), 120), who(t.By.Name), stamp(t.At), orElse(clip(t.Undo, 80), "not said"), undone}})
	}
	return r, nil
}

// tempsWord says how many temporary changes stand: "1 temporary change to
// undo"; "" when none does.
func tempsWord(i incident.Incident) string {
	if n := len(i.OpenTemps()); n > 0 && i.Status != incident.Duplicate { // of one merged they stand in the other
		return plural(n, "temporary change") + " to undo"
	}
	return ""
}

// tempsStand says why an incident cannot be closed or ended, and what to do. i
// is as it was read before: somebody may have made the change since.
func tempsStand(i incident.Incident, what string) (message, hint string) {
	open := i.OpenTemps()
	if len(open) == 0 {
		return fmt.Sprintf("%s cannot be %s: a temporary change was made just now.", i.ID, what), "See it: /incident temp list " + i.ID
	}
	return fmt.Sprintf("%s cannot be %s: %s", i.ID, what, end(tempsWord(i)+": "+tempsListed(i))), fmt.Sprintf("When it is put back: /incident temp undo %s %d", i.ID, open[0].N)
}

// tempsListed names them.
func tempsListed(i incident.Incident) string {
	var names []string
	for _, t := range i.OpenTemps() {
		names = append(names, fmt.Sprintf("%d (%s)", t.N, clip(oneLine(t.Text), 60)))
	}
	return listed(names, 4)
}
