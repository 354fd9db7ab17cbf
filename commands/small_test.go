package commands

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// TestTemporaryChangeMadeJustNow: the record refuses a close because of a
// temporary change that was not there when the incident was read.
func TestTemporaryChangeMadeJustNow(t *testing.T) {
	t.Parallel()
	c, i := &call{v: lookup("incident close")}, incident.Incident{ID: "INC-1"}
	for _, err := range []error{c.bookError(i, incident.ErrTemps), c.leaveError(i, incident.ErrTemps)} {
		var p Problem
		if !errors.As(err, &p) || p.Code != "temps_open" || p.Hint == "" {
			t.Errorf("%+v", err)
		}
	}
}

// TestSeenAfterAFailure: an answer that came at the second try is kept as long
// as any other.
func TestSeenAfterAFailure(t *testing.T) {
	t.Parallel()
	var s seen
	ctx, asked := context.Background(), 0
	ask := func(id, code string) {
		s.once(ctx, id, func() Reply { asked++; return Reply{Problem: Problem{Code: code}} })
	}
	ask("a", "internal")
	ask("a", "")
	for n := range maxSeen - 1 {
		ask(fmt.Sprint("b", n), "")
	}
	before := asked
	if ask("a", ""); asked != before {
		t.Error("it was asked again")
	}
	if len(s.order) != len(s.byID) {
		t.Errorf("%d in order, %d kept", len(s.order), len(s.byID))
	}
}
