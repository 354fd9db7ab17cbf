package incident

// In this file: chat messages that people put on a timeline. A message is one
// entry in the whole book, for ever: pinning it again brings back what was
// taken off, and never writes a second entry. Their images are in image.go.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// PinKind is the kind of a pinned chat message.
const PinKind = "pin"

// PinEvidence is the chat message behind an entry.
type PinEvidence struct {
	Message string     `json:"message"` // its key, for ever the same: "slack/C1/1700000000.000100"
	By      Person     `json:"by"`      // who put it on the timeline; the entry's By is who wrote it
	Pinned  time.Time  `json:"pinned"`
	Edited  time.Time  `json:"edited,omitzero"`  // when its author last changed it
	Deleted time.Time  `json:"deleted,omitzero"` // when its author deleted it
	Said    string     `json:"said,omitempty"`   // the message's own text, when the entry reads otherwise
	Why     string     `json:"why,omitempty"`    // why it was taken off
	Images  []PinImage `json:"images,omitempty"`
}

// Pin is a message to be put on a timeline.
type Pin struct {
	Message string // its key
	At      time.Time
	Author  Person
	Text    string
	Link    string
	By      Person
	Pinned  time.Time  // zero: now
	Images  []PinImage // as KeepImage returned them
}

// Pinned says what a pin did.
type Pinned struct {
	Incident Incident
	Entry    Entry // the message's only one
	Added    bool  // a new entry
	Back     bool  // it had been taken off
	Changed  bool  // its text is another one since
	Cut      bool  // a secret was cut out
}

// PinnedElsewhereError: the message is on the timeline of another incident.
type PinnedElsewhereError struct{ Incident, Entry string }

func (e *PinnedElsewhereError) Error() string {
	return fmt.Sprintf("the message is %s of %s", e.Entry, e.Incident)
}

// pinKey is where the number of the incident stands that has a message.
func pinKey(message string) string { return keyPin + sum(message) }

// pinOnce is the key of the entry of a message within its incident.
func pinOnce(message string) string { return "pin/" + message }

// Pin puts a message on an incident's timeline, at the time when it was
// written and under its author's name. One that is there already is returned
// as it is (with its new text when the author has changed it since), one that
// was taken off is brought back. On another incident's timeline it is refused
// with *PinnedElsewhereError.
func (b *Book) Pin(ctx context.Context, id string, pin Pin) (Pinned, error) {
	if blank(pin.Message) {
		return Pinned{}, fmt.Errorf("the message has no key: %w", ErrState)
	}
	pin.Message = strings.ToValidUTF8(pin.Message, "?")
	var out Pinned
	i, err := b.change(ctx, id, Change{By: pin.By, At: pin.At}, func(p *page, c Change) error {
		out = Pinned{}
		if pin.Pinned.IsZero() || pin.Pinned.After(p.now) {
			pin.Pinned = p.now
		}
		pin.Pinned = pin.Pinned.UTC().Round(0)
		if err := p.elsewhere(pin.Message); err != nil {
			return err
		}
		text, cut := Clean(pin.Text, maxText-len(tooLong))
		out.Cut = cut
		if text == "" {
			text = imagesText(pin.Images)
		}
		first, err := p.once(pinOnce(pin.Message))
		if err != nil {
			return err
		}
		if first.Line > 0 {
			return p.pinAgain(&out, first.Entry, pin, c, text)
		}
		e := Entry{At: p.at, By: cleanPerson(pin.Author), Kind: PinKind, Text: text, Link: pin.Link, Key: pinOnce(pin.Message)}
		e.Evidence.Pin = PinEvidence{Message: pin.Message, By: c.By, Pinned: pin.Pinned, Images: p.mine(pin.Images)}
		e.clean()
		out.Added = true
		return p.putPin(&out, pin.Message, func() (diskLine, error) { return p.write(e) })
	})
	out.Incident = i
	return out, err
}

// elsewhere refuses a message that stands on another incident's timeline. One
// that was taken off there may move.
func (p *page) elsewhere(message string) error {
	num, err := pinnedIn(p.tx, message)
	if err != nil || num == 0 || num == p.r.Num {
		return err
	}
	l, err := (&page{tx: p.tx, r: diskIncident{Num: num}}).pinned(message)
	if errors.Is(err, ErrNotFound) || err == nil && l.Dropped {
		return nil
	}
	if err != nil {
		return err
	}
	return &PinnedElsewhereError{idOf(num), entryName(l.Entry)}
}

// bringBack makes sure that a message which a correction brings back is on no
// other timeline meanwhile.
func (p *page) bringBack(old diskLine, message string, drop bool) error {
	if drop || !old.Dropped {
		return nil
	}
	if err := p.elsewhere(message); err != nil {
		return err
	}
	return p.tx.Put(pinKey(message), []byte(strconv.Itoa(p.r.Num)))
}

// pinAgain is a second pin of a message: what is there stays, unless it was
// taken off or its author has changed it since.
func (p *page) pinAgain(out *Pinned, entry int, pin Pin, c Change, text string) error {
	old, err := p.current(entry)
	if err != nil {
		return err
	}
	e, err := old.entry(p.r.Num)
	if err != nil {
		return err
	}
	out.Entry = e
	changed := text != said(e) && e.Evidence.Pin.Deleted.IsZero()
	if !old.Dropped && !changed {
		return nil
	}
	if changed {
		e.Text, e.Evidence.Pin.Said = text, ""
		e.Evidence.Pin.Edited = pin.Pinned
	}
	e.By = cleanPerson(pin.Author)
	if old.Dropped {
		e.Evidence.Pin.By, e.Evidence.Pin.Pinned = c.By, pin.Pinned
	}
	e.Evidence.Pin.Why = ""
	out.Back, out.Changed = old.Dropped, changed
	return p.putPin(out, pin.Message, func() (diskLine, error) { return p.version(old, e, false) })
}

