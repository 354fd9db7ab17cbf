package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/discord"
)

// This file leads a whole outage through discord-digital-twin, a Discord that
// others wrote, with the whole program. It listens on every address, so
// .ci/interop-discord runs this in a network namespace of its own; in `go
// test` it is skipped. .ci/interop-twin/twin.mjs says what stands before it.

// twin is a running discord-digital-twin.
type twin struct {
	t                                   *testing.T
	API, Control, Guild, Main, Category string
}

// twinMessage is a message as Discord's API has it.
type twinMessage struct {
	ID, Content string
	Flags       int
	Embeds      []struct {
		Title, Description string
		Fields             []struct{ Name, Value string }
		Footer             struct{ Text string }
	}
	Components []struct {
		Components []struct {
			Type     int
			Label    string
			CustomID string `json:"custom_id"`
			Disabled bool
		}
	}
}

// text is a message as it reads, without the escapes.
func (m twinMessage) text() string {
	parts := []string{m.Content}
	for _, e := range m.Embeds {
		parts = append(parts, e.Title, e.Description)
		for _, f := range e.Fields {
			parts = append(parts, f.Name, f.Value)
		}
		parts = append(parts, e.Footer.Text)
	}
	for _, r := range m.Components {
		for _, c := range r.Components {
			parts = append(parts, "["+c.Label+"]")
		}
	}
	return strings.NewReplacer("\\", "", "**", "", "`", "", "\u200b", "").Replace(strings.Join(parts, "\n"))
}

func startTwin(t *testing.T) *twin {
	t.Helper()
	dir := os.Getenv("CERTMEDIC_TWIN")
	if dir == "" {
		t.Skip("NO INTEROP: CERTMEDIC_TWIN is not set; make interop sets it")
	}
	c := exec.Command("node", filepath.Join(dir, "twin.mjs"))
	c.Stderr = testLog{t}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	w := &twin{t: t}
	if err != nil || json.Unmarshal(line, w) != nil {
		t.Fatalf("the twin does not start: %q %v", line, err)
	}
	return w
}

// control drives it; into may be nil.
func (w *twin) control(path string, body, into any) {
	w.t.Helper()
	var resp *http.Response
	var err error
	if body == nil {
		resp, err = http.Get(w.Control + path)
	} else {
		b, _ := json.Marshal(body)
		resp, err = http.Post(w.Control+path, "application/json", bytes.NewReader(b))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %s %v", path, resp.StatusCode, b, err)
	}
}

func (w *twin) messages(channel string) (all []twinMessage) {
	w.t.Helper()
	w.control("/messages/"+channel, nil, &all)
	return all
}

func (w *twin) sees(channel string, words ...string) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var b strings.Builder
		for _, m := range w.messages(channel) {
			b.WriteString(m.text() + "\n")
		}
		missing := slices.DeleteFunc(slices.Clone(words), func(x string) bool { return strings.Contains(b.String(), x) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%q is not there, but:\n%s", missing, b.String())
		}
	}
}

// dump logs every channel, and what was refused.
func (w *twin) dump() {
	var all []struct{ ID, Name string }
	w.control("/channels", nil, &all)
	for _, c := range all {
		for _, m := range w.messages(c.ID) {
			w.t.Logf("#%s %s flags %d: %s", c.Name, m.ID, m.Flags, m.text())
		}
	}
	var calls []map[string]any
	w.control("/calls", nil, &calls)
	for _, c := range calls {
		w.t.Logf("%v", c)
	}
}

// twinAnswer is what an interaction was answered with first.
type twinAnswer struct {
	Type         int
	Data         string
	Acknowledged bool
}

