package store

import (
	"context"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// In this file: the group commit. Updates queue; one goroutine (commitLoop)
// takes what has queued while the last commit was being made durable, gives
// each its turn in one bbolt transaction, and commits once for all. A lone
// Update is taken at once. Each function runs in its caller's own goroutine,
// so a panic in it is that caller's alone.

// maxBatch is the most Updates that share a commit.
const maxBatch = 256

// queue holds the Updates that wait for their turn.
type queue struct {
	mu     sync.Mutex
	some   sync.Cond // there is a job, or no more will come
	jobs   []*job
	closed bool
	ended  chan struct{} // closed when commitLoop has returned
}

// job is one Update on its way. All its channels take one value without waiting.
type job struct {
	turn chan grant // run now
	ran  chan bool  // it ran, and its writes are wanted
	done chan error // how the commit went
}

type grant struct {
	tx  *writeTx
	err error // no transaction could be had
}

func (q *queue) init() {
	q.some.L = &q.mu
	q.ended = make(chan struct{})
}

func (q *queue) add(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.jobs = append(q.jobs, j)
	q.some.Signal()
	return nil
}

// withdraw takes j out of the queue; false: it is too late for that.
func (q *queue) withdraw(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, o := range q.jobs {
		if o == j {
			q.jobs = append(q.jobs[:i], q.jobs[i+1:]...)
			return true
		}
	}
	return false
}

// take waits for jobs and returns at most maxBatch of them, or nil when the
// queue is shut and empty.
func (q *queue) take() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 {
		if q.closed {
			return nil
		}
		q.some.Wait()
	}
	n := min(len(q.jobs), maxBatch)
	batch := append([]*job{}, q.jobs[:n]...)
	q.jobs = append([]*job{}, q.jobs[n:]...)
	return batch
}

func (q *queue) shut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// Update runs fn and commits what it wrote, durably, before it returns nil. On
// an error nothing of it is written. fn must not call Update or View of the
// same store. When ctx ends before fn's turn, fn is not run.
func (b *Bolt) Update(ctx context.Context, fn func(Tx) error) error {
	return b.update(ctx, func(w *writeTx) error { return fn(w) })
}

func (b *Bolt) update(ctx context.Context, fn func(*writeTx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{turn: make(chan grant, 1), ran: make(chan bool, 1), done: make(chan error, 1)}
	if err := b.queue.add(j); err != nil {
		return err
	}
	var g grant
	select {
	case g = <-j.turn:
	case <-ctx.Done():
		if b.queue.withdraw(j) {
			return ctx.Err()
		}
		g = <-j.turn
	}
	if g.err != nil {
		return g.err
	}
	if err := ctx.Err(); err != nil {
		j.ran <- false
		return err
	}
	err := j.run(g.tx, fn)
	// What fn found may have been written by a neighbour in the same commit:
	// its answer holds only if that commit does.
	if cerr := <-j.done; cerr != nil {
		return cerr
	}
	return err
}

// run gives fn its turn, and the turn back however fn ends.
func (j *job) run(w *writeTx, fn func(*writeTx) error) (err error) {
	wanted := false
	defer func() {
		w.over = true
		j.ran <- wanted
	}()
	err = fn(w)
	if err == nil {
		err = w.err
	}
	wanted = err == nil
	return err
}

// commitLoop commits batches until the queue is shut and empty. Close waits
// for it.
func (b *Bolt) commitLoop() {
	defer close(b.queue.ended)
	for {
		batch := b.queue.take()
		if batch == nil {
			return
		}
		b.commit(batch)
	}
}

func (b *Bolt) commit(batch []*job) {
	tx, err := b.db.Begin(true)
	if err != nil {
		for _, j := range batch {
			j.turn <- grant{err: asClosed(err)}
		}
		return
	}
	changes, wrote, err := turns(tx, batch)
	switch {
	case err != nil || !wrote:
		_ = tx.Rollback() // the transaction is open, so there is nothing to fail
	default:
		if err = tx.Commit(); err != nil {
			err = fmt.Errorf("commit: %w", asFull(err))
		}
	}
	if err == nil {
		b.watchers.tell(changes)
	}
	for _, j := range batch {
		j.done <- err
	}
}

// turns runs the batch in tx, one after the other; each sees what those before
// it wrote.
func turns(tx *bolt.Tx, batch []*job) (changes []Change, wrote bool, err error) {
	data, locks := tx.Bucket(bucketData), tx.Bucket(bucketLocks)
	for _, j := range batch {
		w := &writeTx{data: overlay{b: data}, locks: overlay{b: locks}}
		j.turn <- grant{tx: w}
		if !<-j.ran || !w.dirty() || err != nil {
			continue
		}
		wrote = true
		c, aerr := w.apply()
		if aerr != nil {
			err = fmt.Errorf("commit: %w", aerr)
			continue
		}
		changes = append(changes, c...)
	}
	return changes, wrote, err
}
