package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// visitor asks a running program for a page as somebody.
func visitor(t *testing.T, who, method, address, path, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "certmedic_name", Value: who})
	}
	r.Header.Set("X-Certmedic", "1")
	r.Header.Set("Accept", "text/html")
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") { // it never ends: what is there at once
		part := make([]byte, 64<<10)
		n := 0
		time.AfterFunc(300*time.Millisecond, cancel)
		for {
			m, err := resp.Body.Read(part[n:])
			if n += m; err != nil || n == len(part) {
				return resp.StatusCode, string(part[:n])
			}
		}
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestPrivateFromStrangers walks every page and door of the running program as
// somebody who is not part of a private incident, and as nobody.
func TestPrivateFromStrangers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "certmedic.yaml")
	writeFile(t, file, []byte("data: certmedic.db\nlisten: 127.0.0.1:0\n"))
	cfg, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Listen: true, Log: newLog(io.Discard, false)})
	at := p.Address()
	say := func(who, room, text string) commands.Reply {
		t.Helper()
		r := p.rooms.Say(t.Context(), commands.Request{Text: text, Room: room, By: commands.Person{ID: "web:" + who, Name: who, Platform: "web"}})
		if !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", text, r.Problem)
		}
		return r
	}
	say("ana", "main", "/incident declare --private zebra keys leaked")
	say("ana", "INC-1", "/incident note giraffe was seen")
	say("ana", "INC-1", "/incident export json") // a file in its room
	pin := commands.Pin{Key: "slack/C/1", Room: "INC-1", Text: "okapi", Author: commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}, By: commands.Person{ID: "web:ana", Name: "ana", Platform: "web"},
		Images: []commands.File{{Name: "tapir.png", Data: []byte("\x89PNG\r\n\x1a\nquokka")}}}
	if r := p.desk.Pin(t.Context(), pin, p.post); !r.Problem.IsZero() {
		t.Fatal(r.Problem)
	}
	_, e, err := p.book.PinOf(t.Context(), pin.Key)
	if err != nil {
		t.Fatal(err)
	}
	image := e.Evidence.Pin.Images[0].SHA256
	ms, err := p.rooms.Messages(t.Context(), "INC-1", "web:ana", 0)
	if err != nil || len(ms) < 3 {
		t.Fatalf("%d messages, %v", len(ms), err)
	}
	paths := func(id string) []string {
		all := []string{"/", "/?all=1", "/estate", "/incidents", "/incidents?q=", "/room/" + id, "/room/" + id + "?all=1", "/incident/" + id, "/incident/" + id + "?all=1", "/incident/" + id + "/draft",
			"/incident/" + id + "/draft.md", "/incident/" + id + "/draft.html", "/incident/" + id + "/draft.json", "/incident/" + id + "/draft.png", "/incident/" + id + "/draft?template=blog", "/incident/" + id + "/image/" + image,
			"/events?room=main&after=0", "/events?room=" + id + "&after=0", "/complete?room=" + id + "&line=" + url.QueryEscape("/incident note "), "/complete?line=" + url.QueryEscape("/incident show I"), "/healthz", "/metrics"}
		for _, m := range ms {
			all = append(all, "/message/"+id+"/"+m.ID, "/file/"+id+"/"+m.ID+"/0")
		}
		return all
	}
	words := []string{"zebra", "giraffe", "okapi", "tapir", "quokka"}
	varies := regexp.MustCompile(`(?m)[0-9a-f]{32}|20[0-9-]+[T ][0-9:]+(\.[0-9]+)?Z?| \d+ s| [0-9:]+ UTC|^(go|process|promhttp|certmedic_incidents_open)_?.*$`)
	same := func(s string) string { return varies.ReplaceAllString(s, "…") }
	for _, who := range []string{"", "zoe"} {
		hidden := func(what, text string) {
			t.Helper()
			for _, w := range words {
				if strings.Contains(text, w) {
					t.Errorf("%q: %s shows %q", who, what, w)
				}
			}
		}
		none := paths("INC-9")
		for n, path := range paths("INC-1") {
			code, body := visitor(t, who, "GET", at, path, "")
			hidden(path, body)
			other, want := visitor(t, who, "GET", at, none[n], "")
			if code != other || same(body) != same(strings.ReplaceAll(want, "INC-9", "INC-1")) {
				t.Errorf("%q: %s answers %d, otherwise than for an incident that there is not (%d)\n%s\n%s", who, path, code, other, body, want)
			}
		}
		for n, m := range ms {
			form := fmt.Sprintf("room=INC-1&message=%s&button=0&as=zoe", m.ID)
			code, body := visitor(t, who, "POST", at, "/press", form)
			hidden("press "+m.ID, body)
			if n == 0 && code < 300 {
				t.Errorf("%q pressed a button: %d", who, code)
			}
		}
		for _, line := range []string{"/incident show", "/incident show INC-1", "/certcheck", "/incident list all", "/incident list search zebr"} {
			for _, room := range []string{"main", "INC-1"} {
				for _, door := range []string{"/say", "/api/run"} {
					_, body := visitor(t, who, "POST", at, door, fmt.Sprintf(`{"text":%q,"room":%q,"as":"zoe"}`, line, room))
					hidden(door+" "+line+" in "+room, body)
				}
			}
		}
	}
	if code, body := visitor(t, "ana", "GET", at, "/incident/INC-1", ""); code != http.StatusOK || !strings.Contains(body, "giraffe") || !strings.Contains(body, image) {
		t.Errorf("ana: %d %s", code, body)
	}
	if code, body := visitor(t, "ana", "GET", at, "/incident/INC-1/image/"+image, ""); code != http.StatusOK || !strings.Contains(body, "quokka") {
		t.Errorf("ana's image: %d %s", code, body)
	}
	say("ana", "INC-1", "/incident invite zoe")
	if code, body := visitor(t, "zoe", "GET", at, "/room/INC-1", ""); code != http.StatusOK || !strings.Contains(body, "zebra") {
		t.Errorf("zoe, invited: %d %s", code, body)
	}
	var told bool
	all, _ := p.rooms.Messages(t.Context(), "INC-1", "web:zoe", 0)
	for _, m := range all {
		told = told || m.For == "web:zoe" && m.By.ID == bot.Bot.ID && strings.Contains(m.Reply.Headline, "You are part of INC-1")
	}
	if !told {
		t.Error("zoe was not told in private")
	}
}
