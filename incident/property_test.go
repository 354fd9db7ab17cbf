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
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b, w := testBook(t)
			r := rand.New(rand.NewPCG(seed, 1))
			id := declare(t, b).ID
			for range 60 {
				w.add(time.Duration(r.Int64N(int64(10 * time.Minute))).Truncate(time.Second))
				was := must[[]Entry](t)(b.History(t.Context(), id))
				said := randomStep(t, b, w, r, id, seed%2 == 0) // calm: nothing is corrected or ended, so that the metrics must add up
				twoClocks(t, was, must[[]Entry](t)(b.History(t.Context(), id)), w.now(), said)
			}
			holds(t, b, id, w.now())
			again := NewBook(b.s, w.now) // a restart
			if a, b := must[Incident](t)(b.Incident(t.Context(), id)), must[Incident](t)(again.Incident(t.Context(), id)); fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("after a restart\n%v\n%v", a, b)
			}
		})
	}
}

// twoClocks checks the lines that a change added: each was recorded now, and
// happened when it was said to (said; zero: now), or when what it corrects or
// came from did. What was there before keeps both its times.
func twoClocks(t *testing.T, was, is []Entry, now, said time.Time) {
	t.Helper()
	at := map[time.Time]bool{now: true, said: true}
	for n, e := range is {
		if n < len(was) {
			if !e.At.Equal(was[n].At) || !e.Recorded.Equal(was[n].Recorded) {
				t.Errorf("%s version %d happened at %s and was recorded at %s; before it was %s and %s", e.ID, e.Version, e.At, e.Recorded, was[n].At, was[n].Recorded)
			}
			at[e.At] = true
			continue
		}
		if !e.Recorded.Equal(now) {
			t.Errorf("%s version %d %q was recorded at %s, and it was %s", e.ID, e.Version, e.Text, e.Recorded, now)
		}
		if !at[e.At] {
			t.Errorf("%s version %d %q happened at %s; it was %s, said to be %s", e.ID, e.Version, e.Text, e.At, now, said)
		}
	}
}

// randomStep changes something, and returns when that is said to have happened.
func randomStep(t *testing.T, b *Book, w *watch, r *rand.Rand, id string, calm bool) (said time.Time) {
	ctx := t.Context()
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	c := Change{By: []Person{ana, ben}[r.IntN(2)], Key: pick("", "", fmt.Sprint(r.IntN(40)))}
	if r.IntN(3) == 0 {
		c.At = w.now().Add(-time.Duration(r.Int64N(int64(3 * time.Hour)))).Truncate(time.Second)
	}
	said = c.At
	if r.IntN(2) == 0 {
		c.Reason = "because"
	}
	var err error
	what := r.IntN(24)
	if calm && (what == 7 || what == 15) {
		what = 17
	}
	switch what {
	case 0, 1:
		_, err = b.SetStatus(ctx, id, Status(pick("investigating", "identified", "monitoring")), c)
	case 2:
		_, err = b.SetSeverity(ctx, id, Severity(1+r.IntN(4)), c)
	case 3:
		_, err = b.SetCommander(ctx, id, []Person{ana, ben}[r.IntN(2)], c)
	case 4:
		_, err = b.Resolve(ctx, id, []string{"a", "b"}[:r.IntN(3)], c)
	case 5:
		said = w.now().Add(-time.Duration(r.Int64N(int64(5 * time.Hour)))).Truncate(time.Second)
		_, err = b.SetMilestone(ctx, id, Milestone{Kind: pick(milestoneKinds...), Source: pick("said", "measured", "derived"), At: said})
	case 6:
		_, err = b.ClearMitigated(ctx, id, "again")
	case 7:
		_, err = b.Correct(ctx, id, fmt.Sprintf("E-%d", 1+r.IntN(20)), Correction{Text: pick("", "other words"), Drop: r.IntN(3) == 0}, Change{By: ana, At: c.At})
	case 8:
		c.Text = "moved"
		_, _, err = b.AddTemp(ctx, id, pick("", "move it back"), c)
	case 9:
		_, _, err = b.UndoTemp(ctx, id, 1+r.IntN(4), c)
	case 10:
		_, _, err = b.AddTask(ctx, id, Task{Text: "do", Kind: pick("", Detect), Due: w.now().Add(time.Duration(r.IntN(20)) * day)}, c)
	case 11:
		_, _, err = b.DoTask(ctx, fmt.Sprintf("T-%d", 1+r.IntN(4)), c)
	case 12:
		_, err = b.SetRole(ctx, id, pick(Roles...), []Person{ana, ben}[r.IntN(2)], c)
	case 13:
		_, err = b.Rename(ctx, id, pick("one", "two"), c)
	case 14:
		_, err = b.Reopen(ctx, id, c)
	case 15:
		switch r.IntN(4) {
		case 0:
			_, err = b.Cancel(ctx, id, c)
		case 1:
			_, err = b.Close(ctx, id, c)
		default:
			_, err = b.Snooze(ctx, id, WaitUpdate, time.Hour, c)
		}
	case 16: // another incident, merged in when that is possible
		var o Incident
		if o, err = b.Declare(ctx, Declaration{Title: "other", By: ben, Certificates: []string{"media"}}, true); err != nil {
			break
		}
		if _, _, _, err = b.Append(ctx, o.ID, Entry{At: c.At, By: ben, Text: "there", Kind: pick(NoteKind, Alert)}); err == nil {
			_, _, err = b.Merge(ctx, o.ID, id, Change{By: ana})
		}
	case 20, 21: // a chat message
		var p Pinned
		p, err = b.Pin(ctx, id, Pin{Message: fmt.Sprint("m", r.IntN(6)), At: c.At, Author: ben, Text: pick("hello", "hello again"), By: c.By})
		if err == nil && calm && p.Back {
			t.Error("brought back what nobody took off")
		}
	case 22:
		_, _, err = b.Repin(ctx, fmt.Sprint("m", r.IntN(6)), pick("hello", "changed"), r.IntN(4) == 0, w.now())
	case 23:
		if calm {
			break
		}
		if _, _, err = b.Unpin(ctx, fmt.Sprint("m", r.IntN(6)), c.By); err == nil && r.IntN(3) == 0 {
			_, err = b.Invite(ctx, id, Person{ID: "web:cho", Name: "cho", Platform: "web"}, Change{By: c.By})
		}
		if r.IntN(4) == 0 {
			*b = *NewBook(b.s, w.now) // a restart
			_, err = b.Forget(ctx, Forgetting{Names: []string{"ben"}, IDs: []string{"web:ben"}, As: "somebody"})
		}
	default:
		_, _, _, err = b.Append(ctx, id, Entry{At: c.At, By: c.By, Key: c.Key, Text: "note", Kind: pick(NoteKind, Report, Alert)})
	}
	var elsewhere *PinnedElsewhereError
	if errors.As(err, &elsewhere) {
		return said // it came with another incident
	}
	refusals := []error{ErrReason, ErrFailing, ErrNotFound, ErrState, ErrTemps, ErrOrder, ErrImpactEmpty}
	if err != nil && !slices.ContainsFunc(refusals, func(known error) bool { return errors.Is(err, known) }) {
		t.Fatal(err)
	}
	return said
}

