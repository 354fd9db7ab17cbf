package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

func TestDeclare(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	start := w.now().Add(-5 * time.Minute)
	d := Declaration{Key: "k1", Title: " images\n down ", Certificates: []string{"media", "media"}, Owner: "web", By: ana, Start: start}
	i, err := b.Declare(ctx, d, false)
	if err != nil {
		t.Fatal(err)
	}
	if i.ID != "INC-1" || i.Title != "images down" || i.Severity != 2 || i.Status != Investigating || len(i.Certificates) != 1 {
		t.Errorf("declared %+v", i)
	}
	if m, ok := i.Milestone(Started); !ok || !m.At.Equal(start) || m.Source != "said" || !m.Recorded.Equal(w.now()) {
		t.Errorf("started %+v", m)
	}
	if m, ok := i.Milestone(Detected); !ok || !m.At.Equal(w.now()) {
		t.Errorf("detected %+v: a declaration is evidence by itself", m)
	}

	again, err := b.Declare(ctx, d, false)
	if err != nil || again.ID != "INC-1" {
		t.Errorf("same key: %s, %v", again.ID, err)
	}
	dup, err := b.Declare(ctx, Declaration{Title: "me too", Certificates: []string{"other", "media"}, By: ben}, false)
	if !errors.Is(err, ErrDuplicate) || dup.ID != "INC-1" || !strings.Contains(err.Error(), "INC-1 has media") {
		t.Errorf("second on the certificate: %s, %v", dup.ID, err)
	}
	forced, err := b.Declare(ctx, Declaration{Title: "me too", Certificates: []string{"media"}, By: ben}, true)
	if err != nil || forced.ID != "INC-2" {
		t.Errorf("forced: %s, %v", forced.ID, err)
	}
	for name, bad := range map[string]Declaration{
		"no title":     {By: ana},
		"severity 5":   {Title: "x", Severity: 5},
		"many names":   {Title: "x", Certificates: strings.Fields(manyNames(60))},
		"start future": {Title: "x", Start: w.now().Add(2 * time.Minute)},
	} {
		if i, err := b.Declare(ctx, bad, false); err == nil {
			t.Errorf("%s: declared %s", name, i.ID)
		}
	}
	if _, err := b.Declare(ctx, Declaration{Title: "x", Start: w.now().Add(2 * time.Minute)}, false); !errors.Is(err, ErrFuture) {
		t.Errorf("start in the future: %v", err)
	}
	if i, err := b.Declare(ctx, Declaration{Certificates: []string{"api"}}, false); err != nil || i.ID != "INC-3" || i.Title != "Certificate api" {
		t.Errorf("refusals use up no number: %s %q, %v", i.ID, i.Title, err)
	}
}

func manyNames(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, " c%d", i)
	}
	return s.String()
}

