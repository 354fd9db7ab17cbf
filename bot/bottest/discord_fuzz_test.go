package bottest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// This file throws strangers' bytes at the fake Discord: it may refuse them
// and report breaches, but neither crash nor hang.

// FuzzDiscordREST sends any body to any operation.
func FuzzDiscordREST(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `null`, `{"content":"x","allowed_mentions":{"parse":[]}}`, `{"type":5}`, `{"type":"x","data":7}`, `{"type":4,"data":{"components":[{"components":[{"type":2}]}]}}`,
		`{"permission_overwrites":[{"id":"1","allow":"x"}]}`, `[{"name":"a","options":[{"type":1,"options":"x"}]}]`, `[null,1,{"name":7,"type":"3"}]`, `{"embeds":[{"fields":[{"name":1}],"footer":[]}],"attachments":[{"id":{}}]}`, `{"nonce":{},"enforce_nonce":true,"content":"x"}`} {
		for i := range 3 {
			f.Add(uint(len(s)*7+i), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, n uint, body []byte) {
		sp := &spy{TB: t}
		st := &stand{Discord: NewDiscord(sp), t: t, spy: sp, http: http.DefaultClient}
		st.contract = &discordContract{} // the operations are what is tested
		st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", commandSet())
		ask := st.Line("ana", DiscordMain, "/echo x")
		id := st.good("POST", mainMessages, say("x")).str("id")
		r := discordRoutes[n%uint(len(discordRoutes))]
		path := strings.NewReplacer("{channel_id}", DiscordMain, "{guild_id}", DiscordGuild, "{application_id}", DiscordApp, "{webhook_id}", DiscordApp, "{message_id}", id, "{interaction_id}", ask.ID,
			"{interaction_token}", ask.Token, "{webhook_token}", ask.Token, "{user_id}", DiscordUser("ana"), "{overwrite_id}", DiscordUser("ana"), "{emoji_name}", "x").Replace(r.path)
		if strings.HasPrefix(path, "/webhooks/") {
			st.good("POST", ask.path(), object{"type": 5})
		}
		if a := st.do(r.method, path, "application/json", strings.NewReader(string(body))); a.err != nil {
			t.Fatalf("%s %s: %v", r.method, path, a.err)
		}
		st.Seen("ana", DiscordMain)
		st.Click("ana", DiscordMain, "Go")
		st.Submit("ana", ask, map[string]string{"a": "b"})
		st.Line("ana", DiscordMain, "/a b")
	})
}

// FuzzDiscordMarkup: reading markup neither crashes nor loses plain words.
func FuzzDiscordMarkup(f *testing.F) {
	for _, s := range []string{"**bold** `code *x*` \\*", "<t:1:R> <@1> <@&2> <#3> </a:4>", "```\nx\n```", "[a](https://b)", "\\`x`", "> q\n# h", "`", "\\"} {
		f.Add(s)
	}
	d := NewDiscord(f)
	f.Fuzz(func(t *testing.T, s string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if got := d.plain("word " + s); !strings.HasPrefix(got, "word ") && utf8.ValidString(s) {
			t.Errorf("%q reads %q", s, got)
		}
		if got := d.pageText(s + "<script>"); strings.Contains(strings.ToLower(got), "<script") {
			t.Errorf("%q is drawn as %q", s, got)
		}
	})
}

// FuzzDiscordFrame sends any bytes to the gateway.
func FuzzDiscordFrame(f *testing.F) {
	for _, s := range []string{`{}`, `{"op":2}`, `{"op":2,"d":{"token":1}}`, `{"op":6,"d":{"session_id":"x","seq":-1,"token":"` + DiscordToken + `"}}`, `{"op":1,"d":{}}`, `[1]`, `{"op":99}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		sp := &spy{TB: t}
		d := NewDiscord(sp)
		c := &discordConn{every: d.Heartbeat, wake: make(chan struct{}, 1), gone: make(chan struct{})}
		for range 2 {
			if code, _ := d.hear(c, frame); code != 0 && (code < 4000 || code > 4014) {
				t.Errorf("closed with %d", code)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, fr := range c.out {
			if !json.Valid(fr.Data) {
				t.Errorf("answered %q", fr.Data)
			}
		}
	})
}

// TestDiscordMarkup: what a client shows.
func TestDiscordMarkup(t *testing.T) {
	st := discord(t)
	st.Clock(func() time.Time { return time.Unix(1700000300, 0) })
	st.mu.Lock()
	defer st.mu.Unlock()
	for in, want := range map[string]string{
		"**bold** _it_ ~~no~~ ||secret|| __under__":          "bold it no secret under",
		`\*\*not bold\*\* \_ \\ \<@1>`:                       `**not bold** _ \ <@1>`,
		"`**code**` and **bold**":                            "**code** and bold",
		"```go\nx := **p\n```after":                          "x := **p" + "after",
		"<t:1700000000:F> (<t:1700000000:R>)":                "2023-11-14 22:13:20 UTC (5 minutes ago)",
		"<t:1700000000:t> <t:1700000000:T> <t:1700000000:d>": "22:13 22:13:20 2023-11-14",
		"<t:1700007500:R>":                                   "in 2 hours",
		"<@" + DiscordUser("ana") + "> <@&" + DiscordOnCall + "> <#" + DiscordMain + "> <@5>": "@ana @on-call #tls @unknown-user",
		"</incident open:123> [here](https://example.org/x) <https://example.org>":            "/incident open here (https://example.org/x) https://example.org",
		"# Head\n-# small\n> quoted":         "Head\nsmall\nquoted",
		"media_proxy_1.example.org a*b":      "media_proxy_1.example.org ab",
		"unknown & plain <b> text @everyone": "unknown & plain <b> text @everyone",
	} {
		if got := st.plain(in); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}
