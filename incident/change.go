package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// In this file: status, severity, commander, impact, resolve and close, with
// their gates.

// Change is a change of an incident by a person.
type Change struct {
	By     Person
	Text   string    // goes on the timeline with it
	Reason string    // for going back in status, or doing it anyway
	At     time.Time // zero: now
	Link   string
	Key    string // the same key changes once

	Publish bool // Close: the postmortem is to be published, unless it is private
}

// statuses that SetStatus knows, in order.
var statuses = []Status{Investigating, Identified, Monitoring, Resolved}

// SetStatus moves to investigating, identified or monitoring, from any status
// but a final one; to resolved see Resolve. Going back needs a reason
// (ErrReason). From resolved it reopens the incident: the milestone resolved
// is taken away, its lines stay. The status that it has already changes
// nothing; what was said with it is a note.
func (b *Book) SetStatus(ctx context.Context, id string, to Status, c Change) (Incident, error) {
	if !to.Open() {
		return Incident{}, fmt.Errorf("status %.40q is not investigating, identified or monitoring: %w", to, ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := Status(p.r.Status)
		if from == to {
			return p.remark(c)
		}
		if err := p.notOver(); err != nil {
			return err
		}
		if slices.Index(statuses, to) < slices.Index(statuses, from) && blank(c.Reason) {
			return fmt.Errorf("back from %s to %s: %w", from, to, ErrReason)
		}
		if from == Resolved {
			p.r.unclaim(ResolvedAt)
		}
		if _, set := p.r.used(IdentifiedAt); to == Identified && !set {
			p.derive(IdentifiedAt, c, "status set to identified by "+c.By.Name)
		}
		return p.setStatus(to, c, fmt.Sprintf("Status: %s, was %s.", p.names.Of(to), p.names.Of(from)))
	})
}

// remark writes what was said with a change to what is so already: nothing
// that a person said is lost. Nothing said is no line.
func (p *page) remark(c Change) error {
	text := strings.TrimSpace(c.Text)
	if !blank(c.Reason) {
		text = strings.TrimSpace(text + " Reason: " + strings.TrimSpace(c.Reason) + ".")
	}
	if text == "" {
		return nil
	}
	c.Text = ""
	return p.note(c, NoteKind, text, ChangeEvidence{})
}

// setStatus changes the status and writes its line.
func (p *page) setStatus(to Status, c Change, text string) error {
	from := p.r.Status
	p.r.Status = string(to)
	if !blank(c.Reason) {
		text += " Reason: " + strings.TrimSpace(c.Reason) + "."
	}
	return p.note(c, StatusKind, text, ChangeEvidence{What: "status", From: from, To: string(to)})
}

// status is what people call the status.
func (p *page) status() string { return p.names.Of(Status(p.r.Status)) }

// derive claims a milestone from an act. A time that the person gave is said.
func (p *page) derive(kind string, c Change, text string) {
	source := sourceDerived
	if !c.At.IsZero() {
		source = sourceSaid
	}
	p.r.claim(Milestone{Kind: kind, At: p.at, Recorded: p.now, Source: source, Text: oneLine(text, maxText), By: cleanPerson(c.By)})
}

func (p *page) notOver() error {
	if s := Status(p.r.Status); s.over() {
		return fmt.Errorf("it is %s: %w", s, ErrState)
	}
	return nil
}

// SetSeverity sets severity 1 to 4.
func (b *Book) SetSeverity(ctx context.Context, id string, to Severity, c Change) (Incident, error) {
	if to < 1 || to > 4 {
		return Incident{}, fmt.Errorf("severity %d is not 1 to 4: %w", to, ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := p.r.Severity
		if from == int(to) {
			return p.remark(c)
		}
		if err := p.notOver(); err != nil {
			return err
		}
		p.r.Severity = int(to)
		text := fmt.Sprintf("Severity: SEV%d, was SEV%d.", to, from)
		return p.note(c, SeverityKind, text, ChangeEvidence{What: "severity", From: fmt.Sprintf("SEV%d", from), To: fmt.Sprintf("SEV%d", to)})
	})
}

// SetCommander gives the incident to somebody. The first one is the milestone
// acknowledged.
func (b *Book) SetCommander(ctx context.Context, id string, to Person, c Change) (Incident, error) {
	to = cleanPerson(to)
	if to.ID == "" {
		return Incident{}, fmt.Errorf("the commander is nobody: %w", ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := p.r.Commander.person()
		if from.ID == to.ID {
			return nil
		}
		if err := p.notOver(); err != nil {
			return err
		}
		p.r.Commander = toDisk(to)
		if _, set := p.r.used(Acknowledged); !set {
			p.derive(Acknowledged, c, to.Name+" became commander")
		}
		text := "Commander: " + to.Name + "."
		if from.ID != "" {
			text = "Commander: " + to.Name + ", was " + from.Name + "."
		}
		return p.note(c, RoleKind, text, ChangeEvidence{What: "commander", From: from.Name, To: to.Name})
	})
}

