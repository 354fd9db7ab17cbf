// Package console is a room in a terminal, with line editing, history and
// completion.
package console

import (
	"context"
	"io"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Options are what a console is made of.
type Options struct {
	Rooms   *bot.Rooms
	By      commands.Person
	Room    string // "main" by default
	In      io.Reader
	Out     io.Writer
	History string // file; "": none is kept
}

// Run reads lines and shows the room until end of file, /quit or ctx ends.
func Run(ctx context.Context, o Options) error { panic("unwritten") }

// Render draws one reply as plain text, width columns wide, with colour when
// colour is true. certmedic run uses it too.
func Render(r commands.Reply, width int, colour bool) string { panic("unwritten") }
