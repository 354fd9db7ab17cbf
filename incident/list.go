package incident

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/store"
)

// In this file: listing incidents, and the index that says of each in a few
// bytes what a list asks. Searching the words of their timelines is in
// search.go.

// Filter selects incidents. The zero value selects all.
type Filter struct {
	Open        bool // investigating, identified, monitoring, resolved: not closed
	Certificate string
	Words       string // all of them occur on the record, see Search
	Limit       int
}

// List returns incidents, newest first, private ones too.
func (b *Book) List(ctx context.Context, f Filter) ([]Incident, error) {
	all := func(Incident) bool { return true }
	var list []Incident
	var err error
	if f.Words != "" {
		list, _, err = b.Find(ctx, f, all)
		return list, err
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = []Incident{}
		nums, err := candidates(tx, f)
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
	found, err := b.Search(ctx, f, 0, see)
	if err != nil {
		return nil, 0, err
	}
	list = make([]Incident, len(found.Hits))
	for n, h := range found.Hits {
		list[n] = h.Incident
	}
	return list, found.Total, nil
}

// candidates returns the numbers of the incidents that f selects, newest first,
// from the indexes alone.
func candidates(tx store.Tx, f Filter) ([]int, error) {
	var nums []int
	full := func() bool { return f.Limit > 0 && len(nums) >= f.Limit }
	if !f.Open {
		err := tx.Scan(store.Range{Prefix: keyIndex, Reverse: true, Lend: true}, func(key string, v []byte) error {
			if parseIndex(v).has(f.Certificate) {
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
	err := tx.Scan(store.Range{Prefix: prefix, Lend: true}, func(key string, _ []byte) error {
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
		nums = append(nums, n)
	}
	return nums, nil
}

// index is what stands beside a record for lists, three lines:
//
//	public open read            "public ": it is known not to be private; open or over;
//	                            " read": the words of all its lines are noted (words.go)
//	\x1fmedia\x1fapi\x1f        its certificates
//	inc-7 images are down ...   what it says itself, in lower case
//
// An older program writes it without " read", and with less on the last line.
type index struct {
	public, over, read bool
	names, text        []byte
}

const (
	statePublic = "public "
	stateOver   = "over"
	stateRead   = " read"
)

func parseIndex(v []byte) (x index) {
	state, rest, _ := bytes.Cut(v, []byte("\n"))
	x.names, x.text, _ = bytes.Cut(rest, []byte("\n"))
	state, x.public = bytes.CutPrefix(state, []byte(statePublic))
	state, x.read = bytes.CutSuffix(state, []byte(stateRead))
	x.over = string(state) == stateOver
	return x
}

// has reports that it has a certificate; "" is any.
func (x index) has(certificate string) bool {
	return certificate == "" || bytes.Contains(x.names, []byte("\x1f"+certificate+"\x1f"))
}

// opens reports that the same keys lead to it while it is open as to another.
func (x index) opens(o index) bool { return x.over == o.over && bytes.Equal(x.names, o.names) }

func indexOf(r diskIncident) string {
	state := "open"
	if Status(r.Status).over() {
		state = stateOver
	}
	if !r.Private {
		state = statePublic + state
	}
	if r.Words == r.Lines {
		state += stateRead
	}
	names := strings.Join(r.Certificates, "\x1f")
	var text []string
	for _, p := range r.incident().own() {
		text = append(text, p.Text)
	}
	return state + "\n\x1f" + names + "\x1f\n" + strings.ToLower(strings.Join(text, "\n"))
}
