package commands

// This file puts on an incident's timeline what was known before anybody
// declared it: since when the renewal is overdue, what the last rehearsal
// said, which alert went out. All of it at its own time, and each once: the
// keys are the same when the engine tells of it again.

import (
	"context"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// maxFaults is how many failed levels of a rehearsal an entry keeps.
const maxFaults = 20

// knownEvidence appends what the record of a certificate knows already.
func (d *Desk) knownEvidence(ctx context.Context, id string, s renew.Standing) error {
	var es []incident.Entry
	if e, ok := overdueEntry(s, d.o.Now().UTC()); ok {
		es = append(es, e)
	}
	if rehearsalBad(s) {
		es = append(es, d.rehearsalEntries(s)...)
	}
	if s.Verdict == renew.Critical {
		a, found, err := d.o.Book.LastAlert(ctx, s.Certificate.Name)
		if err != nil {
			return fmt.Errorf("%s: last alert of %s: %w", id, s.Certificate.Name, err)
		}
		if found && a.Key == alertKey(s) { // of this failure, not of an earlier one
			es = append(es, a.Entry())
		}
	}
	return d.appendAll(ctx, id, es)
}

func (d *Desk) appendAll(ctx context.Context, id string, es []incident.Entry) error {
	for _, e := range es {
		e.At = d.notLater(e.At)
		if _, _, _, err := d.o.Book.Append(ctx, id, e); err != nil {
			return fmt.Errorf("%s: %s: %w", id, e.Key, err)
		}
	}
	return nil
}

// overdueSince is when the renewal window ended without a renewal; zero when
// it did not, or when the end is not known.
func overdueSince(s renew.Standing) time.Time {
	if s.Overdue && !s.Window.End.IsZero() {
		return s.Window.End
	}
	for _, r := range s.Reports {
		for _, f := range r.All() {
			if f.ID != "renewal_overdue" {
				continue
			}
			for _, form := range []string{"2006-01-02 15:04:05 UTC", time.RFC3339} {
				if t, err := time.Parse(form, f.Proof["overdue_at"]); err == nil {
					return t.UTC()
				}
			}
		}
	}
	return time.Time{}
}

// overdueEntry is the renewal that did not come, at the moment it should have.
func overdueEntry(s renew.Standing, now time.Time) (incident.Entry, bool) {
	since := overdueSince(s)
	if since.IsZero() || since.After(now) {
		return incident.Entry{}, false
	}
	name := s.Certificate.Name
	cause := fmt.Sprintf("The renewal of %s was overdue from here on: its window ended and nothing newer was served.", name)
	return incident.Entry{At: since, By: incident.Bot, Kind: incident.Check, Key: fmt.Sprintf("overdue/%s/%d", name, since.Unix()), Text: cause,
		Evidence: incident.Evidence{Check: incident.CheckEvidence{Certificate: name, Verdict: string(renew.Warning), Cause: cause, Overdue: since}}}, true
}

// rehearsalEntries are the last rehearsal and, when that one was bad, the last
// good one before it.
func (d *Desk) rehearsalEntries(s renew.Standing) []incident.Entry {
	name, bad := s.Certificate.Name, badProofs(s.Rehearsal)
	key := func(t time.Time) string { return fmt.Sprintf("rehearsal/%s/%d", name, t.UnixNano()) }
	ev := incident.RehearsalEvidence{Certificate: name, OK: len(bad) == 0, LastGood: s.RehearsedOK}
	if s.Rehearsed.IsZero() {
		return nil
	}
	last := incident.Entry{At: s.Rehearsed, By: incident.Bot, Kind: incident.Rehearsal, Key: key(s.Rehearsed),
		Text: fmt.Sprintf("The rehearsal of %s was good: it could have been renewed.", name), Evidence: incident.Evidence{Rehearsal: ev}}
	if ev.OK {
		return []incident.Entry{last}
	}
	for _, p := range bad[:min(len(bad), maxFaults)] {
		ev.Faults = append(ev.Faults, faultOf(p))
	}
	last.Evidence.Rehearsal = ev
	last.Text = fmt.Sprintf("The rehearsal of %s failed with %s: %s", name, bad[0].Level, end(proofText(bad[0])))
	if s.RehearsedOK.IsZero() {
		last.Text += " It never worked before."
		return []incident.Entry{last}
	}
	last.Text += " The last one that worked was at " + stamp(s.RehearsedOK) + "."
	good := incident.Entry{At: s.RehearsedOK, By: incident.Bot, Kind: incident.Rehearsal, Key: key(s.RehearsedOK),
		Text:     fmt.Sprintf("The rehearsal of %s was good, for the last time: it could have been renewed.", name),
		Evidence: incident.Evidence{Rehearsal: incident.RehearsalEvidence{Certificate: name, OK: true, LastGood: s.RehearsedOK}}}
	return []incident.Entry{good, last}
}

func faultOf(p renew.Proof) incident.RehearsalFault {
	f := incident.RehearsalFault{Level: p.Level, Subject: oneLine(p.Subject), Finding: p.Finding.ID, Cause: clip(oneLine(proofText(p)), 400)}
	for _, k := range []string{"failed", "address"} {
		if f.Addresses == "" {
			f.Addresses = clip(oneLine(p.Finding.Proof[k]), 400)
		}
	}
	return f
}

// alertKey is the same for every alert about one failure.
func alertKey(s renew.Standing) string {
	return fmt.Sprintf("alert/%s/%d", s.Certificate.Name, s.Since.Unix())
}

// alerted keeps an alert that was just posted in main, and puts it on the
// timelines of the incidents open by now: one may have been declared while it
// was posted.
func (d *Desk) alerted(ctx context.Context, s renew.Standing) error {
	name := s.Certificate.Name
	a, err := d.o.Book.KeepAlert(ctx, incident.PostedAlert{Certificate: name, Room: mainRoom, Key: alertKey(s), At: d.o.Now().UTC(), Text: checkEvidence(s).Cause})
	if err != nil {
		return fmt.Errorf("keep the alert of %s: %w", name, err)
	}
	open, err := d.openFor(ctx, name)
	if err != nil {
		return err
	}
	for _, i := range open {
		if err := d.appendAll(ctx, i.ID, []incident.Entry{a.Entry()}); err != nil {
			return err
		}
	}
	return nil
}
