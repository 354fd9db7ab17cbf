package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
)

// TestHealthOfWhatWaitsOutside: /healthz says how many updates and action items
// wait, since when, and what the last failure was; it stays 200, and names no
// incident, no address and no secret to whoever asks.
func TestHealthOfWhatWaitsOutside(t *testing.T) {
	w := newWorld(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cfg, err := loadConfig(w.file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range cfg.Updates.Targets {
		if cfg.Updates.Targets[n].URL != "" {
			cfg.Updates.Targets[n].URL = "http://" + closed + "/hook?key=s3cret"
		}
	}
	cfg.Tasks.JiraURL = "http://" + closed
	p := startProgram(t, cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler), Watch: true, Listen: true})
	type answer struct {
		OK      bool         `json:"ok"`
		Updates *bot.Waiting `json:"updates"`
		Tasks   *bot.Waiting `json:"tasks"`
	}
	look := func() (a answer, body string) {
		t.Helper()
		code, body := get(t, p.Address()+"/healthz")
		if code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil || a.Updates == nil || a.Tasks == nil || !a.OK {
			t.Fatalf("%s %v", body, err)
		}
		return a, body
	}
	if a, body := look(); a.Updates.Waiting != 0 || !a.Updates.Since.IsZero() || a.Updates.Error != "" || a.Tasks.Waiting != 0 {
		t.Errorf("%s", body)
	}
	before := time.Now()
	for _, line := range []string{"/incident declare images do not load", "/incident update INC-1 it is seen --to hook", "/incident task add INC-1 look again", "/incident task export T-1 --to jira"} {
		say(t, p, line)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		a, body := look()
		if a.Updates.Waiting == 1 && a.Tasks.Waiting == 1 && a.Updates.Error != "" && a.Tasks.Error != "" {
			for _, one := range []*bot.Waiting{a.Updates, a.Tasks} {
				if one.Since.Before(before.Add(-time.Second)) || one.Since.After(time.Now()) || one.Failed.Before(one.Since.Add(-time.Second)) || !strings.Contains(one.Error, "refused") {
					t.Errorf("%+v", one)
				}
			}
			for _, bad := range []string{"s3cret", "INC-1", "it is seen", "look again"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s in %s", bad, body)
				}
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal(body)
		}
	}
	// What a mail server says names addresses; a stranger reads none of them.
	if text := shownOutside("1 of 2 addresses were refused by mx: <board@example.com>: 550 no such user cto@example.com"); strings.Contains(text, "@") || !strings.Contains(text, "550 no such user") {
		t.Errorf("%q", text)
	}
}
