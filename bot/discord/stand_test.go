package discord

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
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
		st.desk = bottest.NewDesk()
		st.rooms = bot.New(bot.Options{Desk: st.desk, Log: bottest.NewLog(), Answer: 50 * time.Millisecond})
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
		&o.Connect: 2 * time.Second, &o.Beat: 100 * time.Millisecond} {
		if *d == 0 {
			*d = def
		}
	}
	o.Log = slog.New(slog.NewTextHandler(logTo{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	st.Discord = d
	if f.Heartbeat > time.Second {
		f.Heartbeat = 300 * time.Millisecond
	}
	if o.Mode == HTTP {
		srv := httptest.NewServer(d)
		t.Cleanup(srv.Close)
		f.Endpoint = srv.URL + "/discord/interactions"
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var once sync.Once
	st.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("run: %v", err)
			}
			bounded, done := context.WithTimeout(context.Background(), bottest.Wait)
			defer done()
			if err := d.Close(bounded); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	t.Cleanup(st.stop)
	until(t, "the room is followed", func() bool { ns, _ := o.Notes.List(ctx, bot.CursorKey("main")); return len(ns) == 1 })
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

type logTo struct{ t testing.TB }

func (l logTo) Write(b []byte) (int, error) {
	defer func() { _ = recover() }() // after the test's end
	l.t.Log(strings.TrimSpace(string(b)))
	if strings.Contains(string(b), "tok-") || strings.Contains(string(b), bottest.DiscordToken) {
		l.t.Errorf("a secret stands in the log: %s", b)
	}
	return len(b), nil
}

// until waits for something to be so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(bottest.Wait); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not happen", what)
		}
	}
}

func (st *stand) sees(t testing.TB, who, channel, words string) {
	t.Helper()
	for end := time.Now().Add(bottest.Wait); !strings.Contains(st.f.Seen(who, channel), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not see %q, but:\n%s", who, words, st.f.Seen(who, channel))
		}
	}
}

// types types a line and waits until it is acknowledged.
func (st *stand) types(t testing.TB, who, channel, line string) *bottest.DiscordAsk {
	t.Helper()
	a := st.f.Line(who, channel, line)
	if !a.OK() {
		t.Fatalf("%q was not acknowledged in 3 s: %s", line, a.Refused)
	}
	return a
}
