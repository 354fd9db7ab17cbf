package notify_test

// The tests' stand: a real record and desk, rooms that remember what is posted,
// and an office that delivers to real servers on loopback.

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// noEngine is an engine without certificates but one that was never looked at.
type noEngine struct{ commands.Renewer }

var media = renew.Certificate{Name: "media", Domains: []string{"media.example.com"}}

func (noEngine) Inventory() renew.Inventory {
	return renew.Inventory{Certificates: []renew.Certificate{media}}
}
func (noEngine) Estate(context.Context) ([]renew.Standing, error) {
	return []renew.Standing{{Certificate: media, Verdict: renew.Good}}, nil
}
func (noEngine) Renewals(context.Context, string, int) ([]renew.Renewal, error) { return nil, nil }
func (noEngine) Check(context.Context, string) (renew.Standing, error) {
	return renew.Standing{Certificate: media, Verdict: renew.Good}, nil
}

// notes are bot.Notes in memory.
type notes struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (n *notes) Add(_ context.Context, one bot.Note) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.all[one.Key]; ok {
		return false, nil
	}
	n.all[one.Key] = one.Value
	return true, nil
}

func (n *notes) Put(_ context.Context, ns ...bot.Note) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range ns {
		if len(one.Value) == 0 {
			delete(n.all, one.Key)
		} else {
			n.all[one.Key] = one.Value
		}
	}
	return nil
}

func (n *notes) List(_ context.Context, prefix string) (all []bot.Note, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, v := range n.all {
		if strings.HasPrefix(k, prefix) {
			all = append(all, bot.Note{Key: k, Value: v})
		}
	}
	slices.SortFunc(all, func(a, b bot.Note) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// stand is everything together.
type stand struct {
	t       testing.TB
	book    *incident.Book
	desk    *commands.Desk
	notes   *notes
	targets map[string]notify.Target
	changed chan struct{}
	giveUp  time.Duration

	mu    sync.Mutex
	posts []commands.Post
	n     int
	stop  func()
}

func newStand(t testing.TB, conf ...commands.Target) *stand {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "certmedic.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := &stand{t: t, book: incident.NewBook(s, time.Now), notes: &notes{all: map[string][]byte{}}, targets: map[string]notify.Target{}, changed: make(chan struct{}, 1)}
	x.desk = commands.New(commands.Options{Book: x.book, Renewer: noEngine{}, Updates: commands.Updates{Targets: conf}})
	t.Cleanup(func() { x.end(); _ = s.Close() })
	x.say("/incident declare sev2 images do not load --cert media")
	return x
}

// say types a line that has to work.
func (x *stand) say(line string) commands.Reply {
	x.t.Helper()
	x.n++
	room := "INC-1"
	if strings.HasPrefix(line, "/incident declare") {
		room = "main"
	}
	r := x.desk.Do(context.Background(), commands.Request{ID: strconv.Itoa(x.n), Text: line, By: commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}, Room: room}, x.post)
	if !r.Problem.IsZero() {
		x.t.Fatalf("%s: %+v", line, r.Problem)
	}
	select {
	case x.changed <- struct{}{}:
	default:
	}
	return r
}

func (x *stand) post(p commands.Post) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.posts = append(x.posts, p)
}

// said reports whether a post in the incident's room has all the words.
func (x *stand) said(words ...string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.posts, func(p commands.Post) bool {
		text := p.Reply.Headline + "\n" + p.Reply.Body
		for _, b := range p.Reply.Buttons {
			text += "\n<" + b.Command + ">"
		}
		return p.Room == "INC-1" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// heard is everything that was posted.
func (x *stand) heard() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for _, p := range x.posts {
		fmt.Fprintf(&b, "%s: %s %s\n", p.Room, p.Reply.Headline, p.Reply.Body)
	}
	return b.String()
}

// run starts the office; end stops it, as a restart does.
func (x *stand) run() {
	x.t.Helper()
	o := notify.New(notify.Options{Desk: x.desk, Targets: x.targets, Post: x.post, Retry: 2 * time.Millisecond, Every: 20 * time.Millisecond, GiveUp: x.giveUp})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.Run(ctx, x.changed) })
	x.stop = func() { cancel(); running.Wait() }
}

func (x *stand) end() {
	if x.stop != nil {
		x.stop()
		x.stop = nil
	}
}

// settled waits until no delivery is pending, and returns the updates.
func (x *stand) settled() []incident.Update {
	x.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		all, err := x.desk.Dispatches(context.Background())
		if err != nil {
			x.t.Fatal(err)
		}
		if len(all) == 0 {
			us, err := x.book.Updates(context.Background(), "INC-1")
			if err != nil {
				x.t.Fatal(err)
			}
			return us
		}
		if time.Now().After(end) {
			x.t.Fatalf("still to be delivered: %+v\n%s", all, x.heard())
		}
	}
}

// mailTo is a target that mails through a server.
func (x *stand) mailTo(s *bottest.SMTPServer, to ...string) *notify.Mail {
	x.t.Helper()
	host, port, _ := net.SplitHostPort(s.Address)
	n, _ := strconv.Atoi(port)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA)
	m := &notify.Mail{SMTP: notify.SMTP{Host: host, Port: n, TLS: notify.Plain, User: s.User, Password: s.Password, From: "Certmedic <certmedic@example.com>", ReplyTo: "tls@example.com", Roots: pool, Timeout: 10 * time.Second},
		To: to, Audience: commands.Internal, Site: "https://certmedic.example.com", Notes: x.notes, Now: time.Now}
	switch {
	case s.STARTTLS:
		m.SMTP.TLS = notify.STARTTLS
	case s.Implicit:
		m.SMTP.TLS = notify.ImplicitTLS
	}
	return m
}
