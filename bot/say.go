package bot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds how a line is answered: in order, in time, once.

// lane is one person in one room: its lines are answered one after the other.
type lane struct{ room, person string }

// answered is a request that was taken before.
type answered struct {
	done  chan struct{} // closed when reply is there
	reply commands.Reply
}

// remember is how many requests are known by their id in memory; older ones
// are looked for among the room's messages.
const remember = 1024

// rooms is how many rooms nobody is in stay in memory.
const rooms = 64

var roomName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

// working stands where an answer takes its time.
func working() commands.Reply {
	return commands.Reply{State: commands.StateRunning, Headline: "Working on it."}
}

func (m Message) unfinished() bool {
	return m.By.Platform == Bot.Platform && m.Reply.Headline == working().Headline && m.Reply.State == commands.StateRunning
}

// Say puts a person's line (or button's command) into its room, has it
// answered, and returns the reply when it is there. Every message that comes
// of it is given to the subscribers. Lines of one person are answered in order.
// The line is answered also when ctx ends; Say then returns early. The line and
// its reply are the person's alone until a public reply shows both to everybody.
func (r *Rooms) Say(ctx context.Context, q commands.Request) commands.Reply {
	return r.say(ctx, q, nil)
}

// say is Say; after, when not nil, is called with the reply before it is given
// back, also when nobody waits for it any more.
func (r *Rooms) say(ctx context.Context, q commands.Request, after func(commands.Reply)) commands.Reply {
	if q.Room == "" {
		q.Room = "main"
	}
	if q.ID == "" {
		q.ID = newID()
	}
	q.At = r.at(q.At)
	said := Clean(q.Text)
	q.Text, q.By.Name = commands.WithoutSecrets(said), Clean(q.By.Name)
	q.Cut = q.Text != said
	if q.By.ID == "" {
		return problem("no_person", "It is not known who says this.", "Give your name, for example ana.")
	}
	a, first := r.take(q.ID)
	if a == nil {
		return problem("stopping", "certmedic is stopping and takes no new lines.", "Say it again when it runs again.")
	}
	if first {
		go func() {
			defer r.release()
			defer close(a.done)
			a.reply = r.serve(q)
			if after != nil {
				after(a.reply)
			}
		}()
	}
	select {
	case <-a.done:
		return a.reply
	case <-ctx.Done():
		return late()
	}
}

// late is what Say returns when ctx ended before the answer was there.
func late() commands.Reply {
	return commands.Reply{State: commands.StateRunning, Headline: "The answer is not there yet; it will stand in the room."}
}

// Late reports a reply by which it is not known yet what became of the request:
// Say returned early.
func Late(r commands.Reply) bool {
	return r.State == late().State && r.Headline == late().Headline && r.Problem.IsZero()
}

// take registers a request, or finds the one with the same id. It returns nil
// when Rooms are closed.
func (r *Rooms) take(id string) (a *answered, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.seen[id]; ok {
		return a, false
	}
	if r.closed {
		return nil, false
	}
	a = &answered{done: make(chan struct{})}
	r.seen[id] = a
	r.seenIDs = append(r.seenIDs, id)
	r.forget()
	r.running.Add(1)
	r.count++
	return a, true
}

// forget drops the oldest answered requests beyond remember.
func (r *Rooms) forget() {
	for len(r.seenIDs) > remember {
		id := r.seenIDs[0]
		select {
		case <-r.seen[id].done:
		default:
			return // still running: it is asked again later
		}
		delete(r.seen, id)
		r.seenIDs = r.seenIDs[1:]
	}
}

func (r *Rooms) release() {
	r.mu.Lock()
	r.count--
	r.mu.Unlock()
	r.running.Done()
}

// serve answers one request to the end.
func (r *Rooms) serve(q commands.Request) commands.Reply {
	turn, over := r.queue(q)
	defer over()
	rm, leave, err := r.enter(r.life, q.Room)
	if err != nil {
		return r.unwritten(q, err)
	}
	defer leave()
	q.Room = rm.name
	if old, ok := rm.answerTo(q.ID); ok {
		return old
	}
	line, ok := rm.line(q.ID) // a process that was killed may have written it
	if !ok {
		line, err = rm.change(r.life, func() (Message, error) {
			return Message{At: q.At, By: q.By, Text: q.Text, For: q.By.ID, Request: q.ID}, nil
		})
		if err != nil {
			return r.unwritten(q, err)
		}
	}
	select {
	case <-turn:
	case <-r.life.Done():
	}
	if q.Wait {
		over() // who waits for the end of a renewal does not keep the next line waiting
	}
	return r.answer(rm, q, line)
}

// queue takes a place in the person's lane: turn is closed when the lines
// before are answered, over (which may be called twice) lets the next one in.
func (r *Rooms) queue(q commands.Request) (turn <-chan struct{}, over func()) {
	k := lane{q.Room, q.By.ID}
	mine := make(chan struct{})
	r.mu.Lock()
	before, ok := r.lanes[k]
	if !ok {
		before = make(chan struct{})
		close(before)
	}
	r.lanes[k] = mine
	r.mu.Unlock()
	ended := false
	return before, func() {
		if ended {
			return
		}
		ended = true
		r.mu.Lock()
		defer r.mu.Unlock()
		close(mine)
		if r.lanes[k] == mine {
			delete(r.lanes, k)
		}
	}
}

