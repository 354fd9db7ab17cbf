package postmortem

import (
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestMajorChecks: of checks that saw no host at all (the name does not
// resolve) a short text has the first alone, as of others.
func TestMajorChecks(t *testing.T) {
	t.Parallel()
	check := func(id string) incident.Entry {
		return incident.Entry{ID: id, Kind: incident.Check, Evidence: incident.Evidence{Check: incident.CheckEvidence{Verdict: "critical"}}}
	}
	v := view{bad: []incident.Entry{check("E-1"), check("E-2")}}
	if !v.major(check("E-1")) || v.major(check("E-2")) {
		t.Errorf("first %t, second %t", v.major(check("E-1")), v.major(check("E-2")))
	}
}
