package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
)

// TestDiscordPictures draws what people see of an outage in Discord, which is
// led from Slack too, from the fake's own page, into the folder that
// CERTMEDIC_SHOTS names.
func TestDiscordPictures(t *testing.T) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		t.Skip("NO PICTURES: CERTMEDIC_SHOTS names no folder")
	}
	s, f := bottest.NewSlack(t), bottest.NewDiscord(t)
	r, m := reader{t, s}, member{t, f}
	const main = bottest.DiscordMain
	chatDrill(t, 12*time.Second, func(cfg config) config {
		return withDiscord(t, f, withSlack(t, s, cfg, "socket"), discord.Gateway, discord.Channel)
	})
	page := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(srv.Close)
	b := openTab(t, srv.URL)
	shot := func(name, now string) {
		page = now
		b.do(chromedp.EmulateViewport(860, 300), chromedp.Navigate(srv.URL), chromedp.WaitReady("body"))
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "discord-"+name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	form := func(a *bottest.DiscordAsk, fields map[string]string) {
		t.Helper()
		if a.Modal() == nil {
			t.Fatalf("no form, but %s", a.Text())
		}
		if sent := f.Submit("ana", a, fields); !sent.OK() {
			t.Fatal(sent.Refused)
		}
	}
	m.sees("ana", main, "media expired", "4 of 4 hosts")
	shot("alert", f.Page("ana", main))
	offers := f.Complete("ana", main, "certcheck look", "certificate", "m", nil)
	if !offers.OK() {
		t.Fatal(offers.Refused)
	}
	shot("complete", f.PageAsk("ana", f.AddChannel("random"), offers, "/certcheck look certificate: m"))
	form(m.says("ana", main, "incident declare", nil), map[string]string{"title": "images do not load", "start": "when the moon rose", "severity": "1", "cert": "media"})
	m.sees("ana", main, "nothing was done")
	again := m.click("ana", main, "Open it again")
	shot("form", f.PageAsk("ana", main, again, ""))
	form(again, map[string]string{"start": ""})
	room := m.place("inc-1")
	var there bottest.SlackChannel
	for end := time.Now().Add(20 * time.Second); len(there.Pins) == 0; time.Sleep(20 * time.Millisecond) {
		if there, _ = s.Channel("inc-1"); time.Now().After(end) {
			t.Fatal("INC-1 has no channel in Slack")
		}
	}
	m.click("ana", room.ID, "Lead me")
	m.sees("ben", room.ID, "ana leads INC-1 now")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the card is told of it
		if c, _ := f.Channel(room.ID); len(c.Messages) > 0 && c.Messages[0].Edits > 0 || time.Now().After(end) {
			break
		}
	}
	r.types("ben", there.ID, "/incident note images do not load & people call")
	m.sees("ben", room.ID, "ben on Slack: /incident note images do not load")
	m.says("ana", room.ID, "renew plan", map[string]any{"certificate": "media"})
	m.sees("ana", room.ID, "media can be renewed")
	shot("plan", f.Page("ana", room.ID))
	if start := m.click("ana", room.ID, "Start"); start.Kind() != 6 {
		m.click("ana", room.ID, "Start") // the question whether it is meant
	}
	m.sees("ben", room.ID, "media is good again on 4 of 4 hosts")
	m.says("ana", room.ID, "incident resolve", nil)
	m.sees("ben", room.ID, "INC-1 is resolved")
	form(m.says("ana", room.ID, "incident close", nil), map[string]string{"impact": "images did not load for 40 seconds"})
	m.sees("ben", main, "INC-1 is closed now")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // what is over cannot be pressed
		if _, left := f.Button("ben", main, "Resolve INC-1"); left == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("INC-1 can still be resolved in main")
		}
	}
	shot("milestones", f.Page("ben", main))
	shot("incident", f.Page("ben", room.ID))
}