// ask starts an interaction, which must be acknowledged in 3 s.
func (w *twin) ask(person, channel string, kind int, data map[string]any, message string) twinAnswer {
	w.t.Helper()
	var made struct{ ID string }
	body := map[string]any{"person": person, "channel": channel, "type": kind, "data": data}
	if message != "" {
		body["message"] = message
	}
	began := time.Now()
	w.control("/ask", body, &made)
	for {
		var a twinAnswer
		w.control("/response/"+made.ID, nil, &a)
		if a.Acknowledged {
			return a
		}
		if time.Since(began) > 3*time.Second {
			w.t.Fatalf("%v is not acknowledged", data)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// command is a registered command.
func (w *twin) command(name string) map[string]any {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var all []map[string]any
		w.control("/commands", nil, &all)
		for _, c := range all {
			if c["name"] == name && c["guild"] == w.Guild {
				return c
			}
		}
		if time.Now().After(end) {
			w.t.Fatalf("no command %s is registered", name)
		}
	}
}

// says types "incident note" with its options, all of them strings.
func (w *twin) says(person, channel, name string, options map[string]string) twinAnswer {
	w.t.Helper()
	top, sub, _ := strings.Cut(name, " ")
	given := []any{}
	for k, v := range options {
		given = append(given, map[string]any{"name": k, "type": 3, "value": v})
	}
	if sub != "" {
		given = []any{map[string]any{"name": sub, "type": 1, "options": given}}
	}
	return w.ask(person, channel, 2, map[string]any{"id": w.command(top)["id"], "name": top, "type": 1, "options": given}, "")
}

// click presses the newest button with a label.
func (w *twin) click(person, channel, label string) twinAnswer {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		for _, m := range slices.Backward(w.messages(channel)) {
			for _, r := range m.Components {
				for _, c := range r.Components {
					if c.Type == 2 && c.Label == label && !c.Disabled {
						return w.ask(person, channel, 3, map[string]any{"custom_id": c.CustomID, "component_type": 2}, m.ID)
					}
				}
			}
		}
		if time.Now().After(end) {
			w.t.Fatalf("there is no button %q", label)
		}
	}
}

// submit fills the one text of the form that was answered.
func (w *twin) submit(person, channel string, shown twinAnswer, text string) {
	w.t.Helper()
	var form struct {
		CustomID   string `json:"custom_id"`
		Components []struct {
			Components []struct {
				CustomID string `json:"custom_id"`
				Value    string
			}
		}
	}
	if shown.Type != 9 || json.Unmarshal([]byte(shown.Data), &form) != nil {
		w.t.Fatalf("no form, but %+v", shown)
	}
	rows := []any{}
	for _, r := range form.Components {
		for _, in := range r.Components {
			v := in.Value
			if in.CustomID == "text" {
				v = text
			}
			rows = append(rows, map[string]any{"type": 1, "components": []any{map[string]any{"type": 4, "custom_id": in.CustomID, "value": v}}})
		}
	}
	w.ask(person, channel, 5, map[string]any{"custom_id": form.CustomID, "components": rows}, "")
}

func (w *twin) channel(name string) string {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var all []struct{ ID, Name string }
		w.control("/channels", nil, &all)
		for _, c := range all {
			if strings.HasPrefix(c.Name, name) {
				return c.ID
			}
		}
		if time.Now().After(end) {
			w.t.Fatalf("there is no channel %s", name)
		}
	}
}

