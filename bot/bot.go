// Package bot joins the rooms to the desk: it keeps each room's messages,
// hands lines and buttons to commands in order, answers in time, and edits
// progress in place. bot/console, bot/web and the chat platforms are adapters
// to it.
package bot

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Message is one message in a room. An edit keeps ID and Seq and raises Rev.
type Message struct {
	ID     string          `json:"id"`   // "m-12"; stable through edits
	Seq    int             `json:"seq"`  // order in the room, from 1
	Rev    int             `json:"rev"`  // from 1
	Mark   int             `json:"mark"` // grows with every change in the room, edits included: who has seen mark 12 lacks what is above it
	Room   string          `json:"room"`
	At     time.Time       `json:"at"`
	Edited time.Time       `json:"edited,omitzero"`
	By     commands.Person `json:"by"`             // who typed it; Platform "bot" for the bot's
	Text   string          `json:"text,omitempty"` // what a person typed
	Reply  commands.Reply  `json:"reply,omitzero"` // what the bot says
	For    string          `json:"for,omitempty"`  // only this person id sees it; "": everybody
	Used   Used            `json:"used,omitzero"`  // once a button was pressed, it is gone

	// Request is the id of the Request that this is the line of, or the answer to.
	Request string `json:"request,omitempty"`
}

// Used says who pressed which button.
type Used struct {
	Label string          `json:"label"`
	By    commands.Person `json:"by"`
	At    time.Time       `json:"at"`

	// Request is the id of the Request that the press became.
	Request string `json:"request,omitempty"`
}

// Bot is who says what nobody typed.
var Bot = commands.Person{ID: "bot:certmedic", Name: "certmedic", Platform: "bot"}

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
	// MayRead, which may be nil, says whether a person (by id) may read a room.
	// Who may not finds it empty. The mirror of a room on another platform reads
	// it as nobody (""), and is not asked about.
	MayRead func(ctx context.Context, room, person string) bool

	Answer time.Duration // after this long without an answer the room shows "working"; default 1.5 s
}

// Rooms are all rooms of the program.
type Rooms struct {
	o Options

	mu      sync.Mutex
	rooms   map[string]*room
	lanes   map[lane]chan struct{} // closed when the lane's last line is answered
	seen    map[string]*answered   // by request id
	seenIDs []string               // the oldest first
	closed  bool

	running sync.WaitGroup
	count   int             // of running answers
	life    context.Context // of running answers: ends when Close gives up on them
	end     context.CancelFunc
	waits   context.Context // of answers to Wait requests: ends when Close begins
	endWait context.CancelFunc
}

// New makes Rooms.
func New(o Options) *Rooms {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Answer <= 0 {
		o.Answer = 1500 * time.Millisecond
	}
	r := &Rooms{
		o:     o,
		rooms: map[string]*room{},
		lanes: map[lane]chan struct{}{},
		seen:  map[string]*answered{},
	}
	r.life, r.end = context.WithCancel(context.Background())
	r.waits, r.endWait = context.WithCancel(r.life)
	return r
}

// Messages returns the last limit messages of a room that the person may see,
// oldest first. At most 500 are kept at hand; limit 0 is all of those.
func (r *Rooms) Messages(ctx context.Context, room, person string, limit int) ([]Message, error) {
	rm, leave, err := r.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !r.mayRead(ctx, rm.name, person) {
		return nil, nil
	}
	return rm.visible(reader{person: person}, limit), nil
}

func (r *Rooms) mayRead(ctx context.Context, room, person string) bool {
	return person == "" || r.o.MayRead == nil || r.o.MayRead(ctx, room, person)
}

// Subscribe sends every new or edited message of a room that the person may
// see, until ctx ends; then the channel is closed. A slow reader's channel is
// closed early: subscribe again and reload.
func (r *Rooms) Subscribe(ctx context.Context, room, person string) <-chan Message {
	return r.listen(ctx, room, reader{person: person})
}

func (r *Rooms) listen(ctx context.Context, room string, who reader) <-chan Message {
	rm, leave, err := r.enter(ctx, room)
	if err != nil {
		r.o.Logger.Error("subscribe", "room", room, "error", err)
		none := make(chan Message)
		close(none)
		return none
	}
	if !r.mayRead(ctx, rm.name, who.person) {
		defer leave()
		silent := make(chan Message)
		end := sync.OnceFunc(func() { close(silent) })
		unhook := context.AfterFunc(r.life, end)
		context.AfterFunc(ctx, func() { unhook(); end() })
		return silent
	}
	return rm.subscribe(ctx, who, leave)
}

// MayLook reports whether a person (by id) may see what there is: certificates,
// renewals, incidents.
func (r *Rooms) MayLook(ctx context.Context, person string) bool {
	return r.mayRead(ctx, "main", person)
}

// Complete returns completions of a line to a person (by id) who may look; "":
// who asks has asked that already.
func (r *Rooms) Complete(ctx context.Context, line, room, person string) []string {
	if !r.MayLook(ctx, person) { // names of certificates and incidents are among them
		return nil
	}
	return r.o.Desk.Complete(ctx, line, room)
}

// Post says something unasked. A reply with a Key edits the room's earlier
// message with that key.
func (r *Rooms) Post(ctx context.Context, p commands.Post) error {
	rm, leave, err := r.enter(ctx, p.Room)
	if err != nil {
		return fmt.Errorf("post in room %q: %w", p.Room, err)
	}
	defer leave()
	p.Reply = cleanReply(p.Reply)
	_, err = rm.change(ctx, func() (Message, error) {
		if m, ok := rm.keyed(p.Reply.Key); ok {
			return m.edited(p.Reply, r.now()), nil
		}
		return Message{At: r.at(p.At), By: Bot, Reply: p.Reply, For: p.For}, nil
	})
	if err != nil {
		return fmt.Errorf("post in room %q: %w", rm.name, err)
	}
	return nil
}

// Close takes no more lines and waits for running answers. Those that only
// wait for the end of something (Request.Wait) are told to stop waiting; when
// ctx ends, all are. Then every subscriber's channel is closed.
func (r *Rooms) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.endWait()
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		r.mu.Lock()
		n := r.count
		r.mu.Unlock()
		err = fmt.Errorf("%d unanswered: %w", n, ctx.Err())
	}
	r.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rm := range r.rooms {
		rm.hangUp()
	}
	return err
}

func (r *Rooms) now() time.Time { return r.o.Now().UTC() }

func (r *Rooms) at(t time.Time) time.Time {
	if t.IsZero() {
		return r.now()
	}
	return t.UTC()
}
