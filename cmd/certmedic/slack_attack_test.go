package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/slack"
)

// This file attacks the real program, a process of its own, through Slack's
// front door: what is signed wrongly, too late, too long or twice; forms,
// buttons and menus that say what they were never given; floods. What floods
// leave behind is in slack_flood_test.go.

// front is a running certmedic with Slack by HTTP, and who attacks it.
type front struct {
	reader
	k       *killer
	c       *exec.Cmd
	address string
	log     *bytes.Buffer
}

// startFront starts it; more is what its configuration has beside Slack.
func startFront(t *testing.T, more string) *front {
	t.Helper()
	f := bottest.NewSlack(t)
	e := startLoop(t, 1, 1)
	withSlack(t, f, e.cfg, slack.HTTP) // the environment
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.file, append(text, fmt.Sprintf("\n%schat: {slack: {mode: http, channel: %s, api_url: %q}}\n", more, slackMain, f.URL())...))
	a := &front{reader: reader{t, f}, k: &killer{t: t, e: e, acked: map[string]bool{}}}
	a.start()
	t.Cleanup(func() {
		a.kill()
		if text := a.log.String(); strings.Contains(text, "panic") || strings.Contains(text, bottest.SlackBotToken) || strings.Contains(text, bottest.SlackSecret) {
			t.Errorf("the log has a panic or a secret:\n%s", text)
		} else if t.Failed() {
			t.Log(text)
		}
	})
	return a
}

func (a *front) start() {
	a.t.Helper()
	a.c, a.address, a.log = a.k.start()
	a.f.Events = a.address + "/slack/events"
}

func (a *front) kill() { _ = a.c.Process.Kill(); _ = a.c.Wait() }

// send posts a delivery, signed at a time unless change says otherwise.
func (a *front) send(kind string, payload map[string]any, at time.Time, change func(*http.Request)) (status int, answer string) {
	a.t.Helper()
	ct, body := bottest.SlackBody(kind, payload)
	r, _ := http.NewRequest("POST", a.f.Events, strings.NewReader(body))
	r.Header.Set("Content-Type", ct)
	bottest.SignSlack(r, body, at)
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

var attacks int
var attacksMu sync.Mutex

func (a *front) slash(who, channel, line string) map[string]any {
	attacksMu.Lock()
	attacks++
	n := attacks
	attacksMu.Unlock()
	verb, text, _ := strings.Cut(line, " ")
	return map[string]any{"command": verb, "text": text, "user_id": bottest.SlackUser(who), "user_name": who, "channel_id": channel, "team_id": "T0TEAM", "trigger_id": fmt.Sprintf("attack.%d", n), "response_url": a.f.Server.URL + "/hooks/none"}
}

// TestSlackForged: what is not Slack's, or comes late or again, does nothing.
func TestSlackForged(t *testing.T) {
	a := startFront(t, "")
	line := func(word string) map[string]any {
		return a.slash("ana", slackMain, "/incident declare sev2 "+word)
	}
	now := time.Now()
	for name, x := range map[string]struct {
		at     time.Time
		change func(*http.Request)
		want   int
	}{
		"unsigned":            {now, func(r *http.Request) { r.Header.Del("X-Slack-Signature") }, 401},
		"no time":             {now, func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }, 401},
		"another's signature": {now, func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("ab", 32)) }, 401},
		"short signature":     {now, func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0=ab") }, 401},
		"a later version": {now, func(r *http.Request) {
			r.Header.Set("X-Slack-Signature", strings.Replace(r.Header.Get("X-Slack-Signature"), "v0", "v1", 1))
		}, 401},
		"late":           {now.Add(-6 * time.Minute), nil, 401},
		"early":          {now.Add(6 * time.Minute), nil, 401},
		"its time moved": {now.Add(-10 * time.Minute), func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", fmt.Sprint(time.Now().Unix())) }, 401},
		"GET":            {now, func(r *http.Request) { r.Method = "GET" }, 404},
		"too long": {now, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 3<<20))), 3<<20
		}, 413},
	} {
		if got, answer := a.send("slash_commands", line("forged-"+strings.ReplaceAll(name, " ", "-")), x.at, x.change); got != x.want {
			t.Errorf("%s: %d %s", name, got, answer)
		}
	}
	for kind, p := range map[string]map[string]any{"events_api": {"type": "event_callback"}, "interactive": {"type": "block_actions"}, "slash_commands": {"command": "/incident", "text": "declare sev2 forged-no-id"}} {
		if got, answer := a.send(kind, p, now, nil); got != 400 {
			t.Errorf("%s without an id: %d %s", kind, got, answer)
		}
	}
	// The same delivery: bit for bit, and as Slack repeats it.
	once := line("said-once")
	if got, answer := a.send("slash_commands", once, now, nil); got != 200 {
		t.Fatalf("%d %s", got, answer)
	}
	retry := func(n string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Slack-Retry-Num", n)
			r.Header.Set("X-Slack-Retry-Reason", "http_timeout")
		}
	}
	if got, _ := a.send("slash_commands", once, now, nil); got != 401 {
		t.Errorf("a replayed request is answered %d", got)
	}
	for n := 1; n <= 3; n++ {
		if got, answer := a.send("slash_commands", once, now.Add(time.Duration(n)*time.Second), retry(fmt.Sprint(n))); got != 200 {
			t.Errorf("repetition %d: %d %s", n, got, answer)
		}
	}
	a.sees("ben", slackMain, "INC-1 SEV2", "said-once")
	a.types("ana", slackMain, "/incident declare sev2 the last --anyway")
	a.sees("ben", slackMain, "INC-2 SEV2")
	if seen := a.f.Seen("ben", slackMain); strings.Contains(seen, "forged-") || strings.Contains(seen, "INC-3") {
		t.Errorf("forged or doubled:\n%s", seen)
	}
}

