package main

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestRestFreesOncePerStretchOfWork: not while there is work, once after it,
// and again only after more.
func TestRestFreesOncePerStretchOfWork(t *testing.T) {
	// Not parallel: other tests' garbage would be work.
	const tick = 50 * time.Millisecond
	freed := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { rest(ctx, tick, func() { runtime.GC(); freed <- struct{}{} }) })
	defer done.Wait()
	defer cancel()
	wait := func(what string) {
		t.Helper()
		select {
		case <-freed:
		case <-time.After(20 * time.Second):
			t.Fatalf("no memory was given back after %s", what)
		}
	}
	runtime.GC()
	wait("the first work")
	select {
	case <-freed:
		t.Error("memory was given back twice")
	case <-time.After(6 * tick):
	}
	runtime.GC()
	wait("more work")
}
