package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/store"
)

// BenchmarkDiscordAck: signed interactions over HTTP, 32 at once, each on the
// record (bbolt, synced) before the POST is answered. It says the 99th
// percentile and how many a second.
func BenchmarkDiscordAck(b *testing.B) {
	f := bottest.NewDiscord(b)
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "x.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	taken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer taken.Close()
	rooms := bot.New(bot.Options{Desk: idle{}, Log: bottest.NewLog()})
	a, err := discord.New(discord.Options{Rooms: rooms, Notes: storeNotes{s, "chat/discord/"}, Mode: discord.HTTP, Channel: bottest.DiscordMain, Guild: bottest.DiscordGuild,
		APIURL: taken.URL, Token: bottest.DiscordToken, PublicKey: f.PublicKey()})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(a)
	defer server.Close()
	benchAcks(b, s, a, "discord", "discord-", func(client *http.Client, i int) (time.Duration, error) {
		return postInteraction(client, f, server.URL, i)
	})
}

// postInteraction delivers a command and says how long its acknowledgement took.
func postInteraction(client *http.Client, f *bottest.Discord, to string, i int) (time.Duration, error) {
	user := map[string]any{"id": fmt.Sprint(1_300_000_000_000_000_000 + i), "username": fmt.Sprintf("user%d", i)}
	body, err := json.Marshal(map[string]any{"id": fmt.Sprint(1_400_000_000_000_000_000 + i), "application_id": bottest.DiscordApp, "type": 2, "token": fmt.Sprintf("tok-%d", i), "version": 1,
		"guild_id": bottest.DiscordGuild, "channel_id": bottest.DiscordMain, "member": map[string]any{"user": user, "roles": []string{}},
		"data": map[string]any{"id": "1", "name": "incident", "type": 1, "options": []any{map[string]any{"name": "note", "type": 1, "options": []any{map[string]any{"name": "text", "type": 3, "value": "x"}}}}}})
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequest(http.MethodPost, to+"/discord/interactions", strings.NewReader(string(body)))
	if err != nil {
		return 0, err
	}
	f.SignDiscord(r, body, time.Now())
	r.Header.Set("Content-Type", "application/json")
	return acknowledged(client, r, http.StatusAccepted)
}
