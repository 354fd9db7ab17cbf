package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/incident"
)

// TestDiscordStatusNames: Discord's list of statuses has the names that are
// configured.
func TestDiscordStatusNames(t *testing.T) {
	f := bottest.NewDiscord(t)
	chatDrill(t, time.Hour, func(cfg config) config {
		cfg.Statuses = incident.Names{incident.Investigating: "Triage"}
		return withDiscord(t, f, cfg, discord.Gateway, discord.Channel)
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		b, err := json.Marshal(f.Commands(bottest.DiscordGuild))
		if err != nil {
			t.Fatal(err)
		}
		if all := string(b); strings.Contains(all, `"incident"`) {
			if !strings.Contains(all, `"value":"Triage"`) || strings.Contains(all, `"value":"investigating"`) || !strings.Contains(all, `"value":"identified"`) {
				t.Errorf("registered: %s", all)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("no command is registered")
		}
	}
}
