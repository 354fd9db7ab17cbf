package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/commands"
)

// withDiscord sets secrets and configuration for a fake Discord.
func withDiscord(t *testing.T, f *bottest.Discord, cfg config, mode, place string) config {
	t.Setenv("DISCORD_PUBLIC_KEY", f.PublicKey())
	file := filepath.Join(t.TempDir(), "discord-token")
	writeFile(t, file, []byte(bottest.DiscordToken+"\n"))
	t.Setenv("DISCORD_BOT_TOKEN_FILE", file)
	f.Heartbeat = 500 * time.Millisecond
	cfg.Discord = discordConfig{Mode: mode, Guild: bottest.DiscordGuild, Channel: bottest.DiscordMain, Category: bottest.DiscordCategory, Place: place, APIURL: f.URL()}
	return cfg
}

// quickDiscord shortens the pauses that are there for Discord's sake.
func quickDiscord(o *discord.Options) {
	o.Every, o.Edits, o.Retry, o.Beat, o.Settle = 10*time.Millisecond, 100*time.Millisecond, 20*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
}

// member is somebody in Discord.
type member struct {
	t *testing.T
	f *bottest.Discord
}

func (m member) sees(who, channel string, words ...string) {
	m.t.Helper()
	sees(m.t, m.f, who, channel, words...)
}

func (m member) click(who, channel, label string) *bottest.DiscordAsk {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if a := m.f.Click(who, channel, label); a != nil {
			if !a.OK() {
				m.t.Fatalf("%q is not acknowledged", label)
			}
			return a
		}
		if time.Now().After(end) {
			m.t.Fatalf("%s has no button %q:\n%s", who, label, m.f.Seen(who, channel))
		}
	}
}

// says types a command with its options.
func (m member) says(who, channel, name string, options map[string]any) *bottest.DiscordAsk {
	m.t.Helper()
	var a *bottest.DiscordAsk
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if a = m.f.Slash(who, channel, name, options); a.Refused == "" || time.Now().After(end) {
			break
		}
	}
	if !a.OK() {
		m.t.Fatalf("/%s is not acknowledged: %s", name, a.Refused)
	}
	return a
}

// place waits for an incident's channel or thread with a pinned card.
func (m member) place(name string) bottest.DiscordChannel {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		for _, c := range m.f.Channels() {
			if strings.HasPrefix(strings.ToLower(c.Name), name) && len(c.Pins) > 0 {
				return c
			}
		}
		if time.Now().After(end) {
			m.t.Fatalf("%s has no place with a card", name)
		}
	}
}

// file waits for the draft in a channel.
func (m member) file(channel string) string {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, _ := m.f.Channel(channel)
		for _, msg := range c.Messages {
			for _, f := range msg.Files {
				if strings.HasSuffix(f.Name, ".md") {
					return string(f.Data)
				}
			}
		}
		if time.Now().After(end) {
			m.t.Fatal("no file comes")
		}
	}
}

