package probe

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// turn is one step of a server in a talk: a byte string that it waits
// for, and what it answers.
type turn struct {
	wait string // what must come in, "" for nothing
	say  string
}

// play runs the turns and then the rest of the connection.
func play(turns []turn, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for _, tu := range turns {
			var got strings.Builder
			for !strings.HasSuffix(got.String(), tu.wait) {
				b, err := r.ReadByte()
				if err != nil {
					return
				}
				got.WriteByte(b)
			}
			if _, err := io.WriteString(c, tu.say); err != nil {
				return
			}
		}
		then(again{c, r})
	}
}

const ldapOK = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

// mysqlHello is a greeting of protocol 10 with these low capability bytes.
func mysqlHello(low, high byte) string {
	body := "\x0a8.0.36\x00" + "\x01\x00\x00\x00" + "abcdefgh" + "\x00" + string([]byte{low, high}) + "\x21\x02\x00"
	return string([]byte{byte(len(body)), 0, 0, 0}) + body
}

// talks has a good server for every protocol.
var talks = map[string][]turn{
	"smtp":       {{"", "220-mail.example.com\r\n220 ESMTP\r\n"}, {"EHLO certmedic.invalid\r\n", "250-mail.example.com\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 8BITMIME\r\n"}, {"STARTTLS\r\n", "220 go ahead\r\n"}},
	"submission": {{"", "220 ESMTP\r\n"}, {"EHLO certmedic.invalid\r\n", "250-x\r\n250 starttls\r\n"}, {"STARTTLS\r\n", "220 go ahead\r\n"}},
	"lmtp":       {{"", "220 LMTP\r\n"}, {"LHLO certmedic.invalid\r\n", "250-x\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "220 go ahead\r\n"}},
	"imap":       {{"", "* OK ready\r\n"}, {"a1 CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"}, {"a2 STARTTLS\r\n", "a2 OK begin\r\n"}},
	"pop3":       {{"", "+OK ready\r\n"}, {"STLS\r\n", "+OK begin\r\n"}},
	"ftp":        {{"", "220-Welcome\r\n text in between\r\n220 ready\r\n"}, {"AUTH TLS\r\n", "234 begin\r\n"}},
	"nntp":       {{"", "200 ready\r\n"}, {"STARTTLS\r\n", "382 begin\r\n"}},
	"sieve":      {{"", "\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK\r\n"}, {"STARTTLS\r\n", "OK \"begin\"\r\n"}},
	"xmpp":       {{"version='1.0'>", "<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"}, {"xmpp-tls'/>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}},
	"ldap":       {{"1.3.6.1.4.1.1466.20037", ldapOK}},
	"postgres":   {{"\x04\xd2\x16\x2f", "S"}},
	"mysql":      {{"", mysqlHello(0, 0x0a)}, {strings.Repeat("\x00", 23), ""}},
}

func startQuery(at netip.AddrPort, protocol string) renew.Query {
	q := query(at)
	q.StartTLS = protocol
	return q
}

// TestStartTLS: every protocol reaches the certificate, and text after the
// agreement to TLS is refused.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cfg := serving(e.inter.leaf(t, dates(-90*day, -day)).with(e.inter))
	p := prober(Options{}, e.root)
	for _, name := range StartTLSProtocols() {
		turns := talks[name]
		if turns == nil {
			t.Errorf("no test server for %s", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantIDs(t, check(t, p, startQuery(listen(t, "127.0.0.1", play(turns, overTLS(cfg))), name)), "expired")

			// The same server, with text right behind the last answer.
			bad := append([]turn{}, turns...)
			bad[len(bad)-1].say += "250 injected\r\n"
			rep := check(t, p, startQuery(listen(t, "127.0.0.1", play(bad, overTLS(cfg))), name))
			wantIDs(t, rep, "starttls_leftover")
			says(t, one(t, rep, "starttls_leftover"), "injected")

			// One that ends in the middle, and one that says nothing.
			short := append([]turn{}, turns...)
			short[len(short)-1].say = ""
			if name != "mysql" { // whose last turn is silent
				rep = check(t, p, startQuery(listen(t, "127.0.0.1", play(short, func(net.Conn) {})), name))
				wantIDs(t, rep, "eof")
			}
			mute := prober(Options{Timeout: 200 * time.Millisecond})
			rep = check(t, mute, startQuery(listen(t, "127.0.0.1", func(c net.Conn) { io.Copy(io.Discard, c) }), name))
			wantIDs(t, rep, "handshake_timeout")
			if one(t, rep, "handshake_timeout").Proof["stage"] != "starttls" {
				t.Error("the stage is not starttls")
			}
		})
	}
}

// TestStartTLSFaults: not offered, and refused.
func TestStartTLSFaults(t *testing.T) {
	t.Parallel()
	rows := []struct {
		protocol, want string
		turns          []turn
	}{
		{"smtp", "starttls_missing", []turn{{"", "220 x\r\n"}, {"\r\n", "250-x\r\n250 HELP\r\n"}}},
		{"smtp", "starttls_refused", []turn{{"", "220 x\r\n"}, {"\r\n", "250-x\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "454 no key\r\n"}}},
		{"smtp", "starttls_refused", []turn{{"", "554 go away\r\n"}}},
		{"smtp", "starttls_failed", []turn{{"", "hi\r\n"}}},
		{"smtp", "starttls_failed", []turn{{"", strings.Repeat("x", 5000) + "\r\n"}}},
		{"smtp", "starttls_failed", []turn{{"", strings.Repeat("220-x\r\n", 500)}}},
		{"imap", "starttls_missing", []turn{{"", "* OK\r\n"}, {"\r\n", "* CAPABILITY IMAP4rev1\r\na1 OK\r\n"}}},
		{"imap", "starttls_refused", []turn{{"", "* BYE\r\n"}}},
		{"imap", "starttls_refused", []turn{{"", "* OK\r\n"}, {"\r\n", "* CAPABILITY STARTTLS\r\na1 OK\r\n"}, {"a2 STARTTLS\r\n", "a2 NO\r\n"}}},
		{"pop3", "starttls_missing", []turn{{"", "+OK\r\n"}, {"\r\n", "-ERR what\r\n"}}},
		{"ftp", "starttls_missing", []turn{{"", "220 x\r\n"}, {"\r\n", "502 no\r\n"}}},
		{"ftp", "starttls_refused", []turn{{"", "220 x\r\n"}, {"\r\n", "431 no\r\n"}}},
		{"nntp", "starttls_missing", []turn{{"", "201 x\r\n"}, {"\r\n", "500 what\r\n"}}},
		{"nntp", "starttls_refused", []turn{{"", "201 x\r\n"}, {"\r\n", "580 no\r\n"}}},
		{"sieve", "starttls_missing", []turn{{"", "\"SASL\" \"\"\r\nOK\r\n"}}},
		{"sieve", "starttls_refused", []turn{{"", "\"STARTTLS\"\r\nOK\r\n"}, {"\r\n", "NO\r\n"}}},
		{"xmpp", "starttls_missing", []turn{{">", "<stream:features></stream:features>"}}},
		{"xmpp", "starttls_refused", []turn{{">", "<stream:features><starttls/></stream:features>"}, {"/>", "<failure/>"}}},
		{"postgres", "starttls_missing", []turn{{"\x2f", "N"}}},
		{"postgres", "starttls_refused", []turn{{"\x2f", "Eno pg_hba.conf entry"}}},
		{"mysql", "starttls_missing", []turn{{"", mysqlHello(0, 2)}}},
		{"mysql", "starttls_refused", []turn{{"", "\x08\x00\x00\x00\xff\x6a\x04Host x"}}},
		{"mysql", "starttls_failed", []turn{{"", "SSH-2.0-x\r\n"}}},
		{"ldap", "starttls_missing", []turn{{"20037", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"}}},
		{"ldap", "starttls_refused", []turn{{"20037", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"}}},
		{"ldap", "starttls_failed", []turn{{"20037", "HTTP/1.0 400\r\n"}}},
		{"gopher", "starttls_failed", nil},
	}
	for _, r := range rows {
		t.Run(r.protocol+" "+r.want, func(t *testing.T) {
			t.Parallel()
			at := listen(t, "127.0.0.1", play(r.turns, func(c net.Conn) { io.Copy(io.Discard, c) }))
			rep := check(t, prober(Options{}), startQuery(at, r.protocol))
			wantIDs(t, rep, r.want)
			says(t, one(t, rep, r.want), strings.ToUpper(r.protocol))
		})
	}
}

// FuzzStartTLS answers every protocol with a stranger's bytes.
func FuzzStartTLS(f *testing.F) {
	for name, turns := range talks {
		var all strings.Builder
		for _, tu := range turns {
			all.WriteString(tu.say)
		}
		f.Add(name, []byte(all.String()))
	}
	f.Add("ldap", []byte("\x30\x84\xff\xff\xff\xff"))
	f.Add("ldap", []byte("\x30\x06\x02\x81\x01\x01\x78\x83"))
	f.Add("mysql", []byte("\x01\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, protocol string, b []byte) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		go func() { theirs.Write(b); theirs.Close() }()
		ours.SetDeadline(time.Now().Add(10 * time.Second))
		err := startTLS(ours, protocol, site)
		ours.Close()
		if isTimeout(err) {
			t.Errorf("%s hangs on %q", protocol, b)
		}
	})
}

// FuzzHandshake is a server of a stranger's bytes in place of TLS.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"))
	f.Add([]byte("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"))
	p := prober(Options{Timeout: 5 * time.Second})
	f.Fuzz(func(t *testing.T, b []byte) {
		at := listen(t, "127.0.0.1", func(c net.Conn) { c.Write(b); io.Copy(io.Discard, io.LimitReader(c, 1<<16)) })
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		r := p.Check(ctx, query(at))
		sound(t, r)
		if len(r.All()) == 0 {
			t.Errorf("%q passes for a good server", b)
		}
	})
}
