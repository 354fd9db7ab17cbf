package slack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
)

// This file tests channels that cannot be written to, and many incidents at once.

// TestBlocked: an incident's channel is archived by somebody, or the bot
// removed, or posting restricted: what is said waits there in order, main and
// the operator are told once, and all comes when it is possible again.
func TestBlocked(t *testing.T) {
	rows := []struct {
		name        string
		break_, fix func(f *bottest.Slack, channel string)
		is          string
	}{
		{"archived", func(f *bottest.Slack, c string) { f.Archive(c, true) }, func(f *bottest.Slack, c string) { f.Archive(c, false) }, "it is archived"},
		{"removed", func(f *bottest.Slack, c string) { f.Member(c, false) }, func(f *bottest.Slack, c string) { f.Invite(c) }, "certmedic is not in it"},
		{"restricted", func(f *bottest.Slack, _ string) {
			f.Fail("chat.postMessage", slices.Repeat([]string{"restricted_action_read_only_channel"}, 3)...)
		}, func(*bottest.Slack, string) {}, "Slack restricts posting there"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := bottest.NewSlack(t)
			b := bottest.NewBook()
			retry := 2 * time.Millisecond
			if row.name != "restricted" {
				retry = time.Second // tried again after 30 s at the earliest: the event must do it
			}
			st := start(t, f, nil, Options{Incidents: b, Retry: retry})
			b.Set(outage("INC-7"))
			c := st.channel(t, "inc-7")
			st.post(t, "INC-7", "before.")
			st.sees(t, "ben", c.ID, "before.")
			row.break_(f, c.ID)
			for n := range 5 {
				st.post(t, "INC-7", fmt.Sprintf("word-%d.", n))
			}
			if row.name != "restricted" {
				until(t, "the operator is told", func() bool { return len(st.Status().Blocked) == 1 })
				if w := st.Status().Blocked[0]; !strings.Contains(w, "the channel of INC-7: "+row.is) {
					t.Errorf("told %q", w)
				}
				st.sees(t, "ben", main, "The channel of INC-7 cannot be written to: "+row.is)
				posts := calls(f, "chat.postMessage")
				time.Sleep(50 * time.Millisecond)
				if n := calls(f, "chat.postMessage"); n > posts+1 {
					t.Errorf("it is tried %d times meanwhile", n-posts)
				}
			}
			row.fix(f, c.ID)
			st.sees(t, "ben", c.ID, "word-4.")
			st.sees(t, "ben", main, "The channel of INC-7 can be written to again.")
			seen, at := f.Seen("ben", c.ID), 0
			for n := range 5 {
				w := fmt.Sprintf("word-%d.", n)
				if strings.Count(seen, w) != 1 || strings.Index(seen, w) < at {
					t.Errorf("%q stands %d times or out of order:\n%s", w, strings.Count(seen, w), seen)
				}
				at = strings.Index(seen, w)
			}
			if n := strings.Count(f.Seen("ben", main), "The channel of INC-7"); n != 1 {
				t.Errorf("main is told in %d messages", n)
			}
			until(t, "nothing is told any more", func() bool { return len(st.Status().Blocked) == 0 })
		})
	}
}

// TestBlockedThroughRestart: that a channel was blocked is known to the next
// process, which says that it works again.
func TestBlockedThroughRestart(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	st := start(t, f, nil, Options{Incidents: b})
	c := st.channel(t, "inc-7")
	st.sees(t, "ben", c.ID, "This is the channel of INC-7.") // the last that is said by itself
	f.Member(c.ID, false)
	st.post(t, "INC-7", "kept.")
	st.sees(t, "ben", main, "The channel of INC-7 cannot be written to")
	until(t, "told", func() bool { n, _ := st.out.Waiting(); return n == 1 })
	notes := st.notes.Cut()
	st.stop()
	f.Member(c.ID, true)
	next := start(t, f, nil, Options{Incidents: b, Notes: notes})
	next.sees(t, "ben", c.ID, "kept.")
	next.sees(t, "ben", main, "The channel of INC-7 can be written to again.")
}

// TestPauseGrows: the pause between two tries grows up to two hours.
func TestPauseGrows(t *testing.T) {
	f := bottest.NewSlack(t)
	s, _ := grouped(t, f)
	gone := wordOf("is_archived")
	var pauses []time.Duration
	for range 12 {
		later, ok := s.block(t.Context(), "C1", gone).(*bot.Later)
		if !ok {
			t.Fatal("it is not to be tried later")
		}
		pauses = append(pauses, later.After)
	}
	if pauses[0] != 30*time.Second || pauses[3] != 4*time.Minute || pauses[11] != 2*time.Hour || !slices.IsSorted(pauses) {
		t.Errorf("pauses %v", pauses)
	}
	s.unblock("C1")
	if later, _ := s.block(t.Context(), "C1", gone).(*bot.Later); later == nil || later.After != 30*time.Second {
		t.Errorf("after an event: %v", later)
	}
}

// TestTiers: 50 incidents within a minute while Slack allows 20 calls of each
// such method a minute: each gets one channel with topic, pin, bookmarks and
// its people, every message comes once, and main is not kept waiting.
func TestTiers(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	f.Tier2(20, 1200*time.Millisecond) // a minute, 50 times as fast; a wait of 1 s is the least Slack can say
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b, Tier2: 70 * time.Millisecond, Site: "https://c.example.org"})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	for n := range 50 {
		i := outage(fmt.Sprintf("INC-%d", n+1))
		b.Set(i)
		st.post(t, i.ID, fmt.Sprintf("first word of %d.", n+1))
		st.post(t, i.ID, fmt.Sprintf("second word of %d.", n+1))
	}
	st.post(t, "main", "an alert meanwhile.")
	st.sees(t, "ben", main, "an alert meanwhile.")
	for n := range 50 {
		id := fmt.Sprintf("INC-%d", n+1)
		var c bottest.SlackChannel
		for end := time.Now().Add(60 * time.Second); len(c.Pins) != 1 || len(c.Marks) != 3 || c.Topic == "" || !c.Members[bottest.SlackUser("ana")]; time.Sleep(5 * time.Millisecond) {
			c, _ = f.Channel(strings.ToLower(id))
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", id, c)
			}
		}
		st.sees(t, "ben", c.ID, fmt.Sprintf("second word of %d.", n+1))
		seen := f.Seen("ben", c.ID)
		for _, w := range []string{"first word of ", "second word of ", "✕ critical: ", "This is the channel of " + id + "."} {
			if strings.Count(seen, w) != 1 {
				t.Errorf("%s: %q stands %d times", id, w, strings.Count(seen, w))
			}
		}
		if _, two := f.Channel(strings.ToLower(id) + "-2"); two {
			t.Errorf("%s has two channels", id)
		}
	}
	st.sees(t, "ben", main, "INC-50 is worked on in a channel of its own")
	creates, posts := f.Calls("conversations.create"), f.Calls("chat.postMessage")
	if i := slices.IndexFunc(posts, func(c bottest.SlackCall) bool { return strings.Contains(c.Form.Get("text"), "an alert meanwhile.") }); posts[i].At.After(creates[len(creates)-1].At) {
		t.Error("the alert waited for all channels")
	}
}
