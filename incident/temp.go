package incident

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// In this file: temporary changes, what was changed for the moment and must be
// put back before the incident is closed.

// ErrTemps: a temporary change is not undone.
var ErrTemps = errors.New("a temporary change is not undone")

// maxTemps is how many temporary changes one incident may have: they stand in
// its record.
const maxTemps = 100

// Temp is a temporary change.
type Temp struct {
	N        int       `json:"n"` // from 1, within the incident
	Text     string    `json:"text"`
	Undo     string    `json:"undo,omitempty"` // how it is to be undone, as said when it was made
	By       Person    `json:"by"`
	At       time.Time `json:"at"`
	Entry    string    `json:"entry"` // "E-5", the line that says so
	Undone   time.Time `json:"undone,omitzero"`
	UndoneBy Person    `json:"undone_by,omitzero"`
	How      string    `json:"how,omitempty"` // how it was undone, when somebody said so
	UndoneIn string    `json:"undone_in,omitempty"`
}

// Open reports that it still stands.
func (t Temp) Open() bool { return t.Undone.IsZero() }

// OpenTemps returns the temporary changes that still stand.
func (i Incident) OpenTemps() []Temp {
	var open []Temp
	for _, t := range i.Temps {
		if t.Open() {
			open = append(open, t)
		}
	}
	return open
}

// diskTemp is a Temp in the record, version 1.
type diskTemp struct {
	Text     string     `json:"text"`
	Undo     string     `json:"undo,omitempty"`
	By       diskPerson `json:"by"`
	At       time.Time  `json:"at"`
	Entry    int        `json:"entry"`
	Undone   time.Time  `json:"undone,omitzero"`
	UndoneBy diskPerson `json:"undone_by,omitzero"`
	How      string     `json:"how,omitempty"`
	UndoneIn int        `json:"undone_in,omitempty"`
}

func (d diskTemp) temp(n int) Temp {
	t := Temp{N: n, Text: d.Text, Undo: d.Undo, By: d.By.person(), At: d.At, Entry: entryName(d.Entry), Undone: d.Undone, UndoneBy: d.UndoneBy.person(), How: d.How}
	if d.UndoneIn > 0 {
		t.UndoneIn = entryName(d.UndoneIn)
	}
	return t
}

func entryName(n int) string { return fmt.Sprintf("E-%d", n) }

// AddTemp records a temporary change (c.Text) made at c.At, and how it is to
// be undone ("": not said). It is refused with ErrState when the incident is
// over. A change of the same Key is recorded once and returned again.
func (b *Book) AddTemp(ctx context.Context, id, undo string, c Change) (Incident, Temp, error) {
	text := oneLine(c.Text, maxText)
	undo = oneLine(undo, maxText)
	if text == "" {
		return Incident{}, Temp{}, fmt.Errorf("the temporary change has no text: %w", ErrState)
	}
	i, err := b.change(ctx, id, c, func(p *page, c Change) error {
		if err := p.notOver(); err != nil {
			return err
		}
		if len(p.r.Temps) >= maxTemps {
			return fmt.Errorf("%d temporary changes, at most that many in one incident: %w", maxTemps, ErrState)
		}
		n := len(p.r.Temps) + 1
		said := fmt.Sprintf("Temporary change %d: %s", n, text)
		if undo != "" {
			said += " To undo: " + undo
		}
		c.Text = ""
		if err := p.note(c, TempKind, said, ChangeEvidence{What: "temp", To: fmt.Sprint(n)}); err != nil {
			return err
		}
		p.r.Temps = append(append([]diskTemp{}, p.r.Temps...), diskTemp{Text: text, Undo: undo, By: toDisk(c.By), At: p.at, Entry: p.r.Entries})
		return nil
	})
	if err != nil {
		return i, Temp{}, err
	}
	n, err := b.madeBy(ctx, id, c.Key, i.Temps)
	return i, n, err
}

// madeBy finds the temporary change that a key made; without one, the last.
func (b *Book) madeBy(ctx context.Context, id, key string, temps []Temp) (Temp, error) {
	entry, err := b.entryOfKey(ctx, id, key)
	if err != nil {
		return Temp{}, err
	}
	for _, t := range temps {
		if entry != "" && t.Entry == entry {
			return t, nil
		}
	}
	if len(temps) == 0 {
		return Temp{}, fmt.Errorf("temporary change: %w", ErrNotFound)
	}
	return temps[len(temps)-1], nil
}

// UndoTemp records that temporary change n was undone, at c.At, and how
// (c.Text, "": not said). One that is undone already stays as it is. It is
// possible after the close too: somebody may have found it standing then.
func (b *Book) UndoTemp(ctx context.Context, id string, n int, c Change) (Incident, Temp, error) {
	how := oneLine(c.Text, maxText)
	var t Temp
	i, err := b.change(ctx, id, c, func(p *page, c Change) error {
		if n < 1 || n > len(p.r.Temps) {
			return fmt.Errorf("temporary change %d: %w", n, ErrNotFound)
		}
		old := p.r.Temps[n-1]
		if !old.Undone.IsZero() {
			return nil
		}
		if p.at.Before(old.At) {
			return fmt.Errorf("temporary change %d was made at %s, after %s: %w", n, When(old.At), When(p.at), ErrOrder)
		}
		said := fmt.Sprintf("Temporary change %d is undone: %s", n, old.Text)
		if how != "" {
			said += " How: " + how
		}
		c.Text = ""
		if err := p.note(c, TempKind, said, ChangeEvidence{What: "temp undone", To: fmt.Sprint(n)}); err != nil {
			return err
		}
		p.r.Temps = append([]diskTemp{}, p.r.Temps...)
		p.r.Temps[n-1].Undone, p.r.Temps[n-1].UndoneBy, p.r.Temps[n-1].How, p.r.Temps[n-1].UndoneIn = p.at, toDisk(c.By), how, p.r.Entries
		return nil
	})
	if err == nil && n >= 1 && n <= len(i.Temps) {
		t = i.Temps[n-1]
	}
	return i, t, err
}
