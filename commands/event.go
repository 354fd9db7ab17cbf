package commands

// This file is where what the engine did becomes a timeline entry and a word
// in the rooms. Every event may come twice: entries carry its key, posts edit
// the message that they made before, milestones keep what they have.

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// mainRoom is where everybody is.
const mainRoom = "main"

// Event takes an event of the renewal engine: it puts it on the timeline of
// every open incident of the certificate, and says what is to be said in the
// rooms. It is safe to be handed the same event twice.
func (d *Desk) Event(ctx context.Context, e renew.Event, post func(Post)) error {
	say := func(room string, r Reply) {
		if post != nil {
			post(Post{Room: room, Reply: clean(r), At: d.o.Now().UTC()})
		}
	}
	name := e.Standing.Certificate.Name
	if e.Kind == renew.EventStep {
		name = e.Step.Certificate
	}
	open, err := d.openFor(ctx, name)
	if err != nil {
		return err
	}
	switch e.Kind {
	case renew.EventStep:
		return d.stepEvent(ctx, e, open, say)
	case renew.EventCheck:
		return d.checkEvent(ctx, e, open, say, post != nil)
	case renew.EventRehearsal:
		return d.rehearsalEvent(ctx, e, open, say)
	}
	return nil // of a newer engine
}

type sayer func(room string, r Reply)

// stepEvent writes a step down and edits the renewal's card.
func (d *Desk) stepEvent(ctx context.Context, e renew.Event, open []incident.Incident, say sayer) error {
	if e.Step.Outcome != renew.Started { // the intent is in the renewal's journal
		entry := d.stepEntry(e)
		for _, i := range open {
			if _, _, _, err := d.o.Book.Append(ctx, i.ID, entry); err != nil {
				return fmt.Errorf("%s: step %d of %s: %w", i.ID, e.Step.Seq, e.Renewal.ID, err)
			}
		}
	}
	if e.More {
		return nil // the card is drawn from the record: the next event edits it for both
	}
	ren, err := d.o.Renewer.Renewal(ctx, e.Renewal.ID)
	if err != nil {
		ren = e.Renewal // as it was
	}
	r, err := d.progressOf(ctx, ren)
	if err != nil {
		return err
	}
	say(mainRoom, withResolve(r, ren, open, mainRoom))
	for _, i := range open {
		say(i.ID, withResolve(r, ren, open, i.ID))
	}
	return nil
}

// withResolve adds the button that comes after a renewal that is done: resolve
// the incident it was for. A private one is named in its own room alone.
func withResolve(r Reply, ren renew.Renewal, open []incident.Incident, room string) Reply {
	if ren.State != renew.Done || ren.Ask.DryRun {
		return r
	}
	for _, i := range open {
		if i.Status.Open() && (!i.Private || i.ID == room) {
			r.Buttons = append([]Button{{Label: "Resolve " + i.ID, Command: "/incident resolve " + i.ID, Style: "primary"}}, r.Buttons...)
			break
		}
	}
	return r
}

// rooms are main and the rooms of the open incidents.
func rooms(open []incident.Incident) []string {
	out := []string{mainRoom}
	for _, i := range open {
		out = append(out, i.ID)
	}
	return out
}

// stepEntry is a step as a line of the timeline.
func (d *Desk) stepEntry(e renew.Event) incident.Entry {
	s := e.Step
	by := incident.Person{ID: s.By.ID, Name: s.By.Name, Platform: s.By.Platform}
	if by == (incident.Person{}) {
		by = incident.Bot
	}
	text := s.Text
	if text == "" {
		text = strings.TrimSpace(s.Kind + " " + s.Host + " " + s.Outcome)
	}
	entry := incident.Entry{At: d.notLater(s.At), By: by, Kind: incident.RenewalStep, Key: e.Key, Text: s.Renewal + ": " + text}
	switch s.Kind {
	case renew.StepAsk, renew.StepApproval:
		entry.Kind = incident.Approval
		entry.Evidence.Approval = d.approvalEvidence(e)
		if s.Kind == renew.StepAsk && e.Renewal.Ask.Reason != "" && !strings.Contains(text, e.Renewal.Ask.Reason) {
			entry.Text += " Reason: " + e.Renewal.Ask.Reason
		}
		return entry
	case renew.StepDeploy, renew.StepVerify, renew.StepRollback:
		entry.Kind = incident.Deploy
	}
	entry.Evidence.Step = stepEvidence(e, d.challengeOf(e.Renewal))
	return entry
}

