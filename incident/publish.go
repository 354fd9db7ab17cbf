package incident

// In this file: the publication of postmortems to a repository: what is to be
// published, under which name, how that went. The intent is on the record
// before anything is done, so that a kill loses nothing; how a draft gets into
// a repository is not known here.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// publishQuiet is how long it is waited, after a change of what is published
// already, for further ones.
const publishQuiet = time.Minute

// maxSlug is how many characters of a title a published file's name has.
const maxSlug = 48

// Publication is a postmortem that is to be in a repository, or is.
type Publication struct {
	ID      string
	Path    string    // without an ending, for example "INC-7-images-down"; stays as it was at first
	Asked   time.Time // when what is to be published now was asked for, or changed
	By      Person    // who asked last; the zero one: close or a change did
	Reason  string    // why all the same, as the person said
	Waits   bool      // it is to be worked off
	Rev     int       // goes up with everything that is to be published
	Tries   int       // that failed since then
	Next    time.Time // when it is tried; zero: at once
	Code    string    // of the last failure; "": it has not failed since
	Failed  string    // the same in words
	Commit  string    // the last one; "": never published
	Content string    // the hash of what it held
}

// diskPublish is a Publication on disk, version 1. A reader refuses a V that
// it does not know; a new field is added with omitempty.
type diskPublish struct {
	V       int        `json:"v"`
	Path    string     `json:"path"`
	Asked   time.Time  `json:"asked"`
	By      diskPerson `json:"by,omitzero"`
	Reason  string     `json:"reason,omitempty"`
	Rev     int        `json:"rev"`
	Tries   int        `json:"tries,omitempty"`
	Next    time.Time  `json:"next,omitzero"`
	Code    string     `json:"code,omitempty"`
	Failed  string     `json:"failed,omitempty"`
	Commit  string     `json:"commit,omitempty"`
	Content string     `json:"content,omitempty"`
}

func (d diskPublish) publication(num int, waits bool) Publication {
	return Publication{ID: idOf(num), Path: d.Path, Asked: d.Asked, By: d.By.person(), Reason: d.Reason, Waits: waits, Rev: d.Rev,
		Tries: d.Tries, Next: d.Next, Code: d.Code, Failed: d.Failed, Commit: d.Commit, Content: d.Content}
}

// getPublish reads the publication of an incident; nil when there is none.
func getPublish(tx store.Tx, num int) (*diskPublish, error) {
	v, err := tx.Get(keyPublish + padded(num))
	if err != nil || v == nil {
		return nil, err
	}
	var d diskPublish
	if err := json.Unmarshal(v, &d); err != nil || d.V != diskVersion {
		return nil, fmt.Errorf("decode %s: %w", keyPublish+padded(num), errors.Join(err, ErrState))
	}
	return &d, nil
}

func putPublish(tx store.Tx, num int, d diskPublish) error {
	d.V = diskVersion
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode the publication of %s: %w", idOf(num), err)
	}
	return tx.Put(keyPublish+padded(num), v)
}

// waits reports whether a publication is to be worked off.
func publishWaits(tx store.Tx, num int) (bool, error) {
	v, err := tx.Get(keyPublishDue + padded(num))
	return v != nil, err
}

// publish puts the intent on the record: c.By asks, or nobody.
func (p *page) publish(by Person, reason string) error {
	d, err := getPublish(p.tx, p.r.Num)
	if err != nil {
		return err
	}
	if d == nil {
		d = &diskPublish{Path: strings.Trim(idOf(p.r.Num)+"-"+slug(p.r.Title), "-")}
	}
	d.Rev, d.Asked, d.By, d.Reason, d.Tries, d.Next = d.Rev+1, p.now, toDisk(by), oneLine(reason, maxText), 0, time.Time{}
	p.asked = true
	if err := p.tx.Put(keyPublishDue+padded(p.r.Num), []byte(strconv.Itoa(p.r.Num))); err != nil {
		return err
	}
	return putPublish(p.tx, p.r.Num, *d)
}

// publishAgain marks what is published already, and was changed by what page
// p wrote. A private incident is published only when somebody asks.
func publishAgain(tx store.Tx, r diskIncident, now time.Time) error {
	if Status(r.Status) != Closed || r.Private {
		return nil
	}
	d, err := getPublish(tx, r.Num)
	if err != nil || d == nil {
		return err
	}
	waits, err := publishWaits(tx, r.Num)
	if err != nil {
		return err
	}
	if d.Rev++; !waits {
		d.Asked, d.By, d.Reason, d.Tries, d.Next = now, diskPerson{}, "", 0, now.Add(publishQuiet)
		if err := tx.Put(keyPublishDue+padded(r.Num), []byte(strconv.Itoa(r.Num))); err != nil {
			return err
		}
	}
	return putPublish(tx, r.Num, *d)
}