// Two people who declare the same thing at once get one incident.
func TestDeclareAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for n := range ids {
		wg.Go(func() {
			i, err := b.Declare(t.Context(), Declaration{Title: "down", Certificates: []string{"media"}, By: ana}, false)
			if err != nil && !errors.Is(err, ErrDuplicate) {
				t.Error(err)
			}
			ids[n] = i.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != "INC-1" {
			t.Errorf("got %v, want INC-1 for everybody", ids)
		}
	}
	if h, err := b.History(t.Context(), "INC-1"); err != nil || len(h) != 1 {
		t.Errorf("%d lines, %v", len(h), err)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	ok := func(want Status) func(Incident, error) Incident {
		return func(i Incident, err error) Incident {
			t.Helper()
			if err != nil || i.Status != want {
				t.Fatalf("status %s, %v; want %s", i.Status, err, want)
			}
			w.add(time.Minute)
			return i
		}
	}
	refused := func(want error) func(Incident, error) {
		return func(i Incident, err error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("%v; want %v", err, want)
			}
		}
	}
	by := Change{By: ana}
	entries := ok(Investigating)(b.SetStatus(ctx, id, Investigating, by)).Entries
	if entries != 1 {
		t.Errorf("the same status again wrote a line: %d entries", entries)
	}
	refused(ErrState)(b.SetStatus(ctx, id, "nonsense", by))
	refused(ErrState)(b.SetStatus(ctx, id, Closed, by))
	refused(ErrNotFound)(b.SetStatus(ctx, "INC-99", Identified, by))
	refused(ErrNotFound)(b.SetStatus(ctx, "media", Identified, by))
	i := ok(Identified)(b.SetStatus(ctx, id, Identified, Change{By: ana, Text: "It expired.", Key: "req-1"}))
	first, _ := i.Milestone(IdentifiedAt)
	if again := ok(Identified)(b.SetStatus(ctx, id, Monitoring, Change{By: ana, Key: "req-1"})); again.Entries != i.Entries {
		t.Error("the same key changed twice")
	}
	refused(ErrReason)(b.SetStatus(ctx, id, Investigating, by))
	ok(Investigating)(b.SetStatus(ctx, id, Investigating, Change{By: ana, Reason: "it was not that"}))
	i = ok(Identified)(b.SetStatus(ctx, id, Identified, by))
	if m, _ := i.Milestone(IdentifiedAt); m != first {
		t.Errorf("identified moved to %v: the first one counts", m.At)
	}
	refused(ErrState)(b.Close(ctx, id, by))

	_, err := b.Resolve(ctx, id, []string{"cdn-1", "cdn-2"}, by)
	refused(ErrFailing)(i, err)
	if !strings.Contains(err.Error(), "cdn-1, cdn-2") {
		t.Errorf("refusal names no endpoint: %v", err)
	}
	i = ok(Resolved)(b.Resolve(ctx, id, nil, by))
	if _, set := i.Milestone(ResolvedAt); !set {
		t.Error("resolved is no milestone")
	}
	if same := ok(Resolved)(b.Resolve(ctx, id, []string{"cdn-1"}, by)); same.Entries != i.Entries {
		t.Error("resolved twice")
	}
	refused(ErrReason)(b.SetStatus(ctx, id, Monitoring, by))
	i = ok(Monitoring)(b.SetStatus(ctx, id, Monitoring, Change{By: ana, Reason: "esme fails again"}))
	if _, set := i.Milestone(ResolvedAt); set {
		t.Error("reopened, but the milestone resolved is still there")
	}
	ok(Resolved)(b.Resolve(ctx, id, []string{"esme"}, Change{By: ana, Reason: "esme is switched off"}))
	refused(ErrImpactEmpty)(b.Close(ctx, id, by))
	ok(Resolved)(b.SetImpact(ctx, id, "No images anywhere.", by))
	i = ok(Closed)(b.Close(ctx, id, by))
	if _, set := i.Milestone(ClosedAt); !set {
		t.Error("closed is no milestone")
	}

	refused(ErrState)(b.SetStatus(ctx, id, Investigating, Change{By: ana, Reason: "again"}))
	refused(ErrState)(b.SetSeverity(ctx, id, 3, by))
	refused(ErrState)(b.SetCommander(ctx, id, ben, by))
	refused(ErrState)(b.Resolve(ctx, id, nil, by))
	ok(Closed)(b.SetImpact(ctx, id, "No images anywhere, for 40 minutes.", by))
	if _, added, _, err := b.Append(ctx, id, Entry{By: ana, Text: "written a day later"}); err != nil || !added {
		t.Errorf("a note on a closed incident: %v", err)
	}

	var texts []string
	for _, e := range must[[]Entry](t)(b.Timeline(ctx, id)) {
		texts = append(texts, e.Text)
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"It expired.", "Reason: it was not that.", "although endpoints still fail: esme", "Reason: esme is switched off."} {
		if !strings.Contains(all, want) {
			t.Errorf("timeline lacks %q:\n%s", want, all)
		}
	}
}

func TestCloseAnyway(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	id := declare(t, b).ID
	i, err := b.Close(t.Context(), id, Change{By: ana, Reason: "false alarm"})
	if err != nil || i.Status != Closed {
		t.Fatalf("%s, %v", i.Status, err)
	}
	last := must[[]Entry](t)(b.Timeline(t.Context(), id))
	if text := last[len(last)-1].Text; text != "Status: closed, was investigating, the impact not said. Reason: false alarm." {
		t.Errorf("line %q", text)
	}
	if open := must[[]Incident](t)(b.List(t.Context(), Filter{Open: true})); len(open) != 0 {
		t.Errorf("closed, but listed as open: %v", open)
	}
	if next := declare(t, b); next.ID != "INC-2" {
		t.Errorf("after the close a new incident on the certificate is %s", next.ID)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	w.add(3 * time.Minute)
	at := w.now().Add(-2 * time.Minute)
	i := must[Incident](t)(b.SetCommander(ctx, id, ben, Change{By: ana, At: at}))
	if m, _ := i.Milestone(Acknowledged); !m.At.Equal(at) || m.Source != "said" || !m.Recorded.Equal(w.now()) {
		t.Errorf("acknowledged %+v, want %s said", m, at)
	}
	i = must[Incident](t)(b.SetCommander(ctx, id, ana, Change{By: ben}))
	if m, _ := i.Milestone(Acknowledged); !m.At.Equal(at) || i.Commander != ana {
		t.Errorf("hand-over moved acknowledged to %s; commander %s", m.At, i.Commander.Name)
	}
	if same := must[Incident](t)(b.SetCommander(ctx, id, ana, Change{By: ben})); same.Entries != i.Entries {
		t.Error("the same commander again wrote a line")
	}
	if _, err := b.SetCommander(ctx, id, Person{}, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("nobody as commander: %v", err)
	}
	if _, err := b.SetSeverity(ctx, id, 0, Change{}); !errors.Is(err, ErrState) {
		t.Errorf("severity 0: %v", err)
	}
	if _, err := b.SetStatus(ctx, id, Identified, Change{At: w.now().Add(2 * time.Minute)}); !errors.Is(err, ErrFuture) {
		t.Errorf("a status in the future: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	for n, c := range []string{"media", "api/v1", "", "media"} {
		d := Declaration{Title: fmt.Sprintf("Outage %c", 'A'+n), By: ana}
		if c != "" {
			d.Certificates = []string{c}
		}
		if n%2 == 1 {
			d.Severity = 1
		}
		must[Incident](t)(b.Declare(ctx, d, true))
	}
	must[Incident](t)(b.Close(ctx, "INC-1", Change{Reason: "x"}))
	must[Incident](t)(b.AddCertificate(ctx, "INC-3", "mail", Change{By: ana}))
	must[Incident](t)(b.SetImpact(ctx, "INC-2", "Uploads REFUSED", Change{By: ana}))
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "INC-4 INC-3 INC-2 INC-1"},
		{Filter{Limit: 2}, "INC-4 INC-3"},
		{Filter{Open: true}, "INC-4 INC-3 INC-2"},
		{Filter{Open: true, Limit: 1}, "INC-4"},
		{Filter{Certificate: "media"}, "INC-4 INC-1"},
		{Filter{Certificate: "med"}, ""},
		{Filter{Open: true, Certificate: "media"}, "INC-4"},
		{Filter{Open: true, Certificate: "mail"}, "INC-3"},
		{Filter{Open: true, Certificate: "api/v1"}, "INC-2"},
		{Filter{Open: true, Certificate: "api"}, ""},
		{Filter{Words: "refused uploads"}, "INC-2"},
		{Filter{Words: "outage inc-3"}, "INC-3"},
		{Filter{Words: "outage media", Open: true}, "INC-4"},
		{Filter{Words: "nothing"}, ""},
	} {
		var ids []string
		for _, i := range must[[]Incident](t)(b.List(ctx, c.f)) {
			ids = append(ids, i.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	must[Incident](t)(b.Close(ctx, "INC-3", Change{Reason: "x"})) // declared without a certificate, joined by one
	for _, i := range must[[]Incident](t)(b.List(ctx, Filter{Open: true})) {
		if i.ID == "INC-3" {
			t.Error("INC-3 is closed and listed as open")
		}
	}
}

// Find counts all, reads few, and asks about private ones, also of an index
// that an older version wrote.
func TestFind(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	for n := range 12 {
		i := must[Incident](t)(b.Declare(ctx, Declaration{Title: fmt.Sprint("outage ", n), Private: n%4 == 1, By: ana}, true))
		if n%2 == 0 {
			must[Incident](t)(b.Close(ctx, i.ID, Change{By: ana, Reason: "over"}))
		}
		w.add(time.Second)
	}
	check := func(f Filter, see bool, total int, ids ...string) {
		t.Helper()
		list, n, err := b.Find(ctx, f, func(i Incident) bool {
			if !i.Private {
				t.Errorf("asked about %s", i.ID)
			}
			return see
		})
		var got []string
		for _, i := range list {
			got = append(got, i.ID)
		}
		if err != nil || n != total || !slices.Equal(got, ids) {
			t.Errorf("%+v, see %t: %v of %d, %v; want %v of %d", f, see, got, n, err, ids, total)
		}
	}
	for _, old := range []bool{false, true} {
		if old {
			err := b.s.Update(ctx, func(tx store.Tx) error {
				for n := 1; n <= 12; n++ {
					v, err := tx.Get(keyIndex + padded(n))
					if err != nil {
						return err
					}
					if err := tx.Put(keyIndex+padded(n), []byte(strings.TrimPrefix(string(v), statePublic))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check(Filter{Limit: 3}, true, 12, "INC-12", "INC-11", "INC-10")
		check(Filter{Limit: 3}, false, 9, "INC-12", "INC-11", "INC-9")
		check(Filter{Open: true}, true, 6, "INC-12", "INC-10", "INC-8", "INC-6", "INC-4", "INC-2")
		check(Filter{Open: true}, false, 3, "INC-12", "INC-8", "INC-4")
		check(Filter{Words: "outage 1", Limit: 1}, false, 3, "INC-12")
		check(Filter{Words: "nothing"}, true, 0)
	}
}
