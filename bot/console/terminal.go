package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/certmedic/certmedic/bot"
	"golang.org/x/term"
)

// In this file: the room on a real terminal.

const (
	keyInterrupt = 0x03 // Ctrl-C as it comes
	keyClear     = 0x1c // what the editor is given for it: it has no own meaning there
	keyRedraw    = 0x0c // Ctrl-L
	completing   = time.Second
	listed       = 40 // completions shown at once
)

// terminal runs the room on a terminal, which is in raw mode meanwhile.
func (c *console) terminal(ctx context.Context, in, out *os.File) error {
	past, herr := openHistory(c.o.History)
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("set the terminal to raw mode: %w", err)
	}
	tty := &tty{c: c, out: out}
	defer func() { // also when a panic comes through here
		_ = term.Restore(int(in.Fd()), old) // a terminal that is gone needs no restoring
		tty.end()
	}()
	tty.in, tty.start = c.reader(ctx)
	tty.editor = term.NewTerminal(tty, c.o.Room+"> ")
	tty.editor.History = past
	tty.editor.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		defer c.crew.catch() // the editor holds no lock here, and would release it
		return tty.key(ctx, line, pos, key)
	}
	tty.screen = newScreen(tty.editor)
	tty.screen.colour = os.Getenv("NO_COLOR") == ""
	tty.screen.size, tty.screen.site = tty.size, c.o.Site
	return tty.run(ctx, herr)
}

// tty is the terminal with its editor. It is the editor's reader and writer.
type tty struct {
	c      *console
	in     io.Reader
	start  func(func() error)
	out    *os.File
	editor *term.Terminal
	screen *screen

	mu     sync.Mutex
	prompt bool // the cursor stands in a line being typed
}

func (t *tty) run(ctx context.Context, history error) error {
	c := t.c
	hello := "Room " + c.o.Room + ", you are " + line(c.o.By.Name) + ". /help lists what can be typed, Tab completes, Ctrl-D leaves.\n"
	if history != nil {
		hello += "The history is not kept: " + line(history.Error()) + "\n"
	}
	f, err := c.newFeed(ctx, t.screen, true)
	if err == nil {
		err = t.screen.note(hello)
	}
	if err != nil {
		return err
	}
	left := make(chan struct{})
	c.crew.start(func() error { return f.run(ctx, nil) })
	c.crew.start(func() error { return c.work(ctx) })
	c.crew.start(func() error {
		select {
		case <-left:
			c.crew.cancel()
		case <-ctx.Done():
		}
		return nil
	})
	t.start(func() error {
		defer close(left)
		return t.read(ctx)
	})
	return c.crew.wait()
}

// read hands the typed lines to the worker until Ctrl-D or /quit.
func (t *tty) read(ctx context.Context) error {
	for ctx.Err() == nil {
		t.inPrompt(true)
		typed, err := t.editor.ReadLine()
		if errors.Is(err, term.ErrPasteIndicator) {
			err = nil
		}
		switch {
		case ctx.Err() != nil, errors.Is(err, io.EOF), errors.Is(err, syscall.EIO): // EIO: the terminal is gone
			return nil
		case err != nil:
			return fmt.Errorf("read the terminal: %w", err)
		}
		t.inPrompt(false)
		if quit(typed) {
			return nil
		}
		t.c.submit(ctx, typed)
	}
	return nil
}

func (t *tty) inPrompt(in bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.prompt = in
}

// end leaves the cursor at the start of a line.
func (t *tty) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prompt {
		_, _ = t.out.WriteString("\r\n")
	}
}

// Read gives the editor what is typed. A key that moves what is on the screen
// is announced before the editor acts on it.
func (t *tty) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	t.size()
	if bytes.ContainsAny(b[:n], "\r\n\x0c") {
		t.screen.moved()
	}
	for i, k := range b[:n] {
		if k == keyInterrupt {
			b[i] = keyClear
		}
	}
	return n, err
}

// Write is the editor's way out.
func (t *tty) Write(b []byte) (int, error) { return t.out.Write(b) }

// size returns the terminal's size now, and tells the editor when it is new.
func (t *tty) size() (width, height int) {
	w, h, err := term.GetSize(int(t.out.Fd()))
	if err != nil || w <= 0 || h <= 0 {
		return fallbackWidth, 24
	}
	_ = t.editor.SetSize(w, h) // it fails when writing does; that shows soon enough
	return w, h
}

// key is called for keys that the editor has no use for: it completes at Tab
// and clears the line at Ctrl-C.
func (t *tty) key(ctx context.Context, typed string, pos int, key rune) (string, int, bool) {
	switch key {
	case keyClear:
		if typed == "" {
			_ = t.screen.note("Ctrl-D or /quit leaves.\n") // a failing terminal ends the feed
		}
		return "", 0, true
	case '\t':
		head, tail := typed[:pos], typed[pos:]
		ctx, cancel := context.WithTimeout(ctx, completing)
		defer cancel()
		var all []string
		for _, l := range t.c.o.Rooms.Complete(ctx, head, t.c.o.Room, t.c.o.By.ID) {
			if l = bot.Clean(l); l != "" && !strings.ContainsAny(l, "\n\t") {
				all = append(all, l)
			}
		}
		head = t.completed(head, all)
		return head + tail, len(head), true
	}
	return typed, pos, bot.Clean(string(key)) == "" // what is no text is not typed
}

// completed returns the line as far as it is certain, and lists the choices
// when that is no farther than it was.
func (t *tty) completed(head string, all []string) string {
	switch len(all) {
	case 0:
		return head
	case 1:
		return strings.TrimRight(all[0], " ") + " "
	}
	common := []rune(all[0])
	for _, l := range all[1:] {
		r := []rune(l)
		n := 0
		for n < min(len(common), len(r)) && common[n] == r[n] {
			n++
		}
		common = common[:n]
	}
	if c := string(common); len(c) > len(head) && strings.EqualFold(c[:len(head)], head) {
		return c
	}
	shown := slices.Clone(all[:min(len(all), listed)])
	if len(all) > listed {
		shown = append(shown, fmt.Sprintf("… and %d more", len(all)-listed))
	}
	_ = t.screen.note("  " + strings.Join(shown, "\n  ") + "\n") // a failing terminal ends the feed
	return head
}
