package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: reminders. What is waited for, and since when, follows from the
// record alone (WaitsOf); beside it stands when each was said last, snoozed or
// stopped. So a restart neither loses nor doubles one, and a clock that jumps
// ahead has each said once, not once for every step that was missed.

// Kinds of what is waited for; action items ("T-3"), and status updates ("U-2")
// and renewals ("R-3") that wait for approval, are named by their id.
const (
	WaitCommander = "commander"
	WaitUpdate    = "update"
	WaitClose     = "close"
	WaitDraft     = "draft"
)

const day = 24 * time.Hour

// Wait is something that somebody is to do.
type Wait struct {
	Incident string
	Kind     string
	Since    time.Time       // from when it is waited for; another Since is another wait
	At       []time.Duration // after Since: when it is said first, second, ...
	Every    time.Duration   // after that, from one time to the next
}

// Reminder is a Wait that is to be said now, for the N-th time.
type Reminder struct {
	Wait
	N int
}

// WaitsOf returns what an incident waits for.
func WaitsOf(i Incident) []Wait {
	var ws []Wait
	add := func(kind string, since time.Time, every time.Duration, at ...time.Duration) {
		ws = append(ws, Wait{Incident: i.ID, Kind: kind, Since: since, At: at, Every: every})
	}
	switch {
	case i.Status.Open():
		if i.Commander.ID == "" {
			add(WaitCommander, i.Declared, 10*time.Minute, 5*time.Minute)
		}
		since, quiet := i.Spoke, 30*time.Minute
		if since.IsZero() {
			since = i.Declared
		}
		if i.Severity >= 3 {
			quiet = time.Hour
		}
		add(WaitUpdate, since, quiet, quiet)
	case i.Status == Resolved:
		if m, ok := i.Milestone(ResolvedAt); ok {
			add(WaitClose, m.Recorded, day, day)
		}
	case i.Status == Closed && !i.Drill:
		last := i.LastDraft()
		if m, ok := i.Milestone(ClosedAt); ok && i.DraftDone.IsZero() {
			add(WaitDraft, m.Recorded, 5*day, 5*day)
		} else if last.State == DraftFinished || last.State == DraftReviewed {
			add(WaitDraft, last.Recorded, 5*day, 5*day)
		}
	}
	for _, a := range i.Asking {
		add(a.Update, a.Since, 20*time.Minute, 5*time.Minute, 10*time.Minute, 20*time.Minute)
	}
	for _, t := range i.Tasks {
		if !t.Open() || t.Due.IsZero() {
			continue
		}
		var at []time.Duration
		for _, d := range []time.Duration{-7 * day, 0, 7 * day} {
			if t.Due.Add(d).After(t.At) { // not before it was written down
				at = append(at, d)
			}
		}
		if len(at) > 0 {
			add(t.ID, t.Due, 7*day, at...)
		}
	}
	return ws
}

// diskReminders is what was said, snoozed and stopped of one incident, version 1.
type diskReminders struct {
	V     int                     `json:"v"`
	Kinds map[string]diskReminder `json:"kinds"`
}

type diskReminder struct {
	Since time.Time     `json:"since,omitzero"` // the wait that Said and N are of
	Said  time.Time     `json:"said,omitzero"`
	N     int           `json:"n,omitempty"` // how many of At are over
	Until time.Time     `json:"until,omitzero"`
	For   time.Duration `json:"for,omitempty"` // how long it was snoozed
	Quiet bool          `json:"quiet,omitempty"`
}

// due reports whether a wait is to be said now, and how many of its moments
// are over then.
func (w Wait) due(s diskReminder, now time.Time) (n int, ok bool) {
	if s.Quiet || len(w.At) == 0 {
		return 0, false
	}
	if left := s.Until.Sub(now); left > 0 && left <= s.For { // more than that: the clock was put back
		return 0, false
	}
	said, back := s.Said, time.Minute
	if !s.Since.Equal(w.Since) {
		said, s.N = time.Time{}, 0
	}
	next := w.Since.Add(w.At[0])
	switch {
	case !said.IsZero() && said.After(now.Add(back)):
		next = now // the clock was put back since: say it, and go on from there
	case s.N > 0 && s.N < len(w.At):
		next = w.Since.Add(w.At[s.N])
	case s.N >= len(w.At):
		next = said.Add(w.Every)
	case w.At[0] >= 0 && w.Since.After(now.Add(back)):
		next = now // it began in what is the future now
	}
	if now.Before(next) {
		return 0, false
	}
	n = s.N + 1
	for n < len(w.At) && !now.Before(w.Since.Add(w.At[n])) {
		n++ // missed meanwhile: said once
	}
	return n, true
}