// publication rewrites what stands with a publication, and has the draft
// published again. Earlier commits keep what they held.
func (f *forgetter) publication(tx store.Tx, r diskIncident, now time.Time) error {
	d, err := getPublish(tx, r.Num)
	if err != nil || d == nil {
		return err
	}
	f.onDisk(&d.By)
	f.texts(&d.Reason)
	if err := putPublish(tx, r.Num, *d); err != nil {
		return err
	}
	return publishAgain(tx, r, now)
}

// slug makes a title fit to be a part of a file's name anywhere: lower-case
// ASCII letters, digits and single dashes; "" when it has none.
func slug(title string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(title) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && b.String()[b.Len()-1] != '-':
			b.WriteByte('-')
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// AskPublish asks for the publication of a closed (else ErrState) incident's
// postmortem: the reply may say that it comes. A private one needs c.Reason,
// else ErrReason.
func (b *Book) AskPublish(ctx context.Context, id string, c Change) (Incident, error) {
	return b.change(ctx, id, c, func(p *page, c Change) error {
		if Status(p.r.Status) != Closed {
			return fmt.Errorf("it is %s: %w", p.r.Status, ErrState)
		}
		if p.r.Private && blank(c.Reason) {
			return fmt.Errorf("it is private: %w", ErrReason)
		}
		text := "Publication of the postmortem asked for."
		if !blank(c.Reason) {
			text += " All the same: " + oneLine(c.Reason, maxText)
		}
		if err := p.publish(c.By, c.Reason); err != nil {
			return err
		}
		c.Text = ""
		return p.note(c, NoteKind, text, ChangeEvidence{What: "draft", To: "publication asked"})
	})
}

// Publication returns what is known of an incident's publication; found is
// false when none was ever asked for.
func (b *Book) Publication(ctx context.Context, id string) (pub Publication, found bool, err error) {
	num, err := number(id)
	if err != nil {
		return pub, false, err
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		d, err := getPublish(tx, num)
		if found = d != nil; err != nil || !found {
			return err
		}
		waits, err := publishWaits(tx, num)
		pub = d.publication(num, waits)
		return err
	})
	return pub, found, err
}

// Publications returns those that are to be worked off at now; with a zero
// now, all that wait.
func (b *Book) Publications(ctx context.Context, now time.Time) (list []Publication, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyPublishDue}, func(key string, v []byte) error {
			num, err := strconv.Atoi(string(v))
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			d, err := getPublish(tx, num)
			if err != nil || d == nil {
				return err
			}
			if now.IsZero() || !d.Next.After(now) || d.Next.After(now.Add(maxPublishWait)) { // further off than any: the clock was put back
				list = append(list, d.publication(num, true))
			}
			return nil
		})
	})
	return list, err
}

// maxPublishWait is the longest time that a caller of PublishFailed waits.
const maxPublishWait = 2 * time.Hour

// PublishDone records what became of a publication; pub is as Publications
// returned it, with Commit and Content as they are now. Unless the record was
// changed meanwhile, it is not worked off again. text goes on the timeline;
// "" when nothing was to be done.
func (b *Book) PublishDone(ctx context.Context, pub Publication, text string) error {
	_, err := b.change(ctx, pub.ID, Change{Key: publishKey(pub, "done", text)}, func(p *page, c Change) error {
		d, err := getPublish(p.tx, p.r.Num)
		if err != nil || d == nil {
			return err
		}
		d.Commit, d.Content, d.Tries, d.Code, d.Failed = pub.Commit, pub.Content, 0, "", ""
		if d.Rev == pub.Rev {
			d.Reason = ""
			if err := p.tx.Delete(keyPublishDue + padded(p.r.Num)); err != nil {
				return err
			}
		}
		p.asked = true
		if err := putPublish(p.tx, p.r.Num, *d); err != nil || text == "" {
			return err
		}
		return p.note(c, NoteKind, text, ChangeEvidence{What: "draft", To: "published"})
	})
	return err
}

// PublishFailed records that a publication failed, why and when it is tried
// next. On the timeline it is unless it is the same failure again. With a
// zero next it is not tried again by itself.
func (b *Book) PublishFailed(ctx context.Context, pub Publication, code, text string, next time.Time) error {
	text = oneLine(text, maxText)
	_, err := b.change(ctx, pub.ID, Change{}, func(p *page, c Change) error {
		d, err := getPublish(p.tx, p.r.Num)
		if err != nil || d == nil {
			return err
		}
		news := d.Failed != text
		d.Code, d.Failed = code, text
		if d.Rev == pub.Rev {
			d.Tries, d.Next = pub.Tries+1, next
			if next.IsZero() {
				if err := p.tx.Delete(keyPublishDue + padded(p.r.Num)); err != nil {
					return err
				}
			}
		}
		p.asked = true
		if err := putPublish(p.tx, p.r.Num, *d); err != nil || !news {
			return err
		}
		return p.note(c, NoteKind, "The postmortem is not published: "+text, ChangeEvidence{What: "draft", To: "not published"})
	})
	return err
}

// publishKey names a line about one attempt.
func publishKey(pub Publication, what, text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("publish/%d/%s/%s", pub.Rev, what, pub.Commit)
}
