package bottest

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// This file holds the stand of what is done outside (mail, trackers): a real
// record and desk, rooms that remember what is posted, and a worker that runs.

// Estate is a commands.Renewer with certificates that are well, and no more.
type Estate struct {
	commands.Renewer
	All []renew.Certificate
}

// Inventory implements commands.Renewer.
func (e Estate) Inventory() renew.Inventory { return renew.Inventory{Certificates: e.All} }

// Estate implements commands.Renewer.
func (e Estate) Estate(context.Context) (all []renew.Standing, err error) {
	for _, c := range e.All {
		all = append(all, renew.Standing{Certificate: c, Verdict: renew.Good})
	}
	return all, nil
}

// Renewals implements commands.Renewer.
func (Estate) Renewals(context.Context, string, int) ([]renew.Renewal, error) { return nil, nil }

// Check implements commands.Renewer.
func (e Estate) Check(_ context.Context, name string) (renew.Standing, error) {
	for _, c := range e.All {
		if c.Name == name {
			return renew.Standing{Certificate: c, Verdict: renew.Good}, nil
		}
	}
	return renew.Standing{}, fmt.Errorf("no certificate %q", name)
}

// Outside is the stand.
type Outside struct {
	T     testing.TB
	Book  *incident.Book
	Desk  *commands.Desk
	Notes *Notes

	mu    sync.Mutex
	posts []commands.Post
	n     int
	end   func()
}

// NewOutside makes the stand. o has what the desk is made of but its Book.
func NewOutside(t testing.TB, o commands.Options) *Outside {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "certmedic.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := &Outside{T: t, Notes: NewNotes()}
	x.Book = incident.NewBook(s, o.Now)
	o.Book = x.Book
	x.Desk = commands.New(o)
	t.Cleanup(func() { x.End(); _ = s.Close() })
	return x
}

// Say types a line that has to work: in main when it declares, else in INC-1.
func (x *Outside) Say(line string) commands.Reply {
	x.T.Helper()
	x.n++
	room := "INC-1"
	if strings.HasPrefix(line, "/incident declare") {
		room = "main"
	}
	r := x.Desk.Do(context.Background(), commands.Request{ID: strconv.Itoa(x.n), Text: line, By: commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}, Room: room}, x.Post)
	if !r.Problem.IsZero() {
		x.T.Fatalf("%s: %+v", line, r.Problem)
	}
	return r
}

// Post says something in a room.
func (x *Outside) Post(p commands.Post) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.posts = append(x.posts, p)
}

// Posts is all that was posted.
func (x *Outside) Posts() []commands.Post {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]commands.Post(nil), x.posts...)
}

// Heard is all that was posted, as text.
func (x *Outside) Heard() string {
	var b strings.Builder
	for _, p := range x.Posts() {
		fmt.Fprintf(&b, "%s: %s %s\n", p.Room, p.Reply.Headline, p.Reply.Body)
	}
	return b.String()
}

// Start starts a worker; End stops it, as a restart does, and waits for it.
func (x *Outside) Start(work func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	x.end = func() { cancel(); running.Wait() }
}

// End stops the worker.
func (x *Outside) End() {
	if x.end != nil {
		x.end()
		x.end = nil
	}
}
