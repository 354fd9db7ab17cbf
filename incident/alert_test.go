package incident

import (
	"errors"
	"testing"
	"time"
)

func TestAlerts(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx := t.Context()
	if a, found, err := b.LastAlert(ctx, "media"); found || err != nil {
		t.Fatal(a, found, err)
	}
	first := w.now()
	keep := func(key string) PostedAlert {
		t.Helper()
		return must[PostedAlert](t)(b.KeepAlert(ctx, PostedAlert{Certificate: "media", Room: "main", Key: key, Text: "media expired\non 4 of 4 hosts."}))
	}
	keep("alert/media/1")
	w.add(time.Minute)
	if a := keep("alert/media/1"); !a.At.Equal(first) {
		t.Errorf("the same alert again moved to %s", a.At)
	}
	if a, found, err := b.LastAlert(ctx, "media"); !found || err != nil || !a.At.Equal(first) || a.Text != "media expired on 4 of 4 hosts." || a.Room != "main" {
		t.Errorf("%+v %v %v", a, found, err)
	}
	if _, found, _ := b.LastAlert(ctx, "med"); found {
		t.Error("another certificate's alert")
	}
	keep("alert/media/2")
	if a, _, _ := b.LastAlert(ctx, "media"); a.Key != "alert/media/2" || !a.At.Equal(w.now()) {
		t.Errorf("of a later failure: %+v", a)
	}
	if _, err := b.KeepAlert(ctx, PostedAlert{Certificate: "media"}); !errors.Is(err, ErrState) {
		t.Error(err)
	}

	declare(t, b)
	a, _, _ := b.LastAlert(ctx, "media")
	for n := range 2 {
		e, added, _, err := b.Append(ctx, "INC-1", a.Entry())
		if err != nil || added != (n == 0) || e.Kind != Alert || e.Evidence.Alert.Room != "main" || !e.At.Equal(a.At) {
			t.Errorf("%+v %v %v", e, added, err)
		}
	}
	if list := must[[]Entry](t)(b.Timeline(ctx, "INC-1")); len(list) != 2 {
		t.Errorf("%d lines", len(list))
	}
}

// TestMilestoneLine: the line has its time already, and an earlier value is
// only worth saying when people can see the difference.
func TestMilestoneLine(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	declare(t, b)
	at := w.now().Add(-300 * time.Millisecond)
	said := func(m Milestone) string {
		t.Helper()
		must[Incident](t)(b.SetMilestone(t.Context(), "INC-1", m))
		h := must[[]Entry](t)(b.History(t.Context(), "INC-1"))
		return h[len(h)-1].Text
	}
	for _, c := range []struct {
		m    Milestone
		want string
	}{
		{Milestone{Kind: Detected, At: at, Source: "measured", Text: "first failing check of media"}, "Detected: first failing check of media."},
		{Milestone{Kind: Detected, At: at.Add(-time.Second), Source: "measured", Text: "first failing check of api"}, "Detected: first failing check of api. Was 2023-02-28 01:56:59 UTC."},
		{Milestone{Kind: Started, At: at.Add(-time.Minute), Source: "said", By: ana}, "Started: said by ana."},
		{Milestone{Kind: Started, At: at.Add(-time.Minute - 10*time.Millisecond), Source: "measured", Text: "notAfter of serial 1a"}, "Started: notAfter of serial 1a."},
		{Milestone{Kind: Started, At: at.Add(-time.Hour), Source: "said", By: ben}, "Started: said by ben. On record as 2023-02-28 01:55:59 UTC, measured (notAfter of serial 1a), which counts."},
	} {
		if got := said(c.m); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
