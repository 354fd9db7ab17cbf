package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRolesAndTitle(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	must[Incident](t)(b.SetRole(ctx, id, "scribe", ana, Change{By: ana}))
	i := must[Incident](t)(b.SetRole(ctx, id, "scribe", ben, Change{By: ana}))
	if p, ok := i.Role("scribe"); !ok || p != ben || len(i.Roles) != 1 {
		t.Errorf("%+v", i.Roles)
	}
	if j := must[Incident](t)(b.SetRole(ctx, id, "scribe", ben, Change{By: ana})); j.Entries != i.Entries {
		t.Error("the same role again wrote a line")
	}
	if _, err := b.SetRole(ctx, id, "cook", ben, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("cook: %v", err)
	}
	must[Incident](t)(b.Rename(ctx, id, "avatars down", Change{By: ana}))
	if l := must[[]Incident](t)(b.List(ctx, Filter{Words: "avatars"})); len(l) != 1 || l[0].Title != "avatars down" {
		t.Errorf("found by its new title: %+v", l)
	}
	// Its old title stands on the timeline still, and nowhere else.
	if found := must[Found](t)(b.Search(ctx, Filter{Words: "images"}, 9, nil)); len(found.Hits) != 1 || slices.ContainsFunc(found.Hits[0].Places, func(p Place) bool { return p.Entry.ID == "" }) {
		t.Errorf("found by its old title: %+v", found)
	}
}

