package notify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
)

// A title is text in the subject, whatever it looks like: a header, an encoded
// word, a body; mail programs show what was typed, and no header joins.
func TestMailSubjectHostile(t *testing.T) {
	t.Parallel()
	s := bottest.NewSMTP(t, nil)
	x := newStand(t, board)
	x.targets["board"] = x.mailTo(s, "ana@example.com")
	x.run()
	const long = "żółć "
	titles := []string{
		"=?utf-8?b?QWxsIGlzIHdlbGw=?= and a tail",
		"=?UTF-8?Q?x=0D=0ABcc:_eve=40example.org?=",
		"a =?us-ascii?q?b?= c =?x?= " + strings.Repeat(long, 30),
		"x\r\nBcc: eve@example.org\r\n\r\nanother body",
		"x\u2028Bcc: eve@example.org\u0085y\u202ez",
		strings.Repeat("w", 200),
		"?= =? half of one",
	}
	for _, title := range titles {
		x.say(`/incident update all is said --title "` + strings.ReplaceAll(title, `"`, "'") + `"`)
		us := x.settled()
		m := s.Mails()[len(us)-1]
		msg := m.Message(t)
		want := "[INC-1 SEV2 investigating] " + us[len(us)-1].Title
		if us[len(us)-1].Title == "" {
			want = "[INC-1 SEV2 investigating] images do not load"
		}
		if got := decoded(t, msg, "Subject"); got != want {
			t.Errorf("%q reads as\n%q, want\n%q", title, got, want)
		}
		if strings.Contains(title, "=?") && strings.Contains(msg.Header.Get("Subject"), "=?utf-8?b?QWxs") {
			t.Errorf("%q stands in the header as it was typed", title)
		}
		if msg.Header.Get("Bcc") != "" || !slices.Equal(m.To, []string{"ana@example.com"}) {
			t.Errorf("%q is a header: %v to %v", title, msg.Header, m.To)
		}
		for line := range strings.SplitSeq(msg.Header.Get("Subject"), "\n") {
			if len(line) > 900 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		if !strings.HasPrefix(body(t, m.Message(t)), "all is said\n") {
			t.Errorf("%q changed the body", title)
		}
	}
}
