package console

import (
	"context"
	"sync"

	"github.com/certmedic/certmedic/bot"
)

// In this file: what the room says, from the subscription to the screen.

const (
	// recent is how many earlier messages a terminal shows at first.
	recent = 10
	// reload is how many messages are looked through after a gap.
	reload = 500
	// ownKept is how many of the own requests are known again.
	ownKept = 1000
)

// own are the ids of the requests that were typed here.
type own struct {
	mu    sync.Mutex
	ids   map[string]bool // true: answered in the room
	order []string
}

func newOwn() *own { return &own{ids: map[string]bool{}} }

func (o *own) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids[id] = false
	if o.order = append(o.order, id); len(o.order) > ownKept {
		delete(o.ids, o.order[0])
		o.order = o.order[1:]
	}
}

// has reports that a request was typed here.
func (o *own) has(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.ids[id]
	return ok
}

// answer notes that the room shows the answer to a request.
func (o *own) answer(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.ids[id]; ok {
		o.ids[id] = true
	}
}

func (o *own) answered(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ids[id]
}

// feed puts the room's messages on a screen.
type feed struct {
	c    *console
	s    *screen
	sub  <-chan bot.Message
	mark int // the newest change that was seen
}

// newFeed subscribes, so that nothing said from now on is missed, and shows
// the last few messages when earlier is set.
func (c *console) newFeed(ctx context.Context, s *screen, earlier bool) (*feed, error) {
	f := &feed{c: c, s: s, sub: c.o.Rooms.Subscribe(ctx, c.o.Room, c.o.By.ID)}
	ms, err := c.o.Rooms.Messages(ctx, c.o.Room, c.o.By.ID, reload)
	if err != nil {
		return nil, err
	}
	for i, m := range ms {
		if f.mark = max(f.mark, m.Mark); earlier && i >= len(ms)-recent {
			if err := f.s.message(m, false); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// run shows what comes until ctx ends or enough is closed; then it shows what
// had come until that moment.
func (f *feed) run(ctx context.Context, enough <-chan struct{}) error {
	for {
		select {
		case m, ok := <-f.sub:
			if !ok {
				if err := f.again(ctx); err != nil || ctx.Err() != nil {
					return err
				}
				continue
			}
			if err := f.show(m); err != nil {
				return err
			}
		case a := <-f.c.said:
			if err := f.reply(ctx, a); err != nil {
				return err
			}
		case <-enough:
			return f.drain()
		case <-ctx.Done():
			return nil
		}
	}
}

// show puts a message of the subscription on the screen, unless it was there
// before.
func (f *feed) show(m bot.Message) error {
	if m.Mark <= f.mark {
		return nil
	}
	f.mark = m.Mark
	return f.put(m)
}

func (f *feed) put(m bot.Message) error {
	mine := f.c.own.has(m.Request)
	if mine && m.By.Platform == bot.Bot.Platform {
		f.c.own.answer(m.Request)
	}
	return f.s.message(m, mine)
}

// drain shows what has come already.
func (f *feed) drain() error {
	for {
		select {
		case m, ok := <-f.sub:
			if !ok {
				return nil
			}
			if err := f.show(m); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// reply shows an answer that the room could not show: a line that was refused
// at the door is on no record.
func (f *feed) reply(ctx context.Context, a answered) error {
	if err := f.drain(); err != nil {
		return err
	}
	if f.c.own.answered(a.id) || ctx.Err() != nil {
		return nil
	}
	return f.s.reply(a.reply)
}

// again subscribes anew after the room has let this reader go, and shows what
// was missed.
func (f *feed) again(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	f.sub = f.c.o.Rooms.Subscribe(ctx, f.c.o.Room, f.c.o.By.ID)
	var first []bot.Message
	select {
	case m, ok := <-f.sub:
		if !ok && ctx.Err() == nil {
			return f.last(ctx)
		}
		first = append(first, m)
	default:
	}
	ms, err := f.c.o.Rooms.Messages(ctx, f.c.o.Room, f.c.o.By.ID, reload)
	if err != nil {
		return err
	}
	seen := f.mark
	for _, m := range ms { // by Seq, so not by Mark
		if f.mark = max(f.mark, m.Mark); m.Mark <= seen {
			continue
		}
		if err := f.put(m); err != nil {
			return err
		}
	}
	for _, m := range first {
		if err := f.show(m); err != nil {
			return err
		}
	}
	return nil
}

// last shows the answer to a line that was being said while the rooms closed.
func (f *feed) last(ctx context.Context) error {
	select {
	case a := <-f.c.said:
		if !f.c.own.answered(a.id) && ctx.Err() == nil {
			_ = f.s.reply(a.reply) // the room is gone either way
		}
	default:
	}
	return ErrRoomClosed
}

// drawn is a message as text.
func drawn(m bot.Message, mine bool, width int, colour bool, site string) string {
	p := &pen{width: max(width, minWidth), colour: colour, site: site}
	if m.For == "" { // a page does not show what is for one person in a terminal
		p.files = "/file/" + m.Room + "/" + m.ID + "/"
	}
	at := m.At.UTC().Format("2006-01-02 15:04 UTC") + " "
	if m.By.Platform != bot.Bot.Platform {
		first := p.paint("2", at) + p.paint("1", line(m.By.Name)+":") + " "
		if mine {
			first = p.paint("1", ">") + " "
		}
		p.put(first, "  ", wrap(line(m.Text), p.width-length(first), false))
		return p.String()
	}
	if !mine {
		p.put("", "", []string{p.paint("2", at+line(m.By.Name))})
	}
	r := m.Reply
	if m.Used.Label != "" {
		r.Buttons = nil
	}
	p.reply(r)
	if m.Used.Label != "" {
		p.put("  ", "  ", wrap(line(m.Used.Line(m.Used.At)), p.width-2, false))
	}
	return p.String()
}