// answer asks the desk, shows that it works when that takes long, and puts the
// reply in its place.
func (r *Rooms) answer(rm *room, q commands.Request, line Message) commands.Reply {
	ctx, cancel := context.WithCancel(r.life)
	defer cancel()
	if q.Wait {
		defer context.AfterFunc(r.waits, cancel)()
	}
	done := make(chan commands.Reply, 1)
	go func() { done <- r.ask(ctx, q) }()
	slow := time.NewTimer(r.o.Answer)
	defer slow.Stop()
	var reply commands.Reply
	var held Message // what shows "working", if it came to that
	select {
	case reply = <-done:
	case <-slow.C:
		var err error
		held, err = rm.change(r.life, func() (Message, error) {
			return Message{At: r.now(), By: Bot, Reply: working(), For: q.By.ID, Request: q.ID}, nil
		})
		if err != nil {
			r.o.Logger.Error("show that it works", "request", q.ID, "error", err)
			held = Message{}
		}
		reply = <-done
	}
	if err := r.place(rm, q, line, held, reply); err != nil {
		r.o.Logger.Error("show the reply", "request", q.ID, "room", rm.name, "error", err)
	}
	return reply
}

// ask has the desk answer; a panic there becomes a Problem with an id that
// finds it in the log.
func (r *Rooms) ask(ctx context.Context, q commands.Request) (reply commands.Reply) {
	defer func() {
		if p := recover(); p != nil {
			id := newID()[:12]
			r.o.Logger.Error("panic while answering", "id", id, "request", q.ID, "text", q.Text, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = problem("internal", "Internal error "+id+".", "What was done until then stands on the record. The log has the rest under "+id+".")
		}
	}()
	return cleanReply(r.o.Desk.Do(ctx, q, func(p commands.Post) {
		if err := r.Post(ctx, p); err != nil {
			r.o.Logger.Error("post", "request", q.ID, "room", p.Room, "error", err)
		}
	}))
}

// place shows a reply. Looking and mistakes stay between the person and the
// bot; what changes the record is shown to everybody, with the line.
func (r *Rooms) place(rm *room, q commands.Request, line, held Message, reply commands.Reply) error {
	public := reply.Public && reply.Problem.IsZero()
	whom := q.By.ID
	if public {
		whom = ""
		if line.For != "" {
			_, err := rm.change(r.life, func() (Message, error) {
				m := rm.newest(line)
				m.For = ""
				return m, nil
			})
			if err != nil {
				return err
			}
		}
		if done, err := r.join(rm, q, line, held, reply); done || err != nil {
			return err
		}
	}
	_, err := rm.change(r.life, func() (Message, error) {
		if held.ID == "" {
			return Message{At: r.now(), By: Bot, Reply: reply, For: whom, Request: q.ID}, nil
		}
		m := rm.newest(held).edited(reply, r.now())
		m.For = whom
		return m, nil
	})
	return err
}

// join handles a reply with the key of a message that was posted since the line
// was typed: progress that overtook the reply. That message is the answer; the
// reply, older than it, does not overwrite it, except the last word of a
// request that waited for the end.
func (r *Rooms) join(rm *room, q commands.Request, line, held Message, reply commands.Reply) (bool, error) {
	none := fmt.Errorf("no message with key %q", reply.Key)
	_, err := rm.change(r.life, func() (Message, error) {
		m, ok := rm.keyed(reply.Key)
		if !ok || m.Seq < line.Seq {
			return m, none
		}
		if q.Wait {
			m = m.edited(reply, r.now())
		}
		m.Request = q.ID
		return m, nil
	})
	if err == none {
		return false, nil
	}
	if err != nil || held.ID == "" {
		return true, err
	}
	_, err = rm.change(r.life, func() (Message, error) {
		short := commands.Reply{State: reply.State, Headline: reply.Headline, Links: reply.Links}
		return rm.newest(held).edited(short, r.now()), nil
	})
	return true, err
}

// newest returns a message's newest revision. The room is locked.
func (rm *room) newest(m Message) Message {
	if n, ok := rm.next[m.ID]; ok {
		return n
	}
	return m
}

// unwritten answers a request that could not be put on the record: nothing of
// it is done.
func (r *Rooms) unwritten(q commands.Request, err error) commands.Reply {
	r.mu.Lock()
	delete(r.seen, q.ID) // it may be tried again
	for i, id := range r.seenIDs {
		if id == q.ID {
			r.seenIDs = append(r.seenIDs[:i:i], r.seenIDs[i+1:]...)
			break
		}
	}
	r.mu.Unlock()
	if err == errRoom {
		return problem("unknown_room", fmt.Sprintf("There is no room %q.", q.Room), "Rooms are named main or after an incident, for example INC-7.")
	}
	r.o.Logger.Error("line not taken", "request", q.ID, "room", q.Room, "error", err)
	return problem("record", "The line could not be written to the record, so nothing was done.", "Look at the disk that holds the record, then say it again.")
}

// problem is a reply that refuses.
func problem(code, message, hint string) commands.Reply {
	return commands.Reply{
		State:    commands.StateCritical,
		Headline: message,
		Problem:  commands.Problem{Code: code, Message: message, Hint: hint},
	}
}

// newID returns 32 hexadecimal digits that nobody can guess.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return hex.EncodeToString(b[:])
}
