package commands

import (
	"errors"
	"testing"
	"time"
)

func TestReadDay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC) // a Sunday; in Berlin Monday has begun
	for _, tt := range []struct{ typed, zone, want string }{
		{"2026-12-01", "", "2026-12-01"}, {"2026-11-22", "", "2026-11-22"}, {"fri", "", "2026-11-27"}, {"Friday,", "", "2026-11-27"},
		{"sun", "", "2026-11-29"}, {"mon", "", "2026-11-23"}, {"mon", "Europe/Berlin", "2026-11-30"}, {"today", "Europe/Berlin", "2026-11-23"},
		{"tomorrow", "", "2026-11-23"}, {"3d", "", "2026-11-25"}, {"2w", "", "2026-12-06"}, {"today", "No/Where", "2026-11-22"},
		{"2026-02-30", "", ""}, {"2026-11-21", "", ""}, {"soon", "", ""}, {"fr", "", ""}, {"2026-11-22", "Europe/Berlin", ""},
	} {
		day, _, err := readDay(tt.typed, tt.zone, now)
		got := ""
		if err == nil {
			got = day.Format(time.DateOnly)
		}
		if got != tt.want {
			t.Errorf("%s in %q: %q %v, want %q", tt.typed, tt.zone, got, err, tt.want)
		}
	}
}

// FuzzReadDay: what is read as a day is a midnight not before today; the rest
// is refused with words for people.
func FuzzReadDay(f *testing.F) {
	for _, s := range []string{"fri", "2026-12-01", "9999w", "tomorrow", "0d", "+3d", "\xff", "2026-13-01"} {
		f.Add(s, "Europe/Berlin")
	}
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s, zone string) {
		day, _, err := readDay(s, zone, now)
		var p Problem
		if err != nil {
			if !errors.As(err, &p) || p.Message == "" || p.Hint == "" {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if !day.Equal(day.Truncate(24*time.Hour)) || day.Before(now.Add(-48*time.Hour)) || !looksLikeDay(s) {
			t.Fatalf("%q is %s", s, day)
		}
	})
}
