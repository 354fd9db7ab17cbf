package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: what has left the record for somewhere else, and so is not
// changed when a name is taken out of it. What backups, exported files and chat
// platforms hold is not known here.

// Ways in which something left.
const (
	LeftPublished = "published" // in the repository of postmortems
	LeftExported  = "exported"  // an action item in a tracker
	LeftSent      = "sent"      // a status update
)

// Left is one thing that stands elsewhere.
type Left struct {
	Incident string
	What     string    // LeftPublished, LeftExported, LeftSent
	Name     string    // path of the file without its ending, "T-3", "U-2"
	Where    string    // "github", name of the target; "" of a publication
	Ref      string    // commit, the tracker's link or reference, what the target calls it
	At       time.Time // when it left; zero: not known
}

// Left returns what has left of the incidents that a name was taken out of, now
// (done) or at another time for the same word.
func (b *Book) Left(ctx context.Context, f Forgetting, done Forgotten) (all []Left, err error) {
	touched := map[string]bool{}
	for _, id := range done.IDs {
		touched[id] = true
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		all = nil
		last, err := getCounter(tx)
		if err != nil {
			return err
		}
		for num := 1; num <= last; num++ {
			r, err := getIncident(tx, num)
			if errors.Is(err, ErrNotFound) {
				continue // removed
			}
			if err != nil {
				return err
			}
			was := touched[idOf(num)]
			if !was {
				if was, err = forgottenAs(tx, num, f.As); err != nil {
					return err
				}
			}
			if !was {
				continue
			}
			if err := left(tx, r, &all); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return all, err
}

// left adds what has left of one incident.
func left(tx store.Tx, r diskIncident, all *[]Left) error {
	id := idOf(r.Num)
	d, err := getPublish(tx, r.Num)
	if err != nil {
		return err
	}
	if d != nil && d.Commit != "" {
		*all = append(*all, Left{Incident: id, What: LeftPublished, Name: d.Path, Ref: d.Commit})
	}
	for _, t := range r.Tasks {
		if e := t.Export.export(); e.URL != "" || e.Ref != "" {
			ref := e.URL
			if ref == "" {
				ref = e.Ref
			}
			*all = append(*all, Left{Incident: id, What: LeftExported, Name: taskName(t.Num), Where: e.Tracker, Ref: ref, At: e.At})
		}
	}
	return tx.Scan(store.Range{Prefix: updatePrefix(r.Num)}, func(_ string, v []byte) error {
		u, err := decodeUpdate(r.Num, v)
		for _, t := range u.To {
			if t.State == DeliveryDone {
				*all = append(*all, Left{Incident: id, What: LeftSent, Name: updateName(u.N), Where: t.Target, Ref: t.Ref, At: t.At})
			}
		}
		return err
	})
}

// forgottenAs reports whether some name was taken out of an incident for a word.
func forgottenAs(tx store.Tx, num int, as string) (found bool, err error) {
	err = tx.Scan(store.Range{Prefix: linePrefix(num), Reverse: true, Lend: true}, func(key string, v []byte) error {
		var l struct {
			Kind     string   `json:"kind"`
			Evidence Evidence `json:"evidence"`
		}
		if err := json.Unmarshal(v, &l); err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		if found = l.Kind == ForgottenKind && l.Evidence.Forgotten.As == as; found {
			return store.ErrStop
		}
		return nil
	})
	return found, err
}
