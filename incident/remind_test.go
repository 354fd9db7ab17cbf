package incident

import (
	"slices"
	"testing"
	"time"
)

// say looks each minute for a while, says what is due and returns when, in
// minutes after the start. Between two looks the program may be killed: the
// book is opened anew each time.
func say(t *testing.T, b *Book, w *watch, id, kind string, from time.Time, minutes int) (at []int) {
	t.Helper()
	for range minutes {
		w.add(time.Minute)
		b = NewBook(b.s, w.now)
		i := must[Incident](t)(b.Incident(t.Context(), id))
		for _, r := range must[[]Reminder](t)(b.Due(t.Context(), id, WaitsOf(i), w.now())) {
			if err := b.Reminded(t.Context(), r, w.now()); err != nil {
				t.Fatal(err)
			}
			if r.Kind == kind {
				at = append(at, int(w.now().Sub(from)/time.Minute))
			}
		}
	}
	return at
}

func TestRemindersOfACommander(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	id := declare(t, b).ID
	from := w.now()
	if got, want := say(t, b, w, id, WaitCommander, from, 30), []int{5, 15, 25}; !slices.Equal(got, want) {
		t.Errorf("no commander: said after %v minutes, want %v", got, want)
	}
	w.add(48 * time.Hour) // the machine slept
	if got := say(t, b, w, id, WaitCommander, w.now(), 21); !slices.Equal(got, []int{1, 11, 21}) {
		t.Errorf("after two days of sleep: %v", got)
	}
	w.add(-24 * time.Hour) // the clock was put back
	if got := say(t, b, w, id, WaitCommander, w.now(), 12); !slices.Equal(got, []int{1, 11}) {
		t.Errorf("after the clock was put back: %v", got)
	}
	must[Incident](t)(b.Snooze(t.Context(), id, WaitCommander, 30*time.Minute, Change{By: ana}))
	if got := say(t, b, w, id, WaitCommander, w.now(), 45); !slices.Equal(got, []int{30, 40}) {
		t.Errorf("snoozed for 30 minutes: %v", got)
	}
	must[Incident](t)(b.Snooze(t.Context(), id, WaitCommander, 30*time.Minute, Change{By: ana}))
	w.add(-10 * time.Hour)
	if got := say(t, b, w, id, WaitCommander, w.now(), 5); !slices.Equal(got, []int{1}) {
		t.Errorf("snoozed, then the clock was put back: %v", got)
	}
	i := must[Incident](t)(b.Quiet(t.Context(), id, WaitCommander, Change{By: ana}))
	if j := must[Incident](t)(b.Quiet(t.Context(), id, WaitCommander, Change{By: ana})); j.Entries != i.Entries {
		t.Error("stopped twice, it wrote a second line")
	}
	if got := say(t, b, w, id, WaitCommander, w.now(), 60); got != nil {
		t.Errorf("stopped: %v", got)
	}
	must[Incident](t)(b.Snooze(t.Context(), id, WaitCommander, time.Minute, Change{By: ana}))
	if got := say(t, b, w, id, WaitCommander, w.now(), 5); len(got) != 1 {
		t.Errorf("started again: %v", got)
	}
	must[Incident](t)(b.SetCommander(t.Context(), id, ben, Change{By: ben}))
	if got := say(t, b, w, id, WaitCommander, w.now(), 60); got != nil {
		t.Errorf("with a commander: %v", got)
	}
	if broken := must[string](t)(b.Verify(t.Context(), id)); broken != "" {
		t.Errorf("chain broken at %s", broken)
	}
}

// No word for 30 minutes at SEV1 and 2, 60 at SEV3 and 4; a word begins anew.
func TestRemindersOfAnUpdate(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	id := declare(t, b).ID
	from := w.now()
	if got := say(t, b, w, id, WaitUpdate, from, 65); !slices.Equal(got, []int{30, 60}) {
		t.Errorf("SEV1: %v", got)
	}
	if _, _, _, err := b.Append(t.Context(), id, Entry{By: Bot, Kind: Check, Text: "good"}); err != nil {
		t.Fatal(err)
	}
	if got := say(t, b, w, id, WaitUpdate, from, 30); !slices.Equal(got, []int{90}) {
		t.Errorf("what certmedic writes is no word of a person: %v", got)
	}
	must[Incident](t)(b.SetSeverity(t.Context(), id, 3, Change{By: ana}))
	if got := say(t, b, w, id, WaitUpdate, w.now(), 125); !slices.Equal(got, []int{60, 120}) {
		t.Errorf("SEV3: %v", got)
	}
}

