package incident

import (
	"math"
	"testing"
	"time"
)

func TestTook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 s"}, {350 * time.Millisecond, "350 ms"}, {4250 * time.Millisecond, "4.2 s"}, {9 * time.Second, "9 s"},
		{59*time.Second + 900*time.Millisecond, "59 s"}, {61 * time.Second, "1 min 1 s"}, {23 * time.Minute, "23 min"},
		{2*time.Hour + 29*time.Minute, "2 h 29 min"}, {24 * time.Hour, "1 d"}, {27*time.Hour + 59*time.Minute, "1 d 3 h"},
		{16 * 24 * time.Hour, "16 d"}, {-90 * time.Second, "-1 min 30 s"}, {24*time.Hour + time.Minute, "1 d"},
	} {
		if got := Took(c.d); got != c.want {
			t.Errorf("%d: %q, want %q", c.d, got, c.want)
		}
	}
	if got := Took(math.MinInt64); got[0] != '-' {
		t.Error(got)
	}
}

// span returns the span of that name, or a zero one.
func span(list []Span, name string) Span {
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	return Span{}
}

// threescale replays the facts of the outage of 16 August 2020 as a record:
// 14:43 EDT is 18:43 UTC.
func threescale(t *testing.T, b *Book, w *watch) Incident {
	const day = "2020-08-16"
	ctx := t.Context()
	note := must[Incident](t)
	add := func(clock, kind, text string, ev Evidence) {
		t.Helper()
		w.set(utc(t, day, clock))
		if _, added, _, err := b.Append(ctx, "INC-1", Entry{By: ana, Kind: kind, Text: text, Evidence: ev}); err != nil || !added {
			t.Fatal(added, err)
		}
	}
	w.set(utc(t, day, "18:43"))
	note(b.Declare(ctx, Declaration{Title: "No request reaches the gateway", Severity: 1, Certificates: []string{"gateway"}, By: ana, Start: utc(t, day, "16:21")}, false))
	note(b.SetMilestone(ctx, "INC-1", Milestone{Kind: Started, At: utc(t, day, "16:14"), Source: "measured", Text: "notAfter of the certificate served"}))
	note(b.SetCommander(ctx, "INC-1", ben, Change{By: ben}))
	add("18:43", Alert, "Page: the gateway is down.", Evidence{})
	add("18:48", NoteKind, "TLS errors in the gateway's pods.", Evidence{})
	w.set(utc(t, day, "18:53"))
	note(b.SetStatus(ctx, "INC-1", Identified, Change{By: ana, Text: "The certificate has expired."}))
	add("19:19", Approval, "Approval asked.", Evidence{Approval: ApprovalEvidence{Renewal: "R-1", Decision: "asked", AskedBy: "ana"}})
	add("19:42", Approval, "Approved.", Evidence{Approval: ApprovalEvidence{Renewal: "R-1", Decision: "approved", Asked: utc(t, day, "19:19"), By: "manager"}})
	add("20:05", RenewalStep, "gateway serves the new certificate", Evidence{Step: StepEvidence{Renewal: "R-1", Step: "verify", Outcome: "ok", Host: "gateway"}})
	note(b.SetMilestone(ctx, "INC-1", Milestone{Kind: Mitigated, Source: "measured", Text: "every endpoint good"}))
	return note(b.Resolve(ctx, "INC-1", nil, Change{By: ana}))
}

// The figures of the real outage come out exactly.
func TestMetricsThreescale(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	i := threescale(t, b, w)
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(t.Context(), i.ID)), w.now().Add(time.Hour))
	for name, want := range map[string]string{"detect": "2 h 29 min", "declare": "0 s", "acknowledge": "0 s", "identify": "10 min", "mitigate": "3 h 51 min", "resolve": "3 h 51 min"} {
		if got := Took(span(m.Spans, name).Took); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
	if len(m.Spans) != 6 {
		t.Errorf("spans %+v", m.Spans)
	}
	if got := Took(m.ApprovalWait); got != "23 min" {
		t.Errorf("approval wait %s", got)
	}
	if got := Took(m.ApprovalToLast); got != "23 min" {
		t.Errorf("approval to last host %s", got)
	}
	if s := span(m.BySeverity, "SEV1"); Took(s.Took) != "1 h 22 min" || s.Open {
		t.Errorf("SEV1 %+v", s)
	}
	if len(i.Conflicts) != 1 || i.Conflicts[0].Kind != Started || i.Conflicts[0].Used.Source != "measured" ||
		i.Conflicts[0].Text != "Two times for started, 7 min apart: 2020-08-16 16:14 UTC, measured (notAfter of the certificate served), and 2020-08-16 16:21 UTC, said by ana. The first is used." {
		t.Errorf("conflicts %+v", i.Conflicts)
	}
}

