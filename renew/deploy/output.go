package deploy

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// What is kept of an output: its beginning and its end, where the reason of a
// failure mostly stands.
const (
	headBytes = 4 << 10
	tailBytes = 12 << 10
	maxHeader = 64 // bytes of a PEM header line
	cutOut    = "[private key cut out]"
)

var (
	pemBegin  = []byte("-----BEGIN ")
	pemEnd    = []byte("-----END ")
	pemDashes = []byte("-----")
	escapes   = regexp.MustCompile(`\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])`)
)

// output takes a command's output, cuts private keys out while it streams by
// (so that a key cannot come through in two halves) and keeps at most 16 KiB.
type output struct {
	mu      sync.Mutex
	pending []byte // not decided yet: may be the start of a marker
	inKey   bool
	head    []byte
	tail    []byte // up to twice tailBytes before it is cut
	total   int    // bytes after cutting keys out
}

// Write never fails and never keeps more than a bounded amount.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = append(o.pending, p...)
	o.digest(false)
	return len(p), nil
}

// digest decides as much of pending as can be decided, all of it at the end.
func (o *output) digest(end bool) {
	for len(o.pending) > 0 {
		mark := pemBegin
		if o.inKey {
			mark = pemEnd
		}
		i := bytes.Index(o.pending, mark)
		if i < 0 {
			n := len(o.pending)
			if !end {
				n -= partial(o.pending, mark)
			}
			o.pass(n)
			return
		}
		o.pass(i)
		rest := o.pending[len(mark):]
		j := bytes.Index(rest[:min(len(rest), maxHeader)], pemDashes)
		if j < 0 && len(rest) < maxHeader && !end {
			return // the header is not complete
		}
		secret := j >= 0 && bytes.Contains(rest[:j], []byte("PRIVATE KEY"))
		switch {
		case o.inKey && !secret: // the END of something else
			o.pass(len(mark))
		case o.inKey:
			// The closing dashes may be the opening ones of the next header.
			if len(rest[j:]) < len(pemBegin) && !end {
				return
			}
			o.inKey = false
			o.pending = rest[j:]
			if !bytes.HasPrefix(o.pending, pemBegin) {
				o.pending = o.pending[len(pemDashes):]
			}
		case secret:
			o.emit([]byte(cutOut))
			o.inKey = true
			o.pending = rest[j+len(pemDashes):]
		default:
			o.pass(len(mark))
		}
	}
}

// partial returns how many last bytes of b may be the start of mark.
func partial(b, mark []byte) int {
	for n := min(len(b), len(mark)-1); n > 0; n-- {
		if bytes.HasSuffix(b, mark[:n]) {
			return n
		}
	}
	return 0
}

// pass moves n bytes of pending on, or drops them inside a key.
func (o *output) pass(n int) {
	if !o.inKey {
		o.emit(o.pending[:n])
	}
	o.pending = o.pending[n:]
}

func (o *output) emit(b []byte) {
	o.total += len(b)
	if room := headBytes - len(o.head); room > 0 {
		n := min(room, len(b))
		o.head = append(o.head, b[:n]...)
		b = b[n:]
	}
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	o.tail = append(o.tail, b...)
	if len(o.tail) > 2*tailBytes {
		o.tail = append([]byte(nil), o.tail[len(o.tail)-tailBytes:]...)
	}
}

// text returns what is shown. secrets are further strings to cut out.
func (o *output) text(secrets []string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.digest(true)
	tail := o.tail
	if len(tail) > tailBytes {
		tail = tail[len(tail)-tailBytes:]
	}
	left := o.total - len(o.head) - len(tail)
	if left == 0 {
		return clean(string(o.head)+string(tail), secrets)
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", clean(string(o.head), secrets), left, clean(string(tail), secrets))
}

// clean takes out secrets, terminal escapes and control characters, also those
// that turn the direction of writing.
func clean(s string, secrets []string) string {
	for _, x := range secrets {
		s = strings.ReplaceAll(s, x, cutOut)
	}
	s = strings.ToValidUTF8(s, "�")
	s = escapes.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s))
}
