package commands

// This file corrects the timeline: the text of a line, its time, or the whole
// line taken off. What is replaced stays on the record (/incident timeline
// --history). Only what people said can be corrected: what was measured, and
// what was done to the incident, is said anew instead.

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func editVerb() *verb {
	return &verb{Verb: Verb{Name: "incident edit", Args: "[INC] E-n text", Summary: "correct the text of a line; what it said before is kept",
		Example: "/incident edit E-5 the first report came from the forum", Public: true, Rare: true}, text: true, run: edit}
}

func dropVerb() *verb {
	return &verb{Verb: Verb{Name: "incident drop", Args: "[INC] E-n [why]", Summary: "take a line off the timeline; it stays readable in the history",
		Example: "/incident drop E-5 it was about another service", Public: true, Rare: true}, text: true, run: drop}
}

func moveVerb() *verb {
	return &verb{Verb: Verb{Name: "incident move", Args: "[INC] E-n time", Summary: "correct when a line happened; the time it had is kept",
		Example: "/incident move E-5 01:49Z", Public: true, Rare: true}, text: true, run: move}
}

func edit(ctx context.Context, c *call) (Reply, error) {
	i, e, err := c.entryArg(ctx)
	if err != nil {
		return Reply{}, err
	}
	text := c.args.rest()
	if text == "" {
		return Reply{}, c.v.problem("missing_text", "Say what "+e.ID+" should read. Now it reads: "+clip(oneLine(e.Text), 120))
	}
	_, cut := incident.Clean(text, len(text))
	to, err := c.d.o.Book.Correct(ctx, i.ID, e.ID, incident.Correction{Text: text}, c.correction())
	var other *incident.PinnedElsewhereError
	if errors.As(err, &other) {
		return Reply{}, c.pinnedElsewhere(ctx, other)
	}
	if err != nil {
		return Reply{}, c.bookError(i, err)
	}
	r := c.corrected(i, fmt.Sprintf("%s %s, %s, reads now: %s", i.ID, e.ID, stamp(to.At), clip(oneLine(to.Text), 200)))
	r.Body = "It said, and the history keeps: " + clip(oneLine(e.Text), 200)
	if e.Dropped {
		r.Body = "It is on the timeline again.\n" + r.Body
	}
	return warnCut(r, cut), nil
}

func drop(ctx context.Context, c *call) (Reply, error) {
	i, e, err := c.entryArg(ctx)
	if err != nil {
		return Reply{}, err
	}
	why := oneLine(c.args.rest())
	if e.Dropped && (e.Key == "" || e.Key != c.key("")) {
		return Reply{}, Problem{Code: "dropped", Message: e.ID + " of " + i.ID + " is off the timeline already.", Hint: "To bring it back: /incident edit " + i.ID + " " + e.ID + " " + clip(oneLine(e.Text), 60)}
	}
	if _, err := c.d.o.Book.Correct(ctx, i.ID, e.ID, incident.Correction{Drop: true, Why: why}, c.correction()); err != nil {
		return Reply{}, c.bookError(i, err)
	}
	r := c.corrected(i, fmt.Sprintf("%s %s is off the timeline: %s", i.ID, e.ID, clip(oneLine(e.Text), 200)))
	r.Body = "It stays in the history, with who took it off."
	if why != "" {
		r.Body = "Reason: " + end(clip(why, 200)) + "\n" + r.Body
	}
	if text := oneLine(e.Text); len(text) <= 2000 {
		r.Buttons = append([]Button{{Label: "Bring it back", Command: "/incident edit " + i.ID + " " + e.ID + " " + text}}, r.Buttons...)
	}
	return r, nil
}

