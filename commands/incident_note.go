package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func noteVerb() *verb {
	return &verb{Verb: Verb{Name: "incident note", Args: "[INC] text [@ time]", Summary: "put a line on the timeline, now or at a time that has passed",
		Example: "/incident note first report @ 01:52Z", Public: true, Flags: []Flag{{"plan", "", "the time may be in the future"}}}, text: true, run: note}
}

func note(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	text, w, err := c.textAt()
	if err != nil {
		return Reply{}, err
	}
	if text == "" {
		return Reply{}, c.v.problem("missing_text", "A note needs a text.")
	}
	e := incident.Entry{At: c.now(), By: c.by(), Kind: incident.NoteKind, Text: text, Link: c.r.Link, Key: c.key("")}
	if !w.at.IsZero() {
		e.At = w.at
		if e.At.After(c.now()) { // planned: it stands where it was written
			e.At, e.Text = c.now(), "Planned for "+stamp(w.at)+": "+text
		}
	}
	e, _, cut, err := c.d.o.Book.Append(ctx, i.ID, e)
	if err != nil {
		return Reply{}, c.bookError(i, err)
	}
	r := Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Links: []Link{{i.ID, incidentPath(i.ID)}},
		Headline: fmt.Sprintf("%s %s, %s: %s", i.ID, e.ID, stamp(e.At), clip(oneLine(e.Text), 200))}
	var body []string
	if w.read != "" {
		body = append(body, w.words())
	}
	r.Body = strings.Join(body, "\n")
	return warnCut(r, cut), nil
}

// textAt splits "text @ time". What follows the last @ is a time when it
// starts like one; else it belongs to the text.
func (c *call) textAt() (string, when, error) {
	ws := c.args.words
	for n := len(ws) - 1; n >= 0; n-- {
		w := ws[n]
		if w.quoted || !strings.HasPrefix(w.text, "@") {
			continue
		}
		last := ws[n:]
		tail := strings.TrimPrefix(c.args.raw(last), "@")
		if len(last) == 1 {
			tail = strings.TrimPrefix(w.text, "@")
		}
		tail = strings.TrimSpace(tail)
		t, err := readTime(tail, c.r.By.Zone, c.now(), c.args.has("plan"))
		if errors.Is(err, errNotTime) {
			if !startsLikeTime(tail) {
				break
			}
			err = badTime(tail, "it could not be read")
		}
		if err != nil {
			return "", when{}, err
		}
		c.args.words = ws[:n]
		return c.args.rest(), t, nil
	}
	return c.args.rest(), when{}, nil
}

// startsLikeTime reports that somebody meant a time.
func startsLikeTime(s string) bool {
	if s == "" {
		return false
	}
	first, _, _ := strings.Cut(strings.ToLower(s), " ")
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	return digit(s[0]) && strings.ContainsAny(first, ":-") || first == "yesterday" || first == "today" || len(s) > 1 && s[0] == '-' && digit(s[1])
}