// putPin writes a version of a message's entry and notes where the message is.
func (p *page) putPin(out *Pinned, message string, write func() (diskLine, error)) error {
	l, err := write()
	if err != nil {
		return err
	}
	if out.Entry, err = l.entry(p.r.Num); err != nil {
		return err
	}
	return p.tx.Put(pinKey(message), []byte(strconv.Itoa(p.r.Num)))
}

// version writes e as the next version of old's entry.
func (p *page) version(old diskLine, e Entry, dropped bool) (diskLine, error) {
	e.Key = ""
	e.clean()
	return p.writeLine(diskLine{Entry: old.Entry, Version: old.Version + 1, Dropped: dropped}, e)
}

// said is the message's own text.
func said(e Entry) string {
	if s := e.Evidence.Pin.Said; s != "" {
		return s
	}
	return e.Text
}

func imagesText(images []PinImage) string {
	var names []string
	for _, i := range images {
		names = append(names, i.Name)
	}
	switch len(names) {
	case 0:
		return "(a message without text)"
	case 1:
		return "Image: " + names[0]
	}
	return "Images: " + strings.Join(names, ", ")
}

// pinnedIn returns the number of the incident that has a message, 0 when none has.
func pinnedIn(tx store.Tx, message string) (int, error) {
	v, err := tx.Get(pinKey(message))
	if err != nil || v == nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		return 0, fmt.Errorf("decode %s: %w", pinKey(message), err)
	}
	return n, nil
}

// pinned returns the current version of a message's entry, or ErrNotFound.
func (p *page) pinned(message string) (diskLine, error) {
	l, err := p.once(pinOnce(message))
	if err != nil {
		return l, err
	}
	if l.Line == 0 {
		return l, fmt.Errorf("message %.80q: %w", message, ErrNotFound)
	}
	return p.current(l.Entry)
}

// PinOf returns the incident and entry of a message, also of one that was
// taken off, or ErrNotFound.
func (b *Book) PinOf(ctx context.Context, message string) (i Incident, e Entry, err error) {
	message = strings.ToValidUTF8(message, "?")
	err = b.s.View(ctx, func(tx store.Tx) error {
		num, err := pinnedIn(tx, message)
		if err != nil {
			return err
		}
		if num == 0 {
			return fmt.Errorf("message %.80q: %w", message, ErrNotFound)
		}
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		i = r.incident()
		l, err := (&page{tx: tx, r: r}).pinned(message)
		e, err = l.entryOr(num, err)
		return err
	})
	return i, e, err
}

// Unpin takes a message off its timeline; its lines stay in History. Who took
// it off is by. done is false when it was off already.
func (b *Book) Unpin(ctx context.Context, message string, by Person) (out Pinned, done bool, err error) {
	return b.repin(ctx, message, by, func(p *page, old diskLine, e Entry, c Change) (diskLine, bool, error) {
		if old.Dropped {
			return old, false, nil
		}
		e.By = c.By
		l, err := p.version(old, e, true)
		return l, true, err
	})
}

// Repin follows a message that its author changed or deleted at a time. An
// edit is a new version; what was deleted stays, marked. One that was taken
// off, or is as it is told already, stays as it is: done is false.
func (b *Book) Repin(ctx context.Context, message, text string, deleted bool, at time.Time) (out Pinned, done bool, err error) {
	cut := false
	out, done, err = b.repin(ctx, message, Bot, func(p *page, old diskLine, e Entry, c Change) (diskLine, bool, error) {
		pin := &e.Evidence.Pin
		if at.IsZero() || at.After(p.now) {
			at = p.now
		}
		at = at.UTC().Round(0)
		if old.Dropped || !pin.Deleted.IsZero() {
			return old, false, nil
		}
		if deleted {
			pin.Said, pin.Deleted = said(e), at
			mark := " [deleted by its author at " + When(at) + "]"
			if e.Text, _ = Clean(e.Text, maxText-len(mark)); !strings.HasSuffix(e.Text, mark) {
				e.Text += mark
			}
		} else {
			var now string
			if now, cut = Clean(text, maxText-len(tooLong)); now == "" {
				now = imagesText(pin.Images)
			}
			if now == said(e) || at.Before(pin.Edited) {
				return old, false, nil
			}
			e.Text, pin.Said, pin.Edited = now, "", at
		}
		author, err := p.once(pinOnce(message))
		if err != nil {
			return old, false, err
		}
		e.By = author.By.person()
		l, err := p.version(old, e, false)
		return l, true, err
	})
	out.Cut = cut && done
	return out, done, err
}

// repin has fn write a version of a message's entry.
func (b *Book) repin(ctx context.Context, message string, by Person, fn func(p *page, old diskLine, e Entry, c Change) (diskLine, bool, error)) (out Pinned, done bool, err error) {
	message = strings.ToValidUTF8(message, "?")
	i, _, err := b.PinOf(ctx, message)
	if err != nil {
		return out, false, err
	}
	out.Incident, err = b.change(ctx, i.ID, Change{By: by}, func(p *page, c Change) error {
		done = false
		if num, err := pinnedIn(p.tx, message); err != nil || num != p.r.Num {
			return errors.Join(err, fmt.Errorf("message %.80q moved just now: %w", message, ErrNotFound))
		}
		old, err := p.pinned(message)
		if err != nil {
			return err
		}
		e, err := old.entry(p.r.Num)
		if err != nil {
			return err
		}
		l, wrote, err := fn(p, old, e, c)
		if err != nil {
			return err
		}
		done = wrote
		out.Entry, err = l.entry(p.r.Num)
		return err
	})
	return out, done, err
}
