package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

func TestConfigStatuses(t *testing.T) {
	t.Parallel()
	parse := func(statuses string) (config, error) {
		return parseConfig(filepath.Join(t.TempDir(), "certmedic.yaml"), []byte("incident:\n  statuses: "+statuses+"\n"))
	}
	c, err := parse("{investigating: Triage, monitoring: watching}")
	if err != nil || c.Statuses.Of(incident.Monitoring) != "watching" || c.Statuses.Of(incident.Identified) != "identified" {
		t.Errorf("%v, %v", c.Statuses, err)
	}
	for text, says := range map[string]string{
		"{closed: done}": "\"closed\" is not a status; there are investigating",
		"{investigating: look, identified: Look}":   "is the name of",
		"{investigating: monitoring}":               "the word of another status",
		"{monitoring: close}":                       "means something else",
		"{monitoring: \"two words\"}":               "typed as one word",
		"{monitoring: \"\"}":                        "empty",
		"{monitoring: inc-7}":                       "the id of an incident",
		"{monitoring: 7up}":                         "does not begin with a letter",
		"{monitoring: abcdefghijklmnopqrstuvwxyzz}": "at most 24",
		"{monitoring: [a, b]}":                      "monitoring",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "line 2") && !strings.Contains(err.Error(), ":2") {
			t.Errorf("%s: %v, want %q and the line", text, err, says)
		}
	}
	if _, err := parse("{}\n  stati: {}"); err == nil || !strings.Contains(err.Error(), "stati") {
		t.Errorf("an unknown key: %v", err)
	}
}
