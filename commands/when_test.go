package commands

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var winter = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

func TestReadTime(t *testing.T) {
	t.Parallel()
	summer := time.Date(2026, 8, 10, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		text, zone string
		now        time.Time
		want       string // RFC 3339, or a Problem's code, or "not"
		read, warn string // have to be in them
	}{
		{"14:05", "", winter, "2026-11-22T14:05:00Z", "no zone was typed, so UTC", ""},
		{"14:05Z", "Europe/Berlin", winter, "2026-11-22T14:05:00Z", "2026-11-22 14:05:00 UTC", ""},
		{"14:05", "Europe/Berlin", winter, "2026-11-22T13:05:00Z", "your zone Europe/Berlin, 2026-11-22 14:05 +01:00", ""},
		{"15:29", "Europe/Berlin", winter, "2026-11-22T14:29:00Z", "", ""},
		{"14:05 CET", "", winter, "2026-11-22T13:05:00Z", "", ""},
		{"14:05 cet", "", winter, "2026-11-22T13:05:00Z", "", ""},
		{"14:31", "", winter, "2026-11-21T14:31:00Z", "2026-11-21", ""}, // still to come: yesterday's
		{"23:59:59", "", winter, "2026-11-21T23:59:59Z", "", ""},
		{"00:10", "America/New_York", winter, "2026-11-22T05:10:00Z", "", ""},
		{"2026-11-21 14:05+01:00", "", winter, "2026-11-21T13:05:00Z", "", ""},
		{"2026-11-21T14:05:06Z", "", winter, "2026-11-21T14:05:06Z", "", ""},
		{"2026-11-21T14:05:06.123+05:30", "", winter, "2026-11-21T08:35:06Z", "", ""},
		{"2026-11-21 14:05 -0500", "", winter, "2026-11-21T19:05:00Z", "", ""},
		{"2026-11-21 14:05", "Asia/Tokyo", winter, "2026-11-21T05:05:00Z", "Asia/Tokyo", ""},
		{"14:05 Europe/Berlin", "", winter, "2026-11-22T13:05:00Z", "", ""},
		{"yesterday 14:05", "", winter, "2026-11-21T14:05:00Z", "", ""},
		{"yesterday 14:05Z", "", winter, "2026-11-21T14:05:00Z", "", ""},
		{"today 14:05", "", winter, "2026-11-22T14:05:00Z", "", ""},
		{"today 14:35", "", winter, "future", "", ""},
		{"-20m", "Europe/Berlin", winter, "2026-11-22T14:10:00Z", "", ""},
		{"−20min", "", winter, "2026-11-22T14:10:00Z", "", ""},
		{"-1h30m", "", winter, "2026-11-22T13:00:00Z", "", ""},
		{"-2d", "", winter, "2026-11-20T14:30:00Z", "", ""},
		{"now", "", winter, "2026-11-22T14:30:00Z", "", ""},
		{"14:05 EST", "", summer, "2026-08-09T19:05:00Z", "", "EST was not in use on 2026-08-09: America/New_York had EDT (-04:00)"},
		{"07:05 EDT", "", summer, "2026-08-10T11:05:00Z", "", ""},
		{"07:05 ET", "", summer, "2026-08-10T11:05:00Z", "", ""},
		{"2026-11-21 14:05 CEST", "", winter, "2026-11-21T12:05:00Z", "", "CEST was not in use on 2026-11-21"},
		{"2026-03-29 02:30", "Europe/Berlin", summer, "2026-03-29T01:30:00Z", "", "did not exist"},
		{"2026-10-25 02:30", "Europe/Berlin", winter, "2026-10-25T01:30:00Z", "", "twice"},
		{"2026-03-08 02:30", "America/New_York", summer, "2026-03-08T07:30:00Z", "", "did not exist"},
		{"2025-11-02 01:30", "America/New_York", summer, "2025-11-02T06:30:00Z", "", "twice"},
		{"2026-03-08 03:00", "America/New_York", summer, "2026-03-08T07:00:00Z", "", ""},
		{"2025-10-05 02:15", "Australia/Lord_Howe", summer, "2025-10-04T15:45:00Z", "", "did not exist"}, // half an hour is left out there
		{"2025-10-05 02:30", "Australia/Lord_Howe", summer, "2025-10-04T15:30:00Z", "", ""},
		{"2026-04-05 01:45", "Australia/Lord_Howe", summer, "2026-04-04T15:15:00Z", "", "twice"},
		{"2026-04-05 02:00", "Australia/Lord_Howe", summer, "2026-04-04T15:30:00Z", "", ""},
		{"14:05", "Mars/Olympus", winter, "2026-11-22T14:05:00Z", "Mars/Olympus is not known here", ""},
		{"14:05 IST", "", winter, "bad_time", "", ""},
		{"2026-11-22 14:31", "", winter, "future", "", ""},
		{"2027-01-01T00:00:00Z", "", winter, "future", "", ""},
		{"24:00", "", winter, "bad_time", "", ""},
		{"12:60", "", winter, "bad_time", "", ""},
		{"2026-02-30 12:00", "", winter, "bad_time", "", ""},
		{"2026-11-21", "", winter, "bad_time", "", ""},
		{"14:05+25:00", "", winter, "bad_time", "", ""},
		{"-999999999999d", "", winter, "bad_time", "", ""},
		{"14:05 MEDIA", "", winter, "not", "", ""},
		{"half past two", "", winter, "not", "", ""},
		{"", "", winter, "not", "", ""},
	}
	for _, c := range cases {
		w, err := readTime(c.text, c.zone, c.now, false)
		got := w.at.Format(time.RFC3339)
		var p Problem
		switch {
		case errors.Is(err, errNotTime):
			got = "not"
		case errors.As(err, &p):
			got = p.Code
			if p.Message == "" || p.Hint == "" {
				t.Errorf("%q: Problem without words: %+v", c.text, p)
			}
		}
		if got != c.want {
			t.Errorf("%q in %q: %s (%v), want %s", c.text, c.zone, got, err, c.want)
		}
		if !strings.Contains(w.read, c.read) || !strings.Contains(w.warn, c.warn) || c.warn == "" && w.warn != "" {
			t.Errorf("%q in %q: read %q, warned %q; want %q, %q", c.text, c.zone, w.read, w.warn, c.read, c.warn)
		}
	}
}

func TestReadTimePlan(t *testing.T) {
	t.Parallel()
	w, err := readTime("15:00", "", winter, true)
	if err != nil || !w.at.Equal(time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)) {
		t.Errorf("planned 15:00: %v, %v", w.at, err)
	}
}

func FuzzReadTime(f *testing.F) {
	for _, s := range []string{"14:05", "14:05 CET", "2026-11-21 14:05+01:00", "-20m", "yesterday 14:05", "now", "9:5", "-1h30m", "12:00 ../../etc/passwd", "12:00 Europe/Berlin"} {
		f.Add(s, "Europe/Berlin", false)
	}
	f.Fuzz(func(t *testing.T, s, zone string, plan bool) {
		w, err := readTime(s, zone, winter, plan)
		if err != nil {
			var p Problem
			if !errors.Is(err, errNotTime) && (!errors.As(err, &p) || p.Hint == "") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if !plan && w.at.After(winter) {
			t.Fatalf("%q is in the future: %v", s, w.at)
		}
		if w.at.IsZero() || w.read == "" || w.at.Location() != time.UTC {
			t.Fatalf("%q: %+v", s, w)
		}
	})
}
