package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// lately lists the incidents that chat platforms are told of: every one that is
// not over, however many there are, and those that ended lately. The whole
// record is looked through once, one incident at a time; afterwards only what
// was open, what is new and what ended lately is read.
type lately struct {
	mu    sync.Mutex
	last  int             // the newest number that was looked at
	open  map[string]bool // ids that were not over when they were last looked at
	ended map[string]bool // ids that were over
}

// told is how long after its end an incident is still told of.
const told = 30 * 24 * time.Hour

// list returns them, newest of the open ones first.
func (l *lately) list(ctx context.Context, book *incident.Book, now time.Time) ([]incident.Incident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest, err := book.List(ctx, incident.Filter{Limit: 1})
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	all, err := book.List(ctx, incident.Filter{Open: true})
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	for _, i := range all {
		open[i.ID] = true
	}
	ended := map[string]bool{}
	for id := range l.ended {
		ended[id] = true
	}
	for id := range l.open {
		ended[id] = true
	}
	last, err := strconv.Atoi(strings.TrimPrefix(newest[0].ID, "INC-"))
	if err != nil {
		return nil, fmt.Errorf("the number of %s: %w", newest[0].ID, err)
	}
	for n := l.last + 1; n <= last; n++ {
		ended["INC-"+strconv.Itoa(n)] = true
	}
	for id := range ended {
		if open[id] {
			delete(ended, id)
			continue
		}
		i, err := book.Incident(ctx, id)
		switch {
		case errors.Is(err, incident.ErrNotFound) || err == nil && now.Sub(i.Updated) > told:
			delete(ended, id)
		case err != nil:
			return nil, err
		default:
			all = append(all, i)
		}
	}
	l.last, l.open, l.ended = last, open, ended
	return all, nil
}

// private reports whether an incident is private; one that is not there is
// treated as if it were.
func (p *program) private(ctx context.Context, id string) (bool, error) {
	i, err := p.book.Incident(ctx, id)
	if errors.Is(err, incident.ErrNotFound) {
		return true, nil
	}
	return i.Private || err != nil, err
}
