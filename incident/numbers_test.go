package incident

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// failed is a failing check of some hosts.
func failed(certificate string, findings ...string) Entry {
	c := CheckEvidence{Certificate: certificate, Verdict: "critical", Cause: "it fails"}
	for n, f := range findings {
		c.Hosts = append(c.Hosts, HostCheck{Host: fmt.Sprint("h", n), State: "critical", Findings: []string{"node_divergence", f}})
	}
	return Entry{Kind: Check, Text: "it fails", Evidence: Evidence{Check: c}}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	at := w.now()
	do := func(after time.Duration, fn func() (Incident, error)) {
		t.Helper()
		w.set(at.Add(after))
		must[Incident](t)(fn())
	}
	i := declare(t, b) // SEV1, owner web
	ctx := t.Context()
	must[Incident](t)(b.SetMilestone(ctx, i.ID, Milestone{Kind: Started, At: at.Add(-20 * time.Minute), Source: "measured"}))
	_, _, _, err := b.Append(ctx, i.ID, func() Entry { e := failed("media", "expired"); e.At = at.Add(-8 * time.Minute); return e }())
	if err != nil {
		t.Fatal(err)
	}
	do(3*time.Minute, func() (Incident, error) { return b.SetCommander(ctx, i.ID, ana, Change{By: ana}) })
	w.set(at.Add(5 * time.Minute))
	for _, a := range []ApprovalEvidence{{Renewal: "R-1", Decision: "asked"}, {Renewal: "R-1", Decision: "approved"}} {
		if _, _, _, err := b.Append(ctx, i.ID, Entry{Kind: Approval, Text: a.Decision, Evidence: Evidence{Approval: a}}); err != nil {
			t.Fatal(err)
		}
		w.add(7 * time.Minute)
	}

	rows := must[[]Number](t)(b.Numbers(ctx, time.Time{}))
	if want := [6]time.Duration{12 * time.Minute, 8 * time.Minute, 3 * time.Minute, -1, -1, 7 * time.Minute}; len(rows) != 1 || rows[0].Took != want || !rows[0].Open || rows[0].Cause != "expired" || rows[0].Owner != "web" || rows[0].Severity != 1 || !rows[0].Declared.Equal(at) {
		t.Fatalf("while it lasts: %+v", rows)
	}
	do(40*time.Minute, func() (Incident, error) {
		return b.SetMilestone(ctx, i.ID, Milestone{Kind: Mitigated, Source: "measured"})
	})
	do(45*time.Minute, func() (Incident, error) { return b.Resolve(ctx, i.ID, nil, Change{By: ana}) })
	rows = must[[]Number](t)(b.Numbers(ctx, time.Time{}))
	if rows[0].Took[3] != time.Hour || rows[0].Took[4] != 65*time.Minute || rows[0].Open {
		t.Errorf("resolved: %+v", rows)
	}
	do(50*time.Minute, func() (Incident, error) {
		return b.SetStatus(ctx, i.ID, Investigating, Change{By: ana, Reason: "again"})
	})
	if rows = must[[]Number](t)(b.Numbers(ctx, time.Time{})); rows[0].Took[4] != -1 || !rows[0].Open {
		t.Errorf("reopened: %+v", rows)
	}
	do(60*time.Minute, func() (Incident, error) { return b.Resolve(ctx, i.ID, nil, Change{By: ana}) })
	do(70*time.Minute, func() (Incident, error) { return b.Close(ctx, i.ID, Change{By: ana, Reason: "x"}) })
	do(80*time.Minute, func() (Incident, error) { // a correction of what is closed counts
		return b.SetMilestone(ctx, i.ID, Milestone{Kind: ResolvedAt, At: at.Add(55 * time.Minute), Source: "said", By: ana})
	})
	if rows = must[[]Number](t)(b.Numbers(ctx, time.Time{})); rows[0].Took[4] != 75*time.Minute {
		t.Errorf("corrected: %+v", rows)
	}
	if rows := must[[]Number](t)(b.Numbers(ctx, at.Add(time.Second))); len(rows) != 0 {
		t.Errorf("declared before: %+v", rows)
	}
}

