package discord

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file tests what one person alone is told without having asked, and that
// useless buttons go.

// tell says something to one person alone, with two buttons.
func (st *stand) tell(t *testing.T, room, to, headline string) {
	t.Helper()
	r := commands.Reply{State: commands.StateInfo, Headline: headline, Body: "what the role is for", Incident: room, Buttons: []commands.Button{
		{Label: "Approve", Command: "/public approved " + headline}, {Label: "Resolve", Command: "/incident status INC-7 resolved"}}}
	if room == "main" {
		r.Incident = ""
	}
	if err := st.rooms.Post(t.Context(), commands.Post{Room: room, Reply: r, For: to}); err != nil {
		t.Fatal(err)
	}
}

func outage(id string) bot.Incident {
	return bot.Incident{ID: id, Title: "images", Topic: id + " SEV2 investigating: images", Open: true, Updated: time.Now(), Commander: who("ana")}
}

// idle waits until all is said.
func (st *stand) idle(t *testing.T) {
	t.Helper()
	until(t, "all is said", func() bool { return st.Status().Waiting == 0 })
}

// TestUnasked: a word for one person alone comes as one direct message, also
// when the answer to it is lost and through a restart; its button works there,
// for members, and is then used; who is of another platform is told nothing.
func TestUnasked(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	st := start(t, f, nil, Options{Incidents: b}).up(t)
	c := st.place(t, "INC-7")
	for _, to := range []string{"web:" + bottest.DiscordUser("ana"), "slack:U0ANA", "discord:", "discord:../x", "discord:ana"} {
		st.tell(t, "INC-7", to, "of-another")
	}
	st.idle(t)
	if n := len(f.Directs()); n != 0 {
		t.Errorf("%d direct messages to nobody", n)
	}
	f.Fail("create_dm", "500")
	st.tell(t, "INC-7", who("ben").ID, "You are in charge.")
	dm := f.DM("ben")
	st.sees(t, "ben", dm, "what the role is for")
	st.idle(t)
	notes := st.notes.Cut()
	st.stop()
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: notes}).up(t)
	f.Fail("get_guild_member", "10007")
	if a := f.Click("ben", dm, "Approve"); a == nil || !a.OK() {
		t.Fatalf("the button of somebody who left: %+v", a)
	}
	st.sees(t, "ben", dm, "certmedic works for members of its own server only.")
	f.Fail("get_guild_member", "500")
	if a := f.Click("ben", dm, "Approve"); a == nil || !a.OK() {
		t.Fatalf("the button: %+v", a)
	}
	st.sees(t, "carl", c.ID, "public: approved You are in charge.")
	st.sees(t, "ben", dm, "public: approved You are in charge.")
	st.sees(t, "ben", dm, "ben pressed Approve at ")
	if _, again := f.Button("ben", dm, "Approve"); again != nil {
		t.Error("the used button is still there")
	}
	st.idle(t)
	if n := strings.Count(f.Seen("ben", dm), "what the role is for"); n != 1 {
		t.Errorf("told %d times:\n%s", n, f.Seen("ben", dm))
	}
	for _, ch := range append(f.Channels(), bottest.DiscordChannel{ID: f.DM("ana")}, bottest.DiscordChannel{ID: f.DM("carl")}) {
		for _, name := range []string{"ana", "carl"} {
			if s := f.Seen(name, ch.ID); strings.Contains(s, "what the role") || strings.Contains(s, "of-another") {
				t.Errorf("%s reads in %s:\n%s", name, ch.ID, s)
			}
		}
	}
}