func TestMetricsWalk(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx, t0 := t.Context(), w.now()
	note := must[Incident](t)
	id := declare(t, b).ID
	at := func(min int) Change {
		return Change{By: ana, At: t0.Add(time.Duration(min) * time.Minute), Reason: "x"}
	}
	w.add(100 * time.Minute)
	note(b.SetSeverity(ctx, id, 3, at(20)))
	note(b.SetStatus(ctx, id, Identified, at(10)))
	note(b.Resolve(ctx, id, nil, at(30)))
	note(b.SetStatus(ctx, id, Monitoring, at(50)))
	i := note(b.Resolve(ctx, id, nil, at(60)))
	i = note(b.Close(ctx, i.ID, at(90)))
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(ctx, id)), w.now())
	for name, want := range map[string]int{"investigating": 10, "identified": 20, "monitoring": 10, "resolved": 50} {
		if got := span(m.ByStatus, name).Took; got != time.Duration(want)*time.Minute {
			t.Errorf("%s %s, want %d min", name, got, want)
		}
	}
	for name, want := range map[string]int{"SEV1": 20, "SEV3": 20} {
		if got := span(m.BySeverity, name).Took; got != time.Duration(want)*time.Minute {
			t.Errorf("%s %s, want %d min", name, got, want)
		}
	}
	if s := span(m.Spans, "resolve"); s.Name != "" {
		t.Errorf("nobody knows when it started, but it took %s", s.Took)
	}
}

// A status said to be from before the declaration holds from it on.
func TestMetricsBackdated(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	id := declare(t, b).ID
	w.add(30 * time.Minute)
	i := must[Incident](t)(b.SetStatus(t.Context(), id, Identified, Change{By: ana, At: w.now().Add(-time.Hour)}))
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(t.Context(), id)), w.now())
	if got := span(m.ByStatus, "identified").Took; got != 30*time.Minute || len(m.ByStatus) != 1 {
		t.Errorf("by status %+v", m.ByStatus)
	}
}

func TestMetricsWhileItLasts(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	i := must[Incident](t)(b.Declare(t.Context(), Declaration{Title: "x", By: ana, Start: w.now().Add(-time.Hour)}, false))
	m := MetricsOf(i, must[[]Entry](t)(b.Timeline(t.Context(), i.ID)), w.now().Add(25*time.Hour))
	if s := span(m.Spans, "resolve"); Took(s.Took) != "1 d 2 h" || !s.Open {
		t.Errorf("resolve %+v", s)
	}
	if s := span(m.Spans, "detect"); s.Took != time.Hour || s.Open {
		t.Errorf("detect %+v", s)
	}
	if s := span(m.BySeverity, "SEV2"); Took(s.Took) != "1 d 1 h" || !s.Open {
		t.Errorf("SEV2 %+v", s)
	}
}

func TestMilestones(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	id := declare(t, b).ID
	w.add(time.Hour)
	set := func(kind, clock, source string) Incident {
		t.Helper()
		return must[Incident](t)(b.SetMilestone(ctx, id, Milestone{Kind: kind, At: utc(t, "2023-02-28", clock), Source: source, By: ana, Text: source}))
	}
	check := func(i Incident, kind, clock, source string, conflicts int) {
		t.Helper()
		m, _ := i.Milestone(kind)
		if !m.At.Equal(utc(t, "2023-02-28", clock)) || m.Source != source || len(i.Conflicts) != conflicts {
			t.Errorf("%s %s %s, conflicts %+v; want %s %s and %d", kind, When(m.At), m.Source, i.Conflicts, clock, source, conflicts)
		}
	}
	check(set(Started, "02:10", "said"), Started, "02:10", "said", 2) // after detected and declared, 01:57
	check(set(Started, "01:50", "said"), Started, "01:50", "said", 0) // corrected
	check(set(Started, "01:40", "measured"), Started, "01:40", "measured", 1)
	check(set(Started, "01:30", "said"), Started, "01:40", "measured", 1)
	check(set(Started, "01:40:30", "said"), Started, "01:40", "measured", 0) // within a minute
	check(set(Started, "01:45", "measured"), Started, "01:40", "measured", 0)
	before := set(Started, "01:40", "measured").Entries
	if after := set(Started, "01:40", "measured").Entries; after != before {
		t.Error("the same milestone again wrote a line")
	}
	check(set(Detected, "01:52", "measured"), Detected, "01:52", "measured", 0)
	check(set(Detected, "01:55", "measured"), Detected, "01:52", "measured", 0)
	check(set(Mitigated, "02:30", "measured"), Mitigated, "02:30", "measured", 0)
	check(set(Mitigated, "02:40", "measured"), Mitigated, "02:40", "measured", 0)
	i := must[Incident](t)(b.ClearMitigated(ctx, id, "esme fails again."))
	if _, set := i.Milestone(Mitigated); set {
		t.Error("cleared, but there")
	}
	if again := must[Incident](t)(b.ClearMitigated(ctx, id, "x")); again.Entries != i.Entries {
		t.Error("cleared twice")
	}
	must[Incident](t)(b.SetStatus(ctx, id, Identified, Change{By: ana}))
	check(set(IdentifiedAt, "02:05", "said"), IdentifiedAt, "02:05", "said", 1) // a person corrects when the button was pressed
	if _, err := b.SetMilestone(ctx, id, Milestone{Kind: "lunch"}); err == nil {
		t.Error("a milestone of no known kind")
	}
	if _, err := b.SetMilestone(ctx, id, Milestone{Kind: Started, Source: "guessed"}); err == nil {
		t.Error("a source of no known kind")
	}
	must[Incident](t)(b.Close(ctx, id, Change{By: ana, Reason: "x"}))
	check(set(Started, "01:20", "said"), Started, "01:40", "measured", 2)
	if _, err := b.SetMilestone(ctx, id, Milestone{Kind: Mitigated, Source: "measured"}); err == nil {
		t.Error("measured after the close")
	}
}
