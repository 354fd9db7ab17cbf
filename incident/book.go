package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: opening and reading an incident. What happens to it later is
// in change.go and milestone.go, its lines in timeline.go, the list in list.go,
// writing in page.go and disk.go.

// maxCertificates is how many certificates one incident may have: each is a key
// of a transaction (store.MaxKeys).
const maxCertificates = 50

// Book is all incidents of one store.
type Book struct {
	s   store.Store
	now func() time.Time

	names Names // of statuses, see Call
}

// NewBook returns the book kept in s. Nothing is read until it is asked for.
func NewBook(s store.Store, now func() time.Time) *Book { return &Book{s: s, now: now} }

// Declaration is what declare needs.
type Declaration struct {
	Key          string // the same key declares once; "" always declares
	Title        string
	Severity     Severity // 0: 2
	Certificates []string
	Owner        string
	By           Person
	Start        time.Time // said by the person; zero: not said
	Drill        bool
	Private      bool
	Link         string
}

// Declare opens an incident. When an open one has one of the certificates, it
// returns that one and ErrDuplicate, unless force; a resolved one does not
// count (reopen it, or declare anew). A Start in the future is refused with
// ErrFuture.
//
// Declaring sets the milestones declared and, until earlier evidence comes,
// detected; and started when the person said it.
func (b *Book) Declare(ctx context.Context, d Declaration, force bool) (Incident, error) {
	if err := d.fix(); err != nil {
		return Incident{}, err
	}
	seed := newSeed()
	var i Incident
	err := b.s.Update(ctx, func(tx store.Tx) error {
		var err error
		if found, err := already(tx, d, force, &i); found || err != nil {
			return err
		}
		n, err := getCounter(tx)
		if err != nil {
			return err
		}
		n++
		p := &page{tx: tx, now: b.clock(), seed: seed, names: b.names}
		p.at = p.now
		if _, err := happened(d.Start, p.now); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		p.r = diskIncident{
			V: diskVersion, Num: n, Title: d.Title, Severity: int(d.Severity), Status: string(Investigating),
			Drill: d.Drill, Private: d.Private, Certificates: d.Certificates, Owner: d.Owner,
			DeclaredBy: toDisk(d.By), Declared: p.now, Updated: p.now,
		}
		if err := p.declare(d); err != nil {
			return err
		}
		if d.Key != "" {
			if err := tx.Put(keyDeclare+sum(d.Key), []byte(strconv.Itoa(n))); err != nil {
				return err
			}
		}
		i = p.r.incident()
		if err := putIncident(tx, p.r); err != nil {
			return err
		}
		return putCounter(tx, n)
	})
	if err != nil {
		return i, fmt.Errorf("declare: %w", err)
	}
	return i, nil
}

// declare writes the first lines and claims of a new record.
func (p *page) declare(d Declaration) error {
	c := Change{By: d.By, Link: d.Link}
	err := p.note(c, StatusKind, fmt.Sprintf("%s declared SEV%d: %s", d.By.Name, d.Severity, d.Title),
		ChangeEvidence{What: "status", To: string(Investigating)})
	if err != nil {
		return err
	}
	p.r.claim(Milestone{Kind: Declared, At: p.now, Recorded: p.now, Source: sourceDerived, Text: "declared by " + d.By.Name, By: d.By})
	p.r.claim(Milestone{Kind: Detected, At: p.now, Recorded: p.now, Source: sourceDerived, Text: "declared by " + d.By.Name + ", with nothing earlier on record", By: d.By})
	if d.Start.IsZero() {
		return nil
	}
	_, err = p.milestone(Milestone{Kind: Started, At: d.Start, Source: sourceSaid, Text: "said by " + d.By.Name, By: d.By})
	return err
}

// fix cleans a declaration and fills its defaults.
func (d *Declaration) fix() error {
	if d.Severity == 0 {
		d.Severity = 2
	}
	if d.Severity < 1 || d.Severity > 4 {
		return fmt.Errorf("severity %d is not 1 to 4: %w", d.Severity, ErrState)
	}
	var certificates []string
	for _, c := range d.Certificates {
		if c = oneLine(c, maxTitle); c != "" && !slices.Contains(certificates, c) {
			certificates = append(certificates, c)
		}
	}
	d.Certificates = certificates
	if len(certificates) > maxCertificates {
		return fmt.Errorf("%d certificates, at most %d in one incident: %w", len(certificates), maxCertificates, ErrState)
	}
	if d.Title = oneLine(d.Title, maxTitle); d.Title == "" {
		if len(certificates) == 0 {
			return fmt.Errorf("the title is empty: %w", ErrState)
		}
		d.Title = "Certificate " + strings.Join(certificates, ", ")
	}
	if d.By == (Person{}) {
		d.By = Bot
	}
	d.By = cleanPerson(d.By)
	d.Owner = oneLine(d.Owner, maxTitle)
	return nil
}

// already looks for the incident that d would be declared as a second time.
func already(tx store.Tx, d Declaration, force bool, i *Incident) (found bool, err error) {
	if d.Key != "" {
		v, err := tx.Get(keyDeclare + sum(d.Key))
		if err != nil {
			return false, err
		}
		if v != nil {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return false, fmt.Errorf("decode declaration's key: %w", err)
			}
			r, err := getIncident(tx, n)
			if !errors.Is(err, ErrNotFound) { // else it was removed meanwhile
				*i = r.incident()
				return true, err
			}
		}
	}
	if force {
		return false, nil
	}
	for _, c := range d.Certificates {
		err := tx.Scan(store.Range{Prefix: openPrefix(c), Reverse: true}, func(key string, _ []byte) error {
			n, err := strconv.Atoi(key[len(openPrefix(c)):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			r, err := getIncident(tx, n)
			if err != nil || !Status(r.Status).Open() {
				return err
			}
			*i = r.incident()
			return ErrDuplicate
		})
		if errors.Is(err, ErrDuplicate) {
			return true, fmt.Errorf("%s has %s: %w", i.ID, c, ErrDuplicate)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// Incident returns one incident.
func (b *Book) Incident(ctx context.Context, id string) (Incident, error) {
	num, err := number(id)
	if err != nil {
		return Incident{}, err
	}
	var i Incident
	err = b.s.View(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		if err == nil {
			i = r.incident()
		}
		return err
	})
	return i, err
}

// cleanPerson makes a person fit for the record; without a name the id is shown.
func cleanPerson(p Person) Person {
	p = Person{ID: oneLine(p.ID, maxTitle), Name: oneLine(p.Name, maxTitle), Platform: oneLine(p.Platform, maxTitle)}
	if p.Name == "" {
		p.Name = p.ID
	}
	return p
}
