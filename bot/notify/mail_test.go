package notify_test

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

var board = commands.Target{Name: "board", Kind: commands.MailTarget, Whom: "test", Audience: commands.Internal}

func decoded(t *testing.T, m *mail.Message, header string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(header))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func body(t *testing.T, m *mail.Message) string {
	t.Helper()
	if enc := m.Header.Get("Content-Transfer-Encoding"); enc != "quoted-printable" {
		t.Fatalf("encoding %q", enc)
	}
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// Every way to reach a server works; the mails of an incident are one thread,
// and what was typed is in them to the letter.
func TestMail(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bottest.SMTPServer){
		"plain":    nil,
		"starttls": func(s *bottest.SMTPServer) { s.STARTTLS, s.User, s.Password = true, "certmedic", "s3cret pass" },
		"implicit": func(s *bottest.SMTPServer) { s.Implicit, s.User, s.Password = true, "certmedic", "s3cret pass" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bottest.NewSMTP(t, change)
			x := newStand(t, board)
			x.targets["board"] = x.mailTo(s, "ana@example.com", "ben@example.org")
			x.run()
			x.say("/incident update images do not load: żółć\n.\n.. two dots\nFrom here on\n" + strings.Repeat("long ", 400))
			x.settled()
			x.say("/incident update second")
			x.settled()
			x.say("/incident update third")
			us := x.settled()
			mails := s.Mails()
			if len(mails) != 6 {
				t.Fatalf("%d mails", len(mails))
			}
			ids := map[string]string{}
			for n, m := range mails {
				to := []string{"ana@example.com", "ben@example.org"}[n%2]
				if !slices.Equal(m.To, []string{to}) || m.From != "certmedic@example.com" || m.TLS != (name != "plain") || m.User != s.User {
					t.Errorf("envelope %+v", m)
				}
				msg := m.Message(t)
				if got := msg.Header.Get("To"); got != "<"+to+">" {
					t.Errorf("To: %s", got)
				}
				for h, want := range map[string]string{"From": `"Certmedic" <certmedic@example.com>`, "Reply-To": "<tls@example.com>", "Auto-Submitted": "auto-generated", "X-Certmedic-Incident": "INC-1", "Mime-Version": "1.0"} {
					if got := msg.Header.Get(h); got != want {
						t.Errorf("%s: %q", h, got)
					}
				}
				if got := decoded(t, msg, "Subject"); got != "[INC-1 SEV2 investigating] images do not load" {
					t.Errorf("subject %q", got)
				}
				if kind, p, err := mime.ParseMediaType(msg.Header.Get("Content-Type")); err != nil || kind != "text/plain" || !strings.EqualFold(p["charset"], "utf-8") {
					t.Errorf("%s %v %v", kind, p, err)
				}
				if !strings.HasPrefix(body(t, msg), us[n/2].Text+"\n\n-- \n"+us[n/2].ID+" of INC-1 (SEV2, investigating) by ana at ") {
					t.Errorf("text: %.300q", body(t, m.Message(t)))
				}
				if _, err := msg.Header.Date(); err != nil {
					t.Error(err)
				}
				id := msg.Header.Get("Message-Id")
				if ids[id] != "" || !strings.HasSuffix(id, "@example.com>") {
					t.Errorf("Message-ID %q", id)
				}
				ids[id] = to
				first, before := mails[n%2].Message(t).Header.Get("Message-Id"), ""
				refs := strings.Fields(msg.Header.Get("References"))
				if n > 1 {
					before = mails[n-2].Message(t).Header.Get("Message-Id")
					if refs[0] != first || refs[len(refs)-1] != before || len(refs) != n/2 {
						t.Errorf("References: %v", refs)
					}
				}
				if got := msg.Header.Get("In-Reply-To"); got != before {
					t.Errorf("In-Reply-To %q, want %q", got, before)
				}
			}
			if s.Dials() != 3 {
				t.Errorf("%d connections for 3 updates", s.Dials())
			}
			if !x.said("U-1 of INC-1, mail board: taken by 127.0.0.1 for 2 addresses at ", " UTC.") {
				t.Errorf("the room heard:\n%s", x.Heard())
			}
			if d := us[0].Deliveries[0]; d.State != incident.DeliveryDone || !strings.HasPrefix(d.Text, "taken by 127.0.0.1 for 2 addresses at ") {
				t.Errorf("on the record: %+v", d)
			}
		})
	}
}

