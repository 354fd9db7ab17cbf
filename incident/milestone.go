package incident

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// In this file: milestones, the times claimed for them, and what contradicts
// what.

// Sources of a milestone's time.
const (
	sourceMeasured = "measured"
	sourceSaid     = "said"
	sourceDerived  = "derived" // from an act on the record, or worked out
)

// milestoneKinds in lifecycle order.
var milestoneKinds = []string{Started, Detected, Declared, Acknowledged, IdentifiedAt, Mitigated, ResolvedAt, ClosedAt}

// slack is how far two times for one moment may be apart and still agree.
const slack = time.Minute

// SetMilestone records a milestone. A measured time wins over a said one; the
// other is kept as a Conflict when they differ by more than a minute. Detected
// keeps the earliest. Mitigated may be set again while the incident is open
// (it failed again). A time that is on record already changes nothing. A
// closed incident's milestones can still be corrected by people (source said).
func (b *Book) SetMilestone(ctx context.Context, id string, m Milestone) (Incident, error) {
	if !slices.Contains(milestoneKinds, m.Kind) {
		return Incident{}, fmt.Errorf("milestone %.40q is not known: %w", m.Kind, ErrState)
	}
	if m.Source == "" {
		m.Source = sourceSaid
	}
	if rank(m.Kind, m.Source) == 0 {
		return Incident{}, fmt.Errorf("source %.40q is not measured, said or derived: %w", m.Source, ErrState)
	}
	return b.change(ctx, id, Change{By: m.By, At: m.At}, func(p *page, c Change) error {
		status := Status(p.r.Status)
		if status.over() && m.Source != sourceSaid {
			return fmt.Errorf("it is %s: %w", status, ErrState)
		}
		if _, set := p.r.used(Mitigated); m.Kind == Mitigated && set && !status.Open() && m.Source != sourceSaid {
			return nil
		}
		_, err := p.milestone(m)
		return err
	})
}

// ClearMitigated takes the mitigated milestone away: an endpoint fails again.
func (b *Book) ClearMitigated(ctx context.Context, id string, why string) (Incident, error) {
	return b.change(ctx, id, Change{}, func(p *page, c Change) error {
		m, set := p.r.used(Mitigated)
		if !set {
			return nil
		}
		p.r.unclaim(Mitigated)
		return p.note(Change{Text: why}, MilestoneKind, "No longer mitigated:", ChangeEvidence{What: Mitigated, From: stamp(m.At)})
	})
}

// milestone claims m and writes its line at the time it happened, if that says
// anything new.
func (p *page) milestone(m Milestone) (changed bool, err error) {
	if m.At.IsZero() {
		m.At = p.at
	}
	if m.By == (Person{}) {
		m.By = Bot
	}
	m.By = cleanPerson(m.By)
	m.At, m.Recorded, m.Text = m.At.UTC().Round(0), p.now, oneLine(m.Text, maxText)
	if before, set := p.r.used(m.Kind); m.Source == sourceSaid && (!set || m.At.Before(before.At)) {
		p.r.Disputes = slices.DeleteFunc(slices.Clone(p.r.Disputes), func(o diskClaim) bool { return o.Kind == m.Kind }) // who said it corrects it
	}
	before, _ := p.r.used(m.Kind)
	if !p.r.claim(m) && !p.r.dispute(m) {
		return false, nil
	}
	after, _ := p.r.used(m.Kind)
	text := title(m.Kind) + ": " + m.says() // the line's own time says when
	switch {
	case (after.Source != m.Source || !after.At.Equal(m.At)) && apart(after.At, m.At):
		text += fmt.Sprintf(". On record as %s, %s, which counts", When(after.At), after.milestone().why())
	case before.At != (time.Time{}) && apart(before.At, m.At):
		text += ". Was " + When(before.At)
	}
	c := Change{By: m.By}
	p.at = m.At
	return true, p.note(c, MilestoneKind, text+".", ChangeEvidence{What: m.Kind, From: stamp(before.At), To: stamp(m.At)})
}

// says is what a milestone's line says: where its time is from, and who said
// it when somebody did.
func (m Milestone) says() string {
	if m.Source != sourceSaid && m.Text != "" {
		return m.Text
	}
	return m.why()
}

// apart reports that two times differ in what people are shown of them.
func apart(a, b time.Time) bool { return a.Sub(b).Abs() >= time.Second }

// why says where a milestone's time is from: "measured (notAfter ...)".
func (m Milestone) why() string {
	who := m.Source
	if m.Source == sourceSaid && m.By.Name != "" {
		who += " by " + m.By.Name
	}
	if m.Text == "" || m.Text == who {
		return who
	}
	return who + " (" + m.Text + ")"
}

