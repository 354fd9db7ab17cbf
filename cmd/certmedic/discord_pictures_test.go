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

// TestDiscordPictures draws what people see of an outage in Discord, from the
// fake's own page, into the folder that CERTMEDIC_SHOTS names.
func TestDiscordPictures(t *testing.T) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		t.Skip("NO PICTURES: CERTMEDIC_SHOTS names no folder")
	}
	f := bottest.NewDiscord(t)
	m := member{t, f}
	const main = bottest.DiscordMain
	chatDrill(t, 12*time.Second, func(cfg config) config { return withDiscord(t, f, cfg, discord.Gateway, discord.Channel) })
	page := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(srv.Close)
	b := openTab(t, srv.URL)
	shot := func(name, who, channel string) {
		page = f.Page(who, channel)
		b.do(chromedp.EmulateViewport(860, 700), chromedp.Navigate(srv.URL), chromedp.WaitReady("body"))
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "discord-"+name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.sees("ana", main, "media expired", "4 of 4 hosts")
	m.says("ana", main, "certcheck look", map[string]any{"certificate": "media"})
	m.sees("ana", main, "expired")
	shot("alert", "ana", main)
	m.click("ana", main, "Declare incident")
	room := m.place("inc-1")
	m.click("ana", room.ID, "Lead me")
	m.sees("ben", room.ID, "ana leads INC-1 now")
	m.says("ana", room.ID, "incident note", map[string]any{"text": "images do not load & people call"})
	m.sees("ben", room.ID, "images do not load")
	m.says("ana", room.ID, "renew plan", map[string]any{"certificate": "media"})
	m.sees("ana", room.ID, "media can be renewed")
	shot("plan", "ana", room.ID)
	if start := m.click("ana", room.ID, "Start"); start.Kind() != 6 {
		m.click("ana", room.ID, "Start") // the question whether it is meant
	}
	m.sees("ben", room.ID, "media is good again on 4 of 4 hosts")
	m.says("ana", room.ID, "incident resolve", nil)
	m.sees("ben", room.ID, "INC-1 is resolved")
	m.says("ana", room.ID, "incident close", map[string]any{})
	m.sees("ben", room.ID, "INC-1")
	shot("incident", "ben", room.ID)
}
