package discord

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file holds the pacing of requests: Discord's buckets as its headers
// tell them (docs: topics/rate-limits), waited for no longer than the
// request's context lasts, and forgotten once they have been reset.

// mostBuckets is how many buckets are remembered.
const mostBuckets = 500

// limits remembers what Discord said of its rate limits.
type limits struct {
	now func() time.Time

	mu      sync.Mutex
	global  time.Time         // no request counts before this
	buckets map[string]bucket // by key
}

type bucket struct {
	remaining int
	reset     time.Time
}

func newLimits(now func() time.Time) *limits {
	if now == nil {
		now = time.Now
	}
	return &limits{now: now, buckets: map[string]bucket{}}
}

// bucketOf is what a request is limited with: its method, its route, and the
// channel, guild or webhook (with its token) at the head of the path. Every
// interaction has a bucket of its own.
func bucketOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range parts {
		first := i == 1 || i == 2 && (parts[0] == "webhooks" || parts[0] == "interactions")
		if !first && len(parts[i]) >= 16 && strings.Trim(parts[i], "0123456789") == "" {
			parts[i] = "{id}"
		}
	}
	return method + " " + strings.Join(parts, "/")
}

// isFree: requests that answer an interaction do not count in the global limit.
func isFree(path string) bool {
	return strings.HasPrefix(path, "interactions/") || strings.HasPrefix(path, "webhooks/")
}

// wait returns when a request may go; an error when ctx ends before.
func (l *limits) wait(ctx context.Context, key string, free bool) error {
	for {
		d := l.reserve(key, free)
		if d <= 0 {
			return ctx.Err()
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
			return &limited{after: d} // nothing was sent
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// reserve takes one request of a bucket, or says how long to wait for it.
func (l *limits) reserve(key string, free bool) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !free && l.global.After(now) {
		return l.global.Sub(now)
	}
	b, ok := l.buckets[key]
	switch {
	case !ok:
		return 0
	case !b.reset.After(now):
		delete(l.buckets, key)
		return 0
	case b.remaining <= 0:
		return b.reset.Sub(now)
	}
	b.remaining--
	l.buckets[key] = b
	return 0
}

// learn reads the headers of an answer.
func (l *limits) learn(key string, h http.Header) {
	remaining, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err != nil {
		return
	}
	after, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err != nil || after < 0 || after > 3600 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	reset := now.Add(time.Duration(after * float64(time.Second)))
	if b, ok := l.buckets[key]; ok && b.reset.After(now) && b.remaining < remaining {
		remaining = b.remaining // others are under way
	}
	l.keep(key, bucket{remaining, reset})
}

// told remembers a 429.
func (l *limits) told(key string, e *limited) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.now().Add(e.after)
	if e.all {
		l.global = until
		return
	}
	l.keep(key, bucket{0, until})
}

// keep remembers a bucket and forgets those that were reset. l.mu is held.
func (l *limits) keep(key string, b bucket) {
	if len(l.buckets) >= mostBuckets {
		now := l.now()
		for k, o := range l.buckets {
			if !o.reset.After(now) {
				delete(l.buckets, k)
			}
		}
		if len(l.buckets) >= mostBuckets {
			clear(l.buckets)
		}
	}
	l.buckets[key] = b
}

// readLimit reads a 429, with a JSON body or without.
func readLimit(resp *http.Response) *limited {
	l := &limited{after: time.Second, all: resp.Header.Get("X-RateLimit-Global") == "true"}
	if s, err := strconv.ParseFloat(resp.Header.Get("Retry-After"), 64); err == nil {
		l.after = seconds(s)
	}
	var body struct {
		Retry  float64 `json:"retry_after"`
		Global bool    `json:"global"`
		Code   int     `json:"code"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&body) == nil {
		if body.Retry > 0 {
			l.after = seconds(body.Retry)
		}
		l.all, l.code = l.all || body.Global, body.Code
	}
	return l
}

func seconds(s float64) time.Duration {
	return time.Duration(min(max(s, 0.001), 3600) * float64(time.Second))
}
