package slack

import (
	"sync"
	"time"
)

// pace keeps the methods that Slack allows 20 times a minute (tier 2) within
// that, each for itself: being told to wait costs more than waiting.
type pace struct {
	every time.Duration
	now   func() time.Time

	mu sync.Mutex
	m  map[string]*quota
}

type quota struct {
	left  float64
	at    time.Time
	until time.Time // Slack said so
}

// atOnce is how many calls of a method may come together.
const atOnce = 10

func newPace(every time.Duration, now func() time.Time) *pace {
	return &pace{every: every, now: now, m: map[string]*quota{}}
}

// wait takes a place; 0: it may go, else how long to wait before asking again.
func (p *pace) wait(method string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	q := p.quota(method, now)
	if d := q.until.Sub(now); d > 0 {
		return d
	}
	q.left = min(atOnce, q.left+float64(now.Sub(q.at))/float64(p.every))
	q.at = now
	if q.left < 1 {
		return max(time.Duration((1-q.left)*float64(p.every)), time.Millisecond)
	}
	q.left--
	return 0
}

// hold keeps a method from being called for so long.
func (p *pace) hold(method string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.quota(method, now).until = now.Add(d)
}

func (p *pace) quota(method string, now time.Time) *quota {
	q := p.m[method]
	if q == nil {
		q = &quota{left: atOnce, at: now}
		p.m[method] = q
	}
	return q
}