// TestUnaskedShut: for somebody who takes no direct messages a word waits; the
// room is told that, once, and not what it is. Of a private incident main is
// told nothing; who may not read the room is told nothing.
func TestUnaskedShut(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	secret := outage("INC-9")
	secret.Private, secret.People = true, []commands.Person{who("ben")}
	b.Set(secret)
	rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog(), MayRead: func(_ context.Context, room, person string) bool {
		return room == "main" || person != who("carl").ID
	}})
	st := start(t, f, rooms, Options{Incidents: b}).up(t)
	c := st.place(t, "INC-9")
	f.Shut("ben", true)
	st.tell(t, "INC-9", who("carl").ID, "mutter-0")
	st.tell(t, "INC-9", who("ben").ID, "mutter-1")
	st.tell(t, "INC-9", who("ben").ID, "mutter-2")
	st.sees(t, "ben", c.ID, "A private word for ben waits: Discord does not let certmedic send them direct messages.")
	st.tell(t, "INC-9", who("ana").ID, "mutter-3")
	st.sees(t, "ana", f.DM("ana"), "mutter-3")
	if s := f.Seen("ana", c.ID) + f.Seen("carl", main); strings.Contains(s, "mutter") || strings.Count(s, "A private word") != 1 {
		t.Errorf("the rooms say:\n%s", s)
	}
	if s := f.Seen("carl", f.DM("carl")); s != "" {
		t.Errorf("who may not read the room is told: %s", s)
	}
	if notes := strings.Join(st.Status().Notes, "\n"); !strings.Contains(notes, "takes no direct messages") || strings.Contains(notes, "mutter") {
		t.Errorf("status %+v", st.Status())
	}
	until(t, "it is no fault", func() bool { return st.Status().Error == "" }) // a heartbeat may just have been late
	f.Shut("ben", false)
	st.out.Release(personLane(bottest.DiscordUser("ben")))
	st.sees(t, "ben", f.DM("ben"), "mutter-1")
	st.sees(t, "ben", f.DM("ben"), "mutter-2")
	if n := len(f.Pings()); n != 0 {
		t.Errorf("%d people are notified", n)
	}
}

// TestStale: when an incident has ended, the buttons that are useless now go
// from its place and from direct messages about it.
func TestStale(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	st := start(t, f, nil, Options{Incidents: b}).up(t)
	c := st.place(t, "INC-7")
	say := func(headline string) {
		t.Helper()
		if err := st.rooms.Post(t.Context(), commands.Post{Room: "INC-7", Reply: commands.Reply{Headline: headline, Public: true, Incident: "INC-7", Buttons: []commands.Button{
			{Label: "Status", Command: "/incident status INC-7 resolved"}, {Label: "Timeline", Command: "/incident timeline INC-7"}, {Label: "Check", Command: "/certcheck media"}}}}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(who, channel, label string) bool { _, b := f.Button(who, channel, label); return b != nil }
	say("open word")
	st.tell(t, "INC-7", who("ben").ID, "own word")
	dm := f.DM("ben")
	until(t, "the buttons", func() bool { return has("ana", c.ID, "Status") && has("ben", dm, "Resolve") })
	i := outage("INC-7")
	i.Open = false
	b.Set(i)
	say("last word")
	until(t, "they go", func() bool { return !has("ana", c.ID, "Status") && !has("ben", dm, "Resolve") })
	st.sees(t, "ana", c.ID, "last word")
	if !has("ana", c.ID, "Timeline") || !has("ana", c.ID, "Check") || !has("ben", dm, "Approve") {
		t.Error("useful buttons went too")
	}
	if a := f.Click("ana", c.ID, "Timeline"); a == nil || !a.OK() {
		t.Fatalf("%+v", a)
	}
	until(t, "the button that was meant is pressed", func() bool { return len(st.desk.Asked("/incident timeline INC-7")) == 1 })
}

// TestStaleMain: in main too, where nothing more is said: only the buttons of
// the incident that ended go, what answers somebody still says whom, and the
// next start edits nothing once more.
func TestStaleMain(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	b.Set(outage("INC-8"))
	st := start(t, f, nil, Options{Incidents: b}).up(t)
	st.place(t, "INC-7")
	st.place(t, "INC-8")
	has := func(label string) bool { _, b := f.Button("ana", main, label); return b != nil }
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: bottest.Resolvable()}); err != nil {
		t.Fatal(err)
	}
	until(t, "the buttons", func() bool { return has("Resolve INC-7") && has("Resolve INC-8") && has("Declare") })
	i := outage("INC-7")
	i.Open = false
	b.Set(i)
	until(t, "it goes", func() bool { return !has("Resolve INC-7") })
	if !has("Resolve INC-8") || !has("Declare") || !has("Open INC-7") {
		t.Errorf("useful buttons went too:\n%s", f.Seen("ana", main))
	}
	st.idle(t)
	st.stop()
	i = outage("INC-8")
	i.Open = false
	b.Set(i) // while nobody looks
	before := len(f.Calls("update_message"))
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: st.notes.Cut()}).up(t)
	until(t, "it goes at the next start", func() bool { return !has("Resolve INC-8") })
	st.idle(t)
	st.stop()
	edits := len(f.Calls("update_message"))
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: st.notes.Cut()}).up(t)
	b.Set(i)
	st.types(t, "ana", main, "/public behind it")
	st.sees(t, "ana", main, "public: behind it")
	st.idle(t)
	if got := len(f.Calls("update_message")); edits <= before || got != edits {
		t.Errorf("%d edits, then %d, then %d", before, edits, got)
	}
}

