package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

func (st *stand) post(t testing.TB, room, headline string) {
	t.Helper()
	if err := st.rooms.Post(context.Background(), commands.Post{Room: room, Reply: commands.Reply{Headline: headline, Public: true}}); err != nil {
		t.Fatal(err)
	}
}

// TestIncidentChannel: an incident gets its channel from its id, with topic,
// pinned card and commander; its room is heard there; it is archived at the end.
func TestIncidentChannel(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	f.Fail("conversations.create", "500", "name_taken") // somebody else has inc-7
	st := start(t, f, nil, Options{Incidents: b, Archive: true, ArchiveAfter: 50 * time.Millisecond})
	i := bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2 investigating: <!channel> & images", Open: true, Updated: time.Now()}
	b.Set(i)
	st.post(t, "INC-7", "declared.")
	until(t, "the channel", func() bool { c, ok := f.Channel("inc-7-2"); return ok && len(c.Pins) == 1 && c.Topic != "" })
	c, _ := f.Channel("inc-7-2")
	st.sees(t, "ben", c.ID, "declared.")
	if c.Topic != "INC-7 SEV2 investigating: &lt;!channel&gt; &amp; images" {
		t.Errorf("topic %q", c.Topic)
	}
	st.types(t, "ana", c.ID, "/public in the room of the incident")
	st.sees(t, "ben", c.ID, "public: in the room of the incident")
	if q := st.desk.Asked("/public in the room of the incident"); len(q) != 1 || q[0].Room != "INC-7" {
		t.Errorf("asked %+v", q)
	}
	i.Topic, i.Commander = "INC-7 SEV1 identified: images", commands.Person{ID: "slack:" + bottest.SlackUser("ana"), Name: "ana", Platform: "slack"}
	b.Set(i)
	until(t, "the edited card", func() bool {
		c, _ = f.Channel(c.ID)
		return c.Topic == i.Topic && c.Members[bottest.SlackUser("ana")] && strings.Contains(f.Seen("ben", c.ID), "SEV1 identified")
	})
	if n := strings.Count(f.Seen("ben", c.ID), "SEV1 identified") + strings.Count(f.Seen("ben", c.ID), "SEV2"); n != 1 {
		t.Errorf("%d cards:\n%s", n, f.Seen("ben", c.ID))
	}
	i.Open, i.Updated = false, time.Now()
	st.post(t, "INC-7", "closed.")
	b.Set(i)
	until(t, "archived", func() bool { c, _ = f.Channel(c.ID); return c.Archived })
	if !strings.Contains(f.Seen("ben", c.ID), "closed.") {
		t.Error("the last word is not there")
	}
}

// TestChannelOnce: a process killed after Slack made the channel, before it
// was written down, finds its own channel again.
func TestChannelOnce(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	f.Fail("conversations.create", "lost")
	st := start(t, f, nil, Options{Incidents: b})
	b.Set(bot.Incident{ID: "INC-8", Topic: "t", Open: true, Updated: time.Now()})
	until(t, "the card", func() bool { c, ok := f.Channel("inc-8"); return ok && len(c.Pins) == 1 })
	if _, two := f.Channel("inc-8-2"); two || st.Status().Error != "" {
		t.Errorf("a second channel was made: %v; %+v", two, st.Status())
	}
}

// TestDegrade: without the scope for channels, an incident is spoken of in the
// main channel, nothing twice, and that is said once.
func TestDegrade(t *testing.T) {
	f := bottest.NewSlack(t)
	f.Lack("conversations.create")
	f.Lack("users.info")
	b := bottest.NewBook()
	st := start(t, f, nil, Options{Incidents: b})
	b.Set(bot.Incident{ID: "INC-3", Topic: "t", Open: true, Updated: time.Now()})
	b.Set(bot.Incident{ID: "INC-4", Topic: "t", Open: true, Updated: time.Now()})
	st.post(t, "main", "both rooms.")
	st.sees(t, "ben", main, "both rooms.")
	st.post(t, "INC-3", "both rooms.")
	st.post(t, "INC-3", "only here.")
	st.sees(t, "ben", main, "only here.")
	st.types(t, "ana", main, "/public without users:read")
	st.sees(t, "ben", main, "ana: /public without users:read")
	if n := strings.Count(f.Seen("ben", main), "both rooms."); n != 1 {
		t.Errorf("said %d times", n)
	}
	notes := slices.DeleteFunc(slices.Clone(st.Status().Notes), func(n string) bool { return !strings.Contains(n, "no channels of their own") })
	if len(notes) != 1 {
		t.Errorf("notes %q", st.Status().Notes)
	}
}

