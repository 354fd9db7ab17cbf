package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/cmd/certmedic/drill"
)

// This file leads a whole outage through local-slack, a Slack that others
// wrote, with the real program, by Socket Mode and by HTTP. It listens on
// every address, so .ci/interop-slack runs this in a network namespace of its
// own; in `go test` it is skipped. CERTMEDIC_SHOTS names a folder for pictures.

// localSlack is a running local-slack.
type localSlack struct {
	t    *testing.T
	base string
}

const (
	interopMain = "C01TLSMAIN"
	interopAna  = "U01ANA"
	interopBen  = "U02BEN"
)

func interopProgram(t *testing.T, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Skipf("NO INTEROP: %s is not set; make interop sets it", name)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startLocalSlack starts one; events is where signed HTTP goes, "": Socket Mode.
func startLocalSlack(t *testing.T, program, events string) *localSlack {
	t.Helper()
	mode := "socket"
	if events != "" {
		mode = "events\n  requestUrl: " + events
	}
	dir, port := t.TempDir(), freePort(t)
	writeFile(t, filepath.Join(dir, "config.yaml"), []byte(fmt.Sprintf(`workspace: {name: Example, domain: example, teamId: T01TEST}
app:
  appId: A01APP
  botUserId: U0BOT
  botName: certmedic
  botToken: xoxb-test-token
  appToken: xapp-test-token
  signingSecret: test-signing-secret
  mode: %s
users:
  - {id: U01ANA, name: ana, real_name: Ana}
  - {id: U02BEN, name: ben, real_name: Ben}
channels:
  - {id: C01TLSMAIN, name: tls, members: [U01ANA, U02BEN, U0BOT]}
`, mode)))
	c := exec.Command(program, "--config", filepath.Join(dir, "config.yaml"), "--port", port, "--base-host", "127.0.0.1", "--files-dir", filepath.Join(dir, "files"))
	c.Stdout, c.Stderr = testLog{t}, testLog{t}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	s := &localSlack{t: t, base: "http://127.0.0.1:" + port}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := s.get("/_control/state"); err == nil {
			return s
		} else if time.Now().After(end) {
			t.Fatalf("local-slack does not start: %v", err)
		}
	}
}

func (s *localSlack) get(path string) (map[string]any, error) {
	resp, err := http.Get(s.base + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var v map[string]any
	return v, json.NewDecoder(resp.Body).Decode(&v)
}

func (s *localSlack) post(path string, body map[string]any) map[string]any {
	s.t.Helper()
	b, _ := json.Marshal(body)
	resp, err := http.Post(s.base+path, "application/json", bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || v["ok"] != true {
		s.t.Fatalf("%s: %v %v", path, v, err)
	}
	return v
}

func (s *localSlack) types(user, channel, line string) {
	s.t.Helper()
	command, text, _ := strings.Cut(line, " ")
	s.post("/_control/command", map[string]any{"channel": channel, "user": user, "command": command, "text": text})
}

// messages are those of a channel that a user sees.
func (s *localSlack) messages(user, channel string) (ms []map[string]any) {
	s.t.Helper()
	v, err := s.get("/_control/messages/" + channel)
	if err != nil {
		s.t.Fatal(err)
	}
	all, _ := v["messages"].([]any)
	for _, m := range all {
		if m, _ := m.(map[string]any); m["ephemeral_to"] == nil || m["ephemeral_to"] == user {
			ms = append(ms, m)
		}
	}
	return ms
}

func (s *localSlack) sees(user, channel string, words ...string) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		b, _ := json.Marshal(s.messages(user, channel))
		seen := string(b)
		missing := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(seen, w) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s does not see %q in %s, but:\n%s", user, missing, channel, seen)
		}
	}
}

// click presses the newest button with a label.
func (s *localSlack) click(user, channel, label string) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		for _, m := range slices.Backward(s.messages(user, channel)) {
			if b := button(m, label); b != nil {
				s.post("/_control/interact", map[string]any{"channel": channel, "user": user, "messageTs": m["ts"], "action": b})
				return
			}
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s has no button %q", user, label)
		}
	}
}

// button finds a button of a message.
func button(m map[string]any, label string) map[string]any {
	blocks, _ := m["blocks"].([]any)
	for _, b := range blocks {
		b, _ := b.(map[string]any)
		es, _ := b["elements"].([]any)
		for _, e := range es {
			e, _ := e.(map[string]any)
			if text, _ := e["text"].(map[string]any); e["type"] == "button" && text["text"] == label {
				return map[string]any{"type": "button", "action_id": e["action_id"], "block_id": b["block_id"], "value": e["value"], "text": text}
			}
		}
	}
	return nil
}

