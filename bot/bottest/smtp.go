package bottest

// This file is a real SMTP server on loopback (RFC 5321, STARTTLS of RFC 3207,
// AUTH PLAIN and LOGIN of RFC 4954) that keeps what it takes, and misbehaves
// when told.

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	bignum "math/big"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is one message that the server took.
type Mail struct {
	From string
	To   []string
	Raw  []byte
	TLS  bool
	User string // who had logged in
}

// Message parses it.
func (m Mail) Message(t testing.TB) *mail.Message {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		t.Fatalf("a mail that cannot be read: %v\n%s", err, m.Raw)
	}
	return msg
}

// SMTPServer is the server. Set what it wants before it is used.
type SMTPServer struct {
	STARTTLS bool // offered, and wanted before anything else
	Implicit bool // TLS from the start
	User     string
	Password string

	// Address is where it listens; CA is the PEM of who signed its certificate,
	// which is for 127.0.0.1 and localhost.
	Address string
	CA      []byte

	t       testing.TB
	conf    *tls.Config
	l       net.Listener
	serving sync.WaitGroup

	mu    sync.Mutex
	mails []Mail
	fails map[string][]string
	bad   []string // what a client may not do
	conns map[net.Conn]bool
	dials int
}

// NewSMTP starts a server; change lets it want TLS or a login.
func NewSMTP(t testing.TB, change func(*SMTPServer)) *SMTPServer {
	t.Helper()
	s := &SMTPServer{t: t, fails: map[string][]string{}, conns: map[net.Conn]bool{}}
	if change != nil {
		change(s)
	}
	cert, ca := selfSigned(t)
	s.CA, s.conf = ca, &tls.Config{Certificates: []tls.Certificate{cert}}
	s.listen("127.0.0.1:0")
	t.Cleanup(func() {
		s.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, b := range s.bad {
			t.Errorf("the mail client: %s", b)
		}
	})
	return s
}

func (s *SMTPServer) listen(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.l, s.Address = l, l.Addr().String()
	s.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.dials++
			s.mu.Unlock()
			s.serving.Go(func() {
				defer func() { c.Close(); s.mu.Lock(); delete(s.conns, c); s.mu.Unlock() }()
				s.serve(c)
			})
		}
	})
}

// Stop closes the server; Start opens it again at the same address.
func (s *SMTPServer) Stop() {
	s.l.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// Start opens a stopped server again.
func (s *SMTPServer) Start() { s.listen(s.Address) }

// Fail has the next commands of a verb answered so: "450 4.2.0 busy", or
// "drop": the connection is lost. Verbs are "connect", "EHLO", "AUTH", "MAIL",
// "RCPT", "DATA", and "." for the end of the text: what is dropped there was taken.
func (s *SMTPServer) Fail(verb string, answers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[verb] = append(s.fails[verb], answers...)
}

// Mails are what it took.
func (s *SMTPServer) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Dials is how often it was connected to.
func (s *SMTPServer) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

func (s *SMTPServer) fail(verb string) (answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fails[verb]; len(f) > 0 {
		answer, s.fails[verb] = f[0], f[1:]
	}
	return answer
}

func (s *SMTPServer) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = append(s.bad, fmt.Sprintf(format, args...))
}

// session is one connection.
type session struct {
	s    *SMTPServer
	c    net.Conn
	r    *bufio.Reader
	tls  bool
	user string
	m    Mail
}

func (s *SMTPServer) serve(c net.Conn) {
	x := &session{s: s, c: c}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if s.Implicit {
		tc := tls.Server(c, s.conf)
		if tc.Handshake() != nil {
			return
		}
		x.c, x.tls = tc, true
	}
	x.r = bufio.NewReader(x.c)
	if a := s.fail("connect"); a != "" {
		if a != "drop" {
			x.say("%s", a)
		}
		return
	}
	x.say("220 mx.test ESMTP")
	for x.command() {
	}
}

func (x *session) say(format string, args ...any) {
	fmt.Fprintf(x.c, format+"\r\n", args...)
}

// line reads one line; false when there is none.
func (x *session) line() (string, bool) {
	l, err := x.r.ReadString('\n')
	if err != nil {
		return "", false
	}
	if !strings.HasSuffix(l, "\r\n") {
		x.s.complain("a line ends without CR: %q", l)
	}
	if len(l) > 1000 {
		x.s.complain("a line has %d bytes (RFC 5321 section 4.5.3.1.6)", len(l))
	}
	return strings.TrimRight(l, "\r\n"), true
}