// TestFiles: a reply's file is uploaded once, also when the answer is lost;
// an answer too long for a message comes with a file of all of it.
func TestFiles(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	f.Fail("files.completeUploadExternal", "lost")
	if err := st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "the draft.", Public: true,
		Files: []commands.File{{Name: "inc-1.md", Type: "text/markdown", Data: []byte("# draft")}}}}); err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&body, "line %d <@U1> & *bold*\n", i)
	}
	if err := st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "long.", Body: body.String(), Public: true}}); err != nil {
		t.Fatal(err)
	}
	files := func() (all []*bottest.SlackMessage) {
		c, _ := f.Channel(main)
		for _, m := range c.Messages {
			if m.File != "" {
				all = append(all, m)
			}
		}
		return all
	}
	until(t, "two files", func() bool { return len(files()) == 2 })
	fs := files()
	if fs[0].File != "inc-1.md" || string(fs[0].Data) != "# draft" || !strings.Contains(string(fs[1].Data), "line 2999 <@U1>") {
		t.Errorf("%q %q, %d bytes", fs[0].File, fs[0].Data, len(fs[1].Data))
	}
}

// TestRestart: what a killed process had in its outbox is said by the next
// one, nothing twice.
func TestRestart(t *testing.T) {
	f := bottest.NewSlack(t)
	log := bottest.NewLog()
	desk := bottest.NewDesk()
	rooms := bot.New(bot.Options{Desk: desk, Log: log})
	st := start(t, f, rooms, Options{})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	for i := range 5 {
		st.post(t, "main", fmt.Sprintf("before %d.", i))
	}
	st.sees(t, "ana", main, "before 4.")
	f.Down(true)
	for i := range 5 {
		st.post(t, "main", fmt.Sprintf("during %d.", i))
	}
	until(t, "kept", func() bool { return st.Status().Waiting == 5 })
	notes := st.notes.Cut()
	st.post(t, "main", "not even in the outbox.")
	st.stop()
	f.Down(false)
	rooms2 := bot.New(bot.Options{Desk: desk, Log: log.Cut()})
	next := start(t, f, rooms2, Options{Notes: notes})
	next.sees(t, "ana", main, "not even in the outbox.")
	seen := f.Seen("ana", main)
	for i := range 5 {
		for _, w := range []string{fmt.Sprintf("before %d.", i), fmt.Sprintf("during %d.", i)} {
			if strings.Count(seen, w) != 1 {
				t.Errorf("%q stands %d times", w, strings.Count(seen, w))
			}
		}
	}
}

// TestRemoved: the bot is taken out of the channel: the operator is told what
// to do, answers still come, and what was to be said is said when it is back.
func TestRemoved(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	f.Member(main, false)
	st.types(t, "ana", main, "/public kept for later")
	until(t, "what to do is told", func() bool { return strings.Contains(st.Status().Error, "/invite @certmedic") })
	st.types(t, "ana", main, "/echo still answered")
	st.sees(t, "ana", main, "echo: still answered")
	f.Member(main, true)
	st.sees(t, "ben", main, "public: kept for later")
}

// TestManyIncidents: 50 incidents at once, while Slack limits: each gets its
// channel, one, with its card.
func TestManyIncidents(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	f.Fail("conversations.create", "500", "lost", "429", "lost", "500")
	f.Fail("pins.add", "500", "429")
	start(t, f, nil, Options{Incidents: b})
	for i := range 50 {
		b.Set(bot.Incident{ID: fmt.Sprintf("INC-%d", i+1), Topic: "t", Open: true, Updated: time.Now()})
	}
	until(t, "50 channels", func() bool {
		n := 0
		for i := range 50 {
			c, ok := f.Channel(fmt.Sprintf("inc-%d", i+1))
			if _, two := f.Channel(fmt.Sprintf("inc-%d-2", i+1)); two {
				t.Fatalf("INC-%d has two channels", i+1)
			}
			if ok && strings.Contains(f.Seen("ben", c.ID), "critical: t") {
				n++
			}
		}
		return n == 50
	})
}