// channel waits for a channel and returns its id.
func (s *localSlack) channel(name string) string {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		v, err := s.get("/_control/state")
		if err != nil {
			s.t.Fatal(err)
		}
		all, _ := v["channels"].([]any)
		for _, c := range all {
			if c, _ := c.(map[string]any); c["name"] == name {
				return fmt.Sprint(c["id"])
			}
		}
		if time.Now().After(end) {
			s.t.Fatalf("there is no channel %s", name)
		}
	}
}

// TestInteropSlack: the real program and a Slack that others wrote, an outage
// from /certcheck to the draft, by commands, buttons and a reaction.
func TestInteropSlack(t *testing.T) {
	slackBinary, certmedic := interopProgram(t, "CERTMEDIC_LOCAL_SLACK"), interopProgram(t, "CERTMEDIC_BINARY")
	for _, mode := range []string{slack.Socket, slack.HTTP} {
		t.Run(mode, func(t *testing.T) { interopOutage(t, slackBinary, certmedic, mode) })
	}
}

func interopOutage(t *testing.T, slackBinary, certmedic, mode string) {
	e, err := drill.Start(t.Context(), drill.Options{Dir: t.TempDir(), Lifetime: 12 * time.Second, Listen: "127.0.0.1:" + freePort(t), Helper: []string{os.Args[0], "estate"}, Log: newLog(testLog{t}, true)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	before := serials(t, e)
	cfg, err := loadConfig(e.Config())
	if err != nil {
		t.Fatal(err)
	}
	events := ""
	if mode == slack.HTTP {
		events = "http://" + cfg.Listen + "/slack/events"
	}
	s := startLocalSlack(t, slackBinary, events)
	log := startCertmedic(t, certmedic, e.Config(), s, mode)
	s.sees(interopAna, interopMain, "media expired", "4 of 4 hosts")
	s.types(interopAna, interopMain, "/certcheck media")
	s.sees(interopAna, interopMain, "ephemeral_to", "expired")
	s.shot(mode+"-alert", interopMain, "media expired")
	s.click(interopAna, interopMain, "Declare incident")
	s.sees(interopBen, interopMain, "INC-1 SEV")
	room := s.channel("inc-1")
	s.sees(interopBen, room, "This is the channel of INC-1.")
	s.shot(mode+"-channel", room, "This is the channel of INC-1.")
	s.click(interopAna, room, "Lead me")
	s.sees(interopBen, room, "ana leads INC-1 now", "ana pressed Lead me at ")
	s.types(interopAna, room, "/incident note images do not load & people call")
	s.sees(interopBen, room, "images do not load")
	reacted := s.react(room)
	s.types(interopAna, room, "/renew media")
	s.sees(interopAna, room, "media can be renewed")
	s.click(interopAna, room, "Start")
	s.sees(interopBen, room, "media is good again on 4 of 4 hosts")
	s.shot(mode+"-renewed", room, "media is good again")
	s.types(interopAna, room, "/incident resolve")
	s.sees(interopBen, room, "INC-1 is resolved")
	s.sees(interopBen, interopMain, "INC-1 is resolved now")
	s.types(interopAna, room, "/incident impact images did not load")
	s.sees(interopBen, room, "The impact of INC-1 is on the record.")
	s.types(interopAna, room, "/incident close")
	s.sees(interopBen, room, "INC-1 is closed")
	draft := s.file(room, "INC-1-postmortem.md")
	for host, serial := range serials(t, e) {
		for _, want := range []string{serial, before[host], host, "images did not load"} {
			if !strings.Contains(draft, want) {
				t.Errorf("the draft has no %s", want)
			}
		}
	}
	if reacted && !strings.Contains(draft, interopSaid) {
		t.Errorf("what ana reacted to is not in the draft")
	}
	s.shot(mode+"-draft", room, "INC-1 is closed")
	if text := log(); strings.Contains(text, "xoxb-test") || strings.Contains(text, "xapp-test") || strings.Contains(text, "panic") {
		t.Errorf("the log has a secret or a panic:\n%s", text)
	}
}

// startCertmedic starts the real program; log is what it has logged.
func startCertmedic(t *testing.T, program, file string, s *localSlack, mode string) (log func() string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, append(text, fmt.Sprintf("\nchat: {slack: {mode: %s, channel: %s, api_url: %q}}\n", mode, interopMain, s.base+"/api/")...))
	out, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "serve", "-c", file)
	c.Stdout, c.Stderr = out, out
	c.Env = append(os.Environ(), "SLACK_BOT_TOKEN=xoxb-test-token", "SLACK_APP_TOKEN=xapp-test-token", "SLACK_SIGNING_SECRET=test-signing-secret")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	log = func() string { b, _ := os.ReadFile(out.Name()); return string(b) }
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
		_ = out.Close()
		if t.Failed() {
			t.Log(log())
		}
	})
	return log
}