// TestOutageInDiscord: the certificate really expires; the alert comes to
// Discord unasked, and the outage is led there by buttons, commands and a form
// to the draft, in the incident's own channel or thread.
func TestOutageInDiscord(t *testing.T) {
	for _, c := range []struct{ mode, place string }{{discord.Gateway, discord.Channel}, {discord.HTTP, discord.Thread}} {
		t.Run(c.mode+" "+c.place, func(t *testing.T) {
			f := bottest.NewDiscord(t)
			m := member{t, f}
			const main = bottest.DiscordMain
			e, p := chatDrill(t, 5*time.Second, func(cfg config) config { return withDiscord(t, f, cfg, c.mode, c.place) })
			if c.mode == discord.HTTP {
				f.Endpoint = p.Address() + "/discord/interactions"
			}
			before := serials(t, e)
			m.sees("ana", main, "media expired", "4 of 4 hosts")
			m.says("ana", main, "certcheck look", map[string]any{"certificate": "media"})
			m.sees("ana", main, "expired")
			m.click("ana", main, "Declare incident")
			m.sees("ben", main, "INC-1 SEV")
			room := m.place("inc-1")
			m.click("ana", room.ID, "Lead me")
			m.sees("ben", room.ID, "ana leads INC-1 now", "ana pressed Lead me at ")
			m.says("ana", room.ID, "incident note", map[string]any{"text": "images do not load & people call"})
			m.sees("ben", room.ID, "ana: /incident note images do not load & people call")
			m.says("ana", room.ID, "renew plan", map[string]any{"certificate": "media"})
			m.sees("ana", room.ID, "media can be renewed")
			m.click("ana", room.ID, "Start") // asked whether she is sure:
			m.click("ana", room.ID, "Start")
			m.sees("ben", main, "renewed and verified on 4 of 4 hosts")
			m.sees("ben", room.ID, "media is good again on 4 of 4 hosts")
			m.says("ana", room.ID, "incident resolve", nil)
			m.sees("ben", room.ID, "INC-1 is resolved")
			ask := m.says("ana", room.ID, "incident impact", nil) // without its text: a form
			if ask.Modal() == nil {
				t.Fatalf("no form, but %s", ask.Text())
			}
			if sent := f.Submit("ana", ask, map[string]string{"text": "images did not load"}); !sent.OK() {
				t.Fatalf("the form is not taken: %s", sent.Refused)
			}
			m.sees("ben", room.ID, "The impact of INC-1 is on the record.")
			m.says("ana", room.ID, "incident close", nil)
			m.sees("ben", room.ID, "INC-1 is closed")
			m.sees("ben", main, "INC-1 is worked on in a channel of its own", "INC-1 is closed now: ")
			draft := m.file(room.ID)
			for host, serial := range serials(t, e) {
				for _, want := range []string{serial, before[host], host, "images did not load"} {
					if !strings.Contains(draft, want) {
						t.Errorf("the draft has no %s", want)
					}
				}
			}
			onRecord(t, e, p)
			if pings := f.Pings(); len(pings) > 0 {
				t.Errorf("somebody was notified: %+v", pings)
			}
			ms, err := p.rooms.Messages(t.Context(), "INC-1", "", 0)
			typed := 0
			for _, one := range ms {
				if one.By.Platform == "discord" && one.By.Name == "ana" {
					typed++
				}
			}
			if err != nil || typed < 4 {
				t.Errorf("the browser's room has %d lines of ana: %v", typed, err)
			}
			resp, err := http.Get(p.Address() + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || !strings.Contains(string(b), `"state":"connected"`) {
				t.Errorf("health: %d %s", resp.StatusCode, b)
			}
		})
	}
}

// TestOneIncidentTwoRooms: Slack and Discord at once. What changes the record
// in one is said in the other, with who said it where; a button in either acts
// once; the record and the draft are the same.
func TestOneIncidentTwoRooms(t *testing.T) {
	s, f := bottest.NewSlack(t), bottest.NewDiscord(t)
	r, m := reader{t, s}, member{t, f}
	const main = bottest.DiscordMain
	e, p := chatDrill(t, 5*time.Second, func(cfg config) config {
		return withDiscord(t, f, withSlack(t, s, cfg, "socket"), discord.Gateway, discord.Channel)
	})
	before := serials(t, e)
	m.sees("ana", main, "media expired", "4 of 4 hosts")
	r.sees("ana", slackMain, "media expired", "4 of 4 hosts")
	m.click("ana", main, "Declare incident")
	r.sees("ben", slackMain, "INC-1 SEV", "ana on Discord: /incident declare")
	dis := m.place("inc-1")
	var sla bottest.SlackChannel
	for end := time.Now().Add(time.Minute); len(sla.Pins) == 0; time.Sleep(20 * time.Millisecond) {
		if sla, _ = s.Channel("inc-1"); time.Now().After(end) {
			t.Fatal("INC-1 has no channel in Slack")
		}
	}
	r.click("ana", sla.ID, "Lead me")
	m.sees("ben", dis.ID, "ana leads INC-1 now", "ana on Slack pressed Lead me at ")
	r.types("ben", sla.ID, "/incident note images do not load")
	m.sees("ana", dis.ID, "ben on Slack: /incident note images do not load")
	m.says("ana", dis.ID, "incident note", map[string]any{"text": "seen in the logs too"})
	r.sees("ben", sla.ID, "ana on Discord: /incident note seen in the logs too")
	if strings.Contains(s.Seen("ben", sla.ID), "ana: /incident note seen") {
		t.Error("Slack does not say that ana spoke on Discord")
	}
	m.says("ana", dis.ID, "renew plan", map[string]any{"certificate": "media"})
	m.sees("ana", dis.ID, "media can be renewed")
	m.click("ana", dis.ID, "Start")
	m.click("ana", dis.ID, "Start")
	r.sees("ben", slackMain, "renewed and verified on 4 of 4 hosts")
	m.sees("ben", main, "renewed and verified on 4 of 4 hosts")
	m.sees("ben", dis.ID, "media is good again on 4 of 4 hosts")
	r.types("ana", sla.ID, "/incident resolve")
	m.sees("ben", dis.ID, "INC-1 is resolved")
	m.says("ana", dis.ID, "incident impact", map[string]any{"text": "images did not load"})
	r.sees("ben", sla.ID, "The impact of INC-1 is on the record.")
	r.types("ana", sla.ID, "/incident close")
	m.sees("ben", dis.ID, "INC-1 is closed")
	draft := m.file(dis.ID)
	other := ""
	for end := time.Now().Add(time.Minute); other == ""; time.Sleep(20 * time.Millisecond) {
		c, _ := s.Channel(sla.ID)
		for _, msg := range c.Messages {
			if strings.HasSuffix(msg.File, ".md") {
				other = string(msg.Data)
			}
		}
		if time.Now().After(end) {
			t.Fatal("the draft does not come to Slack")
		}
	}
	if draft != other {
		t.Error("Slack and Discord have different drafts")
	}
	for host, serial := range serials(t, e) {
		for _, want := range []string{serial, before[host], "images do not load", "seen in the logs too"} {
			if !strings.Contains(draft, want) {
				t.Errorf("the draft has no %s (%s)", want, host)
			}
		}
	}
	onRecord(t, e, p)
	for where, seen := range map[string]string{"Slack": s.Seen("ben", sla.ID), "Discord": f.Seen("ben", dis.ID)} {
		for _, once := range []string{"ana leads INC-1 now", "The impact of INC-1 is on the record.", "INC-1 is closed"} {
			if n := strings.Count(seen, once); n != 1 {
				t.Errorf("%s says %q %d times:\n%s", where, once, n, seen)
			}
		}
	}
}

// TestDiscordAway: a Discord that cannot be reached at the start is told by
// health, with 200, while the other rooms go on; when it comes, it is told.
func TestDiscordAway(t *testing.T) {
	f := bottest.NewDiscord(t)
	f.Down(true)
	e := startLoop(t, 1, 1)
	cfg := withDiscord(t, f, e.cfg, discord.Gateway, discord.Channel)
	cfg.Listen = "127.0.0.1:0"
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneDiscord: quickDiscord})
	for end := time.Now().Add(time.Minute); p.discord.Status().State != "failing"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", p.discord.Status())
		}
	}
	resp, err := http.Get(p.Address() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(string(b), `"state":"failing"`) || strings.Contains(string(b), bottest.DiscordToken) {
		t.Errorf("health: %d %s", resp.StatusCode, b)
	}
	if r := say(t, p, "/incident declare sev2 while Discord is away"); !r.Problem.IsZero() {
		t.Fatalf("%+v", r)
	}
	f.Down(false)
	member{t, f}.sees("ben", bottest.DiscordMain, "while Discord is away")
}