// TestCompleteToWhoMayLook: who may not look is offered no certificate and no
// incident.
func TestCompleteToWhoMayLook(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	b := bottest.NewBook()
	b.Set(outage("INC-7"))
	rooms := bot.New(bot.Options{Desk: &echoDesk{}, Log: bottest.NewLog(), MayRead: func(_ context.Context, _, person string) bool {
		return person == who("ana").ID
	}})
	st := start(t, f, rooms, Options{Incidents: b, Verbs: commands.Verbs(), Params: commands.ParamsOf}).up(t)
	st.place(t, "INC-7")
	for name, sees := range map[string]bool{"ana": true, "carl": false} {
		a := f.Complete(name, main, "incident show", "incident", "", nil)
		answered := a.OK() // waits
		if names, _ := a.Choices(); !answered || strings.Contains(strings.Join(names, " "), "INC-7") != sees {
			t.Errorf("%s is offered %q %s", name, names, a.Refused)
		}
	}
}

// oneRenewal is a desk that completes every line with its sole renewal.
type oneRenewal struct{ echoDesk }

func (*oneRenewal) Complete(_ context.Context, line, _ string) []string {
	return []string{line + "R-7"}
}

// TestFormToWhoMayLook: a form names the sole renewal to who may look alone.
func TestFormToWhoMayLook(t *testing.T) {
	t.Parallel()
	rooms := bot.New(bot.Options{Desk: &oneRenewal{}, Log: bottest.NewLog(), MayRead: func(_ context.Context, _, person string) bool {
		return person == who("ana").ID
	}})
	st := start(t, bottest.NewDiscord(t), rooms, Options{Verbs: commands.Verbs(), Params: commands.ParamsOf, Forms: approval{}}).up(t)
	for name, sees := range map[string]bool{"ana": true, "carl": false} {
		for _, verb := range []string{"renew approve", "renew deny"} {
			l, ok := st.cmds.leaves[st.cmds.paths[verb]]
			if !ok {
				t.Fatalf("no %s", verb)
			}
			f, _ := st.wants(t.Context(), interaction{Channel: main}, said{leaf: l, values: map[string]string{}, known: true}, who(name))
			b, err := json.Marshal(f)
			if err != nil || len(f) == 0 || strings.Contains(string(b), "R-7") != sees {
				t.Errorf("%s to %s: %s %v", verb, name, b, err)
			}
		}
	}
}

// approval is a desk with the form of an approval alone.
type approval struct{ fussy }

func (approval) Form(_ context.Context, ask commands.FormAsk) (commands.Form, error) {
	if ask.Verb != "renew approve" {
		return commands.Form{}, errors.New("no form")
	}
	return commands.Form{Verb: ask.Verb, Subject: ask.Subject, Title: "Approve " + ask.Subject, Fields: []commands.FormField{{Param: commands.Param{Name: "reason", Kind: commands.ParamText}, Label: "Reason"}}}, nil
}
