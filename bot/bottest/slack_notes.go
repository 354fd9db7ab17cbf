package bottest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/certmedic/certmedic/bot"
)

// Notes are bot.Notes in memory: only what was written is in them.
type Notes struct {
	mu   sync.Mutex
	m    map[string][]byte
	full bool
	dead bool
}

// NewNotes makes Notes.
func NewNotes() *Notes { return &Notes{m: map[string][]byte{}} }

// Fill makes every write fail, or no more.
func (n *Notes) Fill(full bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.full = full
}

// Cut returns a copy as a process that is killed here leaves it; what is
// written to n afterwards fails.
func (n *Notes) Cut() *Notes {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = true
	c := NewNotes()
	for k, v := range n.m {
		c.m[k] = slices.Clone(v)
	}
	return c
}

func (n *Notes) writable() error {
	if n.dead {
		return errors.New("the process was killed")
	}
	if n.full {
		return ErrFull
	}
	return nil
}

// Add implements bot.Notes.
func (n *Notes) Add(_ context.Context, one bot.Note) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.writable(); err != nil {
		return false, err
	}
	if _, ok := n.m[one.Key]; ok {
		return false, nil
	}
	n.m[one.Key] = slices.Clone(one.Value)
	return true, nil
}

// Put implements bot.Notes.
func (n *Notes) Put(_ context.Context, ns ...bot.Note) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.writable(); err != nil {
		return err
	}
	for _, one := range ns {
		if len(one.Value) == 0 {
			delete(n.m, one.Key)
		} else {
			n.m[one.Key] = slices.Clone(one.Value)
		}
	}
	return nil
}

// List implements bot.Notes.
func (n *Notes) List(_ context.Context, prefix string) ([]bot.Note, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []bot.Note
	for k, v := range n.m {
		if strings.HasPrefix(k, prefix) {
			all = append(all, bot.Note{Key: k, Value: slices.Clone(v)})
		}
	}
	slices.SortFunc(all, func(a, b bot.Note) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// All are the keys that are there.
func (n *Notes) All() (keys []string) {
	ns, _ := n.List(context.Background(), "")
	for _, one := range ns {
		keys = append(keys, one.Key)
	}
	return keys
}
