// Package bot joins the rooms to the desk: it keeps each room's messages,
// hands lines and buttons to commands in order, answers in time, and edits
// progress in place. bot/console, bot/web and the chat platforms are adapters
// to it.
package bot

import (
	"context"
	"log/slog"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Message is one message in a room. An edit keeps ID and Seq and raises Rev.
type Message struct {
	ID     string          `json:"id"`  // "m-12"; stable through edits
	Seq    int             `json:"seq"` // order in the room, from 1
	Rev    int             `json:"rev"` // from 1
	Room   string          `json:"room"`
	At     time.Time       `json:"at"`
	Edited time.Time       `json:"edited,omitzero"`
	By     commands.Person `json:"by"`             // who typed it; Platform "bot" for the bot's
	Text   string          `json:"text,omitempty"` // what a person typed
	Reply  commands.Reply  `json:"reply,omitzero"` // what the bot says
	For    string          `json:"for,omitempty"`  // only this person id sees it; "": everybody
	Used   Used            `json:"used,omitzero"`  // once a button was pressed, it is gone
}

// Used says who pressed which button.
type Used struct {
	Label string          `json:"label"`
	By    commands.Person `json:"by"`
	At    time.Time       `json:"at"`
}

// Desk is what a room needs of commands.Desk.
type Desk interface {
	Do(ctx context.Context, r commands.Request, post func(commands.Post)) commands.Reply
	Complete(ctx context.Context, line, room string) []string
}

// Log keeps a room's messages through restarts. cmd implements it on the store.
type Log interface {
	// Save writes a message (by room and seq), replacing its earlier revision.
	Save(ctx context.Context, m Message) error
	// Load returns the last limit messages of a room, oldest first.
	Load(ctx context.Context, room string, limit int) ([]Message, error)
}

// Options are what Rooms are made of.
type Options struct {
	Desk   Desk
	Log    Log
	Now    func() time.Time
	Logger *slog.Logger
	Answer time.Duration // after this long without an answer the room shows "working"; default 1.5 s
}

// Rooms are all rooms of the program.
type Rooms struct {
	o Options
}

// New makes Rooms.
func New(o Options) *Rooms { return &Rooms{o: o} }

// Say puts a person's line (or button's command) into its room, has it
// answered, and returns the reply when it is there. Every message that comes
// of it is given to the subscribers. Lines of one person are answered in order.
func (r *Rooms) Say(ctx context.Context, q commands.Request) commands.Reply { panic("unwritten") }

// Press does what a message's button says, once: a second press answers who
// pressed it before.
func (r *Rooms) Press(ctx context.Context, room, message string, button int, by commands.Person) commands.Reply {
	panic("unwritten")
}

// Post says something unasked. A reply with a Key edits the room's earlier
// message with that key.
func (r *Rooms) Post(ctx context.Context, p commands.Post) error { panic("unwritten") }

// Messages returns the last limit messages of a room that the person may see.
func (r *Rooms) Messages(ctx context.Context, room, person string, limit int) ([]Message, error) {
	panic("unwritten")
}

// Subscribe sends every new or edited message of a room that the person may
// see, until ctx ends; then the channel is closed. A slow reader's channel is
// closed early: subscribe again and reload.
func (r *Rooms) Subscribe(ctx context.Context, room, person string) <-chan Message {
	panic("unwritten")
}

// Complete returns completions of a line.
func (r *Rooms) Complete(ctx context.Context, line, room string) []string {
	return r.o.Desk.Complete(ctx, line, room)
}

// Close waits for running answers.
func (r *Rooms) Close(ctx context.Context) error { panic("unwritten") }
