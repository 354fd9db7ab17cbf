// Package console is a room in a terminal, with line editing, history and
// completion; and, where there is no terminal, a room in a pipe.
package console

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
	"golang.org/x/term"
)

// In this file: what a console is made of, and what happens to a line. How a
// terminal is handled is in terminal.go, a pipe in plain.go, what the room
// says in feed.go, and how a reply looks in render.go.

// Options are what a console is made of.
type Options struct {
	Rooms   *bot.Rooms
	By      commands.Person
	Room    string // "main" by default
	In      io.Reader
	Out     io.Writer
	History string // file; "": none is kept
	Site    string // where the pages are, for example "http://127.0.0.1:8080"; "": paths are shown alone
}

// ErrRoomClosed is returned by Run when the rooms were closed under it.
var ErrRoomClosed = errors.New("certmedic is stopping: the room is closed")

// queued is how many lines may wait for the answer to those before.
const queued = 256

// console is one run.
type console struct {
	o     Options
	crew  *crew
	lines chan string   // typed, waiting to be answered
	said  chan answered // by the worker to the feed
	own   *own
}

// answered is a line's reply, as Rooms.Say returned it.
type answered struct {
	id    string
	reply commands.Reply
}

// Run reads lines and shows the room until end of file, /quit or ctx ends.
// When In and Out are a terminal, lines are edited, messages of others appear
// above the prompt, and Ctrl-D leaves; the terminal is always given back as it
// was. Otherwise lines are read, said and answered one after the other. Run
// returns nil when the person left and ctx's error when ctx ended.
//
// Where In can be neither polled nor given a deadline, one goroutine stays in
// its Read after ctx has ended, until that returns.
func Run(ctx context.Context, o Options) error {
	if o.Room == "" {
		o.Room = "main"
	}
	crew, own := newCrew(ctx)
	c := &console{o: o, crew: crew, lines: make(chan string, queued), said: make(chan answered), own: newOwn()}
	err := c.run(own)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (c *console) run(ctx context.Context) error {
	defer c.crew.cancel()
	o := c.o
	in, inOK := o.In.(*os.File)
	out, outOK := o.Out.(*os.File)
	if inOK && outOK && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb" {
		return c.terminal(ctx, in, out)
	}
	return c.plain(ctx)
}

// quit says whether a line asks to leave.
func quit(line string) bool {
	switch strings.TrimSpace(line) {
	case "/quit", "/exit":
		return true
	}
	return false
}

// submit hands a line to the worker.
func (c *console) submit(ctx context.Context, line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	select {
	case c.lines <- line:
	case <-ctx.Done():
	}
}

// work has the lines answered, in order, until there are no more.
func (c *console) work(ctx context.Context) error {
	for {
		var text string
		var ok bool
		select {
		case text, ok = <-c.lines:
		case <-ctx.Done():
		}
		if !ok {
			return nil
		}
		id := "console/" + rand.Text()
		c.own.add(id)
		reply := c.o.Rooms.Say(ctx, commands.Request{ID: id, Text: text, By: c.o.By, Room: c.o.Room})
		select {
		case c.said <- answered{id, reply}:
		case <-ctx.Done():
		}
	}
}
