package incident

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Random histories: whatever is done in whatever order, the timeline is in
// order, the chain holds, and the metrics add up.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b, w := testBook(t)
			r := rand.New(rand.NewPCG(seed, 1))
			id := declare(t, b).ID
			for range 60 {
				w.add(time.Duration(r.Int64N(int64(10 * time.Minute))))
				randomStep(t, b, w, r, id)
			}
			holds(t, b, id, w.now())
			again := NewBook(b.s, w.now) // a restart
			if a, b := must[Incident](t)(b.Incident(t.Context(), id)), must[Incident](t)(again.Incident(t.Context(), id)); fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("after a restart\n%v\n%v", a, b)
			}
		})
	}
}

func randomStep(t *testing.T, b *Book, w *watch, r *rand.Rand, id string) {
	ctx := t.Context()
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	c := Change{By: []Person{ana, ben}[r.IntN(2)], Key: pick("", "", fmt.Sprint(r.IntN(40)))}
	if r.IntN(3) == 0 {
		c.At = w.now().Add(-time.Duration(r.Int64N(int64(3 * time.Hour))))
	}
	if r.IntN(2) == 0 {
		c.Reason = "because"
	}
	var err error
	switch r.IntN(10) {
	case 0, 1:
		_, err = b.SetStatus(ctx, id, Status(pick("investigating", "identified", "monitoring")), c)
	case 2:
		_, err = b.SetSeverity(ctx, id, Severity(1+r.IntN(4)), c)
	case 3:
		_, err = b.SetCommander(ctx, id, []Person{ana, ben}[r.IntN(2)], c)
	case 4:
		_, err = b.Resolve(ctx, id, []string{"a", "b"}[:r.IntN(3)], c)
	case 5:
		_, err = b.SetMilestone(ctx, id, Milestone{Kind: pick(milestoneKinds...), Source: pick("said", "measured", "derived"), At: w.now().Add(-time.Duration(r.Int64N(int64(5 * time.Hour))))})
	case 6:
		_, err = b.ClearMitigated(ctx, id, "again")
	case 7:
		_, err = b.Correct(ctx, id, fmt.Sprintf("E-%d", 1+r.IntN(20)), Correction{Text: pick("", "other words"), Drop: r.IntN(3) == 0}, Change{By: ana, At: c.At})
	default:
		_, _, _, err = b.Append(ctx, id, Entry{At: c.At, By: c.By, Key: c.Key, Text: "note", Kind: pick(NoteKind, Report, Alert)})
	}
	if err != nil && !errors.Is(err, ErrReason) && !errors.Is(err, ErrFailing) && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

// holds checks what is true of every record.
func holds(t *testing.T, b *Book, id string, now time.Time) {
	t.Helper()
	ctx := t.Context()
	i := must[Incident](t)(b.Incident(ctx, id))
	tl, h := must[[]Entry](t)(b.Timeline(ctx, id)), must[[]Entry](t)(b.History(ctx, id))
	if broken := must[string](t)(b.Verify(ctx, id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
	if !slices.IsSortedFunc(tl, func(a, b Entry) int { return a.At.Compare(b.At) }) {
		t.Error("timeline is not in the order of happening")
	}
	if !slices.IsSortedFunc(h, func(a, b Entry) int { return a.Recorded.Compare(b.Recorded) }) {
		t.Error("history is not in the order of recording")
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, e := range h {
		ids[e.ID] = true
		if e.Key != "" && keys[e.Key] {
			t.Errorf("key %s has two lines", e.Key)
		}
		keys[e.Key] = true
	}
	if len(ids) != i.Entries {
		t.Errorf("%d entries, the record says %d", len(ids), i.Entries)
	}
	dropped := slices.ContainsFunc(h, func(e Entry) bool { return e.Dropped || e.Version > 1 })
	if dropped {
		return // what happened to the status is no longer whole on the timeline
	}
	m := MetricsOf(i, tl, now)
	var byStatus, bySeverity, open time.Duration
	for _, s := range m.ByStatus {
		byStatus += s.Took
		if Status(s.Name).Open() {
			open += s.Took
		}
	}
	for _, s := range m.BySeverity {
		bySeverity += s.Took
	}
	if byStatus != now.Sub(i.Declared) && i.Status != Closed {
		t.Errorf("time in statuses %s, declared %s ago", byStatus, now.Sub(i.Declared))
	}
	if bySeverity != open {
		t.Errorf("time in severities %s, in open statuses %s", bySeverity, open)
	}
	for _, s := range m.Spans {
		if s.Took < 0 {
			t.Errorf("span %+v", s)
		}
	}
}