// TestFormsInDiscord: the desk's own forms, with menus: an incident declared
// in one, and closed in one because nobody said the impact yet; what is wrong
// in a form is said, and nothing is done.
func TestFormsInDiscord(t *testing.T) {
	f := bottest.NewDiscord(t)
	m := member{t, f}
	const main = bottest.DiscordMain
	e := startLoop(t, 1, 1)
	cfg := withDiscord(t, f, e.cfg, discord.Gateway, discord.Channel)
	cfg.Listen = "127.0.0.1:0"
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneDiscord: quickDiscord})
	submit := func(ask *bottest.DiscordAsk, fields map[string]string) *bottest.DiscordAsk {
		t.Helper()
		if ask.Modal() == nil {
			t.Fatalf("no form, but %s", ask.Text())
		}
		a := f.Submit("ana", ask, fields)
		if !a.OK() {
			t.Fatalf("the form is not taken: %s", a.Refused)
		}
		return a
	}
	submit(m.says("ana", main, "incident declare", nil), map[string]string{"title": "images do not load", "severity": "1", "options": "private"})
	c := m.place("inc-1")
	if seen := f.Seen("ben", c.ID) + f.Seen("ben", main); strings.Contains(seen, "images") {
		t.Errorf("ben sees a private incident:\n%s", seen)
	}
	m.sees("ana", c.ID, "images do not load")
	ask := m.says("ana", main, "incident declare", nil)
	wrong := submit(ask, map[string]string{"title": "mail is late", "severity": "3", "start": "when the moon rose"})
	if !wrong.Ephemeral() || !strings.Contains(wrong.Text(), "nothing was done") {
		t.Errorf("a wrong form is answered %q", wrong.Text())
	}
	submit(m.click("ana", main, "Open it again"), map[string]string{"start": ""}) // the rest is still in it
	c = m.place("inc-2")
	m.says("ana", c.ID, "incident resolve", nil)
	m.sees("ben", c.ID, "INC-2 is resolved")
	done := submit(m.says("ana", c.ID, "incident close", nil), map[string]string{"impact": "mail came an hour late", "text": "thanks"})
	m.sees("ben", c.ID, "INC-2 is closed", "The impact of INC-2 is on the record.")
	if strings.Contains(done.Text(), "thinking") {
		t.Errorf("the form's answer: %q", done.Text())
	}
	if i, err := p.book.Incident(t.Context(), "INC-2"); err != nil || i.Impact != "mail came an hour late" {
		t.Errorf("%v %+v", err, i)
	}
}

