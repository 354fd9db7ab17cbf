package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/cmd/certmedic/drill"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/store"
)

const slackMain = "C0MAIN0000"

// withSlack sets secrets and configuration for a fake Slack.
func withSlack(t *testing.T, f *bottest.Slack, cfg config, mode string) config {
	t.Setenv("SLACK_APP_TOKEN", bottest.SlackAppToken)
	t.Setenv("SLACK_SIGNING_SECRET", bottest.SlackSecret)
	file := filepath.Join(t.TempDir(), "bot-token")
	writeFile(t, file, []byte(bottest.SlackBotToken+"\n"))
	t.Setenv("SLACK_BOT_TOKEN_FILE", file)
	bottest.SlackScopes = nil
	for _, s := range slack.Scopes() {
		bottest.SlackScopes = append(bottest.SlackScopes, s.Name)
	}
	cfg.Slack = slackConfig{Mode: mode, Channel: slackMain, APIURL: f.URL()}
	return cfg
}

// quick shortens the pauses that are there for Slack's sake.
func quick(o *slack.Options) {
	o.Every, o.Edits, o.Retry = 10*time.Millisecond, 100*time.Millisecond, 20*time.Millisecond
}

// slackDrill builds the demo's estate and runs the whole program on it, with Slack.
func slackDrill(t *testing.T, f *bottest.Slack, mode string, lifetime time.Duration) (*drill.Estate, *program) {
	t.Helper()
	e, p := chatDrill(t, lifetime, func(cfg config) config { return withSlack(t, f, cfg, mode) })
	f.Events = ""
	if mode == slack.HTTP {
		f.Events = p.Address() + "/slack/events"
	}
	return e, p
}

// reader is somebody in Slack.
type reader struct {
	t *testing.T
	f *bottest.Slack
}

func (r reader) sees(who, channel string, words ...string) {
	r.t.Helper()
	sees(r.t, r.f, who, channel, words...)
}

func (r reader) click(who, channel, label string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); !r.f.Click(who, channel, label); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s has no button %q:\n%s", who, label, r.f.Seen(who, channel))
		}
	}
}

func (r reader) types(who, channel, line string) {
	r.t.Helper()
	if _, ok := r.f.Command(who, channel, line); !ok {
		r.t.Fatalf("%q is not acknowledged", line)
	}
}

// fills submits the person's modal, once it is open; field, when not "", is
// where it must be told to be wrong.
func (r reader) fills(who string, values map[string]string, field string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); r.f.Submission(who, nil) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("no form opens for %s", who)
		}
	}
	wrong, ok := r.f.Submit(who, values)
	if !ok || (field == "") != (len(wrong) == 0) || field != "" && wrong[field] == "" {
		r.t.Fatalf("%v is answered %v (acknowledged: %v)", values, wrong, ok)
	}
}

// home waits until the person's App Home says all words.
func (r reader) home(who string, words ...string) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		vs := r.f.Views(who, "home")
		if len(vs) == 1 && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(vs[0].Texts(), w) }) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s's home does not say %q: %+v", who, words, vs)
		}
	}
}

