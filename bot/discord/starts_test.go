package discord

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// TestStarts: sessions are begun as often as it takes while many are left, and
// are spread over the day when few are, so that Discord never takes the token.
func TestStarts(t *testing.T) {
	t.Parallel()
	day := int64(24 * time.Hour / time.Millisecond)
	for _, c := range []struct {
		limit       startLimit
		since, wait time.Duration
	}{
		{startLimit{}, 0, 0}, // not said
		{startLimit{1000, 500, day}, 0, 0},
		{startLimit{1000, 48, day}, time.Hour, 0},
		{startLimit{1000, 48, day}, 10 * time.Minute, 20 * time.Minute},
		{startLimit{1000, 0, 3_600_000}, time.Hour, time.Hour},
		{startLimit{20, 20, day}, 0, 0}, // of a bot that may begin few
	} {
		err := c.limit.spare(c.since)
		l, _ := err.(*limited)
		if (err == nil) != (c.wait == 0) || l != nil && l.after != c.wait {
			t.Errorf("%+v after %s: %v", c.limit, c.since, err)
		}
	}
	f := bottest.NewDiscord(t)
	f.Day = 10 * time.Hour
	st := start(t, f, nil, Options{}).up(t)
	f.Started(999)
	f.Invalidate(false)
	until(t, "it waits", func() bool { s := st.Status(); return strings.Contains(s.Error, "1 more session") })
	f.Started(1000)
	f.Invalidate(false)
	time.Sleep(100 * time.Millisecond)
	f.Started(0)
	if st.api.current() != bottest.DiscordToken || f.Gateway().Ready != 0 {
		t.Errorf("begun: %+v", f.Gateway())
	}
}

// TestTokenReset: after a reset of the token in the portal the new one is read
// where the old one came from, for what is said and for the gateway, without a
// restart; nothing that was asked before is lost.
func TestTokenReset(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	var file atomic.Value
	file.Store(bottest.DiscordToken)
	st := start(t, f, nil, Options{Secret: func() (string, error) { return file.Load().(string), nil }}).up(t)
	st.alive(t, "first")
	f.Reset("another-discord-token")
	st.post(t, "main", "alert 1.")
	until(t, "it is told", func() bool {
		s := st.Status()
		return s.State == "failing" && strings.Contains(s.Error, "DISCORD_BOT_TOKEN_FILE") && !strings.Contains(s.Error, "discord-token")
	})
	file.Store("") // a file that is being written
	time.Sleep(50 * time.Millisecond)
	file.Store("another-discord-token")
	st.sees(t, "ben", main, "alert 1.")
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	st.alive(t, "after-the-reset")
	file.Store("third-discord-token") // written before the old one is refused
	f.Reset("third-discord-token")
	st.alive(t, "at-once")
	if n := strings.Count(f.Seen("ben", main), "alert 1."); n != 1 {
		t.Errorf("said %d times", n)
	}
}
