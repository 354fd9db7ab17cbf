package incident

// In this file: removing what was kept long enough. An incident goes whole:
// record, timeline, images, action items. A tombstone stays under its number,
// so that one that was removed by rule can be told from one that somebody took
// away (Missing).

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/store"
)

// retireBatch is how many lines one transaction removes: each is up to two keys.
const retireBatch = 40

// Gone is the tombstone of an incident that was removed.
type Gone struct {
	ID      string    `json:"id"`
	Over    time.Time `json:"over"`    // when anything was last written in it
	Removed time.Time `json:"removed"` // when it was removed
	Lines   int       `json:"lines"`   // of its timeline
	Head    string    `json:"head"`    // hash of the last of them
	Private bool      `json:"private"`
}

// diskGone is a Gone on disk, version 1. Done is false while a removal is
// under way.
type diskGone struct {
	V       int       `json:"v"`
	Num     int       `json:"num"`
	Over    time.Time `json:"over"`
	Removed time.Time `json:"removed"`
	Lines   int       `json:"lines"`
	Head    string    `json:"head"`
	Private bool      `json:"private,omitempty"`
	Done    bool      `json:"done,omitempty"`
}

func (d diskGone) gone() Gone {
	return Gone{ID: idOf(d.Num), Over: d.Over, Removed: d.Removed, Lines: d.Lines, Head: d.Head, Private: d.Private}
}

func getGone(tx store.Tx, num int) (d diskGone, found bool, err error) {
	v, err := tx.Get(keyGone + padded(num))
	if err != nil || v == nil {
		return d, false, err
	}
	if err := json.Unmarshal(v, &d); err != nil || d.V != diskVersion {
		return d, false, fmt.Errorf("decode %s: %w", keyGone+padded(num), errors.Join(err, ErrState))
	}
	return d, true, nil
}

func putGone(tx store.Tx, d diskGone) error {
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode tombstone of %s: %w", idOf(d.Num), err)
	}
	return tx.Put(keyGone+padded(d.Num), v)
}

// Gone returns the tombstone of an incident; found is false when it was not
// removed.
func (b *Book) Gone(ctx context.Context, id string) (g Gone, found bool, err error) {
	num, err := number(id)
	if err != nil {
		return g, false, nil
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		d, ok, err := getGone(tx, num)
		g, found = d.gone(), ok
		return err
	})
	return g, found, err
}

// Missing returns the incidents that have neither record nor tombstone:
// somebody took them away. gone is how many were removed by rule.
func (b *Book) Missing(ctx context.Context) (missing []string, gone int, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		missing, gone = nil, 0
		last, err := getCounter(tx)
		if err != nil {
			return err
		}
		for n := 1; n <= last; n++ {
			v, err := tx.Get(keyRecord + padded(n))
			if err != nil {
				return err
			}
			_, removed, err := getGone(tx, n)
			switch {
			case err != nil:
				return err
			case removed:
				gone++
			case v == nil:
				missing = append(missing, idOf(n))
			}
		}
		return nil
	})
	return missing, gone, err
}

