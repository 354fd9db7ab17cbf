package probe

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// postgres sends SSLRequest (PostgreSQL protocol, "SSL Session Encryption")
// and reads one byte.
func postgres(t *talk) error {
	if err := t.send("\x00\x00\x00\x08\x04\xd2\x16\x2f"); err != nil {
		return err
	}
	c, err := t.r.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case 'S':
		return nil
	case 'N':
		return missing("N")
	}
	rest, _ := t.r.Peek(min(t.r.Buffered(), 120))
	return refused(shown(append([]byte{c}, rest...)))
}

// mysql reads the greeting (protocol 10), and asks for TLS when it is offered.
func mysql(t *talk) error {
	const clientSSL, clientProtocol41 = 0x0800, 0x0200
	var head [4]byte
	if _, err := io.ReadFull(t.r, head[:]); err != nil {
		return err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n < 1 || n > maxLine {
		return fmt.Errorf("the server's greeting has %d bytes, which no MySQL greeting has", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(t.r, b); err != nil {
		return err
	}
	if b[0] == 0xff {
		return refused(shown(b[1:]))
	}
	zero := strings.IndexByte(string(b), 0)
	// version, NUL, thread id (4), auth data (8), filler (1), capabilities (2)
	if b[0] != 10 || zero < 0 || len(b) < zero+16 {
		return fmt.Errorf("the server's greeting %s is not that of MySQL", shown(b))
	}
	if binary.LittleEndian.Uint16(b[zero+14:])&clientSSL == 0 {
		return missing(shown(b[1:zero]))
	}
	req := make([]byte, 36)
	req[0], req[3] = 32, head[3]+1
	binary.LittleEndian.PutUint32(req[4:], clientSSL|clientProtocol41)
	binary.LittleEndian.PutUint32(req[8:], 1<<24)
	req[12] = 33 // utf8
	return t.send(string(req))
}

// ldap sends the StartTLS extended request (RFC 4511 section 4.14).
func ldap(t *talk) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	if err := t.send("\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + oid); err != nil {
		return err
	}
	body, err := t.element(0x30)
	if err != nil {
		return err
	}
	// messageID INTEGER, then [APPLICATION 24] with resultCode ENUMERATED first.
	_, rest, ok := tlv(body, 0x02)
	if !ok {
		return fmt.Errorf("the server answers %s, which is not LDAP", shown(body))
	}
	op, _, ok := tlv(rest, 0x78)
	if !ok {
		return refused(shown(rest))
	}
	code, more, ok := tlv(op, 0x0a)
	if !ok || len(code) != 1 {
		return refused(shown(op))
	}
	switch code[0] {
	case 0:
		return nil
	case 2: // protocolError: the server does not know the request
		return missing("result code 2 " + shown(more))
	}
	return refused(fmt.Sprintf("result code %d %s", code[0], shown(more)))
}

// element reads the body of one BER element with this tag, at most maxLine
// bytes.
func (t *talk) element(want byte) ([]byte, error) {
	tag, err := t.r.ReadByte()
	if err != nil {
		return nil, err
	}
	if tag != want {
		rest, _ := t.r.Peek(min(t.r.Buffered(), 60))
		return nil, fmt.Errorf("the server answers %s, which is not LDAP", shown(append([]byte{tag}, rest...)))
	}
	l, err := t.r.ReadByte()
	if err != nil {
		return nil, err
	}
	n := int(l)
	if l >= 0x80 {
		n = 0
		if l == 0x80 || l > 0x84 {
			return nil, fmt.Errorf("the server's answer begins %s, which is not LDAP", shown([]byte{tag, l}))
		}
		for range l & 0x7f {
			c, err := t.r.ReadByte()
			if err != nil {
				return nil, err
			}
			n = n<<8 | int(c)
		}
	}
	if n < 0 || n > maxLine {
		return nil, fmt.Errorf("the server's answer claims %d bytes", n)
	}
	body := make([]byte, n)
	_, err = io.ReadFull(t.r, body)
	return body, err
}

// tlv takes the element with this tag from the front of b. Lengths above 127
// are read in their long form.
func tlv(b []byte, tag byte) (body, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	n, at := int(b[1]), 2
	if b[1] >= 0x80 {
		k := int(b[1] & 0x7f)
		if k < 1 || k > 3 || len(b) < 2+k {
			return nil, nil, false
		}
		n = 0
		for _, c := range b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		at += k
	}
	if len(b) < at+n {
		return nil, nil, false
	}
	return b[at : at+n], b[at+n:], true
}
