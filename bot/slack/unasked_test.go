package slack

import (
	"context"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file tests what one person alone is told without having asked.

// tell says something to one person alone, with a button.
func (st *stand) tell(t *testing.T, room, to, headline string) {
	t.Helper()
	r := commands.Reply{State: commands.StateInfo, Headline: headline, Body: "what the role is for", Incident: room,
		Buttons: []commands.Button{{Label: "Approve", Command: "/public approved " + headline}}}
	if room == "main" {
		r.Incident = ""
	}
	if err := st.rooms.Post(t.Context(), commands.Post{Room: room, Reply: r, For: to}); err != nil {
		t.Fatal(err)
	}
}

// TestUnasked: a word for one person alone is shown to them in the room's
// channel, and to nobody else; its button works and is then used; a word for a
// person of another platform is not said.
func TestUnasked(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	st := start(t, f, nil, Options{Incidents: b})
	c := st.channel(t, "inc-7")
	for _, to := range []string{"web:" + bottest.SlackUser("ana"), "discord:1", "slack:", "slack:<!channel>", "slack:U0NOBODY"} {
		st.tell(t, "INC-7", to, "of-another")
	}
	st.tell(t, "INC-7", slackPerson("ana").ID, "You are the commander of INC-7 now.")
	st.sees(t, "ana", c.ID, "You are the commander of INC-7 now.")
	st.sees(t, "ana", c.ID, "what the role is for")
	if !f.Click("ana", c.ID, "Approve") {
		t.Fatal("there is no button")
	}
	st.sees(t, "ben", c.ID, "public: approved You are the commander")
	st.sees(t, "ana", c.ID, "ana pressed Approve at ")
	if f.Button("ana", c.ID, "Approve") != nil {
		t.Error("the used button is still there")
	}
	until(t, "all is said", func() bool { return st.Status().Waiting == 0 })
	if n := len(f.Calls("chat.postEphemeral")); n != 1 {
		t.Errorf("shown %d times", n)
	}
	for _, who := range []string{"ben", "carl"} {
		for _, ch := range f.Channels() {
			if all := f.Everything(who, ch); strings.Contains(all, "what the role") {
				t.Errorf("%s reads in %s:\n%s", who, ch, all)
			}
		}
	}
	for _, ch := range f.Channels() {
		if all := f.Everything("ana", ch); strings.Contains(all, "of-another") {
			t.Errorf("what was not for her is said in %s:\n%s", ch, all)
		}
	}
}

// TestUnaskedDirect: who is not in the channel is told directly, once, through
// restarts; the button works there, is used up, and goes with the incident.
func TestUnaskedDirect(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	st := start(t, f, nil, Options{Incidents: b})
	c := st.channel(t, "inc-7")
	f.Leave("ben", c.ID)
	own := bottest.SlackUser("ben")
	st.tell(t, "INC-7", slackPerson("ben").ID, "You are in charge.")
	until(t, "the direct message", func() bool { return strings.Contains(f.Everything("ben", own), "You are in charge.") })
	if strings.Contains(f.Seen("ben", c.ID), "You are in charge.") {
		t.Error("it is said in the channel too")
	}
	until(t, "that it was said is on the record", func() bool { return st.Status().Waiting == 0 })
	notes := st.notes.Cut()
	st.stop()
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: notes})
	if !f.Click("ben", own, "Approve") {
		t.Fatal("there is no button")
	}
	until(t, "it is used", func() bool { return strings.Contains(f.Seen("ben", own), "ben pressed Approve at ") })
	st.sees(t, "carl", c.ID, "public: approved You are in charge.")
	until(t, "he is told what came of it", func() bool { return strings.Contains(f.Seen("ben", own), "public: approved You are in charge.") })
	if n := strings.Count(f.Seen("ben", own), "what the role is for"); n != 1 {
		t.Errorf("told %d times:\n%s", n, f.Seen("ben", own))
	}
	st.rooms.Post(t.Context(), commands.Post{Room: "INC-7", For: slackPerson("ben").ID, Reply: commands.Reply{Headline: "A second word.", Incident: "INC-7",
		Buttons: []commands.Button{{Label: "Show", Command: "/incident show INC-7"}, {Label: "Resolve", Command: "/incident status INC-7 resolved"}}}})
	until(t, "the second word", func() bool { return f.Button("ben", own, "Resolve") != nil })
	i := outage("INC-7")
	i.Open, i.Status = false, "resolved"
	b.Set(i)
	st.post(t, "INC-7", "It is over.")
	until(t, "the useless button goes", func() bool { return f.Button("ben", own, "Resolve") == nil })
	if f.Button("ben", own, "Show") == nil {
		t.Error("the useful button went too")
	}
}

// TestUnaskedPrivate: a private word of a private incident goes to its person
// alone, in the incident's own channel or directly; who may not read the room
// is told nothing.
func TestUnaskedPrivate(t *testing.T) {
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	b.Set(private("INC-9"))
	rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog(), MayRead: func(_ context.Context, room, person string) bool {
		return room == "main" || person != slackPerson("carl").ID
	}})
	st := start(t, f, rooms, Options{Incidents: b})
	c := st.channel(t, "inc-9")
	until(t, "ana is in it", func() bool { c, _ = f.Channel("inc-9"); return c.Members[bottest.SlackUser("ana")] })
	f.Leave("ben", c.ID)
	for _, who := range []string{"carl", "ana", "ben"} {
		st.tell(t, "INC-9", slackPerson(who).ID, "mutter-"+who)
	}
	st.sees(t, "ana", c.ID, "mutter-ana")
	until(t, "the direct message", func() bool { return strings.Contains(f.Everything("ben", bottest.SlackUser("ben")), "mutter-ben") })
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", For: slackPerson("ana").ID, Reply: commands.Reply{Headline: "mutter-ana-main", Incident: "INC-9"}}); err != nil {
		t.Fatal(err)
	}
	until(t, "what main says of it", func() bool { return strings.Contains(f.Everything("ana", bottest.SlackUser("ana")), "mutter-ana-main") })
	if strings.Contains(f.Seen("ana", main), "mutter") {
		t.Error("it is shown in main")
	}
	until(t, "all is said", func() bool { return st.Status().Waiting == 0 })
	for _, ch := range f.Channels() {
		for who, own := range map[string]string{"ana": "mutter-ana", "ben": "mutter-ben", "carl": "-"} {
			if all := strings.ReplaceAll(f.Everything(who, ch), own, ""); strings.Contains(all, "mutter-") {
				t.Errorf("%s reads in %s:\n%s", who, ch, all)
			}
		}
	}
}

// TestUnaskedLost: an answer of Slack that is lost loses no word.
func TestUnaskedLost(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	f.Fail("chat.postEphemeral", "internal_error", "ratelimited")
	st.tell(t, "main", slackPerson("ana").ID, "kept-word")
	st.sees(t, "ana", main, "kept-word")
	f.Fail("chat.postEphemeral", "user_not_in_channel")
	f.Fail("chat.postMessage", "cannot_dm_bot")
	st.tell(t, "main", slackPerson("ana").ID, "refused-word")
	until(t, "it is noted", func() bool {
		return strings.Contains(strings.Join(st.Status().Notes, "\n"), "cannot be said in Slack") && st.Status().Waiting == 0
	})
	if notes := strings.Join(st.Status().Notes, "\n"); strings.Contains(notes, "refused-word") {
		t.Error("the note says what it was: " + notes)
	}
}