const interopSaid = "the mirror in Berlin serves images again"

// react has ana say something and pin it to the timeline by a reaction, where
// certmedic listens for reactions.
func (s *localSlack) react(channel string) bool {
	s.t.Helper()
	if !slices.Contains(slack.NewManifest("").Settings.Events.Bot, "reaction_added") {
		s.t.Log("NO REACTIONS: this certmedic does not listen for them; the rest of the outage goes on")
		return false
	}
	m, _ := s.post("/_control/message", map[string]any{"channel": channel, "user": interopAna, "text": interopSaid})["message"].(map[string]any)
	s.post("/_control/reaction", map[string]any{"channel": channel, "user": interopAna, "ts": m["ts"], "name": interopEmoji})
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		s.types(interopBen, channel, "/incident timeline")
		time.Sleep(300 * time.Millisecond)
		b, _ := json.Marshal(slices.DeleteFunc(s.messages(interopBen, channel), func(m map[string]any) bool { return m["user"] == interopAna }))
		if strings.Contains(string(b), interopSaid) {
			return true
		}
		if time.Now().After(end) {
			s.t.Fatalf("the reaction puts nothing on the timeline")
		}
	}
}

// interopEmoji is the reaction that puts a message on the timeline.
const interopEmoji = "pushpin"

// file waits for a file in a channel and returns its text.
func (s *localSlack) file(channel, name string) string {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		for _, m := range s.messages(interopBen, channel) {
			files, _ := m["files"].([]any)
			for _, f := range files {
				f, _ := f.(map[string]any)
				if f["name"] != name {
					continue
				}
				r, _ := http.NewRequest("GET", fmt.Sprint(f["url_private_download"]), nil)
				r.Header.Set("Authorization", "Bearer xoxb-test-token")
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					s.t.Fatal(err)
				}
				defer resp.Body.Close()
				var b bytes.Buffer
				if _, err := b.ReadFrom(resp.Body); err != nil || resp.StatusCode != 200 {
					s.t.Fatalf("the file %s: %d %v", name, resp.StatusCode, err)
				}
				return b.String()
			}
		}
		if time.Now().After(end) {
			s.t.Fatalf("the file %s does not come", name)
		}
	}
}

// asSlackDraws draws in what local-slack leaves as it was sent: line ends, code
// blocks in fixed width, and times for the reader's own zone.
const asSlackDraws = `(() => {
  document.head.insertAdjacentHTML('beforeend', '<style>.messages * { white-space: pre-wrap } .code-drawn { white-space: pre; overflow: hidden; font: 12px monospace; background: #f6f6f6; border: 1px solid #ddd; border-radius: 4px; padding: 6px 8px; margin: 4px 0 }</style>');
  const at = t => 'today at ' + new Date(t * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'Europe/Berlin' });
  const far = t => new Date(t * 1000).toLocaleDateString('en-US', { month: 'short', day: 'numeric', year: 'numeric' }) + ' at ' + at(t).slice(9);
  for (const e of document.querySelectorAll('.messages *')) {
    const text = e.innerText ? e.innerText.trim() : '';
    if (text.startsWith('` + "```" + `') && text.endsWith('` + "```" + `') && !e.closest('.code-drawn')) {
      e.textContent = text.slice(3, -3).replace(/^\n+|\n+$/g, '');
      e.className = 'code-drawn';
      e.style.display = 'block';
    }
  }
  const walk = document.createTreeWalker(document.querySelector('.messages'), NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();)
    n.data = n.data.replace(/<!date\^(\d+)\^[^|>]*\|[^>]*>/g, (_, t) => Math.abs(t - Date.now() / 1000) < 43200 ? at(t) : far(t));
  const list = document.querySelector('.messages');
  list.scrollTop = list.scrollHeight;
  return true;
})()`

// shot opens local-slack's page in Chromium, waits until a channel shows the
// words there, and writes a picture of it when CERTMEDIC_SHOTS is set.
func (s *localSlack) shot(name, channel, words string) {
	s.t.Helper()
	b := openTab(s.t, s.base)
	b.do(chromedp.EmulateViewport(1000, 820), chromedp.Navigate(s.base+"/archives/"+channel))
	for end := time.Now().Add(time.Minute); !strings.Contains(b.text("document.body.innerText"), words); b.do(chromedp.Sleep(100 * time.Millisecond)) {
		if time.Now().After(end) {
			s.t.Fatalf("the page does not show %q, but:\n%s", words, b.text("document.body.innerText"))
		}
	}
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		return
	}
	b.do(chromedp.Sleep(500 * time.Millisecond))
	if !b.is(asSlackDraws) {
		s.t.Error("what local-slack does not draw is not drawn in")
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "slack-"+name+".png"), picture, 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
