package slack

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// TestSlowAnswer: what a slash command is told while it takes long stays above
// its answer, which comes once; a quick one is told nothing else.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	st.types(t, "ana", main, "/slow fish")
	st.sees(t, "ana", main, "Working on it. The answer comes below.")
	st.desk.Release("fish")
	st.sees(t, "ana", main, "slow: fish")
	seen := f.Seen("ana", main)
	if strings.Count(seen, "Working on it") != 1 || strings.Count(seen, "slow: fish") != 1 || strings.Index(seen, "Working on it") > strings.Index(seen, "slow: fish") {
		t.Errorf("%s", seen)
	}
	quick := start(t, bottest.NewSlack(t), nil, Options{Answer: time.Hour})
	quick.types(t, "ana", main, "/echo bird")
	quick.sees(t, "ana", main, "echo: bird")
	if strings.Contains(quick.f.Seen("ana", main), "Working on it") {
		t.Error("a quick answer is announced")
	}
}

// TestFakeHasNoOriginal: as with Slack, a slash command's response URL has no
// message to replace or to delete.
func TestFakeHasNoOriginal(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	st.types(t, "ana", main, "/echo one")
	st.sees(t, "ana", main, "echo: one")
	c, _ := f.Channel(main)
	hook := c.Messages[len(c.Messages)-1].Hook
	for _, body := range []string{`{"text":"two","response_type":"ephemeral","replace_original":true,"blocks":[{"type":"section","text":{"type":"plain_text","text":"two"}}]}`, `{"delete_original":true}`} {
		resp, err := http.Post(f.Server.URL+"/hooks/"+hook, "application/json", bytes.NewReader([]byte(body)))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(err, resp)
		}
		resp.Body.Close()
	}
	if seen := f.Seen("ana", main); !strings.Contains(seen, "echo: one") || !strings.Contains(seen, "two") {
		t.Errorf("%s", seen)
	}
}
