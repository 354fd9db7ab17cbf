package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// restTick is how often rest looks; a server that has not collected garbage
// for one tick has nothing to do.
const restTick = 2 * time.Second

// rest gives memory back to the system when the program has come to rest after
// some work, a round of checks for example; the runtime alone keeps it for many
// minutes. Once for each stretch of work, and never while there is any: it
// costs a garbage collection.
func rest(ctx context.Context, tick time.Duration, free func()) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var seen, freed uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := collections()
		if now == seen && now != freed {
			free()
			now = collections()
			freed = now
		}
		seen = now
	}
}

// collections is how many garbage collections there have been.
func collections() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

func (p *program) freeMemory() {
	debug.FreeOSMemory()
	dropProgram()
	_ = p.store.Rest(context.Background()) // closed meanwhile, or this system cannot: then it is left
}

// thrift is the garbage collector's target for a server that mostly waits: less
// memory for a little more processor time while there is work.
const thrift = 25 // per cent

// beThrifty sets it, unless the person who starts the program has a say (GOGC).
func beThrifty() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(thrift)
	}
}
