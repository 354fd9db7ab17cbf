package notify_test

// The tests' stand: a real record and desk, rooms that remember what is posted,
// and an office that delivers to real servers on loopback.

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

var media = renew.Certificate{Name: "media", Domains: []string{"media.example.com"}}

// stand is everything together.
type stand struct {
	*bottest.Outside
	targets map[string]notify.Target
	changed chan struct{}
	giveUp  time.Duration
	wrap    notify.Desk // in the desk's place; nil: none
	log     *slog.Logger
}

func newStand(t testing.TB, conf ...commands.Target) *stand {
	t.Helper()
	x := &stand{targets: map[string]notify.Target{}, changed: make(chan struct{}, 1),
		Outside: bottest.NewOutside(t, commands.Options{Renewer: bottest.Estate{All: []renew.Certificate{media}}, Updates: commands.Updates{Targets: conf}, Now: time.Now})}
	x.say("/incident declare sev2 images do not load --cert media")
	return x
}

// say types a line that has to work.
func (x *stand) say(line string) commands.Reply {
	x.T.Helper()
	r := x.Say(line)
	select {
	case x.changed <- struct{}{}:
	default:
	}
	return r
}

// said reports whether a post in the incident's room has all the words.
func (x *stand) said(words ...string) bool {
	return slices.ContainsFunc(x.Posts(), func(p commands.Post) bool {
		text := p.Reply.Headline + "\n" + p.Reply.Body
		for _, b := range p.Reply.Buttons {
			text += "\n<" + b.Command + ">"
		}
		return p.Room == "INC-1" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// run starts the office; end stops it, as a restart does.
func (x *stand) run() {
	x.T.Helper()
	var desk notify.Desk = x.Desk
	if x.wrap != nil {
		desk = x.wrap
	}
	o := notify.New(notify.Options{Desk: desk, Log: x.log, Targets: x.targets, Post: x.Post, Retry: 2 * time.Millisecond, Every: 20 * time.Millisecond, GiveUp: x.giveUp})
	x.Start(func(ctx context.Context) { o.Run(ctx, x.changed) })
}

// settled waits until no delivery is pending, and returns the updates.
func (x *stand) settled() []incident.Update {
	x.T.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		all, err := x.Desk.Dispatches(context.Background())
		if err != nil {
			x.T.Fatal(err)
		}
		if len(all) == 0 {
			us, err := x.Book.Updates(context.Background(), "INC-1")
			if err != nil {
				x.T.Fatal(err)
			}
			return us
		}
		if time.Now().After(end) {
			x.T.Fatalf("still to be delivered: %+v\n%s", all, x.Heard())
		}
	}
}

// mailTo is a target that mails through a server.
func (x *stand) mailTo(s *bottest.SMTPServer, to ...string) *notify.Mail {
	x.T.Helper()
	host, port, _ := net.SplitHostPort(s.Address)
	n, _ := strconv.Atoi(port)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA)
	m := &notify.Mail{SMTP: notify.SMTP{Host: host, Port: n, TLS: notify.Plain, User: s.User, Password: s.Password, From: "Certmedic <certmedic@example.com>", ReplyTo: "tls@example.com", Roots: pool, Timeout: 10 * time.Second},
		To: to, Audience: commands.Internal, Site: "https://certmedic.example.com", Notes: x.Notes, Now: time.Now}
	switch {
	case s.STARTTLS:
		m.SMTP.TLS = notify.STARTTLS
	case s.Implicit:
		m.SMTP.TLS = notify.ImplicitTLS
	}
	return m
}
