package bot_test

import (
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"ana": true, "Ana Smith": true, "żółć": true, "O'Neil-2": true, strings.Repeat("x", 40): true, "e\u0301\u0323": true,
		"": false, " ana": false, "ana ": false, strings.Repeat("x", 41): false, "a\nb": false, "a\x00b": false, "a\xffb": false,
		"certmedic": false, "CertMedic": false, "@certmedic": false, "@ certmedic": false, "certmedica": true,
		"e\u0301\u0301\u0301": false, "a\u20dd\u20dd\u20dd": false, "\u0301a": false, // piles of marks, and one on nothing
		"\u2800": false, "a\u2800": false, "a\u200d": false, "a\ufe0f": false, "a\u202eb": false, // what shows nothing, or turns the rest
	} {
		if bot.ValidName(name) != want {
			t.Errorf("%+q: %t", name, !want)
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	ana := commands.Person{Name: "ana", Platform: "slack"}
	for here, want := range map[string]string{"slack": "ana", "web": "ana on Slack", "": "ana on Slack"} {
		if got := bot.Where(ana, here); got != want {
			t.Errorf("%s: %q", here, got)
		}
	}
	if got := bot.Where(bot.Bot, "web"); got != "certmedic" {
		t.Errorf("%q", got)
	}
}
