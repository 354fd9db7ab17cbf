package bot

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds one room: its messages, in which order changes are written
// and shown, and who listens. What lines and buttons mean is in say.go and
// press.go.

// keep is how many messages of a room are kept in memory.
const keep = 500

// backlog is how many messages a slow subscriber may lag behind.
const backlog = 256

// room is one room. Changes are written to the log side by side, but shown in
// the order in which they were made, each only when it is written.
type room struct {
	name   string
	log    Log
	load   sync.Mutex // held while the log is read; guards loaded
	loaded bool
	use    atomic.Int32 // who is in the room; raised under Rooms.mu

	mu    sync.Mutex
	gone  bool
	shown []Message          // by Seq: what everybody may see
	next  map[string]Message // by id: the newest revision, perhaps not shown yet
	keys  map[string]string  // Reply.Key to id, of messages for everybody
	tail  map[string]*change // by id: the newest change that is not shown yet
	queue []*change
	seq   int
	mark  int
	subs  map[*subscriber]struct{}
}

// change is a message on its way to the log.
type change struct {
	m     Message
	saved chan struct{} // closed when err is known
	err   error
	shown chan struct{} // closed when it left the queue
}

type subscriber struct {
	who   reader
	c     chan Message
	once  sync.Once
	leave func()
}

func newRoom(name string, log Log) *room {
	return &room{
		name: name, log: log,
		next: map[string]Message{}, keys: map[string]string{},
		tail: map[string]*change{}, subs: map[*subscriber]struct{}{},
	}
}

// fill reads the room's last messages once and has them mended; whoever comes
// second waits for that.
func (rm *room) fill(ctx context.Context, mend func(*room) error) error {
	rm.load.Lock()
	defer rm.load.Unlock()
	if rm.loaded {
		return nil
	}
	if rm.log != nil {
		ms, err := rm.log.Load(ctx, rm.name, keep)
		if err != nil {
			return fmt.Errorf("read room %q: %w", rm.name, err)
		}
		rm.begin(ms)
	}
	if err := mend(rm); err != nil {
		return fmt.Errorf("mend room %q: %w", rm.name, err)
	}
	rm.loaded = true
	return nil
}

// begin takes over messages that were read.
func (rm *room) begin(ms []Message) {
	slices.SortFunc(ms, func(a, b Message) int { return a.Seq - b.Seq })
	rm.mu.Lock()
	defer rm.mu.Unlock()
	for i := range ms {
		m := ms[i]
		m.Mark = max(m.Mark, i+1) // a log that does not keep marks
		ms[i] = m
		rm.next[m.ID] = m
		if m.For == "" && m.Reply.Key != "" {
			rm.keys[m.Reply.Key] = m.ID
		}
		rm.seq, rm.mark = max(rm.seq, m.Seq), max(rm.mark, m.Mark)
	}
	rm.shown = ms
}

// change writes a new message (ID "") or a new revision of one, made by make
// while the room is locked, and returns when it is written and shown.
func (rm *room) change(ctx context.Context, compose func() (Message, error)) (Message, error) {
	rm.mu.Lock()
	m, err := compose()
	if err != nil {
		rm.mu.Unlock()
		return m, err
	}
	if m.ID == "" {
		rm.seq++
		m.Seq, m.ID = rm.seq, "m-"+strconv.Itoa(rm.seq)
	}
	rm.mark++
	m.Rev, m.Mark, m.Room = m.Rev+1, rm.mark, rm.name
	c := &change{m: m, saved: make(chan struct{}), shown: make(chan struct{})}
	before := rm.tail[m.ID]
	rm.tail[m.ID] = c
	rm.next[m.ID] = m
	if m.For == "" && m.Reply.Key != "" {
		rm.keys[m.Reply.Key] = m.ID
	}
	rm.queue = append(rm.queue, c)
	rm.mu.Unlock()

	if before != nil { // revisions of one message are written in order
		<-before.saved
	}
	if rm.log != nil {
		// What was begun is written, whether or not its asker still listens.
		err = rm.log.Save(context.WithoutCancel(ctx), m)
	}
	rm.mu.Lock()
	c.err = err
	close(c.saved)
	rm.flush()
	rm.mu.Unlock()
	<-c.shown
	if err != nil {
		return m, fmt.Errorf("write message %s of room %q: %w", m.ID, rm.name, err)
	}
	return m, nil
}