// Whatever the server does, an update is there once in the end, or the room is
// told that it is not and what to do.
func TestMailFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verb    string
		answers []string
		copies  int // of the one mail; 0: refused
		says    []string
	}{
		"busy at the door":    {"connect", []string{"421 4.3.2 too busy", "421 4.3.2 too busy"}, 1, []string{"has not reached mail board yet: 127.0.0.1 does not take it now: 421", "tried again from"}},
		"dropped at the door": {"connect", []string{"drop"}, 1, []string{"the connection was lost"}},
		"greylisted":          {"RCPT", []string{"450 4.2.0 greylisted", "451 4.7.1 later"}, 1, []string{"450 4.2.0 greylisted"}},
		"421 in between":      {"MAIL", []string{"421 4.3.2 going down"}, 1, []string{"421 4.3.2 going down"}},
		"no DATA now":         {"DATA", []string{"452 4.3.1 no room"}, 1, []string{"452 4.3.1 no room"}},
		"not taken":           {".", []string{"451 4.3.0 try later"}, 1, []string{"451 4.3.0 try later"}},
		"dropped in DATA":     {"DATA", []string{"drop"}, 1, []string{"the connection was lost"}},
		"answer lost":         {".", []string{"drop"}, 2, []string{"the connection was lost"}},
		"no such user":        {"RCPT", []string{"550 5.1.1 no such user"}, 0, []string{"did not reach mail board: 1 of 1 addresses were refused by 127.0.0.1: ana@example.com: 550 5.1.1 no such user", "Correct the addresses", "</incident update retry INC-1 U-1>"}},
		"too big":             {".", []string{"552 5.3.4 too big"}, 0, []string{"552 5.3.4 too big"}},
		"spam":                {".", []string{"554 5.7.1 spam"}, 0, []string{"554 5.7.1 spam"}},
		"sender refused":      {"MAIL", []string{"553 5.1.8 who"}, 0, []string{"553 5.1.8 who"}},
		"not today":           {"connect", []string{"554 5.3.2 no"}, 0, []string{"127.0.0.1 refuses it: 554 5.3.2 no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bottest.NewSMTP(t, nil)
			x := newStand(t, board)
			x.targets["board"] = x.mailTo(s, "ana@example.com")
			s.Fail(c.verb, c.answers...)
			x.say("/incident update images do not load")
			x.run()
			us := x.settled()
			mails := s.Mails()
			if len(mails) != c.copies {
				t.Errorf("%d mails, want %d", len(mails), c.copies)
			}
			for _, m := range mails {
				if id := m.Message(t).Header.Get("Message-Id"); id != mails[0].Message(t).Header.Get("Message-Id") {
					t.Errorf("a copy has another Message-ID: %s", id)
				}
			}
			want := incident.DeliveryDone
			if c.copies == 0 {
				want = incident.DeliveryFailed
			}
			if us[0].Deliveries[0].State != want {
				t.Errorf("on the record: %+v", us[0].Deliveries)
			}
			if !x.said(c.says...) {
				t.Errorf("the room heard:\n%s", x.Heard())
			}
			if c.copies == 0 { // and once the server is mended
				x.say("/incident update retry U-1")
				if us := x.settled(); us[0].Deliveries[0].State != incident.DeliveryDone || len(s.Mails()) != 1 {
					t.Errorf("tried again: %+v, %d mails", us[0].Deliveries, len(s.Mails()))
				}
			}
		})
	}
}

// One address that is refused, or has to wait, keeps no other from its mail,
// and nobody gets one twice.
func TestMailEachAddress(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	x.targets["board"] = x.mailTo(s, "a@example.com", "b@example.com", "c@example.com")
	s.Fail("RCPT", "450 4.2.0 later", "", "550 5.1.1 no such user") // a later, b taken, c refused; then a taken, c refused
	s.Fail("RCPT", "", "550 5.1.1 no such user")
	x.say("/incident update images do not load")
	x.run()
	if us := x.settled(); us[0].Deliveries[0].State != incident.DeliveryFailed || !strings.Contains(us[0].Deliveries[0].Text, "1 of 3 addresses were refused by 127.0.0.1: c@example.com: 550 5.1.1 no such user") {
		t.Errorf("%+v", us[0].Deliveries)
	}
	x.End()
	x.run() // a restart
	x.say("/incident update retry U-1")
	x.settled()
	var to []string
	for _, m := range s.Mails() {
		to = append(to, m.To...)
	}
	if !slices.Equal(to, []string{"b@example.com", "a@example.com", "c@example.com"}) {
		t.Errorf("mails to %v", to)
	}
	x.End()
	if len(x.Notes.All()) != 0 {
		t.Errorf("left behind: %v", x.Notes.All())
	}
}

