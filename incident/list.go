package incident

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/store"
)

// Filter selects incidents. The zero value selects all.
type Filter struct {
	Open        bool // investigating, identified, monitoring, resolved: not closed
	Certificate string
	Words       string // all words occur in id, title, certificate or impact
	Limit       int
}

// List returns incidents, newest first.
func (b *Book) List(ctx context.Context, f Filter) ([]Incident, error) {
	var list []Incident
	words := strings.Fields(strings.ToLower(f.Words))
	err := b.s.View(ctx, func(tx store.Tx) error {
		list = []Incident{}
		nums, err := candidates(tx, f, words)
		if err != nil {
			return err
		}
		for _, n := range nums {
			r, err := getIncident(tx, n)
			if err != nil {
				return err
			}
			list = append(list, r.incident())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	return list, nil
}

// Find returns the newest f.Limit incidents (0: all) that f selects and that
// see, asked about private ones alone, lets through; total is how many there
// are without the limit. Only what is returned is read, so that ten thousand
// are counted in a moment.
func (b *Book) Find(ctx context.Context, f Filter, see func(Incident) bool) (list []Incident, total int, err error) {
	words := strings.Fields(strings.ToLower(f.Words))
	err = b.s.View(ctx, func(tx store.Tx) error {
		list, total = []Incident{}, 0
		return tx.Scan(store.Range{Prefix: keyIndex, Reverse: true}, func(key string, v []byte) error {
			index := string(v)
			if !matches(index, f, words) {
				return nil
			}
			known := strings.HasPrefix(index, statePublic)
			if f.Open && known && strings.HasPrefix(index[len(statePublic):], "over") {
				return nil
			}
			if known && f.Limit > 0 && len(list) >= f.Limit {
				total++
				return nil
			}
			n, err := strconv.Atoi(key[len(keyIndex):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			r, err := getIncident(tx, n)
			if err != nil {
				return err
			}
			if f.Open && Status(r.Status).over() {
				return nil
			}
			i := r.incident()
			if i.Private && !see(i) {
				return nil
			}
			if total++; f.Limit == 0 || len(list) < f.Limit {
				list = append(list, i)
			}
			return nil
		})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find incidents: %w", err)
	}
	return list, total, nil
}

// statePublic begins the index of an incident that is known not to be private.
// One without it may be, and is read: it is private, or its index is of an
// older version.
const statePublic = "public "

// candidates returns the numbers of the incidents that f selects, newest first,
// from the indexes alone.
func candidates(tx store.Tx, f Filter, words []string) ([]int, error) {
	var nums []int
	full := func() bool { return f.Limit > 0 && len(nums) >= f.Limit }
	if !f.Open {
		err := tx.Scan(store.Range{Prefix: keyIndex, Reverse: true}, func(key string, v []byte) error {
			if matches(string(v), f, words) {
				n, err := strconv.Atoi(key[len(keyIndex):])
				if err != nil {
					return fmt.Errorf("decode %s: %w", key, err)
				}
				nums = append(nums, n)
			}
			if full() {
				return store.ErrStop
			}
			return nil
		})
		return nums, err
	}
	prefix := keyOpen
	if f.Certificate != "" {
		prefix = openPrefix(f.Certificate)
	}
	var open []int
	err := tx.Scan(store.Range{Prefix: prefix}, func(key string, _ []byte) error {
		n, err := strconv.Atoi(key[strings.LastIndexByte(key, '/')+1:])
		if err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		open = append(open, n)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(open)
	open = slices.Compact(open)
	for _, n := range slices.Backward(open) {
		if full() {
			break
		}
		v, err := tx.Get(keyIndex + padded(n))
		if err != nil {
			return nil, err
		}
		if matches(string(v), f, words) {
			nums = append(nums, n)
		}
	}
	return nums, nil
}

// indexOf is what List and Find look at: "open" or "over" (with statePublic
// before it), the certificates, and the
// words to search, each on its line.
func indexOf(r diskIncident) string {
	state := "open"
	if Status(r.Status).over() {
		state = "over"
	}
	if !r.Private {
		state = statePublic + state
	}
	names := strings.Join(r.Certificates, "\x1f")
	text := strings.ToLower(strings.Join([]string{idOf(r.Num), r.Title, names, r.Impact}, " "))
	return state + "\n\x1f" + names + "\x1f\n" + text
}

func matches(index string, f Filter, words []string) bool {
	_, rest, _ := strings.Cut(index, "\n")
	names, text, _ := strings.Cut(rest, "\n")
	if f.Certificate != "" && !strings.Contains(names, "\x1f"+f.Certificate+"\x1f") {
		return false
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