// TestInteropDiscord: registration, and an outage from the alert to the draft
// by commands, completion, buttons, a form and the command for messages.
func TestInteropDiscord(t *testing.T) {
	w := startTwin(t)
	t.Setenv("DISCORD_BOT_TOKEN", "fake-discord-token")
	e, p := chatDrill(t, 12*time.Second, func(cfg config) config {
		cfg.Discord = discordConfig{Mode: discord.Gateway, Guild: w.Guild, Channel: w.Main, Category: w.Category, Place: discord.Channel, APIURL: w.API}
		return cfg
	})
	t.Cleanup(func() {
		if t.Failed() {
			w.dump()
		}
	})
	before := serials(t, e)
	w.sees(w.Main, "media expired", "4 of 4 hosts")
	w.says("ana", w.Main, "certcheck look", map[string]string{"certificate": "media"})
	w.sees(w.Main, "expired")
	complete := w.ask("ana", w.Main, 4, map[string]any{"id": w.command("certcheck")["id"], "name": "certcheck", "type": 1, "options": []any{
		map[string]any{"name": "look", "type": 1, "options": []any{map[string]any{"name": "certificate", "type": 3, "value": "me", "focused": true}}}}}, "")
	if complete.Type != 8 || !strings.Contains(complete.Data, `"media"`) {
		t.Errorf("completed with %+v", complete)
	}
	w.click("ana", w.Main, "Declare incident")
	w.sees(w.Main, "INC-1 SEV")
	room := w.channel("inc-1")
	w.click("ana", room, "Lead me")
	w.sees(room, "ana leads INC-1 now")
	w.says("ana", room, "incident note", map[string]string{"text": "images do not load & people call"})
	w.sees(room, "images do not load & people call")
	var said twinMessage
	const words = "the mirror in Berlin serves images again"
	w.control("/say", map[string]any{"person": "ben", "channel": room, "content": words}, &said)
	var raw []map[string]any
	w.control("/messages/"+room, nil, &raw)
	i := slices.IndexFunc(raw, func(m map[string]any) bool { return m["id"] == said.ID })
	w.ask("ana", room, 2, map[string]any{"id": w.command("Add to timeline")["id"], "name": "Add to timeline", "type": 3, "target_id": said.ID,
		"resolved": map[string]any{"messages": map[string]any{said.ID: raw[i]}}}, "")
	w.says("ana", room, "renew plan", map[string]string{"certificate": "media"})
	w.sees(room, "media can be renewed")
	w.click("ana", room, "Start")
	w.sees(room, "Renew media from pebble")
	w.click("ana", room, "Start") // the question whether it is meant
	w.sees(w.Main, "renewed and verified on 4 of 4 hosts")
	w.sees(room, "media is good again on 4 of 4 hosts")
	w.says("ana", room, "incident resolve", nil)
	w.sees(room, "INC-1 is resolved")
	w.submit("ana", room, w.says("ana", room, "incident impact", nil), "images did not load")
	w.sees(room, "The impact of INC-1 is on the record.")
	w.says("ana", room, "incident close", nil)
	w.sees(room, "INC-1 is closed")
	type file struct{ Name, Text string }
	var files []file
	for end := time.Now().Add(60 * time.Second); len(files) == 0; time.Sleep(50 * time.Millisecond) {
		w.control("/files", nil, &files)
		files = slices.DeleteFunc(files, func(f file) bool { return !strings.HasSuffix(f.Name, "postmortem.md") }) // long answers are files too
		if time.Now().After(end) {
			t.Fatal("the draft does not come as a file")
		}
	}
	for host, serial := range serials(t, e) {
		for _, want := range []string{serial, before[host], host, "images did not load", words} {
			if !strings.Contains(files[0].Text, want) {
				t.Errorf("the draft has no %s", want)
			}
		}
	}
	onRecord(t, e, p)
	// What it refused is what it has not, and messages that it took away: to it
	// the answer to a button is always the button's own message. Nothing of ours
	// is malformed.
	var calls []struct {
		Method, Path string
		Status       int
		Answer       string
	}
	w.control("/calls", nil, &calls)
	refused := map[string]int{}
	for _, c := range calls {
		if c.Status >= 400 {
			refused[fmt.Sprintf("%s %d %s", c.Method, c.Status, c.Answer)]++
			if !strings.Contains(c.Path, "/pins/") && !strings.HasSuffix(c.Path, "/users/@me/channels") && !strings.Contains(c.Path, "/permissions/") && !strings.Contains(c.Answer, "10008") {
				t.Errorf("%s %s is answered %d %s", c.Method, c.Path, c.Status, c.Answer)
			}
		}
	}
	t.Logf("%d calls, refused: %v", len(calls), refused)
}