// command answers one command; false ends the connection.
func (x *session) command() bool {
	l, ok := x.line()
	if !ok {
		return false
	}
	verb, rest, _ := strings.Cut(l, " ")
	verb = strings.ToUpper(verb)
	if a := x.s.fail(verb); a != "" {
		if a == "drop" {
			return false
		}
		x.say("%s", a)
		return !strings.HasPrefix(a, "421")
	}
	if x.s.STARTTLS && !x.tls && verb != "EHLO" && verb != "STARTTLS" && verb != "QUIT" && verb != "NOOP" {
		x.s.complain("%s before STARTTLS", verb)
		x.say("530 5.7.0 Must issue a STARTTLS command first")
		return true
	}
	if x.s.User != "" && x.user == "" && (verb == "MAIL" || verb == "RCPT" || verb == "DATA") {
		x.say("530 5.7.0 Authentication required")
		return true
	}
	switch verb {
	case "EHLO", "HELO":
		x.m = Mail{}
		x.hello()
	case "STARTTLS":
		return x.startTLS()
	case "AUTH":
		return x.auth(rest)
	case "MAIL":
		x.m = Mail{From: path(rest), TLS: x.tls, User: x.user}
		x.say("250 2.1.0 OK")
	case "RCPT":
		if x.m.From == "" {
			x.say("503 5.5.1 MAIL first")
			return true
		}
		x.m.To = append(x.m.To, path(rest))
		x.say("250 2.1.5 OK")
	case "DATA":
		return x.data()
	case "RSET":
		x.m = Mail{}
		x.say("250 2.0.0 OK")
	case "NOOP":
		x.say("250 2.0.0 OK")
	case "QUIT":
		x.say("221 2.0.0 Bye")
		return false
	case "*": // a login given up (RFC 4954 section 4)
		x.say("501 5.7.0 given up")
	default:
		x.s.complain("unknown command %q", l)
		x.say("500 5.5.1 what")
	}
	return true
}

func (x *session) hello() {
	ext := []string{"mx.test", "8BITMIME", "ENHANCEDSTATUSCODES"}
	if x.s.STARTTLS && !x.tls {
		ext = append(ext, "STARTTLS")
	}
	if x.s.User != "" && (x.tls || !x.s.STARTTLS) {
		ext = append(ext, "AUTH PLAIN LOGIN")
	}
	for i, e := range ext {
		sep := "-"
		if i == len(ext)-1 {
			sep = " "
		}
		x.say("250%s%s", sep, e)
	}
}

func (x *session) startTLS() bool {
	if !x.s.STARTTLS || x.tls {
		x.say("502 5.5.1 not offered")
		return true
	}
	x.say("220 2.0.0 go ahead")
	tc := tls.Server(x.c, x.s.conf)
	if tc.Handshake() != nil {
		return false
	}
	x.c, x.r, x.tls = tc, bufio.NewReader(tc), true
	return true
}

func (x *session) auth(rest string) bool {
	kind, first, _ := strings.Cut(rest, " ")
	var user, password string
	ask := func(prompt string) string {
		x.say("334 %s", base64.StdEncoding.EncodeToString([]byte(prompt)))
		l, _ := x.line()
		b, _ := base64.StdEncoding.DecodeString(l)
		return string(b)
	}
	switch strings.ToUpper(kind) {
	case "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(first)
		if f := strings.Split(string(b), "\x00"); len(f) == 3 {
			user, password = f[1], f[2]
		}
	case "LOGIN":
		user, password = ask("Username:"), ask("Password:")
	}
	if user != x.s.User || password != x.s.Password {
		x.say("535 5.7.8 Authentication credentials invalid")
		return true
	}
	x.user = user
	x.say("235 2.7.0 OK")
	return true
}

func (x *session) data() bool {
	if len(x.m.To) == 0 {
		x.say("503 5.5.1 RCPT first")
		return true
	}
	x.say("354 go ahead")
	var b bytes.Buffer
	for {
		l, ok := x.line()
		if !ok {
			return false
		}
		if l == "." {
			break
		}
		b.WriteString(strings.TrimPrefix(l, ".") + "\r\n")
	}
	x.m.Raw = b.Bytes()
	a := x.s.fail(".")
	if a == "" || a == "drop" {
		x.s.mu.Lock()
		x.s.mails = append(x.s.mails, x.m)
		x.s.mu.Unlock()
	}
	x.m = Mail{}
	switch a {
	case "":
		x.say("250 2.0.0 OK queued as 4Xy")
	case "drop":
		return false
	default:
		x.say("%s", a)
	}
	return true
}

// path is the address of "FROM:<a@b> BODY=8BITMIME".
func path(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}

// selfSigned makes a CA and a certificate for this machine.
func selfSigned(t testing.TB) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: bignum.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
