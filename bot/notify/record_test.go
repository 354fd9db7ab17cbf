package notify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// late are notes of a record that takes nothing when its caller's time is over,
// which it is just as the first address was taken.
type late struct {
	bot.Notes
	end context.CancelFunc
	n   int
}

func (l *late) Put(ctx context.Context, ns ...bot.Note) error {
	if l.n++; l.n == 2 {
		l.end()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Notes.Put(ctx, ns...)
}

// A slow server is given more time later; who was mailed to by then is not
// mailed to again.
func TestMailOutOfTime(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	m := x.mailTo(s, "a@example.com", "b@example.com", "c@example.com")
	x.say("/incident update images do not load")
	all, err := x.Desk.Dispatches(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	ctx, end := context.WithCancel(t.Context())
	m.Notes = &late{Notes: x.Notes, end: end}
	_, err = m.Deliver(ctx, all[0])
	var trouble *notify.Trouble
	if !errors.As(err, &trouble) || trouble.Final || trouble.After <= 0 || !strings.Contains(trouble.Text, "1 of 3 addresses") {
		t.Errorf("%v", err)
	}
	if to := addressed(s); !slices.Equal(to, []string{"a@example.com"}) {
		t.Errorf("mails to %v", to)
	}
	if _, err := m.Deliver(t.Context(), all[0]); err != nil {
		t.Error(err)
	}
	if to := addressed(s); !slices.Equal(to, []string{"a@example.com", "b@example.com", "c@example.com"}) {
		t.Errorf("mails to %v", to)
	}
}