// Reopened, the time while it was closed counts nowhere.
func TestReopenFromClosed(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	w.add(10 * time.Minute)
	must[Incident](t)(b.Resolve(ctx, id, nil, Change{By: ana}))
	w.add(5 * time.Minute)
	must[Incident](t)(b.Close(ctx, id, Change{By: ana, Reason: "done"}))
	w.add(72 * time.Hour)
	if _, err := b.Reopen(ctx, id, Change{By: ana}); !errors.Is(err, ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	i := must[Incident](t)(b.Reopen(ctx, id, Change{By: ana, Reason: "again"}))
	_, resolved := i.Milestone(ResolvedAt)
	_, closed := i.Milestone(ClosedAt)
	if i.Status != Investigating || resolved || closed {
		t.Errorf("reopened: %s %v", i.Status, i.Milestones)
	}
	if l := must[[]Incident](t)(b.List(ctx, Filter{Open: true, Certificate: "media"})); len(l) != 1 {
		t.Errorf("not in the list of open ones: %v", l)
	}
	w.add(7 * time.Minute)
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(ctx, id)), w.now())
	got := map[string]time.Duration{}
	for _, s := range m.ByStatus {
		got[s.Name] = s.Took
	}
	if got["investigating"] != 17*time.Minute || got["resolved"] != 5*time.Minute {
		t.Errorf("time by status: %v", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	if _, err := b.Cancel(ctx, id, Change{By: ana}); !errors.Is(err, ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	if _, _, err := b.AddTemp(ctx, id, "", Change{By: ana, Text: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Cancel(ctx, id, Change{By: ana, Reason: "no"}); !errors.Is(err, ErrTemps) {
		t.Errorf("with a temporary change: %v", err)
	}
	if _, _, err := b.UndoTemp(ctx, id, 1, Change{By: ana}); err != nil {
		t.Fatal(err)
	}
	i := must[Incident](t)(b.Cancel(ctx, id, Change{By: ana, Reason: "no"}))
	w.add(time.Hour)
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(ctx, id)), w.now())
	if i.Status != Cancelled || len(m.ByStatus) != 0 {
		t.Errorf("%s %+v", i.Status, m.ByStatus)
	}
	if l := must[[]Incident](t)(b.List(ctx, Filter{Open: true})); len(l) != 0 {
		t.Errorf("open: %v", l)
	}
}

func TestDuplicateAndMerge(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	d := Declaration{Title: "avatars down", Certificates: []string{"api"}, By: ben}
	two := must[Incident](t)(b.Declare(ctx, d, true)).ID
	d.Private = true
	secret := must[Incident](t)(b.Declare(ctx, d, true)).ID
	for n := range 70 { // more than one transaction takes
		if _, _, _, err := b.Append(ctx, two, Entry{By: ben, At: w.now().Add(-time.Hour), Text: fmt.Sprint("note ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	shared := Entry{By: Bot, Kind: Alert, Key: "alert/api/1", Text: "api fails", Evidence: Evidence{Alert: AlertEvidence{Certificate: "api"}}}
	for _, to := range []string{id, two} {
		if _, _, _, err := b.Append(ctx, to, shared); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.AddTemp(ctx, two, "put back", Change{By: ben, Text: "moved"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.MarkDuplicate(ctx, two, two, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("of itself: %v", err)
	}
	if _, err := b.MarkDuplicate(ctx, two, id, Change{By: ana}); !errors.Is(err, ErrTemps) {
		t.Errorf("with a temporary change: %v", err)
	}
	if _, _, err := b.Merge(ctx, secret, id, Change{By: ana}); !errors.Is(err, ErrPrivate) {
		t.Errorf("private into public: %v", err)
	}
	before := must[Incident](t)(b.Incident(ctx, id))
	if i := must[Incident](t)(b.MarkDuplicate(ctx, secret, id, Change{By: ana})); i.DuplicateOf != id {
		t.Errorf("%+v", i)
	}
	if after := must[Incident](t)(b.Incident(ctx, id)); after.Entries != before.Entries {
		t.Error("a private duplicate left a line in a public incident")
	}
	target, n, err := b.Merge(ctx, two, id, Change{By: ana, Key: "m"})
	if err != nil || n != 70 || len(target.Certificates) != 2 || len(target.OpenTemps()) != 1 {
		t.Fatalf("%d carried, %v %+v %v", n, target.Certificates, target.Temps, err)
	}
	again, n, err := b.Merge(ctx, two, id, Change{By: ana, Key: "m2"})
	if err != nil || n != 0 || again.Entries != target.Entries {
		t.Errorf("merged twice: %d more, %d lines, were %d, %v", n, again.Entries, target.Entries, err)
	}
	if _, _, err := b.Merge(ctx, id, two, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("into a duplicate: %v", err)
	}
	carried := 0
	for _, e := range must[[]Entry](t)(b.Timeline(ctx, id)) {
		if strings.HasPrefix(e.Text, "From "+two+": note ") && e.By == ben && e.At.Equal(w.now().Add(-time.Hour)) {
			carried++
		}
	}
	if old := must[[]Entry](t)(b.Timeline(ctx, two)); carried != 70 || len(old) < 70 {
		t.Errorf("%d lines at their own time under their own name, %d readable in the duplicate", carried, len(old))
	}
	for _, x := range []string{id, two, secret} {
		if broken := must[string](t)(b.Verify(ctx, x)); broken != "" {
			t.Errorf("%s broken at %s", x, broken)
		}
	}
}

// A later time said for detected counts nowhere and is shown; an earlier one
// by the same person corrects it.
func TestDetectedSaid(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	at := w.now()
	w.add(time.Hour)
	say := func(d time.Duration) Incident {
		return must[Incident](t)(b.SetMilestone(ctx, id, Milestone{Kind: Detected, At: at.Add(d), Source: "said", By: ana}))
	}
	i := say(30 * time.Minute)
	if m, _ := i.Milestone(Detected); !m.At.Equal(at) || len(i.Conflicts) != 1 || !i.Conflicts[0].Other.At.Equal(at.Add(30*time.Minute)) {
		t.Errorf("later: %+v %+v", m, i.Conflicts)
	}
	if j := say(30 * time.Minute); j.Entries != i.Entries {
		t.Error("said again, it wrote a line")
	}
	i = say(-30 * time.Minute)
	if m, _ := i.Milestone(Detected); !m.At.Equal(at.Add(-30*time.Minute)) || len(i.Conflicts) != 0 {
		t.Errorf("earlier: %+v %+v", m, i.Conflicts)
	}
}
