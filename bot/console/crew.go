package console

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// crew are the goroutines of one run. The first that fails ends all; a panic
// in one is carried to the goroutine that waits, so that the terminal is given
// back before the program ends of it.
type crew struct {
	wg     sync.WaitGroup
	cancel context.CancelFunc

	mu    sync.Mutex
	err   error
	panic any
}

func newCrew(ctx context.Context) (*crew, context.Context) {
	c := &crew{}
	ctx, c.cancel = context.WithCancel(ctx)
	return c, ctx
}

// start runs fn in a goroutine that wait waits for.
func (c *crew) start(fn func() error) {
	c.wg.Go(func() { c.guard(fn) })
}

// loose runs fn in a goroutine that nobody can interrupt, and so nobody waits for.
func (c *crew) loose(fn func() error) {
	go c.guard(fn)
}

func (c *crew) guard(fn func() error) {
	defer c.catch()
	if err := fn(); err != nil {
		c.fail(err)
	}
}

// catch is deferred where a panic must not go further up: it is kept for wait,
// and all is ended.
func (c *crew) catch() {
	p := recover()
	if p == nil {
		return
	}
	c.mu.Lock()
	if c.panic == nil {
		c.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
	}
	c.mu.Unlock()
	c.cancel()
}

// fail ends the run with err.
func (c *crew) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.cancel()
}

// wait returns what went wrong first, when all goroutines have ended.
func (c *crew) wait() error {
	c.wg.Wait()
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.panic != nil {
		panic(c.panic)
	}
	return c.err
}
