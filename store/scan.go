package store

import (
	"bytes"
	"errors"
	"sort"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// cursor walks a bucket's keys within a Range, in its direction.
type cursor struct {
	c       *bolt.Cursor
	prefix  []byte
	reverse bool
	k, v    []byte // k is nil at the end
}

// start goes to the first key of g.
func (c *cursor) start(g Range) {
	c.prefix, c.reverse = []byte(g.Prefix), g.Reverse
	if !g.Reverse {
		c.k, c.v = c.c.Seek([]byte(max(g.Prefix, g.From)))
		c.bound()
		return
	}
	end := after(c.prefix) // the first key beyond the prefix; nil: none
	if g.From != "" && (end == nil || g.From < string(end)) {
		c.k, c.v = c.c.Seek([]byte(g.From))
		if c.k != nil && string(c.k) == g.From {
			c.bound()
			return
		}
	} else if end != nil {
		c.k, c.v = c.c.Seek(end)
	}
	// The cursor stands right after the wanted key, or nowhere.
	if c.k == nil {
		c.k, c.v = c.c.Last()
	} else {
		c.k, c.v = c.c.Prev()
	}
	c.bound()
}

func (c *cursor) next() {
	if c.reverse {
		c.k, c.v = c.c.Prev()
	} else {
		c.k, c.v = c.c.Next()
	}
	c.bound()
}

// bound ends the walk at the first key without the prefix.
func (c *cursor) bound() {
	if c.k != nil && !bytes.HasPrefix(c.k, c.prefix) {
		c.k, c.v = nil, nil
	}
}

// after returns the first key that is greater than all keys with the prefix,
// or nil when there is none.
func after(prefix []byte) []byte {
	end := clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// written returns the keys of writes within g, in its order.
func written(g Range, writes map[string][]byte) []string {
	var keys []string
	for k := range writes {
		switch {
		case !strings.HasPrefix(k, g.Prefix):
		case g.From != "" && !g.Reverse && k < g.From:
		case g.From != "" && g.Reverse && k > g.From:
		default:
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	if g.Reverse {
		for i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {
			keys[i], keys[j] = keys[j], keys[i]
		}
	}
	return keys
}

// scan merges the bucket under c with the writes laid over it. What fn itself
// writes meanwhile is not seen by this scan.
func scan(g Range, c *cursor, writes map[string][]byte, fn func(string, []byte) error) error {
	keys := written(g, writes)
	laid := make([][]byte, len(keys)) // values as they are now
	for i, k := range keys {
		laid[i] = writes[k]
	}
	c.start(g)
	for n, i := 0, 0; g.Limit <= 0 || n < g.Limit; {
		key, value, own := "", []byte(nil), false
		switch {
		case i == len(keys) && c.k == nil:
			return nil
		case i == len(keys):
			key, value = string(c.k), c.v
		case c.k == nil || first(keys[i], string(c.k), g.Reverse):
			key, value, own = keys[i], laid[i], true
		default:
			key, value = string(c.k), c.v
		}
		if c.k != nil && string(c.k) == key {
			if !g.Lend {
				value = clone(value)
			}
			c.next()
		}
		if own {
			if i++; value == nil {
				continue // deleted
			}
			if !g.Lend {
				value = clone(value)
			}
		}
		n++
		if err := fn(key, value); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
	}
	return nil
}

// first reports that a comes before b, or is b, in the scan's direction.
func first(a, b string, reverse bool) bool {
	if reverse {
		return a >= b
	}
	return a <= b
}