// holds checks what is true of every record.
func holds(t *testing.T, b *Book, id string, now time.Time) {
	t.Helper()
	same(t, b)
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
	messages := map[string]string{}
	for _, e := range h {
		if m := e.Evidence.Pin.Message; m != "" {
			if was := messages[m]; was != "" && was != e.ID {
				t.Errorf("message %s is %s and %s", m, was, e.ID)
			}
			messages[m] = e.ID
		}
		ids[e.ID] = true
		if e.Key != "" && keys[e.Key] {
			t.Errorf("key %s has two lines", e.Key)
		}
		keys[e.Key] = true
	}
	if len(ids) != i.Entries {
		t.Errorf("%d entries, the record says %d", len(ids), i.Entries)
	}
	acts := map[string]int{} // temporary changes and action items are whole on the history, each once
	for _, e := range h {
		if c := e.Evidence.Change; e.Version == 1 && (c.What == "temp" || c.What == "temp undone" || c.What == "task" || c.What == "task done") {
			acts[c.What+" "+c.To]++
		}
	}
	for _, x := range i.Temps {
		if acts[fmt.Sprint("temp ", x.N)] != 1 || acts[fmt.Sprint("temp undone ", x.N)] != map[bool]int{true: 0, false: 1}[x.Open()] {
			t.Errorf("lines of temporary change %+v: %v", x, acts)
		}
	}
	for _, x := range i.Tasks {
		if acts["task "+x.ID] != 1 || acts["task done "+x.ID] != map[bool]int{true: 0, false: 1}[x.Open()] {
			t.Errorf("lines of action item %+v: %v", x, acts)
		}
	}
	for _, open := range []bool{true, false} {
		for _, x := range must[[]Task](t)(b.Tasks(ctx, !open)) {
			if x.Incident == id && (!slices.Contains(i.Tasks, x) || open && !x.Open()) {
				t.Errorf("listed and not on record: %+v", x)
			}
		}
	}
	ended := slices.ContainsFunc(h, func(e Entry) bool { return e.Evidence.Change.What == "status" && Status(e.Evidence.Change.To).over() })
	if ended {
		return // what lies between an end and a reopening counts nowhere
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
