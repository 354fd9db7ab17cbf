package discord

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file holds the stand that the package's tests run on: an adapter
// between rooms and a fake Discord.

const main = bottest.DiscordMain

// everywhere, as Options.Guild: commands are registered for all servers.
const everywhere = "-"

// stand is an adapter between rooms and a fake Discord.
type stand struct {
	*Discord
	f     *bottest.Discord
	rooms *bot.Rooms
	desk  *bottest.Desk
	notes *bottest.Notes
	stop  func()
}

// deskVerbs are what the scripted desk takes, as Discord's commands.
func deskVerbs() (vs []commands.Verb) {
	for name, public := range map[string]bool{"public": true, "buttons": true, "hostile": true, "echo": false, "slow": false, "long": false, "panic": true, "certchek": false} {
		vs = append(vs, commands.Verb{Name: name, Args: "[words]", Summary: name, Public: public})
	}
	slices.SortFunc(vs, func(a, b commands.Verb) int { return strings.Compare(a.Name, b.Name) })
	return vs
}

func deskParams(string) []commands.Param {
	return []commands.Param{{Name: "words", Kind: commands.ParamText, Summary: "words"}}
}

// start runs an adapter; nil fields of o are filled in.
func start(t testing.TB, f *bottest.Discord, rooms *bot.Rooms, o Options) *stand {
	t.Helper()
	st := &stand{f: f, rooms: rooms}
	if rooms == nil {
		st.rooms, st.desk = bottest.NewRooms()
	}
	if o.Notes == nil {
		o.Notes = bottest.NewNotes()
	}
	st.notes, _ = o.Notes.(*bottest.Notes)
	if o.Mode == "" {
		o.Mode = Gateway
	}
	if o.Verbs == nil {
		o.Verbs, o.Params = deskVerbs(), deskParams
	}
	o.Rooms, o.Channel, o.APIURL = st.rooms, main, f.URL()
	if o.Guild == "" {
		o.Guild = bottest.DiscordGuild
	} else if o.Guild == everywhere {
		o.Guild = ""
	}
	o.Token, o.PublicKey = bottest.DiscordToken, f.PublicKey()
	for d, def := range map[*time.Duration]time.Duration{&o.Answer: 50 * time.Millisecond, &o.Every: 2 * time.Millisecond, &o.Edits: 10 * time.Millisecond, &o.Retry: 10 * time.Millisecond,
		&o.Connect: 2 * time.Second, &o.Settle: 30 * time.Millisecond, &o.Beat: 100 * time.Millisecond} {
		if *d == 0 {
			*d = def
		}
	}
	o.Log = bottest.Logger(t, "tok-", bottest.DiscordToken)
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	st.Discord = d
	if f.Heartbeat == 41250*time.Millisecond { // the fake's own
		f.Heartbeat = 300 * time.Millisecond
	}
	if o.Mode == HTTP {
		srv := httptest.NewServer(d)
		t.Cleanup(srv.Close)
		f.Endpoint = srv.URL + "/discord/interactions"
	}
	st.stop = bottest.Live(t, d, o.Notes)
	return st
}

// up waits until the adapter is connected and its commands are registered.
func (st *stand) up(t testing.TB) *stand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("status %+v", st.Status())
		}
	})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	until(t, "registered", func() bool { return len(st.f.Commands(bottest.DiscordGuild)) > 0 })
	return st
}

var until = bottest.Until

func (st *stand) sees(t testing.TB, who, channel, words string) {
	t.Helper()
	bottest.See(t, st.f, who, channel, words)
}

// types types a line and waits until it is acknowledged.
func (st *stand) types(t testing.TB, who, channel, line string) *bottest.DiscordAsk {
	t.Helper()
	a := st.f.Line(who, channel, line)
	if !a.OK() {
		t.Fatalf("%q was not acknowledged: %s", line, a.Refused)
	}
	return a
}
