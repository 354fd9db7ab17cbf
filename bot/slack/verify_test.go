package slack

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot/bottest"
)

// published is the example of Slack's own documentation of signing.
const published = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

func signedAs(stamp, sig string) http.Header {
	h := http.Header{}
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", sig)
	return h
}

func TestVerifyPublished(t *testing.T) {
	const sig = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	at := time.Unix(1531420618, 0)
	for _, c := range []struct {
		name   string
		secret string
		h      http.Header
		body   string
		now    time.Time
		want   error
	}{
		{"as published", bottest.SlackSecret, signedAs("1531420618", sig), published, at, nil},
		{"5 minutes late", bottest.SlackSecret, signedAs("1531420618", sig), published, at.Add(5 * time.Minute), nil},
		{"later", bottest.SlackSecret, signedAs("1531420618", sig), published, at.Add(5*time.Minute + time.Second), errStale},
		{"from the future", bottest.SlackSecret, signedAs("1531420618", sig), published, at.Add(-5*time.Minute - time.Second), errStale},
		{"one byte more", bottest.SlackSecret, signedAs("1531420618", sig), published + "&", at, errForged},
		{"another time", bottest.SlackSecret, signedAs("1531420619", sig), published, at, errForged},
		{"another secret", "x", signedAs("1531420618", sig), published, at, errForged},
		{"no secret", "", signedAs("1531420618", sig), published, at, errUnsigned},
		{"no signature", bottest.SlackSecret, http.Header{}, published, at, errUnsigned},
		{"cut", bottest.SlackSecret, signedAs("1531420618", sig[:20]), published, at, errForged},
		{"another version", bottest.SlackSecret, signedAs("1531420618", "v1="+sig[3:]), published, at, errUnsigned},
	} {
		if _, err := verify(c.secret, c.h, []byte(c.body), c.now); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestVerifyAgrees: ours and the library's check agree on random bodies, good
// and bad.
func TestVerifyAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		body := make([]byte, r.IntN(3000))
		for j := range body {
			body[j] = byte(r.Uint32())
		}
		now := time.Now()
		stamp := strconv.FormatInt(now.Unix()+int64(r.IntN(1000)-500), 10)
		mac := sign(bottest.SlackSecret, stamp, body)
		if i%3 == 0 {
			mac[r.IntN(len(mac))] ^= 1 << r.IntN(8)
		}
		h := signedAs(stamp, "v0="+hex.EncodeToString(mac))
		if i%7 == 0 {
			body = append(body, 'x')
		}
		_, ours := verify(bottest.SlackSecret, h, body, now)
		v, theirs := slack.NewSecretsVerifier(h, bottest.SlackSecret)
		if theirs == nil {
			_, _ = v.Write(body)
			theirs = v.Ensure()
		}
		ts, _ := strconv.ParseInt(stamp, 10, 64)
		if edge := now.Unix() - ts; edge > 298 && edge < 302 || edge < -298 && edge > -302 {
			continue // the library's clock is its own
		}
		if (ours == nil) != (theirs == nil) {
			t.Fatalf("body %d: ours %v, the library's %v", i, ours, theirs)
		}
	}
}

// request makes a signed request.
func request(kind string, p map[string]any, at time.Time) *http.Request {
	ct, body := bottest.SlackBody(kind, p)
	r := httptest.NewRequest("POST", "/slack/events", strings.NewReader(body))
	r.Header.Set("Content-Type", ct)
	bottest.SignSlack(r, body, at)
	return r
}

// TestHTTPRefuses: replays, forgeries, old and endless requests are refused;
// the challenge is answered.
func TestHTTPRefuses(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Mode: HTTP})
	code := func(r *http.Request) int {
		w := httptest.NewRecorder()
		st.ServeHTTP(w, r)
		return w.Code
	}
	p := map[string]any{"command": "/public", "text": "x", "user_id": bottest.SlackUser("ana"), "channel_id": main, "trigger_id": "t.1"}
	at := time.Now()
	if c := code(request("slash_commands", p, at)); c != 200 {
		t.Errorf("good: %d", c)
	}
	if c := code(request("slash_commands", p, at)); c != 401 {
		t.Errorf("replay: %d", c)
	}
	if c := code(request("slash_commands", p, at.Add(-6*time.Minute))); c != 401 {
		t.Errorf("old: %d", c)
	}
	forged := request("slash_commands", p, at.Add(time.Second))
	forged.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("00", 32))
	if c := code(forged); c != 401 {
		t.Errorf("forged: %d", c)
	}
	query := httptest.NewRequest("POST", "/slack/events?payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%22z%22%7D", strings.NewReader(""))
	bottest.SignSlack(query, "", time.Now())
	if c := code(query); c != 400 {
		t.Errorf("a payload in the URL: %d", c)
	}
	long := httptest.NewRequest("POST", "/slack/events", bytes.NewReader(make([]byte, maxBody+1)))
	if c := code(long); c != 413 {
		t.Errorf("endless: %d", c)
	}
	r := request("events_api", map[string]any{"type": "url_verification", "challenge": "abc"}, at.Add(2*time.Second))
	w := httptest.NewRecorder()
	st.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "abc" {
		t.Errorf("challenge: %d %q", w.Code, w.Body)
	}
}

// FuzzHTTP: no signed body makes the parser panic or passes without an id.
func FuzzHTTP(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", []byte(published))
	f.Add("application/x-www-form-urlencoded", []byte(`payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%221%22%2C%22actions%22%3A%5B%7B%7D%5D%7D`))
	f.Add("application/json", []byte(`{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}`))
	f.Add("application/json; charset=utf-8", []byte(`{"type":"url_verification","challenge":"x"}`))
	f.Fuzz(func(t *testing.T, ct string, body []byte) {
		e, challenge, err := parse(ct, body)
		if err != nil || challenge != "" {
			return
		}
		if e.ID == "" || len(e.ID) > 200 || plainID.MatchString(e.ID) {
			t.Errorf("the id is %q", e.ID)
		}
		person(e)
	})
}

// FuzzUndo: what Slack made of a text is taken back without a panic, and
// nothing of Slack's markup is left of what the platform wrote.
func FuzzUndo(f *testing.F) {
	for _, s := range []string{"<@U1|ana>", "<#C1|x>", "<http://x|x>", "&amp;lt;", "<!here>", "<!subteam^S1|@ops>", "<mailto:a@b.c|a@b.c>", "a < b", "<@U1", "<<@U1>>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := undo(s, func(string) string { return "ana" })
		if userTag.MatchString(out) && !strings.Contains(s, "&") && strings.Count(s, "<") == 1 {
			t.Errorf("%q became %q", s, out)
		}
	})
}

func TestUndo(t *testing.T) {
	for in, want := range map[string]string{
		"<@U1|ana> and <@U2>": "@ana and @U2",
		"<#C1|tls>":           "#tls",
		"<http://media.example.org|media.example.org>":   "media.example.org",
		"<https://x.example/a?b=1|the page>":             "https://x.example/a?b=1",
		"<mailto:a@example.org|a@example.org>":           "a@example.org",
		"1 &lt; 2 &amp;&amp; 3 &gt; 2":                   "1 < 2 && 3 > 2",
		"<!subteam^S1|@ops> <!here>":                     "@ops @here",
		"media.example.org:8443 --starttls smtp \u202ex": "media.example.org:8443 --starttls smtp x",
	} {
		if got := undo(in, func(string) string { return "" }); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
