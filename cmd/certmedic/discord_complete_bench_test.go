package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// manyCertificates is a configuration with n of them, on a host that nobody asks.
func manyCertificates(b *testing.B, n int) config {
	b.Helper()
	dir := b.TempDir()
	var text strings.Builder
	fmt.Fprintf(&text, "data: certmedic.db\nlisten: 127.0.0.1:0\nteams: {web: {people: [ana, ben]}}\nissuers: {le: {directory: https://127.0.0.1:1/dir}}\nrehearse: {every: never}\ncertificates:\n")
	for i := range n {
		fmt.Fprintf(&text, "  - {name: site%d, domains: [site%d.example.test], owner: web, issuer: le, challenge: {http-01: {listen: \"127.0.0.1:5002\"}}, endpoints: [{host: site%d.example.test, port: 1, addresses: [127.0.0.1]}]}\n", i, i, i)
	}
	file := filepath.Join(dir, "certmedic.yaml")
	writeFile(b, file, []byte(text.String()))
	cfg, err := loadConfig(file)
	if err != nil {
		b.Fatal(err)
	}
	return cfg
}

// manyIncidents writes n into the record, ten of them open.
func manyIncidents(b *testing.B, cfg config, n int) {
	b.Helper()
	if _, err := renew.MasterKey(masterKeyPath(cfg.Data), false); err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), cfg.Data, store.Options{Program: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	book := incident.NewBook(s, time.Now)
	ana := incident.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}
	var all sync.WaitGroup
	for w := range 64 {
		all.Go(func() {
			for k := w; k < n; k += 64 {
				i, err := book.Declare(b.Context(), incident.Declaration{Title: fmt.Sprintf("outage %d of the images", k), By: ana}, true)
				if err == nil && k >= 10 {
					_, err = book.Close(b.Context(), i.ID, incident.Change{By: ana, Reason: "over"})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDiscordComplete: what is offered while somebody types, by the whole
// program over HTTP, four at once, with 1,000 certificates and 10,000
// incidents. It says the 99th percentile, which may be 100 ms at most, and how
// many of a hundred were answered without what was asked for.
func BenchmarkDiscordComplete(b *testing.B) {
	f := bottest.NewDiscord(b)
	b.Setenv("DISCORD_BOT_TOKEN", bottest.DiscordToken)
	b.Setenv("DISCORD_PUBLIC_KEY", f.PublicKey())
	cfg := manyCertificates(b, 1000)
	manyIncidents(b, cfg, 10_000)
	cfg.Discord = discordConfig{Mode: discord.HTTP, Guild: bottest.DiscordGuild, Channel: bottest.DiscordMain, Category: bottest.DiscordCategory, Place: discord.Channel, APIURL: f.URL()}
	p, err := open(b.Context(), cfg, programOptions{Name: "bench", Listen: true, Log: slog.New(slog.DiscardHandler), tuneDiscord: quickDiscord})
	if err != nil {
		b.Fatal(err)
	}
	keepRunning(b, p)
	asks := []struct{ verb, sub, option, typed, wants string }{
		{"certcheck", "look", "certificate", "", "site0"}, {"certcheck", "look", "certificate", "site99", "site990"}, {"renew", "plan", "certificate", "site512", "site512"},
		{"incident", "show", "incident", "", "INC-"}, {"incident", "show", "incident", "inc-12", "INC-12"}, {"incident", "note", "incident", "outage 1234", "INC-"},
		{"incident", "show", "incident", "the images", "INC-"}, {"incident", "show", "incident", "no such words", "no such words"}, {"incident", "lead", "person", "a", "ana"},
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	one := func(i int) (time.Duration, bool) {
		a := asks[i%len(asks)]
		took, values, err := postCompletion(client, f, p.Address(), i, a.verb, a.sub, a.option, a.typed)
		if err != nil || len(values) == 0 {
			b.Errorf("%s %s %q: %q %v", a.verb, a.sub, a.typed, values, err)
		}
		return took, slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, a.wants) })
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // until the incidents are known
		if _, good := one(5); good {
			break
		}
		if time.Now().After(end) {
			b.Fatal("the incidents are never offered")
		}
	}
	var mu sync.Mutex
	var took []time.Duration
	missed := 0
	next := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				d, good := one(i)
				mu.Lock()
				if took = append(took, d); !good {
					missed++
				}
				mu.Unlock()
			}
		})
	}
	b.ResetTimer()
	for i := range 300 * b.N { // one alone says nothing of the slowest
		next <- i
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	p99 := float64(took[len(took)*99/100]) / 1e6
	b.ReportMetric(p99, "ms-complete-p99")
	b.ReportMetric(p99/100, "of-100ms")
	b.ReportMetric(100*float64(missed)/float64(len(took)), "%-missed")
}

// postCompletion asks what may be typed, and says how long the answer took.
func postCompletion(client *http.Client, f *bottest.Discord, to string, i int, verb, sub, option, typed string) (time.Duration, []string, error) {
	user := map[string]any{"id": fmt.Sprint(1_300_000_000_000_000_000 + i%50), "username": fmt.Sprintf("user%d", i%50)}
	body, err := json.Marshal(map[string]any{"id": fmt.Sprint(1_400_000_000_000_000_000 + i), "application_id": bottest.DiscordApp, "type": 4, "token": fmt.Sprintf("tok-%d-%d", i, time.Now().UnixNano()), "version": 1,
		"guild_id": bottest.DiscordGuild, "channel_id": bottest.DiscordMain, "member": map[string]any{"user": user, "roles": []string{}},
		"data": map[string]any{"id": "1", "name": verb, "type": 1, "options": []any{map[string]any{"name": sub, "type": 1, "options": []any{map[string]any{"name": option, "type": 3, "value": typed, "focused": true}}}}}})
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequest(http.MethodPost, to+"/discord/interactions", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	f.SignDiscord(r, body, time.Now())
	began := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Type int
		Data struct {
			Choices []struct{ Name, Value string }
		}
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	took := time.Since(began)
	var values []string
	for _, c := range answer.Data.Choices {
		values = append(values, c.Value)
	}
	if err == nil && (resp.StatusCode != 200 || answer.Type != 8) {
		err = fmt.Errorf("status %d, type %d", resp.StatusCode, answer.Type)
	}
	return took, values, err
}
