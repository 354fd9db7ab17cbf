package commands

// This file puts what was measured on an incident's record.

import (
	"context"
	"fmt"
	"slices"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// firstEvidence puts a check into a new incident: the check itself, when the
// failure started and when it was detected.
func (c *call) firstEvidence(ctx context.Context, i incident.Incident, s renew.Standing) (incident.Incident, error) {
	var err error
	if m, ok := startedOf(s); ok && s.Verdict == renew.Critical {
		if i, err = c.d.o.Book.SetMilestone(ctx, i.ID, m); err != nil {
			return i, fmt.Errorf("%s: milestone started: %w", i.ID, err)
		}
	}
	if s.Verdict == renew.Critical && !s.Since.IsZero() {
		m := incident.Milestone{Kind: incident.Detected, At: s.Since, Source: "measured", Text: "first failing check of " + s.Certificate.Name, By: incident.Bot}
		if i, err = c.d.o.Book.SetMilestone(ctx, i.ID, m); err != nil {
			return i, fmt.Errorf("%s: milestone detected: %w", i.ID, err)
		}
	}
	around, err := c.d.around(ctx, s, i)
	if err != nil {
		return i, err
	}
	if err = c.d.checkEntry(ctx, i.ID, s, c.key("check/"+s.Certificate.Name), around); err != nil {
		return i, err
	}
	if err = c.d.knownEvidence(ctx, i.ID, s); err != nil {
		return i, err
	}
	return c.d.o.Book.Incident(ctx, i.ID)
}

// expired sets when the failure started, for an incident that was declared
// before its certificate expired. A measured start stays as it is; one that a
// person said is kept beside it.
func (d *Desk) expired(ctx context.Context, i incident.Incident, s renew.Standing) error {
	if m, set := i.Milestone(incident.Started); set && m.Source == "measured" {
		return nil
	}
	if !slices.ContainsFunc(hostsOf(s.Certificate, s.Reports), func(h seenHost) bool { return h.has("expired") }) {
		return nil
	}
	m, ok := startedOf(s)
	if !ok || m.At.After(d.o.Now()) {
		return nil
	}
	if _, err := d.o.Book.SetMilestone(ctx, i.ID, m); err != nil {
		return fmt.Errorf("%s: milestone started: %w", i.ID, err)
	}
	return nil
}

// startedOf is when a failure began, where there is evidence: the notAfter of
// an expiry; the last good check of a wrong certificate.
func startedOf(s renew.Standing) (incident.Milestone, bool) {
	m := incident.Milestone{Kind: incident.Started, Source: "measured", By: incident.Bot}
	hs := hostsOf(s.Certificate, s.Reports)
	var expired, wrong []seenHost
	for _, h := range hs {
		if h.has("expired") && !h.Leaf.NotAfter.IsZero() {
			expired = append(expired, h)
		}
		if h.has("declared_mismatch") || h.has("name_mismatch") {
			wrong = append(wrong, h)
		}
	}
	switch {
	case len(expired) > 0:
		m.At = earliest(expired)
		n, serial := 0, ""
		for _, h := range expired {
			if h.Leaf.NotAfter.Equal(m.At) {
				n, serial = n+1, h.Leaf.Serial
			}
		}
		m.Text = fmt.Sprintf("notAfter of serial %s, served by %d of %s", serial, n, plural(len(hs), "host"))
		return m, true
	case len(wrong) > 0 && !s.LastGood.IsZero():
		m.At = s.LastGood
		m.Text = "last check with every host good; then another certificate on " + listed(namesOf(wrong), 4)
		return m, true
	}
	return m, false
}

// checkEntry puts a check on a timeline, with what was around when it is the
// first one.
func (d *Desk) checkEntry(ctx context.Context, id string, s renew.Standing, key string, around incident.Around) error {
	now := d.o.Now().UTC()
	at := s.Checked
	if at.IsZero() || at.After(now) {
		at = now
	}
	e := incident.Entry{At: at, By: incident.Bot, Kind: incident.Check, Key: key, Evidence: incident.Evidence{Check: checkEvidence(s)}}
	e.Text, e.Evidence.Check.Around = e.Evidence.Check.Cause, around
	if _, _, _, err := d.o.Book.Append(ctx, id, e); err != nil {
		return fmt.Errorf("%s: check of %s: %w", id, s.Certificate.Name, err)
	}
	return nil
}
