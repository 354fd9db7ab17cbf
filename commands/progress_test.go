package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// TestPhasesWithinTheWhole: three hosts of one wave are deployed to side by
// side; the card counts that time once.
func TestPhasesWithinTheWhole(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	step := func(kind, host, outcome string, end, took int) renew.Step {
		return renew.Step{Kind: kind, Host: host, Outcome: outcome, At: at(end), Took: time.Duration(took) * time.Millisecond}
	}
	steps := []renew.Step{step(renew.StepPreflight, "", renew.Started, 10, 0), step(renew.StepPreflight, "", renew.OK, 60, 50)}
	hosts := []string{"a", "b", "c"}
	for n, h := range hosts {
		steps = append(steps, step(renew.StepDeploy, h, renew.Started, 100+n, 0))
	}
	for n, h := range hosts {
		steps = append(steps, step(renew.StepDeploy, h, renew.OK, 250+n, 150), step(renew.StepVerify, h, renew.Started, 250+n, 0))
	}
	for n, h := range hosts {
		steps = append(steps, step(renew.StepVerify, h, renew.OK, 420+n, 170))
	}
	steps = append(steps, step(renew.StepVerifyAll, "", renew.Started, 430, 0), step(renew.StepVerifyAll, "", renew.OK, 514, 84), step(renew.StepEnd, "", renew.OK, 514, 0))
	r := renew.Renewal{ID: "R-1", State: renew.Done, Asked: start.Add(-time.Hour), Approved: at(0), Ended: at(513)}
	for _, h := range hosts {
		r.Hosts = append(r.Hosts, renew.HostState{Host: h, State: renew.HostVerified})
	}
	p := progress(r, steps, renew.Certificate{Name: "media"}, at(600))
	var lines []string
	for _, l := range p.Steps {
		lines = append(lines, l.Text)
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{"rollout: done (322 ms)", "preflight: done (50 ms)", "every host verified: done (84 ms)"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if f := p.Facts[len(p.Facts)-1]; f != (Fact{"took", "514 ms"}) {
		t.Errorf("the whole: %+v", f)
	}
	r.State = renew.RolledBack // an hour later
	r.Ended = at(3_600_900)
	steps = append(steps, step(renew.StepRollback, "a", renew.Started, 3_600_000, 0), step(renew.StepRollback, "a", renew.OK, 3_600_800, 800))
	for _, l := range progress(r, steps, renew.Certificate{Name: "media"}, at(3_601_000)).Steps {
		if strings.HasPrefix(l.Text, "rollout") && l.Text != "rollout: rolled back (800 ms)" {
			t.Error(l.Text)
		}
	}
}
