package web

import (
	"testing"
	"time"
)

// Lengths of time read the same on all pages; at a border the larger unit is used.
func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Millisecond: "999 ms", time.Second: "1.0 s", 9940 * time.Millisecond: "9.9 s", 10 * time.Second: "10 s", 59 * time.Second: "59 s",
		time.Minute: "1 min", 90 * time.Second: "1 min 30 s", time.Hour - time.Second: "59 min 59 s", time.Hour: "1 h", 25 * time.Hour / 2: "12 h 30 min",
		24*time.Hour - time.Minute: "23 h 59 min", 24 * time.Hour: "1 d", 25 * time.Hour: "1 d 1 h", 14*24*time.Hour - time.Hour: "13 d 23 h", 14 * 24 * time.Hour: "14 d", 90 * 24 * time.Hour: "90 d",
		-time.Minute: "−1 min",
	} {
		if got := took(d); got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time][2]string{
		{}:                        {"never", "not known"},
		now:                       {"now", "ended 0 ms ago"},
		now.Add(-time.Minute):     {"1 min ago", "ended 1 min ago"},
		now.Add(3 * time.Hour):    {"in 3 h", "3 h left"},
		now.Add(-time.Second):     {"1.0 s ago", "ended 1.0 s ago"},
		now.Add(-time.Second + 1): {"now", "ended 999 ms ago"},
	} {
		if got := [2]string{ago(at, now), left(at, now)}; got != want {
			t.Errorf("%v: %q", at, got)
		}
	}
}