// TestNumbersLeaveOut: drills, cancelled ones and duplicates do not count;
// private ones do.
func TestNumbersLeaveOut(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx := t.Context()
	for n, d := range []Declaration{{Title: "a"}, {Title: "b", Drill: true}, {Title: "c"}, {Title: "d", Private: true, Owner: "db"}, {Title: "e"}} {
		d.By = ana
		i := must[Incident](t)(b.Declare(ctx, d, true))
		var err error
		switch n {
		case 2:
			_, err = b.Cancel(ctx, i.ID, Change{By: ana, Reason: "no"})
		case 4:
			_, err = b.MarkDuplicate(ctx, i.ID, "INC-1", Change{By: ana})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := must[[]Number](t)(b.Numbers(ctx, time.Time{}))
	if len(rows) != 2 || rows[0].Private || !rows[1].Private || rows[1].Owner != "db" {
		t.Errorf("%+v", rows)
	}
}

// TestNumbersAgree: over random histories the rows say what MetricsOf says of
// the whole timeline, kept or computed anew.
func TestNumbersAgree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		b, w := testBook(t)
		r := rand.New(rand.NewPCG(seed, 7))
		var ids []string
		for range 120 {
			w.add(time.Duration(r.IntN(600)) * time.Second)
			if len(ids) == 0 || r.IntN(20) == 0 {
				ids = append(ids, must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana, Drill: r.IntN(5) == 0, Severity: Severity(1 + r.IntN(4))}, true)).ID)
			}
			someChange(t, b, r, ids[r.IntN(len(ids))], w.now())
			if r.IntN(10) == 0 {
				must[[]Number](t)(b.Numbers(t.Context(), time.Time{}))
			}
		}
		kept := must[[]Number](t)(b.Numbers(t.Context(), time.Time{}))
		err := b.s.Update(t.Context(), func(tx store.Tx) error { // as a record from before there were rows
			for n := range ids {
				if err := errors.Join(tx.Delete(keyNumberRow+padded(n+1)), tx.Delete(keyNumberDue+padded(n+1))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if anew := must[[]Number](t)(b.Numbers(t.Context(), time.Time{})); !slices.Equal(anew, kept) {
			t.Fatalf("seed %d: kept %+v, anew %+v", seed, kept, anew)
		}
		k := 0
		for _, id := range ids {
			i := must[Incident](t)(b.Incident(t.Context(), id))
			if i.Drill || i.Status == Cancelled || i.Status == Duplicate {
				continue
			}
			m := MetricsOf(i, must[[]Entry](t)(b.Timeline(t.Context(), id)), w.now())
			for n, name := range Measures[:5] {
				want := time.Duration(-1)
				for _, s := range m.Spans {
					if s.Name == name && !s.Open {
						want = s.Took.Truncate(time.Millisecond)
					}
				}
				if kept[k].Took[n] != want {
					t.Errorf("seed %d, %s: %s %s, want %s", seed, id, name, kept[k].Took[n], want)
				}
			}
			if want := m.ApprovalWait; !i.Status.Open() && want > 0 && kept[k].Took[5] != want {
				t.Errorf("seed %d, %s: approval %s, want %s", seed, id, kept[k].Took[5], want)
			}
			k++
		}
		if k != len(kept) {
			t.Errorf("seed %d: %d rows, want %d", seed, len(kept), k)
		}
	}
}

// someChange does something at random; what is refused is refused.
func someChange(t *testing.T, b *Book, r *rand.Rand, id string, now time.Time) {
	ctx, c := t.Context(), Change{By: ana, Reason: "x"}
	back := now.Add(-time.Duration(r.IntN(7200)) * time.Second)
	switch r.IntN(9) {
	case 0:
		_, _ = b.SetCommander(ctx, id, ben, c)
	case 1:
		_, _ = b.SetStatus(ctx, id, statuses[r.IntN(3)], c)
	case 2:
		_, _ = b.Resolve(ctx, id, nil, c)
	case 3:
		_, _ = b.Close(ctx, id, c)
	case 4:
		_, _ = b.SetMilestone(ctx, id, Milestone{Kind: milestoneKinds[r.IntN(len(milestoneKinds))], At: back, Source: []string{"said", "measured"}[r.IntN(2)], By: ana})
	case 5:
		e := failed("media", "expired", "refused")
		e.At = back
		_, _, _, _ = b.Append(ctx, id, e)
	case 6:
		decision := []string{"asked", "approved", "denied", "not needed"}[r.IntN(4)]
		_, _, _, _ = b.Append(ctx, id, Entry{Kind: Approval, At: back, Text: decision, Evidence: Evidence{Approval: ApprovalEvidence{Renewal: fmt.Sprint("R-", r.IntN(2)), Decision: decision}}})
	case 7:
		_, _ = b.Correct(ctx, id, fmt.Sprint("E-", 1+r.IntN(8)), Correction{Text: "corrected", Drop: r.IntN(3) == 0}, Change{By: ben, At: back})
	case 8:
		if r.IntN(8) == 0 {
			_, _ = b.Cancel(ctx, id, c)
		}
	}
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	warn := failed("media")
	warn.Evidence.Check.Verdict = "warning"
	late := Entry{Kind: Check, Evidence: Evidence{Check: CheckEvidence{Verdict: "warning", Overdue: time.Unix(1, 0)}}}
	rehearsal := Entry{Kind: Rehearsal, Evidence: Evidence{Rehearsal: RehearsalEvidence{Certificate: "media", Faults: []RehearsalFault{{Finding: "http01_path"}}}}}
	for _, c := range []struct {
		want     string
		timeline []Entry
	}{
		{"", nil},
		{"", []Entry{warn, failed("media")}},
		{"expired", []Entry{late, rehearsal, failed("media", "refused", "expired")}},
		{"refused", []Entry{failed("media", "name_mismatch", "refused", "refused")}},
		{"name_mismatch", []Entry{failed("media", "name_mismatch"), failed("media", "expired")}},
		{"http01_path", []Entry{late, rehearsal}},
		{"renewal_overdue", []Entry{late}},
	} {
		if got := causeOf(c.timeline); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	day := func(m time.Month, d int) time.Time { return time.Date(2026, m, d, 12, 0, 0, 0, time.UTC) }
	var rows []Number
	for n := range 10 {
		rows = append(rows, Number{Declared: day(9, 1+n), Severity: 2, Owner: "web", Cause: "expired", Took: [6]time.Duration{time.Duration(n+1) * time.Minute, -1, -1, -1, -1, -1}})
	}
	rows = append(rows, Number{Declared: day(11, 30), Severity: 1, Owner: "db", Open: true, Took: [6]time.Duration{-1, time.Second, -1, -1, -1, -1}})
	tl := TallyOf(rows, ByMonth, time.Time{}, day(12, 1))
	if tl.Open != 1 || tl.Total.Count != 11 || tl.Total.Measures[0] != (Measure{Name: "detect", Count: 10, Median: Seconds(330 * time.Second), P90: Seconds(9 * time.Minute), Max: Seconds(10 * time.Minute)}) {
		t.Errorf("%+v", tl)
	}
	names := func(tl Tally) (out []string) {
		for _, g := range tl.Groups {
			out = append(out, fmt.Sprintf("%s:%d", g.Name, g.Count))
		}
		return out
	}
	for by, want := range map[string][]string{
		ByMonth: {"2026-09:10", "2026-10:0", "2026-11:1", "2026-12:0"}, BySeverity: {"SEV1:1", "SEV2:10"}, ByCause: {"expired:10", ":1"}, ByOwner: {"web:10", "db:1"},
	} {
		if got := names(TallyOf(rows, by, time.Time{}, day(12, 1))); !slices.Equal(got, want) {
			t.Errorf("by %s: %q", by, got)
		}
	}
	if got := names(TallyOf(rows, ByMonth, day(8, 15), day(12, 31))); len(got) != 5 || got[0] != "2026-08:0" {
		t.Errorf("since: %q", got)
	}
	if got := TallyOf(nil, ByMonth, time.Time{}, day(12, 1)); len(got.Groups) != 0 || got.Total.Count != 0 || len(got.Total.Measures) != 6 {
		t.Errorf("none: %+v", got)
	}
	for n, want := range map[int]int{1: 1, 2: 2, 9: 9, 10: 9, 11: 10, 100: 90} { // nearest rank
		var rs []Number
		for k := range n {
			rs = append(rs, Number{Took: [6]time.Duration{time.Duration(k+1) * time.Second}})
		}
		if got := TallyOf(rs, ByOwner, time.Time{}, day(12, 1)).Total.Measures[0].P90; got != Seconds(time.Duration(want)*time.Second) {
			t.Errorf("p90 of %d: %s", n, time.Duration(got))
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add(Number{Declared: time.Unix(1700000000, 0), Severity: 2, Owner: "web", Cause: "expired", Took: [6]time.Duration{-1, 0, time.Second, time.Hour, -1, 24 * time.Hour}}.encode())
	f.Add([]byte{rowVersion, 7, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := decodeNumber(b)
		if !ok {
			return
		}
		again, ok := decodeNumber(n.encode())
		if !ok || again != n {
			t.Errorf("%+v becomes %+v %v", n, again, ok)
		}
	})
}

// BenchmarkNumbers works out all four tallies over 10,000 incidents, one of
// which has changed since the last time. May be at most 50 ms.
func BenchmarkNumbers(b *testing.B) {
	book, w := testBook(b)
	w.set(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	var wg sync.WaitGroup
	for k := range 64 {
		wg.Go(func() {
			for n := k; n < 10000; n += 64 {
				i, err := book.Declare(b.Context(), Declaration{Title: "outage", Owner: fmt.Sprint("team", n%20), Severity: Severity(1 + n%4), By: ana}, true)
				if err == nil {
					_, err = book.SetCommander(b.Context(), i.ID, ana, Change{By: ana})
				}
				if err == nil {
					_, err = book.SetMilestone(b.Context(), i.ID, Milestone{Kind: Started, At: w.now().Add(-time.Duration(n) * time.Second), Source: "measured"})
				}
				if err == nil {
					_, err = book.Resolve(b.Context(), i.ID, nil, Change{By: ana})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := book.Numbers(b.Context(), time.Time{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	defer func() { b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/numbers") }()
	for n := 0; b.Loop(); n++ {
		if _, _, _, err := book.Append(b.Context(), "INC-7", Entry{By: ana, Text: "a note", Key: fmt.Sprint(n)}); err != nil {
			b.Fatal(err)
		}
		rows, err := book.Numbers(b.Context(), time.Time{})
		if err != nil || len(rows) != 10000 {
			b.Fatal(len(rows), err)
		}
		for _, by := range Dimensions {
			if t := TallyOf(rows, by, time.Time{}, w.now()); t.Total.Count != 10000 {
				b.Fatal(t.Total)
			}
		}
	}
}