// SetImpact records what people felt. It can be written after the close too.
func (b *Book) SetImpact(ctx context.Context, id string, impact string, c Change) (Incident, error) {
	impact, _ = Clean(impact, maxText)
	if impact == "" {
		return Incident{}, fmt.Errorf("no text for the impact: %w", ErrImpactEmpty)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		from := p.r.Impact
		if from == impact {
			return nil
		}
		p.r.Impact = impact
		return p.note(c, NoteKind, "Impact: "+impact, ChangeEvidence{What: "impact", From: from, To: impact})
	})
}

// SectionChange is ChangeEvidence.What of words for a section of the
// postmortem: From is the section, To the words.
const SectionChange = "section"

// ErrStale: somebody wrote other words for the section since.
var ErrStale = errors.New("somebody wrote other words for it since")

// SetSection records what people write for a section of the postmortem draft,
// in every state of the incident. The last words count; the earlier ones stay
// on the timeline.
func (b *Book) SetSection(ctx context.Context, id, section, text string, c Change) (Incident, error) {
	return b.ReplaceSection(ctx, id, section, text, 0, c)
}

// ReplaceSection is SetSection by somebody who has seen the timeline up to the
// entry of that number (0: it is not known what they saw): words that were
// written since are not replaced, but the answer is ErrStale.
func (b *Book) ReplaceSection(ctx context.Context, id, section, text string, seen int, c Change) (Incident, error) {
	text, _ = Clean(text, maxText)
	if section = oneLine(section, maxTitle); section == "" || blank(text) {
		return Incident{}, fmt.Errorf("no words for the section: %w", ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if seen > 0 && p.r.Sections[section] > seen {
			return ErrStale
		}
		c.Text = ""
		return p.note(c, NoteKind, "Postmortem, "+section+": "+text, ChangeEvidence{What: SectionChange, From: section, To: text})
	})
}

// AddCertificate joins another certificate's failure to an incident that is not closed.
func (b *Book) AddCertificate(ctx context.Context, id, certificate string, c Change) (Incident, error) {
	certificate = oneLine(certificate, maxTitle)
	if certificate == "" {
		return Incident{}, fmt.Errorf("the certificate's name is empty: %w", ErrState)
	}
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if slices.Contains(p.r.Certificates, certificate) {
			return nil
		}
		if err := p.notOver(); err != nil {
			return err
		}
		if len(p.r.Certificates) >= maxCertificates {
			return fmt.Errorf("it has %d certificates already: %w", len(p.r.Certificates), ErrState)
		}
		p.r.Certificates = append(slices.Clone(p.r.Certificates), certificate)
		return p.note(c, NoteKind, "Certificate "+certificate+" joined.", ChangeEvidence{What: "certificate", To: certificate})
	})
}

// Resolve ends the incident. failing names the endpoints that still fail, as
// just measured; with any, Resolve is refused with ErrFailing unless c.Reason
// says why anyway. A resolved incident stays as it is.
func (b *Book) Resolve(ctx context.Context, id string, failing []string, c Change) (Incident, error) {
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if Status(p.r.Status) == Resolved {
			return p.remark(c)
		}
		if err := p.notOver(); err != nil {
			return err
		}
		names := strings.Join(failing, ", ")
		text := fmt.Sprintf("Status: %s, was %s.", p.names.Of(Resolved), p.status())
		if len(failing) > 0 {
			if blank(c.Reason) {
				return fmt.Errorf("%w: %s", ErrFailing, names)
			}
			text = fmt.Sprintf("Status: %s, was %s, although endpoints still fail: %s.", p.names.Of(Resolved), p.status(), names)
		}
		p.derive(ResolvedAt, c, "resolved by "+c.By.Name)
		return p.setStatus(Resolved, c, text)
	})
}

// Close closes a resolved (or, with a reason, any) incident; an empty impact
// is refused with ErrImpactEmpty, a temporary change that still stands with
// ErrTemps, unless c.Reason says why anyway. Closed is
// final; notes, the impact and said milestones can still be added.
func (b *Book) Close(ctx context.Context, id string, c Change) (Incident, error) {
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if Status(p.r.Status) == Closed {
			return p.remark(c)
		}
		if err := p.notOver(); err != nil {
			return err
		}
		text := fmt.Sprintf("Status: closed, was %s", p.status())
		if Status(p.r.Status) != Resolved && blank(c.Reason) {
			return fmt.Errorf("it is %s, not resolved: %w", p.r.Status, ErrState)
		}
		if p.r.Impact == "" {
			if blank(c.Reason) {
				return ErrImpactEmpty
			}
			text += ", the impact not said"
		}
		if open := p.r.incident().OpenTemps(); len(open) > 0 {
			if blank(c.Reason) {
				return fmt.Errorf("%d of them: %w", len(open), ErrTemps)
			}
			text += ", " + map[bool]string{true: "1 temporary change", false: fmt.Sprintf("%d temporary changes", len(open))}[len(open) == 1] + " not undone"
		}
		p.derive(ClosedAt, c, "closed by "+c.By.Name)
		if err := p.tx.Put(keyDraft+padded(p.r.Num), []byte(strconv.Itoa(p.r.Num))); err != nil {
			return err
		}
		if c.Publish && !p.r.Private {
			if err := p.publish(Person{}, ""); err != nil {
				return err
			}
		}
		return p.setStatus(Closed, c, text+".")
	})
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