// notLater keeps a time from lying ahead of the record's clock.
func (d *Desk) notLater(t time.Time) time.Time {
	if now := d.o.Now().UTC(); t.IsZero() || t.After(now) {
		return now
	}
	return t
}

func (d *Desk) challengeOf(r renew.Renewal) string {
	if r.Ask.Challenge != "" {
		return r.Ask.Challenge
	}
	if cert, ok := d.o.Renewer.Inventory().Certificate(r.Ask.Certificate); ok && len(cert.Challenges) > 0 {
		return cert.Challenges[0].Type
	}
	return ""
}

func stepEvidence(e renew.Event, challenge string) incident.StepEvidence {
	s := e.Step
	done, wave := 0, 0
	for _, h := range e.Renewal.Hosts {
		if h.State == renew.HostVerified {
			done++
		}
		if h.Host == s.Host && s.Host != "" {
			wave = h.Wave + 1
		}
	}
	issuer := s.After.Issuer
	if issuer == "" {
		issuer = e.Renewal.Issued.Issuer
	}
	order := s.Order
	if order == "" {
		order = e.Renewal.Order
	}
	return incident.StepEvidence{Renewal: s.Renewal, Certificate: s.Certificate, Step: s.Kind, Outcome: s.Outcome, Host: s.Host, Order: order, Challenge: challenge,
		BeforeSHA256: s.Before.SHA256, BeforeSerial: s.Before.Serial, BeforeUntil: s.Before.NotAfter,
		AfterSHA256: s.After.SHA256, AfterSerial: s.After.Serial, AfterUntil: s.After.NotAfter,
		Issuer: issuer, Took: s.Took, Output: s.Output, HostsDone: done, Hosts: len(e.Renewal.Hosts), Wave: wave}
}

func (d *Desk) approvalEvidence(e renew.Event) incident.ApprovalEvidence {
	a := incident.ApprovalEvidence{Renewal: e.Step.Renewal, Asked: e.Renewal.Asked, AskedBy: who(e.Renewal.Ask.By.Name)}
	cert, _ := d.o.Renewer.Inventory().Certificate(e.Renewal.Ask.Certificate)
	switch {
	case len(cert.Approval.Teams) == 0:
		a.Decision = "not needed"
	case e.Step.Kind == renew.StepAsk:
		a.Decision = "asked"
	case e.Step.Outcome == renew.Bad || e.Renewal.State == renew.Denied:
		a.Decision, a.By = "denied", who(e.Step.By.Name)
	case e.Step.Outcome == renew.Skipped:
		a.Decision = "not needed"
	case e.Step.Outcome == renew.OK:
		a.Decision, a.By = "approved", who(e.Step.By.Name)
	default:
		a.Decision = "asked"
	}
	a.Reason = e.Step.Text
	if a.Decision == "asked" || a.Decision == "not needed" {
		a.Reason = e.Renewal.Ask.Reason
	}
	return a
}

// checkEvent writes a check down, sets the milestones that it proves, and says
// in main when a certificate began to fail or is good again.
func (d *Desk) checkEvent(ctx context.Context, e renew.Event, open []incident.Incident, say sayer, posted bool) error {
	for n, i := range open {
		if err := d.checkEntry(ctx, i.ID, e.Standing, e.Key, incident.Around{}); err != nil {
			return err
		}
		if late, ok := overdueEntry(e.Standing, d.o.Now().UTC()); ok {
			if err := d.appendAll(ctx, i.ID, []incident.Entry{late}); err != nil {
				return err
			}
		}
		after, err := d.measured(ctx, e, i)
		if err != nil {
			return err
		}
		open[n] = after
	}
	if r, ok := d.alert(e, open); ok {
		say(mainRoom, r)
		for _, i := range open {
			r.Public = true
			say(i.ID, r)
		}
		if e.Standing.Verdict == renew.Critical && posted {
			return d.alerted(ctx, e.Standing)
		}
	}
	return nil
}