// TestOutageInSlack: the certificate really expires; the alert comes to Slack
// unasked, and the outage is led there by buttons and slash commands to the
// draft, in the incident's own channel; the same stands in the browser's room.
func TestOutageInSlack(t *testing.T) {
	for _, mode := range []string{slack.Socket, slack.HTTP} {
		t.Run(mode, func(t *testing.T) {
			f := bottest.NewSlack(t)
			r := reader{t, f}
			e, p := slackDrill(t, f, mode, 5*time.Second)
			before := serials(t, e)
			r.sees("ana", slackMain, "media expired", "4 of 4 hosts")
			if time.Now().Before(e.Expires()) {
				t.Errorf("the alert says expired before %s", e.Expires())
			}
			r.types("ana", slackMain, "/certcheck media")
			r.sees("ana", slackMain, "expired")
			r.click("ana", slackMain, "Declare incident")
			r.sees("ben", slackMain, "INC-1 SEV")
			var room bottest.SlackChannel
			for end := time.Now().Add(time.Minute); len(room.Pins) == 0; time.Sleep(20 * time.Millisecond) {
				room, _ = f.Channel("inc-1")
				if time.Now().After(end) {
					t.Fatal("INC-1 has no channel with a card")
				}
			}
			r.click("ana", room.ID, "Lead me")
			r.sees("ben", room.ID, "ana leads INC-1 now", "ana pressed Lead me at ")
			r.types("ana", room.ID, "/incident note images do not load &amp; people call")
			r.sees("ben", room.ID, "images do not load")
			written := f.Write("ben", room.ID, "", "the CDN's graph is flat since ten minutes")
			reply := f.Write("carl", room.ID, written, "not for me")
			if !f.React("ana", room.ID, written, "pushpin", true) || !f.React("ana", room.ID, reply, "pushpin", true) || !f.React("ana", room.ID, reply, "pushpin", false) {
				t.Error("a reaction is not acknowledged")
			}
			if !f.OpenHome("ana") {
				t.Error("App Home is not acknowledged")
			}
			r.home("ana", "You are commander of INC-1", "INC-1 SEV", "media: expired")
			r.types("ana", room.ID, "/renew media")
			r.sees("ana", room.ID, "media can be renewed")
			r.click("ana", room.ID, "Start")
			r.sees("ben", slackMain, "renewed and verified on 4 of 4 hosts")
			r.sees("ben", room.ID, "media is good again on 4 of 4 hosts")
			r.types("ana", room.ID, "/incident resolve")
			r.sees("ben", room.ID, "INC-1 is resolved")
			r.types("ana", room.ID, "/incident close") // the impact is missing: a form asks for it
			r.fills("ana", map[string]string{"impact": ""}, "impact")
			r.fills("ana", map[string]string{"impact": "images did not load"}, "")
			r.sees("ben", room.ID, "The impact of INC-1 is on the record.", "INC-1 is closed")
			draft := ""
			for end := time.Now().Add(time.Minute); draft == ""; time.Sleep(20 * time.Millisecond) {
				c, _ := f.Channel(room.ID)
				for _, m := range c.Messages {
					if m.File == "INC-1-postmortem.md" { // a long answer is a file too
						draft = string(m.Data)
					}
				}
				if time.Now().After(end) {
					t.Fatal("the draft does not come as a file")
				}
			}
			after := serials(t, e)
			for host, serial := range after {
				for _, want := range []string{serial, before[host], host, "images did not load"} {
					if !strings.Contains(draft, want) {
						t.Errorf("the draft has no %s", want)
					}
				}
			}
			onRecord(t, e, p)
			if _, ok := any(p.desk).(bot.Pins); ok {
				timeline, err := p.book.Timeline(t.Context(), "INC-1")
				found := ""
				for _, l := range timeline {
					if strings.Contains(l.Text, "graph is flat") && l.By.Name == "ben" {
						found = l.Text
					}
					if strings.Contains(l.Text, "not for me") && !l.Dropped {
						t.Errorf("what was taken off stands there: %+v", l)
					}
				}
				if err != nil || found == "" {
					t.Errorf("ben's message is not on the timeline: %v", err)
				}
			}
			room, _ = f.Channel(room.ID)
			if !room.Members[bottest.SlackUser("ana")] || !strings.Contains(room.Topic, "INC-1") {
				t.Errorf("members %v, topic %q", room.Members, room.Topic)
			}
			typed := 0
			ms, err := p.rooms.Messages(t.Context(), "INC-1", "", 0)
			for _, m := range ms {
				if m.By.Platform == "slack" && m.By.Name == "ana" {
					typed++
				}
			}
			if err != nil || typed < 4 {
				t.Errorf("the browser's room has %d lines of ana: %v", typed, err)
			}
			if resp, err := http.Get(p.Address() + "/healthz"); err != nil {
				t.Error(err)
			} else {
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || !strings.Contains(string(b), `"state":"connected"`) {
					t.Errorf("health: %d %s", resp.StatusCode, b)
				}
			}
		})
	}
}

