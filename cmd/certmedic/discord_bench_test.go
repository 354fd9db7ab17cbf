package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	// As in Slack's, the adapter is not run: what was taken waits on the record.
	a, err := discord.New(discord.Options{Rooms: rooms, Notes: storeNotes{s, "chat/discord/"}, Mode: discord.HTTP, Channel: bottest.DiscordMain, Guild: bottest.DiscordGuild,
		APIURL: taken.URL, Token: bottest.DiscordToken, PublicKey: f.PublicKey()})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(a)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	next := make(chan int)
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range next {
				d, err := postInteraction(client, f, server.URL, i)
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "discord-p99-ms")
	b.ReportMetric(float64(len(took))/time.Since(began).Seconds(), "discord-acks/s")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = a.Close(ctx)
	all, err := storeNotes{s, "chat/discord/"}.List(b.Context(), "in/")
	if err != nil || len(all) != b.N {
		b.Fatalf("%d of %d acknowledged are on the record: %v", len(all), b.N, err)
	}
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
	began := time.Now()
	resp, err := client.Do(r)
	d := time.Since(began)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusAccepted {
		return d, fmt.Errorf("status %d", resp.StatusCode)
	}
	return d, nil
}
