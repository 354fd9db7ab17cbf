package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// This file holds the talk before STARTTLS and the protocols of numbered
// replies; starttls_text.go has the other protocols of text, starttls_binary.go
// those of packets.

const (
	maxLine  = 4096     // bytes of one line of a server
	maxTalk  = 64 << 10 // bytes of the whole talk
	ourName  = "certmedic.invalid"
	maxLines = 128
)

// StartTLSProtocols are the values of Query.StartTLS.
func StartTLSProtocols() []string {
	out := make([]string, 0, len(protocols))
	for name := range protocols {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

var protocols = map[string]func(*talk) error{
	"smtp": smtp, "submission": smtp, "lmtp": lmtp, "imap": imap, "pop3": pop3, "ftp": ftp,
	"nntp": nntp, "sieve": sieve, "xmpp": xmpp,
	"ldap": ldap, "postgres": postgres, "mysql": mysql,
}

// startErr is a fault of the talk before TLS.
type startErr struct {
	id   string // starttls_missing, starttls_refused, starttls_leftover
	text string
	got  string // what the server said
}

func (e *startErr) Error() string { return e.text + ": " + e.got }

func missing(got string) error {
	return &startErr{id: "starttls_missing", text: "does not offer STARTTLS", got: clean(got, 160)}
}

func refused(got string) error {
	return &startErr{id: "starttls_refused", text: "refuses STARTTLS", got: clean(got, 160)}
}

// talk is the conversation before TLS.
type talk struct {
	r    *bufio.Reader
	w    io.Writer
	name string // of the server, for XMPP
}

// startTLS speaks the protocol until the server is ready for a ClientHello.
// The caller sets deadlines. Bytes left over are a fault: somebody may have
// put them there.
func startTLS(conn net.Conn, protocol, name string) error {
	speak, ok := protocols[protocol]
	if !ok {
		return fmt.Errorf("no such STARTTLS protocol %q; known are %s", clean(protocol, 20), strings.Join(StartTLSProtocols(), ", "))
	}
	t := &talk{r: bufio.NewReader(io.LimitReader(conn, maxTalk)), w: conn, name: name}
	if err := speak(t); err != nil {
		return err
	}
	if n := t.r.Buffered(); n > 0 {
		b, _ := t.r.Peek(n)
		return &startErr{id: "starttls_leftover", text: "sends plain text after it agreed to TLS", got: shown(b)}
	}
	return nil
}

// line reads one line without its end.
func (t *talk) line() (string, error) {
	var b []byte
	for len(b) < maxLine {
		c, err := t.r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) && len(b) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return string(b), err
		}
		if c == '\n' {
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, c)
	}
	return string(b), fmt.Errorf("the server sent a line of more than %d bytes", maxLine)
}

func (t *talk) send(s string) error {
	_, err := io.WriteString(t.w, s)
	return err
}

// reply reads a reply of numbered lines (RFC 5321 section 4.2, RFC 959
// section 4.2) and returns its code and text.
func (t *talk) reply() (code string, lines []string, err error) {
	for range maxLines {
		s, err := t.line()
		if err != nil {
			return "", lines, err
		}
		lines = append(lines, s)
		if len(s) < 3 {
			return "", lines, fmt.Errorf("the server answers %q, not a reply code", clean(s, 80))
		}
		if code == "" {
			code = s[:3]
		}
		if s[:3] == code && (len(s) == 3 || s[3] == ' ') {
			return code, lines, nil
		}
	}
	return "", lines, fmt.Errorf("the server sent more than %d lines", maxLines)
}

// expect reads a reply that must have this code.
func (t *talk) expect(want string, fault func(string) error) ([]string, error) {
	code, lines, err := t.reply()
	if err != nil {
		return lines, err
	}
	if code != want {
		return lines, fault(lines[len(lines)-1])
	}
	return lines, nil
}

func smtp(t *talk) error { return smtpWith(t, "EHLO ") }
func lmtp(t *talk) error { return smtpWith(t, "LHLO ") }

// smtpWith is RFC 3207.
func smtpWith(t *talk, greet string) error {
	if _, err := t.expect("220", refused); err != nil {
		return err
	}
	if err := t.send(greet + ourName + "\r\n"); err != nil {
		return err
	}
	lines, err := t.expect("250", refused)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(lines, func(s string) bool { return len(s) > 4 && strings.EqualFold(strings.TrimSpace(s[4:]), "STARTTLS") }) {
		return missing(strings.Join(lines, " / "))
	}
	if err := t.send("STARTTLS\r\n"); err != nil {
		return err
	}
	_, err = t.expect("220", refused)
	return err
}

// ftp is RFC 4217.
func ftp(t *talk) error {
	if _, err := t.expect("220", refused); err != nil {
		return err
	}
	if err := t.send("AUTH TLS\r\n"); err != nil {
		return err
	}
	code, lines, err := t.reply()
	switch {
	case err != nil:
		return err
	case code == "234":
		return nil
	case code == "500" || code == "502" || code == "504":
		return missing(lines[len(lines)-1])
	}
	return refused(lines[len(lines)-1])
}

// nntp is RFC 4642.
func nntp(t *talk) error {
	code, lines, err := t.reply()
	if err != nil {
		return err
	}
	if code != "200" && code != "201" {
		return refused(lines[len(lines)-1])
	}
	if err := t.send("STARTTLS\r\n"); err != nil {
		return err
	}
	code, lines, err = t.reply()
	switch {
	case err != nil:
		return err
	case code == "382":
		return nil
	case code == "580":
		return refused(lines[len(lines)-1])
	}
	return missing(lines[len(lines)-1])
}