// TestDiscordCommands: the link has the least permissions; the check says what
// is wrong and what to do.
func TestDiscordCommands(t *testing.T) {
	f := bottest.NewDiscord(t)
	e := startLoop(t, 1, 1)
	file := e.file
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	chat := "\nchat: {discord: {channel: \"" + bottest.DiscordMain + "\", guild: \"" + bottest.DiscordGuild + "\", category: \"" + bottest.DiscordCategory + "\", api_url: \"" + f.URL() + "\"}}\n"
	writeFile(t, file, append(text, chat...))
	run := func(args ...string) (string, error) {
		var out strings.Builder
		c := rootCommand()
		c.SetArgs(append([]string{"discord"}, append(args, "-c", file)...))
		c.SetOut(&out)
		c.SetErr(&out)
		err := c.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := run("check"); err == nil || !strings.Contains(out, "DISCORD_BOT_TOKEN") {
		t.Errorf("without a token: %v %s", err, out)
	}
	t.Setenv("DISCORD_BOT_TOKEN", bottest.DiscordToken)
	out, err := run("invite", "--why")
	if err != nil || !strings.Contains(out, "client_id="+bottest.DiscordApp) || !strings.Contains(out, "scope=bot+applications.commands") || strings.Contains(out, "permissions=8&") || !strings.Contains(out, "Pin Messages") {
		t.Errorf("invite: %v %s", err, out)
	}
	if out, err = run("check"); err != nil || strings.Contains(out, "BAD") {
		t.Errorf("check: %v\n%s", err, out)
	}
	f.Grant(bottest.DiscordBotRole, bottest.DiscordBotPermissions&^(1<<4))
	if out, err = run("check"); err == nil || !strings.Contains(out, "BAD   permission Manage Channels") || !strings.Contains(out, "https://discord.com/oauth2/authorize") {
		t.Errorf("check: %v\n%s", err, out)
	}
	f.Revoke(true)
	if out, err = run("check"); err == nil || !strings.Contains(out, "BAD   the bot's token does not work") || strings.Contains(out, bottest.DiscordToken) {
		t.Errorf("check: %v\n%s", err, out)
	}
}

// TestDiscordKilled: the real program is killed just after it acknowledged;
// its next start does what was acknowledged, once.
func TestDiscordKilled(t *testing.T) {
	f := bottest.NewDiscord(t)
	m := member{t, f}
	const main = bottest.DiscordMain
	e := startLoop(t, 1, 1)
	withDiscord(t, f, e.cfg, discord.Gateway, discord.Channel) // the environment
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.file, append(text, fmt.Sprintf("\nchat: {discord: {guild: %q, channel: %q, category: %q, api_url: %q}}\n", bottest.DiscordGuild, main, bottest.DiscordCategory, f.URL())...))
	k := &killer{t: t, e: e, acked: map[string]bool{}}
	c, _, _ := k.start()
	f.Connected()
	m.says("ana", main, "incident declare", map[string]any{"title": "images do not load", "severity": "sev2"})
	m.sees("ben", main, "INC-1 SEV2")
	const rounds, notes = 3, 4
	for round := range rounds {
		var asks []*bottest.DiscordAsk
		for i := range notes {
			asks = append(asks, m.says([]string{"ana", "ben", "carl"}[i%3], main, "incident note", map[string]any{"incident": "INC-1", "text": fmt.Sprintf("acknowledged-%d-%d", round, i)}))
		}
		_ = c.Process.Kill() // at once
		_ = c.Wait()
		for _, a := range asks {
			if a.Kind() == 0 {
				t.Fatal("not acknowledged")
			}
		}
		c, _, _ = k.start()
		f.Connected()
	}
	for round := range rounds {
		for i := range notes {
			m.sees("ana", main, fmt.Sprintf("acknowledged-%d-%d", round, i))
		}
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	p := startProgram(t, e.cfg, programOptions{Name: "test"})
	entries, err := p.book.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		for i := range notes {
			n := 0
			for _, x := range entries {
				if strings.Contains(x.Text, fmt.Sprintf("acknowledged-%d-%d", round, i)) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("note %d-%d stands %d times on the timeline", round, i, n)
			}
		}
	}
	if n := len(f.Calls("bulk_set_guild_application_commands")); n != 1 {
		t.Errorf("the commands were registered %d times", n)
	}
}

