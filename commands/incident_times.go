package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func startedVerb() *verb {
	return &verb{Verb: Verb{Name: "incident started", Args: "[INC] time [why]", Summary: "say when it began; what was measured is never overwritten",
		Example: "/incident started 01:52Z the first user saw it", Public: true, Rare: true}, text: true, run: milestoneRun(incident.Started)}
}

func detectedVerb() *verb {
	return &verb{Verb: Verb{Name: "incident detected", Args: "[INC] time [why]", Summary: "say when it was noticed first; the earliest evidence counts",
		Example: "/incident detected 01:53Z a call to the hotline", Public: true, Rare: true}, text: true, run: milestoneRun(incident.Detected)}
}

// milestoneRun records what a person says of a milestone, and shows what
// contradicts it.
func milestoneRun(kind string) func(ctx context.Context, c *call) (Reply, error) {
	return func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		before, set := i.Milestone(kind)
		on := "Nothing is on record."
		if set {
			on = "On record is " + stamp(before.At) + ", " + before.Source + "."
		}
		w, why, err := c.timeFirst()
		if err != nil {
			return Reply{}, err
		}
		if w.at.IsZero() {
			return Reply{}, c.v.problem("missing_time", "Say when: a time that has passed. "+on)
		}
		m := incident.Milestone{Kind: kind, At: w.at, Source: "said", Text: why, By: c.by()}
		if m.Text == "" {
			m.Text = "said by " + c.r.By.Name
		}
		from := i
		if i, err = c.d.o.Book.SetMilestone(ctx, i.ID, m); err != nil {
			return Reply{}, c.bookError(from, err)
		}
		after, _ := i.Milestone(kind)
		said := fmt.Sprintf("%s: %s at %s, as %s says.", i.ID, kind, stamp(after.At), c.r.By.Name)
		body := []string{w.words()}
		switch {
		case !after.At.Equal(m.At):
			said = fmt.Sprintf("%s: %s stays at %s (%s); what you said, %s, is kept beside it.", i.ID, kind, stamp(after.At), after.Source, stamp(m.At))
		case set && !before.At.Equal(after.At):
			body = append(body, "It was "+stamp(before.At)+", "+before.Source+", which the timeline keeps.")
		}
		for _, x := range i.Conflicts {
			if x.Kind == kind {
				body = append(body, "Not agreed: "+x.Text)
			}
		}
		r := c.changed(ctx, i, said)
		r.Body = strings.TrimSpace(strings.Join(body, "\n") + "\n" + r.Body)
		return r, nil
	}
}

// timeFirst takes a time of up to four words from the start, and the text
// after it. Without a time it is a Problem; without words both are empty.
func (c *call) timeFirst() (w when, text string, err error) {
	ws := c.args.words
	if len(ws) == 0 {
		return w, "", nil
	}
	for n := min(4, len(ws)); n > 0; n-- {
		s := strings.TrimPrefix(strings.TrimRight(c.args.raw(ws[:n]), ",;"), "@")
		if n > 1 && !looksLikeTime(s) {
			continue
		}
		if w, err = readWhen(s, c, false); err != nil {
			return w, "", err
		}
		c.args.words = ws[n:]
		return w, c.args.rest(), nil
	}
	return w, "", nil
}