// Retire removes the incidents that are over, in which nothing was written
// since before, and that have nothing left to do (an action item, a temporary
// change). A removal that a kill cut short is finished first.
func (b *Book) Retire(ctx context.Context, before time.Time) (removed []string, err error) {
	var nums []int
	err = b.s.View(ctx, func(tx store.Tx) error {
		nums = nil
		err := tx.Scan(store.Range{Prefix: keyGone}, func(key string, v []byte) error {
			var d diskGone
			if err := json.Unmarshal(v, &d); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if !d.Done {
				nums = append(nums, d.Num)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Scan(store.Range{Prefix: keyRecord}, func(key string, v []byte) error {
			n, err := strconv.Atoi(key[len(keyRecord):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			r, err := decodeIncident(n, v)
			if err == nil && r.old(before) && !slices.Contains(nums, n) {
				nums = append(nums, n)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("look for what was kept long enough: %w", err)
	}
	for _, n := range nums {
		ok, err := b.retire(ctx, n, before)
		if err != nil {
			return removed, fmt.Errorf("remove %s: %w", idOf(n), err)
		}
		if ok {
			removed = append(removed, idOf(n))
		}
	}
	return removed, nil
}

// old reports that a record has been kept long enough.
func (r diskIncident) old(before time.Time) bool {
	i := r.incident()
	return Status(r.Status).over() && r.Updated.Before(before) && len(i.OpenTemps()) == 0 &&
		!slices.ContainsFunc(i.Tasks, Task.Open)
}

// retire removes one incident: the tombstone first, then what finds it, then
// its lines and images.
func (b *Book) retire(ctx context.Context, num int, before time.Time) (done bool, err error) {
	var keys []string
	var d diskGone
	err = b.s.Update(ctx, func(tx store.Tx) error {
		keys, done = nil, false
		var under bool
		var err error
		if d, under, err = getGone(tx, num); err != nil {
			return err
		}
		r, err := getIncident(tx, num)
		if errors.Is(err, ErrNotFound) {
			done = under
			return nil
		}
		if err != nil || !under && !r.old(before) { // written in since
			return err
		}
		done = true
		for _, t := range r.Tasks {
			keys = append(keys, keyTask+padded(t.Num), keyTaskOpen+padded(t.Num), readKey(t.Num))
		}
		keys = append(keys, keyOut+padded(num), keyNumberDue+padded(num), keyDraft+padded(num), keyRemind+padded(num), keyPublish+padded(num), keyPublishDue+padded(num), keyIndex+padded(num), keyRecord+padded(num)) // the record last
		if under {
			return nil
		}
		row, err := numberOf(tx, num) // it does not say which incident it is of, and goes on counting
		if err != nil {
			return err
		}
		if err := tx.Put(keyNumberRow+padded(num), row.encode()); err != nil {
			return err
		}
		d = diskGone{V: diskVersion, Num: num, Over: r.Updated, Removed: b.clock(), Lines: r.Lines, Head: r.Head, Private: r.Private}
		return putGone(tx, d)
	})
	if err != nil || !done {
		return false, err
	}
	for batch := range slices.Chunk(keys, 2*retireBatch) {
		if err := b.drop(ctx, batch); err != nil {
			return false, err
		}
	}
	for _, prefix := range []string{wordsPrefix(num), "incident/" + idOf(num) + "/", keyImage + idOf(num) + "/"} {
		for {
			n, err := b.dropUnder(ctx, num, prefix)
			if err != nil {
				return false, err
			}
			if n == 0 {
				break
			}
		}
	}
	d.Done = true
	return true, b.s.Update(ctx, func(tx store.Tx) error { return putGone(tx, d) })
}

func (b *Book) drop(ctx context.Context, keys []string) error {
	return b.s.Update(ctx, func(tx store.Tx) error {
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropUnder removes some keys under a prefix, and where the pinned messages
// among them are noted.
func (b *Book) dropUnder(ctx context.Context, num int, prefix string) (n int, err error) {
	err = b.s.Update(ctx, func(tx store.Tx) error {
		n = 0
		var keys []string
		err := tx.Scan(store.Range{Prefix: prefix, Limit: retireBatch}, func(key string, v []byte) error {
			n++
			keys = append(keys, key)
			var l diskLine
			var e Evidence
			if json.Unmarshal(v, &l) != nil || l.Kind != PinKind || json.Unmarshal(l.Evidence, &e) != nil {
				return nil
			}
			keys = append(keys, pinKey(e.Pin.Message))
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			if v, err := tx.Get(k); err != nil {
				return err
			} else if len(k) > len(keyPin) && k[:len(keyPin)] == keyPin && string(v) != strconv.Itoa(num) {
				continue // it moved to another incident
			}
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}
