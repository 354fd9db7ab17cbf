package main

import (
	"context"
	"time"
)

// noteWords has every record that a program without search wrote, or wrote in,
// give its words to the search, in the background; then it waits for ctx to
// end, as a part of the program does. What cannot be read is said once.
func (p *program) noteWords(ctx context.Context) error {
	start := time.Now()
	n, err := p.book.NoteWords(ctx)
	if err != nil && ctx.Err() == nil {
		p.o.Log.Error("some timelines cannot be searched; `certmedic verify` says more", "err", err)
	}
	if n > 0 {
		p.o.Log.Info("earlier timelines can be searched now", "incidents", n, "took", time.Since(start).Round(time.Millisecond))
	}
	<-ctx.Done()
	return nil
}