// TestSlackAway: a Slack that cannot be reached at the start is told by health,
// with 200, while the other rooms go on; when it comes, it is told everything.
func TestSlackAway(t *testing.T) {
	f := bottest.NewSlack(t)
	f.Down(true)
	e := startLoop(t, 1, 1)
	cfg := withSlack(t, f, e.cfg, slack.Socket)
	cfg.Listen = "127.0.0.1:0"
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, tuneSlack: quick})
	for end := time.Now().Add(time.Minute); p.slack.Status().State != "failing"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", p.slack.Status())
		}
	}
	resp, err := http.Get(p.Address() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.Contains(string(b), `"state":"failing"`) || strings.Contains(string(b), "xoxb") {
		t.Errorf("health: %d %s", resp.StatusCode, b)
	}
	if r := say(t, p, "/incident declare sev2 while Slack is away"); !r.Problem.IsZero() {
		t.Fatalf("%+v", r)
	}
	f.Down(false)
	reader{t, f}.sees("ben", slackMain, "while Slack is away")
}

// TestStoreNotes: the record keeps a platform's notes as bot.Notes says.
func TestStoreNotes(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := storeNotes{s, "chat/slack/"}
	ctx := t.Context()
	for i, want := range []bool{true, false} {
		if got, err := n.Add(ctx, bot.Note{Key: "in/a", Value: []byte{byte(i + 1)}}); err != nil || got != want {
			t.Errorf("add %d: %v %v", i, got, err)
		}
	}
	if err := n.Put(ctx, bot.Note{Key: "in/b", Value: []byte("b")}, bot.Note{Key: "in/a"}, bot.Note{Key: "out/c", Value: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	all, err := n.List(ctx, "in/")
	if err != nil || len(all) != 1 || all[0].Key != "in/b" || string(all[0].Value) != "b" {
		t.Errorf("%v %+v", err, all)
	}
}

// idle is a desk that answers at once: the bench measures what stands before it.
type idle struct{}

func (idle) Do(context.Context, commands.Request, func(commands.Post)) commands.Reply {
	return commands.Reply{State: commands.StateInfo, Headline: "ok"}
}
func (idle) Complete(context.Context, string, string) []string { return nil }

// BenchmarkSlackAck: signed slash commands over HTTP, 32 at once, each on the
// record (bbolt, synced) before it is acknowledged. It says the 99th
// percentile and how many a second.
func BenchmarkSlackAck(b *testing.B) {
	f := bottest.NewSlack(b)
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "x.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rooms := bot.New(bot.Options{Desk: idle{}, Log: bottest.NewLog()})
	a, err := slack.New(slack.Options{Rooms: rooms, Notes: storeNotes{s, "chat/slack/"}, Mode: slack.HTTP, Channel: slackMain, APIURL: f.URL(), BotToken: bottest.SlackBotToken, Secret: bottest.SlackSecret})
	if err != nil {
		b.Fatal(err)
	}
	server := http.Server{Handler: a}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	benchAcks(b, s, a, "slack", "", func(client *http.Client, i int) (time.Duration, error) {
		ct, body := bottest.SlackBody("slash_commands", map[string]any{"command": "/incident", "text": "note x", "user_id": fmt.Sprintf("U%d", i), "channel_id": slackMain, "trigger_id": fmt.Sprintf("t.%d", i)})
		r, _ := http.NewRequest("POST", "http://"+l.Addr().String()+"/slack/events", strings.NewReader(body))
		r.Header.Set("Content-Type", ct)
		bottest.SignSlack(r, body, time.Now())
		return acknowledged(client, r, http.StatusOK)
	})
}

// TestSlackKilled: the real program is killed between the acknowledgement and
// the work; its next start does what was acknowledged, once.
func TestSlackKilled(t *testing.T) {
	f := bottest.NewSlack(t)
	e := startLoop(t, 1, 1)
	withSlack(t, f, e.cfg, slack.HTTP) // the environment
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.file, append(text, fmt.Sprintf("\nchat: {slack: {mode: http, channel: %s, api_url: %q}}\n", slackMain, f.URL())...))
	k := &killer{t: t, e: e, acked: map[string]bool{}}
	r := reader{t, f}
	c, address, _ := k.start()
	f.Events = address + "/slack/events"
	r.types("ana", slackMain, "/incident declare sev2 images do not load")
	r.sees("ben", slackMain, "INC-1 SEV2")
	f.Fail("users.info", slices.Repeat([]string{"500"}, 50)...) // ben is not known yet: the work cannot begin
	for i := range 5 {
		r.types("ben", slackMain, fmt.Sprintf("/incident note INC-1 acknowledged-%d", i))
	}
	time.Sleep(50 * time.Millisecond)
	if strings.Contains(f.Seen("ana", slackMain), "acknowledged-") {
		t.Fatal("the work was done before the kill")
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	c, address, _ = k.start()
	f.Events = address + "/slack/events"
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	f.Heal()
	for i := range 5 {
		r.sees("ana", slackMain, fmt.Sprintf("/incident note INC-1 acknowledged-%d", i))
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	p := startProgram(t, e.cfg, programOptions{Name: "test"})
	entries, err := p.book.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for i := range 5 {
		n := 0
		for j, x := range entries {
			if strings.Contains(x.Text, fmt.Sprintf("acknowledged-%d", i)) {
				n++
				if j < at {
					t.Errorf("note %d is out of order", i)
				}
				at = j
			}
		}
		if n != 1 {
			t.Errorf("note %d stands %d times on the timeline", i, n)
		}
	}
}

// TestSlackCommands: the manifest as YAML and JSON, and the check.
func TestSlackCommands(t *testing.T) {
	var out, errOut strings.Builder
	if code := run(t.Context(), []string{"slack", "manifest"}, nil, &out, &errOut); code != 0 || !strings.Contains(out.String(), "command: /certcheck") || !strings.Contains(out.String(), "socket_mode_enabled: true") {
		t.Errorf("%d %s %s", code, out.String(), errOut.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"slack", "manifest", "--json", "--url", "https://c.example.org"}, nil, &out, &errOut); code != 0 || !strings.Contains(out.String(), `"request_url": "https://c.example.org/slack/events"`) {
		t.Errorf("%d %s %s", code, out.String(), errOut.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"slack", "manifest", "--without", "timeline,home"}, nil, &out, &errOut); code != 0 || strings.Contains(out.String(), "message.channels") || strings.Contains(out.String(), "app_home_opened") || !strings.Contains(out.String(), "name: Add to timeline") {
		t.Errorf("%d %s %s", code, out.String(), errOut.String())
	}
	if code := run(t.Context(), []string{"slack", "manifest", "--without", "everything"}, nil, &out, &errOut); code == 0 || !strings.Contains(errOut.String(), "there are timeline and home") {
		t.Errorf("%d %s", code, errOut.String())
	}
	f := bottest.NewSlack(t)
	e := startLoop(t, 1, 1)
	withSlack(t, f, e.cfg, slack.Socket)
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.file, append(text, fmt.Sprintf("\nchat: {slack: {channel: %s, api_url: %q}}\n", slackMain, f.URL())...))
	out.Reset()
	if code := run(t.Context(), []string{"slack", "check", "-c", e.file}, nil, &out, &errOut); code != 0 || !strings.Contains(out.String(), "good  the bot is in #tls") {
		t.Errorf("%d %s %s", code, out.String(), errOut.String())
	}
	f.Revoke(true)
	out.Reset()
	if code := run(t.Context(), []string{"slack", "check", "-c", e.file}, nil, &out, &errOut); code != exitFailed || !strings.Contains(out.String(), "BAD   the bot's token does not work") || strings.Contains(out.String()+errOut.String(), bottest.SlackBotToken) {
		t.Errorf("%d %s %s", code, out.String(), errOut.String())
	}
}
