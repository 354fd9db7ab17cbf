package slack

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// This file has everything go wrong at once: sockets torn in the middle of an
// envelope and refreshed all the time, deliveries twice, storms of 429 and 500,
// answers lost, tokens revoked for a moment.

// TestTorn: a socket that breaks in the middle of an envelope does nothing of
// it; the envelope that comes again whole is done once.
func TestTorn(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	for n := range 5 {
		f.Tear()
		st.types(t, "ana", main, fmt.Sprintf("/public whole-%d.", n))
		st.sees(t, "ben", main, fmt.Sprintf("public: whole-%d.", n))
	}
	if strings.Contains(f.Seen("ben", main), "torn") || st.desk.Count("") != 5 {
		t.Errorf("%d requests were done:\n%s", st.desk.Count(""), f.Seen("ben", main))
	}
}

// TestRefreshed: Slack asks for a new connection over and over, while ana types:
// every line is done once.
func TestRefreshed(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	for n := range 40 {
		if n%8 == 0 {
			f.Refresh()
		}
		st.types(t, "ana", main, fmt.Sprintf("/public line-%d.", n))
	}
	st.sees(t, "ben", main, "public: line-39.")
	for n := range 40 {
		if k := st.desk.Count(fmt.Sprintf("/public line-%d.", n)); k != 1 {
			t.Errorf("line %d was done %d times", n, k)
		}
	}
	if n := len(f.Calls("apps.connections.open")); n != 6 {
		t.Errorf("connected %d times, not at first and after each of 5 refreshes", n)
	}
}

// TestChaos: all of it at once, in a random order; what was acknowledged is
// done once and said once, and what the rooms say comes once and in order.
func TestChaos(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b})
	b.Set(outage("INC-1"))
	c := st.channel(t, "inc-1")
	methods := []string{"chat.postMessage", "chat.update", "conversations.setTopic", "conversations.history", "users.info", "apps.connections.open", "conversations.list"}
	var lines, posts []string
	for n := range 120 {
		switch r.IntN(9) {
		case 0:
			f.Tear()
		case 1:
			f.Refresh()
		case 2:
			f.DropSockets()
		case 3:
			hows := []string{"500", "500", "lost", "internal_error", "service_unavailable", "429"}
			for range 1 + r.IntN(3) {
				f.Fail(methods[r.IntN(len(methods))], hows[r.IntN(len(hows)-map[bool]int{true: 1, false: 0}[n%3 > 0])])
			}
		case 4:
			f.Revoke(true)
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
			f.Revoke(false)
		case 5, 6:
			line := fmt.Sprintf("line-%d.", n)
			p := map[string]any{"command": "/public", "text": line, "user_id": bottest.SlackUser("ana"), "user_name": "ana", "channel_id": c.ID, "trigger_id": fmt.Sprintf("t.%d", n),
				"response_url": f.Server.URL + "/hooks/none"}
			if id, ok := f.Deliver("slash_commands", p); ok {
				lines = append(lines, line)
				if r.IntN(2) == 0 {
					f.DeliverAs(id, "slash_commands", p) // once more
				}
			}
		default:
			posts = append(posts, fmt.Sprintf("post-%d.", n))
			st.post(t, "INC-1", posts[len(posts)-1])
		}
	}
	f.Heal()
	f.Revoke(false)
	if len(lines) == 0 || len(posts) == 0 {
		t.Fatalf("seed %d: nothing was put to the test", seed)
	}
	st.sees(t, "ben", c.ID, posts[len(posts)-1])
	st.sees(t, "ben", c.ID, lines[len(lines)-1])
	until(t, "nothing waits", func() bool { return st.Status().Waiting == 0 })
	seen, at := f.Seen("ben", c.ID), 0
	for _, w := range posts {
		if n := strings.Count(seen, w); n != 1 {
			t.Errorf("seed %d: %q is said %d times", seed, w, n)
		} else if i := strings.Index(seen, w); i < at {
			t.Errorf("seed %d: %q is out of order", seed, w)
		} else {
			at = i
		}
	}
	for _, w := range lines {
		if n, done := strings.Count(seen, "public: "+w), st.desk.Count("/public "+w); n != 1 || done != 1 {
			t.Errorf("seed %d: %q was done %d times and said %d times", seed, w, done, n)
		}
	}
}
