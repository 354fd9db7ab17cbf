package incident_test

import (
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// TestTallyOfPrivate: private incidents count, and neither their cause nor
// their owner is told by the numbers.
func TestTallyOfPrivate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	rows := []incident.Number{{Declared: now.Add(-time.Hour), Severity: 1, Cause: "key leaked", Owner: "payments", Private: true}, {Declared: now.Add(-time.Hour), Severity: 2, Cause: "expired", Owner: "web"}}
	for by, want := range map[string][]string{incident.ByCause: {"expired", "private"}, incident.ByOwner: {"private", "web"}} {
		got := incident.TallyOf(rows, by, time.Time{}, now)
		names := map[string]int{}
		for _, g := range got.Groups {
			names[g.Name] = g.Count
		}
		if got.Total.Count != 2 || len(names) != 2 || names[want[0]] != 1 || names[want[1]] != 1 {
			t.Errorf("%s: %+v", by, names)
		}
	}
}