// deep copies a payload.
func deep(p map[string]any) map[string]any {
	b, _ := json.Marshal(p)
	var cp map[string]any
	_ = json.Unmarshal(b, &cp)
	return cp
}

// TestSlackForms: forms come back with what they were never given. Ben is no
// part of ana's private incident: nothing he sends writes to it or tells him of it.
func TestSlackForms(t *testing.T) {
	a := startFront(t, "")
	a.types("ana", slackMain, "/incident declare sev1 whisperword --private --anyway")
	var room bottest.SlackChannel
	a.until("the private channel", func() bool { room, _ = a.f.Channel("inc-1"); return len(room.Pins) > 0 })
	a.types("ben", slackMain, "/incident declare sev2 openword --anyway")
	a.sees("ben", slackMain, "INC-2 SEV2")
	a.types("ben", slackMain, "/incident update INC-2")
	a.until("ben's form", func() bool { return a.f.Submission("ben", nil) != nil })
	form := a.f.Submission("ben", nil)
	n := 0
	send := func(what string, change func(view map[string]any)) (answer string) {
		t.Helper()
		n++
		p := deep(form)
		view := p["view"].(map[string]any)
		view["id"], view["hash"], p["trigger_id"] = fmt.Sprintf("VATTACK%d", n), fmt.Sprint(n), fmt.Sprintf("attack.form.%d", n)
		change(view)
		status, answer := a.send("interactive", p, time.Now(), nil)
		if status != 200 && status != 400 {
			t.Errorf("%s: %d %s", what, status, answer)
		}
		if strings.Contains(answer, "whisperword") {
			t.Errorf("%s: ben is told of INC-1: %s", what, answer)
		}
		return answer
	}
	meta := func(v, s, r, c string) string {
		b, _ := json.Marshal(map[string]string{"v": v, "s": s, "r": r, "c": c})
		return string(b)
	}
	for _, verb := range []string{"incident status", "incident close", "incident declare", "incident update", "renew", "renew start", "incident impact", "nothing", "../x"} {
		for _, subject := range []string{"INC-1", "", "INC-1 --anyway", "INC-99", "site0", strings.Repeat("x", 2000)} {
			for _, r := range []string{"INC-1", "main", "no/room", ""} {
				send(verb+" "+subject+" "+r, func(view map[string]any) {
					view["private_metadata"] = meta(verb, subject, r, room.ID)
					values := map[string]any{}
					for _, field := range []string{"title", "text", "status", "severity", "impact", "anyway", "cert", "options", "tell", "next", "reason"} {
						values[field] = map[string]any{"v": map[string]any{"type": "plain_text_input", "value": map[string]string{"status": "resolved", "severity": "1", "cert": "site0", "options": "drill,anyway"}[field] + map[bool]string{true: "", false: "attackword"}[slices.Contains([]string{"status", "severity", "cert", "options"}, field)]}}
					}
					view["state"] = map[string]any{"values": values}
				})
			}
		}
	}
	values := func(view map[string]any) map[string]any {
		return view["state"].(map[string]any)["values"].(map[string]any)
	}
	for what, change := range map[string]func(view map[string]any){
		"blocks renamed": func(view map[string]any) {
			vs := values(view)
			for k := range maps.Clone(vs) {
				vs[k+"'"] = vs[k]
				delete(vs, k)
			}
		},
		"no values":     func(view map[string]any) { view["state"] = map[string]any{} },
		"values a list": func(view map[string]any) { view["state"] = map[string]any{"values": []any{1, 2}} },
		"numbers": func(view map[string]any) {
			for _, v := range values(view) {
				v.(map[string]any)["v"] = map[string]any{"value": 7}
			}
		},
		"null": func(view map[string]any) {
			for k := range values(view) {
				values(view)[k] = nil
			}
		},
		"too long": func(view map[string]any) {
			for k := range values(view) {
				values(view)[k] = map[string]any{"v": map[string]any{"value": strings.Repeat("y", 200_000)}}
			}
		},
		"a line of orders": func(view map[string]any) {
			for k := range values(view) {
				values(view)[k] = map[string]any{"v": map[string]any{"value": "x\n/incident close INC-2 --anyway hostileline\n--anyway\" --drill\x00"}}
			}
		},
		"meta no JSON":   func(view map[string]any) { view["private_metadata"] = "{" },
		"meta a number":  func(view map[string]any) { view["private_metadata"] = `{"v":1}` },
		"another's form": func(view map[string]any) { view["callback_id"] = "answer" },
		"no view":        func(view map[string]any) { clear(view) },
	} {
		send(what, change)
	}
	// A press and a choice with values that no message of ours had.
	for i, action := range []map[string]any{
		{"action_id": "press-0", "value": `{"r":"INC-1","m":"m-1","b":0}`},
		{"action_id": "press-0", "value": `{"r":"INC-1","m":"m-2","b":0,"l":"Lead me"}`},
		{"action_id": "press-0", "value": `{"r":"../x","m":"m-2","b":-1}`},
		{"action_id": "press-0", "value": `[]`},
		{"action_id": "press-0", "value": 7},
		{"action_id": "share", "value": `{"r":"INC-1","m":"m-2"}`},
		{"action_id": "beside", "selected_option": map[string]any{"value": `{"r":"INC-1","m":"m-2","b":0}`}},
		{"action_id": "pinto", "block_id": "pinto/" + room.ID + "/" + room.Pins[0] + "/s", "selected_option": map[string]any{"value": "INC-1"}},
		{"action_id": "pinto", "block_id": "pinto/////", "selected_option": map[string]any{"value": "INC-1"}},
	} {
		action["type"], action["action_ts"] = "button", fmt.Sprint(i)
		if _, ok := action["block_id"]; !ok {
			action["block_id"] = "b"
		}
		if status, answer := a.send("interactive", map[string]any{"type": "block_actions", "user": map[string]any{"id": bottest.SlackUser("ben"), "username": "ben"}, "channel": map[string]any{"id": slackMain}, "trigger_id": fmt.Sprintf("attack.press.%d", i), "actions": []any{action}}, time.Now(), nil); status != 200 {
			t.Errorf("%v: %d %s", action, status, answer)
		}
	}
	a.types("ben", slackMain, "/incident note INC-2 afterall")
	a.sees("ben", slackMain, "/incident note INC-2 afterall")
	a.types("ana", room.ID, "/incident note thelast")
	a.until("all that is to be said in the private channel", func() bool { return strings.Contains(a.f.Everything("ana", room.ID), "thelast") })
	private := a.f.Everything("ana", room.ID)
	if strings.Contains(private, "attackword") || strings.Contains(private, "ben") {
		t.Errorf("ben's forms reach the private channel:\n%s", private)
	}
	for _, c := range a.f.Channels() {
		for _, who := range []string{"ben", "carl"} {
			if all := a.f.Everything(who, c); strings.Contains(all, "whisperword") {
				t.Errorf("%s reads of the private incident in %s:\n%s", who, c, near(all, "whisperword"))
			}
		}
	}
	for _, v := range append(a.f.Views("ben", "modal"), a.f.Views("ben", "home")...) {
		if strings.Contains(v.Texts(), "whisperword") {
			t.Errorf("ben reads of the private incident in a view: %s", v.Texts())
		}
	}
	if seen := a.f.Seen("ben", slackMain); strings.Contains(seen, "INC-2 is closed") {
		t.Errorf("a value became a line of its own:\n%s", seen)
	}
}

// until waits for something to be so.
func (a *front) until(what string, so func() bool) {
	a.t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			a.t.Fatalf("%s: it does not happen", what)
		}
	}
}
