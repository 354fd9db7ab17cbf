package probe

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// imap is RFC 9051 section 6.2.1.
func imap(t *talk) error {
	s, err := t.line()
	if err != nil {
		return err
	}
	if !prefixed(s, "* OK") && !prefixed(s, "* PREAUTH") {
		return refused(s)
	}
	caps, end, err := t.tagged("a1", "CAPABILITY")
	if err != nil {
		return err
	}
	if !prefixed(end, "a1 OK") {
		return refused(end)
	}
	if !slices.Contains(strings.Fields(strings.ToUpper(caps)), "STARTTLS") {
		return missing(caps)
	}
	_, end, err = t.tagged("a2", "STARTTLS")
	if err != nil {
		return err
	}
	if !prefixed(end, "a2 OK") {
		return refused(end)
	}
	return nil
}

// tagged sends an IMAP command and returns the untagged text and the tagged
// line that ends it.
func (t *talk) tagged(tag, command string) (text, end string, err error) {
	if err := t.send(tag + " " + command + "\r\n"); err != nil {
		return "", "", err
	}
	for range maxLines {
		s, err := t.line()
		if err != nil {
			return "", "", err
		}
		if prefixed(s, tag+" ") {
			return text, s, nil
		}
		text += " " + s
	}
	return "", "", fmt.Errorf("the server sent more than %d lines", maxLines)
}

func prefixed(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// pop3 is RFC 2595 section 4.
func pop3(t *talk) error {
	s, err := t.line()
	if err != nil {
		return err
	}
	if !prefixed(s, "+OK") {
		return refused(s)
	}
	if err := t.send("STLS\r\n"); err != nil {
		return err
	}
	if s, err = t.line(); err != nil {
		return err
	}
	if !prefixed(s, "+OK") {
		return missing(s)
	}
	return nil
}

// sieve is ManageSieve, RFC 5804 section 2.2.
func sieve(t *talk) error {
	offered := false
	for range maxLines {
		s, err := t.line()
		if err != nil {
			return err
		}
		offered = offered || prefixed(s, `"STARTTLS"`)
		if prefixed(s, "NO") || prefixed(s, "BYE") {
			return refused(s)
		}
		if !prefixed(s, "OK") {
			continue
		}
		if !offered {
			return missing(s)
		}
		if err := t.send("STARTTLS\r\n"); err != nil {
			return err
		}
		if s, err = t.line(); err != nil {
			return err
		}
		if !prefixed(s, "OK") {
			return refused(s)
		}
		return nil
	}
	return fmt.Errorf("the server sent more than %d lines", maxLines)
}

// xmpp is RFC 6120 section 5 for clients.
func xmpp(t *talk) error {
	to := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>&"'`, r) || r < ' ' {
			return -1
		}
		return r
	}, t.name)
	err := t.send("<?xml version='1.0'?><stream:stream to='" + to +
		"' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")
	if err != nil {
		return err
	}
	got, err := t.until("</stream:features>", "<stream:features/>", "<stream:error", "</stream:stream>")
	if err != nil {
		return err
	}
	if !strings.Contains(got, "<starttls") {
		return missing(got)
	}
	if err := t.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return err
	}
	if got, err = t.until(">"); err != nil {
		return err
	}
	if !strings.Contains(got, "<proceed") {
		return refused(got)
	}
	if !strings.HasSuffix(got, "/>") {
		_, err = t.until("</proceed>")
	}
	return err
}

// until reads until one of the marks stands at the end.
func (t *talk) until(marks ...string) (string, error) {
	var b []byte
	for len(b) < maxTalk {
		c, err := t.r.ReadByte()
		if err != nil {
			return string(b), err
		}
		b = append(b, c)
		for _, m := range marks {
			if bytes.HasSuffix(b, []byte(m)) {
				return string(b), nil
			}
		}
	}
	return string(b), fmt.Errorf("the server sent more than %d bytes", maxTalk)
}
