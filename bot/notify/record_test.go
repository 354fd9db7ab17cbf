package notify_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
)

// deskFull is a desk whose record takes no more for a few times.
type deskFull struct {
	notify.Desk
	left atomic.Int32
}

func (d *deskFull) Dispatched(ctx context.Context, m commands.Dispatch, o commands.Outcome, post func(commands.Post)) error {
	if d.left.Add(-1) >= 0 {
		return errors.New("disk full")
	}
	return d.Desk.Dispatched(ctx, m, o, post)
}

// notesFull are notes that take no more for a few times.
type notesFull struct {
	bot.Notes
	left atomic.Int32
}

func (n *notesFull) Put(ctx context.Context, ns ...bot.Note) error {
	if n.left.Add(-1) >= 0 {
		return errors.New("disk full")
	}
	return n.Notes.Put(ctx, ns...)
}

func addressed(s *bottest.SMTPServer) (to []string) {
	for _, m := range s.Mails() {
		to = append(to, m.To...)
	}
	return to
}

// Mails were taken, and then the record took no word of it: nobody gets a
// second one.
func TestMailNotSettled(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	x.targets["board"] = x.mailTo(s, "a@example.com", "b@example.com")
	d := &deskFull{Desk: x.Desk}
	d.left.Store(3)
	x.wrap = d
	x.say("/incident update images do not load")
	x.run()
	x.settled()
	x.End()
	if to := addressed(s); !slices.Equal(to, []string{"a@example.com", "b@example.com"}) {
		t.Errorf("mails to %v", to)
	}
	if len(x.Notes.All()) != 0 {
		t.Errorf("left behind: %v", x.Notes.All())
	}
}

// Where nothing can be written down, nothing is sent.
func TestMailRecordFull(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	m := x.mailTo(s, "a@example.com", "b@example.com")
	full := &notesFull{Notes: x.Notes}
	full.left.Store(4)
	m.Notes = full
	x.targets["board"] = m
	x.say("/incident update images do not load")
	x.run()
	x.settled()
	x.End()
	if to := addressed(s); !slices.Equal(to, []string{"a@example.com", "b@example.com"}) {
		t.Errorf("mails to %v", to)
	}
}