// measured sets the milestones that a check proves for one incident.
func (d *Desk) measured(ctx context.Context, e renew.Event, i incident.Incident) (incident.Incident, error) {
	s := e.Standing
	if !i.Status.Open() {
		return i, nil
	}
	m, was := i.Milestone(incident.Mitigated)
	if s.Verdict == renew.Critical {
		if err := d.expired(ctx, i, s); err != nil {
			return i, err
		}
		if !s.Since.IsZero() {
			det := incident.Milestone{Kind: incident.Detected, At: d.notLater(s.Since), Source: "measured", Text: "first failing check of " + s.Certificate.Name, By: incident.Bot}
			if _, err := d.o.Book.SetMilestone(ctx, i.ID, det); err != nil {
				return i, fmt.Errorf("%s: milestone detected: %w", i.ID, err)
			}
		}
		if was && s.Checked.After(m.At) {
			if _, err := d.o.Book.ClearMitigated(ctx, i.ID, diagnosis(s.Certificate.Name, s.Certificate, s.Reports, time.Time{})); err != nil {
				return i, fmt.Errorf("%s: take mitigated away: %w", i.ID, err)
			}
		}
		return d.o.Book.Incident(ctx, i.ID)
	}
	good, err := d.allGood(ctx, i, s)
	if err != nil || good == nil {
		return i, err
	}
	if err := d.mitigated(ctx, i, good); err != nil {
		return i, err
	}
	return d.o.Book.Incident(ctx, i.ID)
}

// allGood returns the standings of an incident's certificates when none of
// them fails now; nil when one does. What the event says is newer or as new as
// the record unless the record says it fails: then the event is an old one.
func (d *Desk) allGood(ctx context.Context, i incident.Incident, s renew.Standing) ([]renew.Standing, error) {
	all, err := d.o.Renewer.Estate(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the estate: %w", err)
	}
	var out []renew.Standing
	for _, name := range i.Certificates {
		now := renew.Standing{}
		for _, o := range all {
			if o.Certificate.Name == name {
				now = o
			}
		}
		if name == s.Certificate.Name && !now.Checked.After(s.Checked) {
			now = s
		}
		if len(failingNow(now)) > 0 {
			return nil, nil
		}
		out = append(out, now)
	}
	return out, nil
}

// rehearsalEvent says in main when a renewal would fail, or would work again.
func (d *Desk) rehearsalEvent(ctx context.Context, e renew.Event, open []incident.Incident, say sayer) error {
	s := e.Standing
	name := s.Certificate.Name
	bad := rehearsalBad(s)
	r := rehearsal(s)
	r.Public = true
	if bad {
		r.Key = fmt.Sprintf("rehearsal/%s/%d", name, s.RehearsedOK.Unix())
	} else {
		r.Key = fmt.Sprintf("rehearsal/%s/good/%d", name, s.Rehearsed.Unix())
		r.Headline = name + " could be renewed again: every level of the rehearsal is good."
	}
	r.Facts = []Fact{{"rehearsed", stamp(s.Rehearsed)}, {"last good", lastGoodRehearsal(s)}, {"time left", timeLeft(s, d.o.Now())}, {"owner", orNone(s.Certificate.Owner)}}
	r.Buttons = []Button{planButton(s, "Renewal plan"), {Label: "Rehearse", Command: "/certcheck rehearse " + name}}
	for _, i := range open {
		if err := d.appendAll(ctx, i.ID, d.rehearsalEntries(s)); err != nil {
			return err
		}
	}
	for _, room := range rooms(open) {
		say(room, r)
	}
	return nil
}
