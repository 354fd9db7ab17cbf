package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxLine is the longest line taken from a pipe, in bytes.
const maxLine = 64 << 10

// plain runs the room without a terminal. Every line is shown with "> " before
// it, so that the output reads as a transcript. At the end of the input it
// waits for the answers.
func (c *console) plain(ctx context.Context) error {
	s := newScreen(c.o.Out)
	s.echo, s.site = true, c.o.Site
	f, err := c.newFeed(ctx, s, false)
	if err != nil {
		c.crew.cancel()
		return err
	}
	enough := make(chan struct{})
	c.crew.start(func() error { return f.run(ctx, enough) })
	c.crew.start(func() error {
		defer close(enough)
		return c.work(ctx)
	})
	in, start := c.reader(ctx)
	start(func() error {
		defer close(c.lines)
		return c.read(ctx, in)
	})
	return c.crew.wait()
}

// reader returns In so that it can be interrupted when ctx ends, where that is
// possible, and how to start the goroutine that reads it.
func (c *console) reader(ctx context.Context) (io.Reader, func(func() error)) {
	if f, ok := c.o.In.(*os.File); ok {
		if r, stop, ok := interruptible(ctx, f); ok {
			return r, func(fn func() error) {
				c.crew.start(func() error { defer stop(); return fn() })
			}
		}
	}
	if d, ok := c.o.In.(interface{ SetReadDeadline(time.Time) error }); ok && d.SetReadDeadline(time.Time{}) == nil {
		return c.o.In, func(fn func() error) {
			c.crew.start(func() error {
				defer context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })()
				return fn()
			})
		}
	}
	return c.o.In, c.crew.loose
}

// read hands the lines of in to the worker until its end or /quit.
func (c *console) read(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if quit(lines.Text()) {
			return nil
		}
		if c.submit(ctx, lines.Text()); ctx.Err() != nil {
			return nil
		}
	}
	switch err := lines.Err(); {
	case err == nil || ctx.Err() != nil:
		return nil
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("a line is longer than %d bytes; nothing after it was read", maxLine)
	default:
		return fmt.Errorf("read the next line: %w", err)
	}
}