// Waiting returns the incidents that may wait for something: those that are not
// over, those with a draft that is not finished, those with open action items.
func (b *Book) Waiting(ctx context.Context) ([]Incident, error) {
	list, err := b.List(ctx, Filter{Open: true})
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, i := range list {
		have[i.ID] = true
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		var nums []int
		for _, prefix := range []string{keyDraft, keyTaskOpen} {
			err := tx.Scan(store.Range{Prefix: prefix}, func(key string, v []byte) error {
				n, err := strconv.Atoi(string(v))
				if err != nil {
					return fmt.Errorf("decode %s: %w", key, err)
				}
				nums = append(nums, n)
				return nil
			})
			if err != nil {
				return err
			}
		}
		slices.Sort(nums)
		for _, n := range slices.Compact(nums) {
			if have[idOf(n)] {
				continue
			}
			r, err := getIncident(tx, n)
			if err != nil {
				return err
			}
			list = append(list, r.incident())
		}
		return nil
	})
	return list, err
}

// Due returns which waits of one incident are to be said now.
func (b *Book) Due(ctx context.Context, id string, ws []Wait, now time.Time) ([]Reminder, error) {
	num, err := number(id)
	if err != nil || len(ws) == 0 {
		return nil, err
	}
	var list []Reminder
	err = b.s.View(ctx, func(tx store.Tx) error {
		d, err := getReminders(tx, num)
		list = nil
		for _, w := range ws {
			if n, ok := w.due(d.Kinds[w.Kind], now); ok {
				list = append(list, Reminder{Wait: w, N: n})
			}
		}
		return err
	})
	return list, err
}

// Reminded records that a reminder was said.
func (b *Book) Reminded(ctx context.Context, r Reminder, now time.Time) error {
	num, err := number(r.Incident)
	if err != nil {
		return err
	}
	return b.s.Update(ctx, func(tx store.Tx) error {
		return setReminder(tx, num, r.Kind, func(d *diskReminder) { d.Since, d.Said, d.N = r.Since, now.UTC(), r.N })
	})
}

// Snooze keeps a kind of reminder from being said for a while, Quiet for good.
// Both are on the record.
func (b *Book) Snooze(ctx context.Context, id, kind string, d time.Duration, c Change) (Incident, error) {
	if d <= 0 || d > 90*day {
		return Incident{}, fmt.Errorf("snooze for %s: at most 90 days: %w", d, ErrState)
	}
	kind = oneLine(kind, maxTitle)
	return b.change(ctx, id, c, func(p *page, c Change) error {
		until := p.now.Add(d)
		err := p.note(c, NoteKind, fmt.Sprintf("The reminder %s is snoozed for %s.", kind, Took(d)), ChangeEvidence{What: "reminder", From: kind, To: "snoozed until " + stamp(until)})
		if err != nil {
			return err
		}
		return setReminder(p.tx, p.r.Num, kind, func(o *diskReminder) { o.Until, o.For, o.Quiet = until, d, false })
	})
}

// Quiet stops a kind of reminder of one incident; Snooze starts it again.
func (b *Book) Quiet(ctx context.Context, id, kind string, c Change) (Incident, error) {
	kind = oneLine(kind, maxTitle)
	return b.change(ctx, id, c, func(p *page, c Change) error {
		d, err := getReminders(p.tx, p.r.Num)
		if err != nil || d.Kinds[kind].Quiet {
			return err
		}
		if err := p.note(c, NoteKind, fmt.Sprintf("The reminder %s is stopped.", kind), ChangeEvidence{What: "reminder", From: kind, To: "stopped"}); err != nil {
			return err
		}
		return setReminder(p.tx, p.r.Num, kind, func(o *diskReminder) { o.Quiet = true })
	})
}

// FinishDraft records that the postmortem draft is finished (see AdvanceDraft).
func (b *Book) FinishDraft(ctx context.Context, id string, c Change) (Incident, error) {
	return b.AdvanceDraft(ctx, id, DraftFinished, c)
}

func getReminders(tx store.Tx, num int) (diskReminders, error) {
	d := diskReminders{V: diskVersion, Kinds: map[string]diskReminder{}}
	v, err := tx.Get(keyRemind + padded(num))
	if err != nil || v == nil {
		return d, err
	}
	if err := json.Unmarshal(v, &d); err != nil {
		return d, fmt.Errorf("decode reminders of %s: %w", idOf(num), err)
	}
	if d.V != diskVersion {
		return d, fmt.Errorf("decode reminders of %s: version %d is not known here", idOf(num), d.V)
	}
	if d.Kinds == nil {
		d.Kinds = map[string]diskReminder{}
	}
	return d, nil
}

func setReminder(tx store.Tx, num int, kind string, fn func(*diskReminder)) error {
	d, err := getReminders(tx, num)
	if err != nil {
		return err
	}
	o := d.Kinds[kind]
	fn(&o)
	d.Kinds[kind] = o
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode reminders of %s: %w", idOf(num), err)
	}
	return tx.Put(keyRemind+padded(num), v)
}
