package discord

import (
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
)

// TestMention: a mention is answered with the help, once, in reply, without a
// button or a mention; what else is said is not answered.
func TestMention(t *testing.T) {
	t.Parallel()
	st, desk := real(t, Options{})
	st.f.Speak("ben", main, "nothing for the bot")
	st.f.Fail("create_message", "lost")
	id := st.f.Mention("ana", main, "help me @everyone")
	st.sees(t, "ben", main, "got /help")
	st.f.Mention("ana", main, "again")
	until(t, "both are answered", func() bool { return strings.Count(st.f.Seen("ben", main), "got /help") == 2 })
	if !desk.said("/help") || strings.Contains(strings.Join(desk.lines, "\n"), "everyone") || len(desk.lines) != 2 {
		t.Errorf("asked %q", desk.lines)
	}
	c, _ := st.f.Channel(main)
	first := ""
	for _, m := range c.Messages {
		if m.Author == bottest.DiscordApp && first == "" && strings.Contains(m.Content, "got /help") {
			first = m.Reference
			if len(m.Components) > 0 {
				t.Errorf("components %v", m.Components)
			}
		}
	}
	if first != id {
		t.Errorf("a reply to %q, not to %q", first, id)
	}
	for _, p := range st.f.Pings() {
		if p.Author == bottest.DiscordApp {
			t.Errorf("somebody is notified: %+v", p)
		}
	}
}
