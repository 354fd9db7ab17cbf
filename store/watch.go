package store

import (
	"context"
	"strings"
	"sync"
)

// maxLag is the number of changes that a watcher may fall behind before its
// channel is closed.
const maxLag = 1 << 15

// watchers are those who are told of changes.
type watchers struct {
	mu   sync.Mutex
	all  map[*watcher]struct{} // nil once shut
	stop chan struct{}
	wg   sync.WaitGroup
}

// watcher is one Watch; its pump moves the queue to the reader's channel.
type watcher struct {
	prefix string
	out    chan Change
	some   chan struct{} // there is something in the queue
	lagged chan struct{} // closed when the queue has overflowed

	mu    sync.Mutex
	queue []Change
}

func (w *watchers) init() {
	w.all = map[*watcher]struct{}{}
	w.stop = make(chan struct{})
}

// Watch sends every later change under prefix, in commit order, until ctx
// ends; then the channel is closed. It is closed early too when the store is
// closed, or when the reader is more than maxLag changes behind.
func (b *Bolt) Watch(ctx context.Context, prefix string) (<-chan Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := &watcher{
		prefix: prefix,
		out:    make(chan Change, 64),
		some:   make(chan struct{}, 1),
		lagged: make(chan struct{}),
	}
	w := &b.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil || b.queue.isClosed() {
		return nil, ErrClosed
	}
	w.all[n] = struct{}{}
	w.wg.Add(1)
	go w.pump(ctx, n)
	return n.out, nil
}

// tell queues changes for those who watch them. It never waits for a reader.
func (w *watchers) tell(changes []Change) {
	if len(changes) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.all {
		if !n.push(changes) {
			close(n.lagged)
			delete(w.all, n)
		}
	}
}

// push queues the changes under the watcher's prefix; false: there is no room.
func (n *watcher) push(changes []Change) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range changes {
		if !strings.HasPrefix(c.Key, n.prefix) {
			continue
		}
		if len(n.queue) == maxLag {
			n.queue = nil
			return false
		}
		n.queue = append(n.queue, Change{Key: c.Key, Value: clone(c.Value)})
	}
	if len(n.queue) > 0 {
		select {
		case n.some <- struct{}{}:
		default:
		}
	}
	return true
}

func (n *watcher) takeOne() (Change, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return Change{}, false
	}
	c := n.queue[0]
	n.queue[0] = Change{}
	n.queue = n.queue[1:]
	return c, true
}

// pump feeds one reader until ctx ends, the store closes or the reader lags.
func (w *watchers) pump(ctx context.Context, n *watcher) {
	defer w.wg.Done()
	defer close(n.out)
	defer func() {
		w.mu.Lock()
		delete(w.all, n)
		w.mu.Unlock()
	}()
	for {
		c, ok := n.takeOne()
		out := n.out
		if !ok {
			out = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-w.stop:
			return
		case <-n.lagged:
			return
		case out <- c:
		case <-wake(n.some, ok):
		}
	}
}

// wake is some when there is nothing at hand, else nil.
func wake(some chan struct{}, have bool) chan struct{} {
	if have {
		return nil
	}
	return some
}

// shut ends all watches and waits for their goroutines.
func (w *watchers) shut() {
	w.mu.Lock()
	w.all = nil
	close(w.stop)
	w.mu.Unlock()
	w.wg.Wait()
}