func move(ctx context.Context, c *call) (Reply, error) {
	i, e, err := c.entryArg(ctx)
	if err != nil {
		return Reply{}, err
	}
	word := strings.TrimSpace(strings.TrimPrefix(c.args.rest(), "@"))
	if word == "" {
		return Reply{}, c.v.problem("missing_time", "Say when "+e.ID+" happened. On record is "+stamp(e.At)+".")
	}
	w, err := readWhen(word, c, false)
	if err != nil {
		return Reply{}, err
	}
	if e.Dropped {
		return Reply{}, Problem{Code: "dropped", Message: e.ID + " of " + i.ID + " is off the timeline.", Hint: "Bring it back first: /incident edit " + i.ID + " " + e.ID + " " + clip(oneLine(e.Text), 60)}
	}
	ch := c.correction()
	ch.At = w.at
	to, err := c.d.o.Book.Correct(ctx, i.ID, e.ID, incident.Correction{}, ch)
	if err != nil {
		return Reply{}, c.bookError(i, err)
	}
	r := c.corrected(i, fmt.Sprintf("%s %s is at %s now: %s", i.ID, e.ID, stamp(to.At), clip(oneLine(to.Text), 160)))
	r.Body = "It was at " + stamp(e.At) + ", which the history keeps.\n" + w.words()
	return r, nil
}

// correction is a change that keeps the link of the line: where it was said is
// not where it is corrected.
func (c *call) correction() incident.Change {
	ch := c.change("")
	ch.Link = ""
	return ch
}

// corrected answers a correction.
func (c *call) corrected(i incident.Incident, headline string) Reply {
	return Reply{State: StateInfo, Headline: headline, Public: c.public(i), Incident: i.ID, Links: []Link{{i.ID, incidentPath(i.ID)}},
		Buttons: []Button{{Label: "History", Command: "/incident timeline " + i.ID + " --history"}}}
}

// warnCut says that a secret was cut out of a text before storing.
func warnCut(r Reply, cut bool) Reply {
	if cut && !strings.Contains(r.Body, cutWords) {
		r.State = StateWarning
		r.Body = strings.TrimSpace(r.Body + "\n" + cutWords)
	}
	return r
}

var entryID = regexp.MustCompile(`^(?i)e-?([0-9]{1,9})$`)

// entryArg finds the incident and the line of it that a correction names. The
// incident may stand before the line or not at all.
func (c *call) entryArg(ctx context.Context) (incident.Incident, incident.Entry, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return i, incident.Entry{}, err
	}
	word, ok := c.args.take()
	m := entryID.FindStringSubmatch(strings.TrimRight(word, ",.:"))
	if m == nil {
		p := c.v.problem("missing_entry", "Name the line by its number, as E-5. /incident timeline "+i.ID+" shows them.")
		if ok {
			p = c.v.problem("bad_entry", quote(word)+" is not the number of a line, as E-5 is.")
		}
		return i, incident.Entry{}, p
	}
	id := "E-" + strings.TrimLeft(m[1], "0")
	e, err := c.d.o.Book.Entry(ctx, i.ID, id)
	if errors.Is(err, incident.ErrNotFound) {
		return i, e, Problem{Code: "unknown_entry", Message: fmt.Sprintf("%s has no line %s: it has %s.", i.ID, id, plural(i.Entries, "line")), Hint: "See them with: /incident timeline " + i.ID}
	}
	if err != nil {
		return i, e, fmt.Errorf("read %s of %s: %w", id, i.ID, err)
	}
	return i, e, correctable(i, e)
}

// correctable refuses what nobody said: evidence, and acts on the incident.
func correctable(i incident.Incident, e incident.Entry) error {
	p := Problem{Code: "evidence"}
	if e.Evidence.Change.What == "dropped" {
		e.Evidence.Change = incident.ChangeEvidence{}
	}
	e.Evidence.Pin = incident.PinEvidence{} // a message is what somebody said
	switch {
	case e.Evidence.Change.What != "":
		p.Message = fmt.Sprintf("%s records a change of the incident (%s), so it stays as it is.", e.ID, e.Evidence.Change.What)
		p.Hint = "Say the right thing anew, for example: /incident status " + i.ID + " identified, or /incident started " + i.ID + " 01:52Z"
	case !reflect.ValueOf(e.Evidence).IsZero() || e.By.Platform == incident.Bot.Platform:
		p.Message = fmt.Sprintf("%s was measured or done by certmedic, so it stays as it is.", e.ID)
		p.Hint = "Say what is wrong with it beside it: /incident note " + i.ID + " " + e.ID + " is wrong because"
	default:
		return nil
	}
	return p
}