// TestDiscordRolesAndTimeline: a role counts as a group of a team, so that it
// decides who may declare; a message of the chat is put on the timeline, which
// Slack's room is told of.
func TestDiscordRolesAndTimeline(t *testing.T) {
	s, f := bottest.NewSlack(t), bottest.NewDiscord(t)
	m := member{t, f}
	const main = bottest.DiscordMain
	e := startLoop(t, 1, 1)
	cfg := withDiscord(t, f, withSlack(t, s, e.cfg, "socket"), discord.Gateway, discord.Thread)
	cfg.Listen = "127.0.0.1:0"
	cfg.Teams = append(cfg.Teams, commands.Team{Name: "oncall", Groups: []string{"discord:on-call"}})
	cfg.Policy.Declare = []string{"oncall"}
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneSlack: quick, tuneDiscord: quickDiscord})
	f.Connected()
	no := m.says("carl", main, "incident declare", map[string]any{"title": "carl may not"})
	m.sees("carl", main, "on-call in Discord")
	if strings.Contains(f.Seen("ben", main), "carl may not") || !strings.Contains(no.Text(), "on-call in Discord") {
		t.Errorf("the refusal is seen by all:\n%s", f.Seen("ben", main))
	}
	m.says("ana", main, "incident declare", map[string]any{"title": "images do not load", "severity": "sev2"})
	c := m.place("inc-1")
	said := f.Speak("ben", c.ID, "cdn-1 serves the old one")
	a := f.MessageCommand("ana", c.ID, said, "Add to timeline")
	if !a.OK() {
		t.Fatal(a.Refused)
	}
	m.sees("ben", c.ID, "cdn-1 serves the old one", "pinned")
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if room, ok := s.Channel("inc-1"); ok && strings.Contains(s.Seen("ana", room.ID), "cdn-1 serves the old one") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("Slack is not told")
		}
	}
	again := f.MessageCommand("carl", c.ID, said, "Add to timeline")
	if !again.OK() {
		t.Fatal(again.Refused)
	}
	entries, err := p.book.Timeline(t.Context(), "INC-1")
	n := 0
	for _, x := range entries {
		if x.Text == "cdn-1 serves the old one" && x.By.Name == "ben" {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Errorf("%v: it stands %d times on the timeline: %+v", err, n, entries)
	}
}
