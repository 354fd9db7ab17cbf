package commands

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

func snoozeVerb() *verb {
	return &verb{Verb: Verb{Name: "incident snooze", Args: "[INC] commander|update|close|draft|T-n|U-n|R-n [time]", Summary: "keep a reminder quiet for a while (30m unless said), on the record",
		Example: "/incident snooze update 30m", Public: true, Rare: true}, max: 3, run: func(ctx context.Context, c *call) (Reply, error) {
		i, kind, err := c.reminderArg(ctx)
		if err != nil {
			return Reply{}, err
		}
		word, ok := c.args.take()
		if !ok {
			word = "30m"
		}
		d, ok := readSpan(word)
		if !ok {
			return Reply{}, c.v.problem("bad_span", quote(word)+" is not a length of time of at most 90 days, as 30m, 2h or 1d is.")
		}
		from := i
		if i, err = c.d.o.Book.Snooze(ctx, i.ID, kind, d, c.change("")); err != nil {
			return Reply{}, c.bookError(from, err)
		}
		return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s: the reminder %s is quiet until %s.", i.ID, kind, stamp(c.d.o.Now().Add(d)))}, nil
	}}
}

func quietVerb() *verb {
	return &verb{Verb: Verb{Name: "incident quiet", Args: "[INC] commander|update|close|draft|T-n|U-n|R-n", Summary: "stop a reminder of one incident, on the record",
		Example: "/incident quiet update", Public: true, Rare: true}, max: 2, run: func(ctx context.Context, c *call) (Reply, error) {
		i, kind, err := c.reminderArg(ctx)
		if err != nil {
			return Reply{}, err
		}
		from := i
		if i, err = c.d.o.Book.Quiet(ctx, i.ID, kind, c.change("")); err != nil {
			return Reply{}, c.bookError(from, err)
		}
		return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("%s: the reminder %s is stopped.", i.ID, kind),
			Body: "To have it again: /incident snooze " + i.ID + " " + kind + " 1m"}, nil
	}}
}

// reminderArg takes the incident and the kind of reminder.
func (c *call) reminderArg(ctx context.Context) (incident.Incident, string, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return i, "", err
	}
	kinds := []string{incident.WaitCommander, incident.WaitUpdate, incident.WaitClose, incident.WaitDraft}
	word, ok := c.args.take()
	if !ok {
		return i, "", c.v.problem("missing_kind", "Name the reminder: "+either(kinds, 5)+", an action item as T-3, an update as U-2, or a renewal as R-3.")
	}
	if up := strings.ToUpper(word); taskID.MatchString(up) || updateID.MatchString(up) || isRenewal(up) {
		return i, up, c.reminds(ctx, i, up)
	}
	w := strings.ToLower(word)
	for _, k := range kinds {
		if k == w {
			return i, k, nil
		}
	}
	p := c.v.problem("bad_kind", quote(word)+" is not a reminder: there are "+either(kinds, 5)+", an action item as T-3, an update as U-2, or a renewal as R-3.")
	if n := nearest(w, kinds); n != "" {
		p.Hint = "Did you mean " + n + "? " + p.Hint
	}
	return i, "", p
}

// reminds refuses the reminder of what the incident does not have.
func (c *call) reminds(ctx context.Context, i incident.Incident, id string) error {
	switch id[0] {
	case 'T':
		if !slices.ContainsFunc(i.Tasks, func(t incident.Task) bool { return t.ID == id }) {
			return Problem{Code: "unknown_task", Message: i.ID + " has no action item " + id + ".", Hint: "See them: /incident task list all"}
		}
	case 'U':
		all, err := c.d.o.Book.Updates(ctx, i.ID)
		if err != nil {
			return fmt.Errorf("updates of %s: %w", i.ID, err)
		}
		if !slices.ContainsFunc(all, func(u incident.Update) bool { return u.ID == id }) {
			return Problem{Code: "unknown_update", Message: i.ID + " has no update " + id + ".", Hint: "See them: /incident update list " + i.ID}
		}
	default:
		_, err := c.d.renewalByID(ctx, id)
		return err
	}
	return nil
}

var spanRE = regexp.MustCompile(`^([0-9]{1,5})(m|min|h|d)$`)

// readSpan reads a length of time: 30m, 2h, 1d; more than nothing and at most
// 90 days.
func readSpan(s string) (time.Duration, bool) {
	m := spanRE.FindStringSubmatch(strings.ToLower(strings.TrimRight(s, ",.")))
	if m == nil {
		return 0, false
	}
	n, _ := strconv.Atoi(m[1])
	d := time.Duration(n) * map[string]time.Duration{"m": time.Minute, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	return d, d > 0 && d <= 90*24*time.Hour
}
