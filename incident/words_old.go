package incident

// In this file: giving their words to records from before there were any, and
// to those that an older program wrote in since (it keeps no words, and drops
// diskIncident.Words with them).

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/certmedic/certmedic/store"
)

const (
	oldLines = 400 // lines that one transaction reads at most
	oldKeys  = 60  // keys after which it begins with no further block
	oldEach  = 500 // incidents looked up at once
)

// NoteWords notes the words of every record that lacks them, the newest
// first, a few hundred lines in each transaction, so that it holds nobody up,
// holds little in memory, and goes on where it was when it is cut short. A
// record that cannot be read is left out, and named in the error.
func (b *Book) NoteWords(ctx context.Context) (incidents int, err error) {
	var errs []error
	for below := 0; ; {
		nums, err := b.wordless(ctx, below)
		if err != nil {
			return incidents, errors.Join(append(errs, err)...)
		}
		if len(nums) == 0 {
			return incidents, errors.Join(errs...)
		}
		below = nums[len(nums)-1]
		for len(nums) > 0 {
			n, bad, err := b.noteSome(ctx, nums)
			if err != nil {
				return incidents, errors.Join(append(errs, err)...)
			}
			if bad != nil {
				if len(errs) < 10 {
					errs = append(errs, fmt.Errorf("words of %s: %w", idOf(nums[0]), bad))
				}
				nums = nums[1:]
			}
			incidents += n
			nums = nums[n:]
		}
	}
}

// wordless returns the newest incidents below a number (0: all) whose index
// does not say that they have all their words.
func (b *Book) wordless(ctx context.Context, below int) (nums []int, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		nums = nil
		r := store.Range{Prefix: keyIndex, Reverse: true, Lend: true}
		if below > 0 {
			r.From = keyIndex + padded(below-1)
		}
		return tx.Scan(r, func(key string, v []byte) error {
			if parseIndex(v).read {
				return nil
			}
			n, err := strconv.Atoi(key[len(keyIndex):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if nums = append(nums, n); len(nums) == oldEach {
				return store.ErrStop
			}
			return nil
		})
	})
	return nums, err
}

// noteSome notes words until a transaction is full, and returns how many of
// the incidents, from the first on, have all of theirs now. bad is why the
// first of them cannot be read.
func (b *Book) noteSome(ctx context.Context, nums []int) (done int, bad, err error) {
	err = b.s.Update(ctx, func(tx store.Tx) error {
		done, bad = 0, nil
		w := &oldWords{tx: tx, keys: map[string]bool{}}
		for _, num := range nums {
			whole, err := w.incident(num)
			if err != nil {
				if done == 0 {
					bad = err
					return bad // nothing of it is kept
				}
				return nil // what was done before is kept; it comes first the next time
			}
			if !whole {
				return nil
			}
			if done++; w.full() {
				return nil
			}
		}
		return nil
	})
	if bad != nil {
		return 0, bad, nil
	}
	return done, nil, err
}

// oldWords notes words in one transaction.
type oldWords struct {
	tx    store.Tx
	lines int
	keys  map[string]bool
}

func (w *oldWords) full() bool { return w.lines >= oldLines || len(w.keys) >= oldKeys }

// incident notes lines of one incident; whole is false when there are more.
func (w *oldWords) incident(num int) (whole bool, err error) {
	r, err := getIncident(w.tx, num)
	if errors.Is(err, ErrNotFound) { // it is being removed
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if r.Words <= 0 || r.Words > r.Lines { // what stands there is of nobody knows when
		if clear, err := w.clear(num); err != nil || !clear {
			return false, err
		}
		r.Words = 0
	}
	err = w.tx.Scan(store.Range{Prefix: linePrefix(num), From: lineKey(num, r.Words+1), Lend: true}, func(key string, v []byte) error {
		var l diskLine
		if err := json.Unmarshal(v, &l); err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		if w.full() || l.Line != r.Words+1 {
			return store.ErrStop
		}
		e, err := l.entry(num)
		if err != nil {
			return err
		}
		if err := noteWords(w.tx, num, l, e); err != nil {
			return err
		}
		block, _, err := blockOf(w.tx, num, l.Entry)
		w.keys[block] = true
		w.lines++
		r.Words = l.Line
		return err
	})
	if err != nil {
		return false, err
	}
	v, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", idOf(num), err)
	}
	w.keys[keyRecord+padded(num)] = true
	if err := w.tx.Put(keyRecord+padded(num), v); err != nil {
		return false, err
	}
	if r.Words != r.Lines {
		if !w.full() {
			return false, fmt.Errorf("line %d is missing: %w", r.Words+1, ErrNotFound)
		}
		return false, nil
	}
	w.keys[keyIndex+padded(num)] = true
	return true, w.tx.Put(keyIndex+padded(num), []byte(indexOf(r)))
}

// clear removes the words of an incident; done is false when there are more.
func (w *oldWords) clear(num int) (done bool, err error) {
	var keys []string
	err = w.tx.Scan(store.Range{Prefix: wordsPrefix(num), Lend: true, Limit: oldKeys}, func(key string, _ []byte) error {
		keys = append(keys, key)
		return nil
	})
	for _, k := range keys {
		if w.full() || err != nil {
			return false, err
		}
		w.keys[k] = true
		err = w.tx.Delete(k)
	}
	return len(keys) < oldKeys && err == nil, err
}