// claim puts a time beside the ones that the record has and reports whether
// that changed the record.
func (r *diskIncident) claim(m Milestone) bool {
	c := diskClaim{Kind: m.Kind, Source: m.Source, At: m.At, Recorded: m.Recorded, Text: m.Text, By: toDisk(m.By)}
	if m.Kind == Detected { // only the earliest of all counts, whatever its source
		if old, set := r.used(Detected); set && !m.At.Before(old.At) {
			return false
		}
		r.unclaim(Detected)
	}
	n := slices.IndexFunc(r.Claims, func(o diskClaim) bool { return o.Kind == m.Kind && o.Source == m.Source })
	if n < 0 {
		r.Claims = append(r.Claims, c)
		return true
	}
	old := r.Claims[n]
	switch {
	case old.At.Equal(c.At):
		return false
	case m.Source == sourceSaid, m.Kind == Mitigated: // a correction; or it failed and was mitigated again
	case m.Kind == Started && c.At.Before(old.At):
	default: // evidence of the same sort: the first (of started, the earliest) stays
		return false
	}
	r.Claims = slices.Clone(r.Claims)
	r.Claims[n] = c
	return true
}

// dispute keeps a time that a person said for detected and that does not count,
// because there is earlier evidence. It reports whether the record changed.
func (r *diskIncident) dispute(m Milestone) bool {
	used, set := r.used(m.Kind)
	if m.Kind != Detected || m.Source != sourceSaid || !set || !apart(used.At, m.At) {
		return false
	}
	c := diskClaim{Kind: m.Kind, Source: m.Source, At: m.At, Recorded: m.Recorded, Text: m.Text, By: toDisk(m.By)}
	n := slices.IndexFunc(r.Disputes, func(o diskClaim) bool { return o.Kind == m.Kind })
	if n >= 0 && r.Disputes[n].At.Equal(c.At) {
		return false
	}
	r.Disputes = slices.Clone(r.Disputes)
	if n < 0 {
		r.Disputes = append(r.Disputes, c)
	} else {
		r.Disputes[n] = c
	}
	return true
}

// unclaim takes a milestone away.
func (r *diskIncident) unclaim(kind string) {
	r.Claims = slices.DeleteFunc(slices.Clone(r.Claims), func(c diskClaim) bool { return c.Kind == kind })
}

// rank orders the sources of a milestone; 0 is no source. What the record
// derives from evidence beats what is said of started, detected and mitigated.
// Of the others, which people make happen, it is only when a button was
// pressed, and a person who corrects that is right.
func rank(kind, source string) int {
	evidence := kind == Started || kind == Detected || kind == Mitigated
	switch source {
	case sourceMeasured:
		return 3
	case sourceDerived:
		if evidence {
			return 2
		}
		return 1
	case sourceSaid:
		if evidence {
			return 1
		}
		return 2
	}
	return 0
}

// used returns the claim that counts.
func (r *diskIncident) used(kind string) (best diskClaim, set bool) {
	for _, c := range r.Claims {
		if c.Kind == kind && (!set || rank(kind, c.Source) > rank(kind, best.Source)) {
			best, set = c, true
		}
	}
	return best, set
}

func (c diskClaim) milestone() Milestone {
	return Milestone{Kind: c.Kind, At: c.At, Recorded: c.Recorded, Source: c.Source, Text: c.Text, By: c.By.person()}
}

// milestones works out what counts and what contradicts it.
func (r *diskIncident) milestones() ([]Milestone, []Conflict) {
	list, conflicts := []Milestone{}, []Conflict{}
	for _, kind := range milestoneKinds {
		c, set := r.used(kind)
		if !set {
			continue
		}
		used := c.milestone()
		list = append(list, used)
		for _, o := range slices.Concat(r.Claims, r.Disputes) {
			if o.Kind != kind || o == c || o.At.Sub(c.At).Abs() <= slack {
				continue
			}
			other := o.milestone()
			conflicts = append(conflicts, Conflict{Kind: kind, Used: used, Other: other,
				Text: fmt.Sprintf("Two times for %s, %s apart: %s, %s, and %s, %s. The first is used.",
					kind, Took(o.At.Sub(c.At).Abs()), When(used.At), used.why(), When(other.At), other.why())})
		}
	}
	return list, append(conflicts, disorder(list)...)
}

// disorder returns what lies before started: it must be the earliest. Two
// times that nobody typed are no contradiction (a warning comes before the
// expiry it warns of).
func disorder(list []Milestone) (conflicts []Conflict) {
	if len(list) == 0 || list[0].Kind != Started {
		return nil
	}
	start := list[0]
	for _, m := range list[1:] {
		if start.At.Sub(m.At) > slack && (start.Source == sourceSaid || m.Source == sourceSaid) {
			conflicts = append(conflicts, Conflict{Kind: Started, Used: start, Other: m,
				Text: fmt.Sprintf("Started at %s, %s, is %s after %s at %s, %s. Both are kept.",
					When(start.At), start.why(), Took(start.At.Sub(m.At)), m.Kind, When(m.At), m.why())})
		}
	}
	return conflicts
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func title(word string) string {
	if word == "" {
		return ""
	}
	return string(word[0]-'a'+'A') + word[1:]
}