// What protects the mail is not given up for it to arrive.
func TestMailProtection(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server func(*bottest.SMTPServer)
		client func(*notify.Mail)
		says   string
	}{
		"no STARTTLS":    {nil, func(m *notify.Mail) { m.SMTP.TLS = notify.STARTTLS }, "offers no STARTTLS, so nothing was sent"},
		"unknown CA":     {func(s *bottest.SMTPServer) { s.STARTTLS = true }, func(m *notify.Mail) { m.SMTP.Roots = nil }, "/certcheck 127.0.0.1:"},
		"unknown CA 465": {func(s *bottest.SMTPServer) { s.Implicit = true }, func(m *notify.Mail) { m.SMTP.Roots = nil }, "/certcheck 127.0.0.1:"},
		"wrong password": {func(s *bottest.SMTPServer) { s.STARTTLS, s.User, s.Password = true, "u", "right" }, func(m *notify.Mail) { m.SMTP.Password = "wrong-one" }, "refuses the login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bottest.NewSMTP(t, c.server)
			x := newStand(t, board)
			m := x.mailTo(s, "ana@example.com")
			c.client(m)
			x.targets["board"] = m
			x.say("/incident update images do not load")
			x.run()
			us := x.settled()
			if us[0].Deliveries[0].State != incident.DeliveryFailed || len(s.Mails()) != 0 || !x.said(c.says) {
				t.Errorf("%+v, %d mails; the room heard:\n%s", us[0].Deliveries, len(s.Mails()), x.Heard())
			}
			if strings.Contains(x.Heard(), "wrong-one") {
				t.Errorf("the password is shown:\n%s", x.Heard())
			}
		})
	}
}

// A server that is down is waited for, in order, through restarts; after the
// time that is given the delivery has failed.
func TestMailDown(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	s.Stop()
	x := newStand(t, board)
	x.targets["board"] = x.mailTo(s, "ana@example.com")
	for _, text := range []string{"one", "two", "three"} {
		x.say("/incident update " + text)
	}
	x.run()
	for !x.said("has not reached mail board yet", "connection refused") {
		time.Sleep(time.Millisecond)
	}
	x.End()
	s.Start()
	x.run()
	x.settled()
	var texts []string
	for _, m := range s.Mails() {
		text, _, _ := strings.Cut(body(t, m.Message(t)), "\n")
		texts = append(texts, text)
	}
	if !slices.Equal(texts, []string{"one", "two", "three"}) {
		t.Errorf("mails: %v", texts)
	}
	s.Stop()
	x.End()
	x.giveUp = time.Nanosecond
	x.say("/incident update four")
	x.run()
	if us := x.settled(); us[3].Deliveries[0].State != incident.DeliveryFailed || !x.said("did not reach mail board: given up after 1ns") {
		t.Errorf("%+v\n%s", us[3].Deliveries, x.Heard())
	}
	s.Start()
}

// A mail names the mails before it: the first and the newest ones, twenty in all.
func TestMailThread(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	d := commands.Dispatch{Key: "k", Target: "board", Incident: "INC-1", Update: "U-31", Title: "x", Text: "y", By: "ana", Status: "identified", Severity: 2}
	for n := range 30 {
		d.Earlier = append(d.Earlier, fmt.Sprint("U-", n+1))
	}
	if _, err := x.mailTo(s, "ana@example.com").Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	msg := s.Mails()[0].Message(t)
	refs := strings.Fields(msg.Header.Get("References"))
	if len(refs) != 20 || !strings.HasPrefix(refs[0], "<inc-1.u-1.") || !strings.HasPrefix(refs[1], "<inc-1.u-12.") || !strings.HasPrefix(refs[19], "<inc-1.u-30.") || msg.Header.Get("In-Reply-To") != refs[19] {
		t.Errorf("%q, in reply to %q", refs, msg.Header.Get("In-Reply-To"))
	}
}

// FuzzMail: whatever stands in title, text and names, a mail has the headers
// that it is to have and no other, and its text is what was said.
func FuzzMail(f *testing.F) {
	f.Add("images", "they do not load", "ana")
	f.Add("a\r\nBcc: all@example.com", "x\r\n.\r\nMAIL FROM:<a@b>", "b\nX: y")
	f.Add("\x00\u2028\u202e=?utf-8?q?x?=", "=20\n-- \n", "\"<>")
	s := bottest.NewSMTP(f, nil)
	x := newStand(f, board)
	m := x.mailTo(s, "ana@example.com")
	f.Fuzz(func(t *testing.T, title, text, by string) {
		n := len(s.Mails())
		d := commands.Dispatch{Key: "k", Target: "board", Incident: "INC-1", Update: "U-1", Title: title, Text: text, By: by, Status: "investigating", Severity: 2, At: time.Unix(1e9, 0), Declared: time.Unix(1e9, 0)}
		_, err := m.Deliver(t.Context(), d)
		if err := errors.Join(err, m.Settled(t.Context(), d)); err != nil {
			t.Fatal(err)
		}
		mails := s.Mails()
		if len(mails) != n+1 || !slices.Equal(mails[n].To, []string{"ana@example.com"}) {
			t.Fatalf("%d mails", len(mails)-n)
		}
		msg := mails[n].Message(t)
		var names []string
		for h := range msg.Header {
			names = append(names, h)
		}
		slices.Sort(names)
		if want := []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Reply-To", "Subject", "To", "X-Certmedic-Incident"}; !slices.Equal(names, want) {
			t.Errorf("headers %v of title %q", names, title)
		}
		if strings.ContainsAny(decoded(t, msg, "Subject"), "\r\n") {
			t.Errorf("subject of %q", title)
		}
		body(t, msg)
	})
}
