package commands

// This file knows how long a renewal and its phases took: by the clock on the
// wall, so that hosts that are served side by side count once and no phase is
// longer than the whole.

import (
	"time"

	"github.com/certmedic/certmedic/renew"
)

// stepsOf are the steps of a phase without the notes. Those of a rollout are
// the deploys and their verifying; of one that was rolled back the way back,
// where it is journaled.
func stepsOf(p phase, r renew.Renewal, steps []renew.Step) (out []renew.Step) {
	var back []renew.Step
	for _, s := range steps {
		switch {
		case s.Outcome == renew.Note:
		case s.Kind == p.kind, p.kind == renew.StepDeploy && s.Kind == renew.StepVerify:
			out = append(out, s)
		case p.kind == renew.StepDeploy && s.Kind == renew.StepRollback:
			out, back = append(out, s), append(back, s)
		}
	}
	if r.State == renew.RolledBack && len(back) > 0 {
		return back
	}
	return out
}

// spent is how long a phase took: a rollout from the start of its first step
// to the end of its last, the others while one of their steps ran. The wait
// for an approval comes before the whole; its fact says how long it was.
func spent(p phase, steps []renew.Step) time.Duration {
	if p.kind == renew.StepApproval {
		return 0
	}
	var sum time.Duration
	var first, until time.Time
	for _, s := range steps {
		from := s.At.Add(-s.Took) // of a started one: when it started
		if first.IsZero() || from.Before(first) {
			first = from
		}
		if s.Outcome == renew.Started {
			continue
		}
		if from.Before(until) {
			from = until
		}
		if s.At.After(from) {
			sum += s.At.Sub(from)
		}
		if s.At.After(until) {
			until = s.At
		}
	}
	if p.kind == renew.StepDeploy && !until.IsZero() {
		return until.Sub(first)
	}
	return sum
}

// whole is how long a renewal took: from its approval, or from when it was
// asked where none is on record, to its end.
func whole(r renew.Renewal, steps []renew.Step) time.Duration {
	from, to := r.Approved, r.Ended
	if from.IsZero() {
		from = r.Asked
	}
	for _, s := range steps { // the last may be journaled a moment after the end
		if s.Took > 0 && s.At.After(to) {
			to = s.At
		}
	}
	return to.Sub(from)
}

// timed is a duration behind a word, "" when it is not known.
func timed(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return " (" + took(d) + ")"
}