// flush shows what stands written at the head of the queue.
func (rm *room) flush() {
	for len(rm.queue) > 0 {
		c := rm.queue[0]
		select {
		case <-c.saved:
		default:
			return
		}
		rm.queue = rm.queue[1:]
		if c.err == nil {
			rm.show(c.m)
		} else {
			rm.undo(c)
		}
		if rm.tail[c.m.ID] == c {
			delete(rm.tail, c.m.ID)
		}
		close(c.shown)
	}
}

// show makes a written message visible.
func (rm *room) show(m Message) {
	if i, found := rm.find(m.Seq); found {
		rm.shown[i] = m
	} else {
		rm.shown = slices.Insert(rm.shown, i, m)
	}
	for len(rm.shown) > keep {
		old := rm.shown[0]
		rm.shown = rm.shown[1:]
		delete(rm.next, old.ID)
		if rm.keys[old.Reply.Key] == old.ID {
			delete(rm.keys, old.Reply.Key)
		}
	}
	for s := range rm.subs {
		if !s.who.sees(m) {
			continue
		}
		select {
		case s.c <- m:
		default:
			rm.drop(s)
		}
	}
}

// undo forgets a change that could not be written.
func (rm *room) undo(c *change) {
	if rm.tail[c.m.ID] != c {
		return // a later revision stands on it
	}
	if i, found := rm.find(c.m.Seq); found {
		rm.next[c.m.ID] = rm.shown[i]
		return
	}
	delete(rm.next, c.m.ID)
	if rm.keys[c.m.Reply.Key] == c.m.ID {
		delete(rm.keys, c.m.Reply.Key)
	}
}

func (rm *room) find(seq int) (int, bool) {
	return slices.BinarySearchFunc(rm.shown, seq, func(m Message, s int) int { return m.Seq - s })
}

// keyed returns the newest revision of the room's message with a key. The room
// is locked.
func (rm *room) keyed(key string) (Message, bool) {
	if key == "" {
		return Message{}, false
	}
	m, ok := rm.next[rm.keys[key]]
	return m, ok
}

// answerTo returns the answer to a request that was given before.
func (rm *room) answerTo(request string) (commands.Reply, bool) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	for i := len(rm.shown) - 1; i >= 0; i-- {
		if m := rm.shown[i]; m.Request == request && m.By.Platform == Bot.Platform && !m.unfinished() && m.Reply.Problem.Code != "interrupted" {
			return m.Reply, true
		}
	}
	return commands.Reply{}, false
}

// line returns the line that a request was, if the room has it.
func (rm *room) line(request string) (Message, bool) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	for i := len(rm.shown) - 1; i >= 0; i-- {
		if m := rm.shown[i]; m.Request == request && m.By.Platform != Bot.Platform {
			return m, true
		}
	}
	return Message{}, false
}

func (rm *room) visible(who reader, limit int) []Message {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	var ms []Message
	for i := len(rm.shown) - 1; i >= 0; i-- {
		if limit > 0 && len(ms) == limit {
			break
		}
		if m := rm.shown[i]; who.sees(m) {
			ms = append(ms, m)
		}
	}
	slices.Reverse(ms)
	return ms
}

func (rm *room) subscribe(ctx context.Context, who reader, leave func()) <-chan Message {
	s := &subscriber{who: who, c: make(chan Message, backlog), leave: leave}
	rm.mu.Lock()
	if rm.gone {
		rm.drop(s)
	} else {
		rm.subs[s] = struct{}{}
	}
	rm.mu.Unlock()
	context.AfterFunc(ctx, func() {
		rm.mu.Lock()
		defer rm.mu.Unlock()
		rm.drop(s)
	})
	return s.c
}

// drop ends a subscription. The room is locked.
func (rm *room) drop(s *subscriber) {
	delete(rm.subs, s)
	s.once.Do(func() {
		close(s.c)
		s.leave()
	})
}

// hangUp ends every subscription, those to come too.
func (rm *room) hangUp() {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.gone = true
	for s := range rm.subs {
		rm.drop(s)
	}
}

func (m Message) seenBy(person string) bool { return m.For == "" || m.For == person }

// edited returns the message's next revision with another reply. A used button
// stays used unless the reply brings other buttons.
func (m Message) edited(r commands.Reply, now time.Time) Message {
	if !slices.Equal(m.Reply.Buttons, r.Buttons) {
		m.Used = Used{}
	}
	m.Reply, m.Edited = r, now
	return m
}
