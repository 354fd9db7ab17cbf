package slack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file tests that nothing of a private incident is said where others read.

// private is a private incident of ana and ben.
func private(id string) bot.Incident {
	i := outage(id)
	i.Private, i.Title, i.Topic = true, "whisper-title", id+" SEV1: whisper-title"
	i.People = append(i.People, slackPerson("ben"))
	return i
}

// TestPrivateChannel: a private incident gets a private channel with its people
// alone; what its room says is said there, and nowhere else.
func TestPrivateChannel(t *testing.T) {
	f := bottest.NewSlack(t)
	f.Group("S0ONCALL", "tls-oncall", "carl")
	f.Fail("conversations.create", "lost")
	b := bottest.NewBook()
	b.Set(private("INC-9"))
	st := start(t, f, nil, Options{Incidents: b, Oncall: "S0ONCALL", TeamGroups: func(string) []string { return []string{"tls-oncall"} }, Site: "https://c.example.org", Settle: 1})
	c := st.channel(t, "inc-9")
	if _, two := f.Channel("inc-9-2"); two {
		t.Error("a second channel was made")
	}
	say := func(room, headline string) {
		if err := st.rooms.Post(t.Context(), commands.Post{Room: room, Reply: commands.Reply{Headline: headline, Public: true, Incident: "INC-9"}}); err != nil {
			t.Fatal(err)
		}
	}
	say("main", "whisper-1")
	say("INC-9", "whisper-2")
	say("INC-8", "whisper-3") // of a room that is not its own
	b.Set(outage("INC-8"))
	st.channel(t, "inc-8")
	st.sees(t, "ana", c.ID, "whisper-2")
	st.types(t, "ana", c.ID, "/public whisper-4")
	st.sees(t, "ben", c.ID, "public: whisper-4")
	i := private("INC-9")
	i.Status, i.Severity = "resolved", 1
	b.Set(i)
	st.post(t, "INC-8", "other word.")
	c8, _ := f.Channel("inc-8")
	st.sees(t, "carl", c8.ID, "other word.")
	st.post(t, "main", "public word.")
	st.sees(t, "carl", main, "public word.")
	until(t, "all is told", func() bool {
		c, _ = f.Channel("inc-9")
		return st.Status().Waiting == 0 && c.Members[bottest.SlackUser("ana")] && c.Members[bottest.SlackUser("ben")]
	})
	if len(c.Members) != 3 || !c.Private || strings.Contains(c.Name, "whisper") {
		t.Errorf("name %s, private %v, members %v", c.Name, c.Private, c.Members)
	}
	for _, ch := range f.Channels() {
		if all := f.Everything("carl", ch); strings.Contains(all, "whisper") || strings.Contains(strings.ToLower(all), "inc-9") {
			t.Errorf("carl reads in %s:\n%s", ch, all)
		}
	}
	for _, w := range append(st.Status().Notes, st.Status().Blocked...) {
		if strings.Contains(w, "whisper") || strings.Contains(strings.ToLower(w), "inc-9") {
			t.Errorf("health says %q", w)
		}
	}
}

// answers is a desk that gives one answer to everything.
type answers commands.Reply

func (a answers) Do(context.Context, commands.Request, func(commands.Post)) commands.Reply {
	return commands.Reply(a)
}

func (answers) Complete(context.Context, string, string) []string { return nil }

// TestPrivateAnswers: a command about a private incident, typed elsewhere by one
// of its people, is answered to them alone.
func TestPrivateAnswers(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	b.Set(private("INC-9"))
	rooms := bot.New(bot.Options{Desk: answers{Headline: "whisper-5", Public: true, Incident: "INC-9"}, Log: bottest.NewLog()})
	st := start(t, f, rooms, Options{Incidents: b})
	st.channel(t, "inc-9")
	to := asker{channel: main, user: bottest.SlackUser("ana"), at: st.o.Now()}
	if err := st.request(t.Context(), to, commands.Request{ID: "x", Text: "/secret", By: slackPerson("ana"), Room: "main", At: st.o.Now()}); err != nil {
		t.Fatal(err)
	}
	st.sees(t, "ana", main, "whisper-5")
	st.post(t, "main", "behind it.")
	st.sees(t, "ben", main, "behind it.")
	if strings.Contains(f.Seen("ben", main), "whisper") {
		t.Errorf("ben sees it too:\n%s", f.Seen("ben", main))
	}
}

// TestPrivateWithoutChannel: where no private channel can be made, nothing of a
// private incident is said in Slack, and the operator is told without its name;
// when it can, all of it is told there.
func TestPrivateWithoutChannel(t *testing.T) {
	f := bottest.NewSlack(t)
	f.Fail("conversations.create", "missing_scope", "restricted_action")
	b := bottest.NewBook()
	b.Set(private("INC-9"))
	st := start(t, f, nil, Options{Incidents: b, Retry: time.Millisecond})
	until(t, "the operator is told", func() bool {
		return strings.Contains(strings.Join(st.Status().Notes, " "), "private incidents get no channels")
	})
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "INC-9", Reply: commands.Reply{Headline: "whisper-6", Public: true}}); err != nil {
		t.Fatal(err)
	}
	st.post(t, "main", "public word.")
	st.sees(t, "ben", main, "public word.")
	if strings.Contains(f.Everything("ben", main), "whisper") || strings.Contains(strings.ToLower(strings.Join(st.Status().Notes, " ")), "inc-9") {
		t.Errorf("it is told: %s %q", f.Everything("ben", main), st.Status().Notes)
	}
	c := st.channel(t, "inc-9") // tried again after 600 pauses of 1 ms, twice
	st.sees(t, "ben", c.ID, "whisper-6")
}

// TestUnknownIsPrivate: a message about an incident that nobody tells of any
// more is not said.
func TestUnknownIsPrivate(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Incidents: bottest.NewBook()})
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "of long ago.", Public: true, Incident: "INC-1"}}); err != nil {
		t.Fatal(err)
	}
	st.post(t, "main", "public word.")
	st.sees(t, "ben", main, "public word.")
	if strings.Contains(f.Seen("ben", main), "long ago") {
		t.Error("it is told")
	}
}

// TestPrivateWrongRecord: a record that says that a private incident's room is
// main, or a public channel, has nothing said there.
func TestPrivateWrongRecord(t *testing.T) {
	for _, record := range []string{`{"v":1,"id":"` + main + `","main":true}`, `{"v":1,"id":"C0OLD00000","name":"inc-9"}`} {
		f := bottest.NewSlack(t)
		f.AddChannel("C0OLD00000", "inc-9")
		f.Member("C0OLD00000", true)
		notes := bottest.NewNotes()
		if err := notes.Put(t.Context(), note("chan/INC-9", []byte(record))); err != nil {
			t.Fatal(err)
		}
		b := bottest.NewBook()
		b.Set(private("INC-9"))
		st := start(t, f, nil, Options{Incidents: b, Notes: notes})
		st.post(t, "INC-9", "whisper-7")
		until(t, "the room is followed to its end", func() bool {
			ns, _ := notes.List(t.Context(), bot.CursorKey("INC-9"))
			return len(ns) == 1 && string(ns[0].Value) == "1"
		})
		st.post(t, "main", "public word.")
		st.sees(t, "ben", main, "public word.")
		until(t, "nothing waits", func() bool { return st.Status().Waiting == 0 })
		for _, c := range f.Channels() {
			if all := f.Everything("carl", c); strings.Contains(all, "whisper") {
				t.Errorf("carl reads in %s:\n%s", c, all)
			}
		}
	}
}
