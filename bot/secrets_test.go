package bot_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// What somebody pastes by mistake is in nobody's room, log or backup.
func TestSecretsDoNotStayInTheRoom(t *testing.T) {
	log := bottest.NewLog()
	s := open(t, log)
	secrets := []string{"MHcCAQEEIAhJb3JldW1pcHN1bWRvbG9yc2l0YW1ldGNvbnNlY3RldHVy", "hunter2hunter2", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"}
	s.say(ana, "/echo -----BEGIN EC PRIVATE KEY-----\n"+secrets[0]+"\n-----END EC PRIVATE KEY----- and on")
	s.say(ana, "/echo password="+secrets[1])
	s.say(ana, "/panic "+secrets[2])
	s.say(ana, strings.Repeat("x", 17<<10)+" password="+secrets[1])
	kept, err := log.Load(context.Background(), "main", 100)
	if err != nil || len(kept) < 4 {
		t.Fatal(len(kept), err)
	}
	all, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range secrets {
		if strings.Contains(string(all), x) {
			t.Errorf("the room keeps %s", x)
		}
		if strings.Contains(s.text.String(), x) {
			t.Errorf("the log has %s", x)
		}
	}
	if s.desk.Count("/echo [cut: private key] and on") != 1 {
		t.Errorf("the desk is asked something else: %s", all)
	}
	for _, line := range []string{"/certcheck media", "/incident note  two  spaces\tand a tab\nand a line ", "the token of love"} {
		if got := commands.WithoutSecrets(line); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}