func TestRemindersAfterwards(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	due := func() (kinds []string) {
		for _, i := range must[[]Incident](t)(b.Waiting(ctx)) {
			for _, r := range must[[]Reminder](t)(b.Due(ctx, i.ID, WaitsOf(i), w.now())) {
				if err := b.Reminded(ctx, r, w.now()); err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, r.Kind)
			}
		}
		return kinds
	}
	step := func(d time.Duration, want ...string) {
		t.Helper()
		w.add(d)
		if got := due(); !slices.Equal(got, want) {
			t.Errorf("at %s: %v, want %v", When(w.now()), got, want)
		}
	}
	if _, _, err := b.AddTask(ctx, id, Task{Text: "x", Due: w.now().Add(10 * day)}, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	must[Incident](t)(b.Resolve(ctx, id, nil, Change{By: ana}))
	step(23 * time.Hour)
	step(2*time.Hour, WaitClose)
	step(time.Hour)
	step(23*time.Hour, WaitClose)
	must[Incident](t)(b.Close(ctx, id, Change{By: ana, Reason: "x"}))
	step(day, "T-1") // a week before its day
	step(4*day+time.Hour, WaitDraft)
	step(2 * day)
	step(day, "T-1") // on its day
	must[Incident](t)(b.FinishDraft(ctx, id, Change{By: ana}))
	step(4 * day)
	step(3*day, WaitDraft, "T-1") // finished, and nobody reviewed it
	must[Incident](t)(b.AdvanceDraft(ctx, id, DraftShared, Change{By: ana, Reason: "nobody else is here"}))
	step(30*day, "T-1") // said once for the weeks that were missed
	step(day)
	if _, _, err := b.DoTask(ctx, "T-1", Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	step(30 * day)
	if l := must[[]Incident](t)(b.Waiting(ctx)); len(l) != 0 {
		t.Errorf("nothing is waited for any more: %v", l)
	}
	must[Incident](t)(b.Reopen(ctx, id, Change{By: ana, Reason: "again"}))
	step(10*time.Minute, WaitCommander)
}

// An update that waits for approval is said after 5, 10 and 20 minutes, then
// every 20; an action item a week before its day, on it, then weekly.
func TestRemindersOfApprovalAndTask(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	if _, _, err := b.AddUpdate(ctx, id, Update{Text: "x", Deliveries: []Delivery{{Target: "board", Kind: "mail"}}}, true, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	if got, want := say(t, b, w, id, "U-1", w.now(), 65), []int{5, 10, 20, 40, 60}; !slices.Equal(got, want) {
		t.Errorf("an update that waits: said after %v minutes, want %v", got, want)
	}
	if _, _, err := b.DecideUpdate(ctx, id, "U-1", false, Change{By: ben}); err != nil {
		t.Fatal(err)
	}
	if got := say(t, b, w, id, "U-1", w.now(), 30); got != nil {
		t.Errorf("decided: %v", got)
	}
	due := w.now().Add(10 * day)
	if _, _, err := b.AddTask(ctx, id, Task{Text: "x", Due: due}, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	due = must[Incident](t)(b.Incident(ctx, id)).Tasks[0].Due
	var days []int
	for range 30 * 4 {
		w.add(6 * time.Hour)
		i := must[Incident](t)(b.Incident(ctx, id))
		for _, r := range must[[]Reminder](t)(b.Due(ctx, id, WaitsOf(i), w.now())) {
			if err := b.Reminded(ctx, r, w.now()); err != nil {
				t.Fatal(err)
			}
			if r.Kind == "T-1" {
				days = append(days, int(w.now().Sub(due).Round(day)/day))
			}
		}
	}
	if want := []int{-7, 0, 7, 14}; !slices.Equal(days, want) {
		t.Errorf("an action item: said %v days after its day, want %v", days, want)
	}
}
