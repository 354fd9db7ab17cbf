package bottest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDiscordRoutes: every operation of the fake is in the document, under the
// same name.
func TestDiscordRoutes(t *testing.T) {
	st := discord(t)
	if !st.contract.with {
		t.Skip("NO SPECIFICATION: ../shared/specs/" + discordSpecName + " is missing")
	}
	for _, r := range discordRoutes {
		c := &discordAsked{}
		c.Op, c.Method = r.op, r.method
		if _, err := operation(c, r.path); err != nil {
			t.Errorf("%s: %v", r.op, err)
		}
	}
}

// TestDiscordAuthorization: no token, a wrong one, one that was reset, another
// application, another guild.
func TestDiscordAuthorization(t *testing.T) {
	st := discord(t)
	for _, auth := range []string{"", "Bot wrong", DiscordToken} {
		r, _ := http.NewRequest("GET", st.URL()+"/users/@me", nil)
		r.Header.Set("User-Agent", "DiscordBot (https://example.org, 1)")
		r.Header.Set("Authorization", auth)
		resp, err := st.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%q is answered %d", auth, resp.StatusCode)
		}
	}
	if n := st.Invalid(); n != 3 {
		t.Errorf("%d invalid requests", n)
	}
	if got := st.good("GET", "/users/@me", nil).str("username"); got != "certmedic" {
		t.Errorf("I am %q", got)
	}
	st.fails(50001, "GET", "/applications/123/commands", nil)
	st.fails(10004, "GET", "/guilds/123", nil)
	st.Revoke(true)
	if a := st.call("GET", "/users/@me", nil); a.status != 401 {
		t.Errorf("a reset token is answered %d", a.status)
	}
	st.Revoke(false)
	st.good("GET", "/users/@me", nil)
	// The older version is the same, an agent that is none is told.
	r, _ := http.NewRequest("GET", st.Server.URL+"/api/v9/users/@me", nil)
	r.Header.Set("Authorization", "Bot "+DiscordToken)
	resp, err := st.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("version 9 is answered %d", resp.StatusCode)
	}
	st.broken("User-Agent")
	if a := st.call("GET", "/voice/regions", nil); a.status != 404 {
		t.Errorf("an unknown path is answered %d", a.status)
	}
	st.broken("the fake has no GET /voice/regions")
}

// TestDiscordFaults: each fault once, then as usual; what was done is done.
func TestDiscordFaults(t *testing.T) {
	messages := "/channels/" + DiscordMain + "/messages"
	for _, c := range []struct {
		fault  string
		status int // 0: the connection is cut
		done   bool
		check  func(t *testing.T, a response)
	}{
		{"429", 429, false, func(t *testing.T, a response) {
			if w, _ := a.body.(object)["retry_after"].(float64); w != 0.05 || a.body.(object)["global"] != false || a.header.Get("Retry-After") != "1" || a.header.Get("X-RateLimit-Reset-After") != "0.050" || a.header.Get("X-RateLimit-Scope") != "user" {
				t.Errorf("%s %v", a.text, a.header)
			}
		}},
		{"429 empty", 429, false, func(t *testing.T, a response) {
			if a.text != "" || a.header.Get("Retry-After") != "1" {
				t.Errorf("%q %v", a.text, a.header)
			}
		}},
		{"429 html", 429, false, func(t *testing.T, a response) {
			if !strings.HasPrefix(a.text, "<html>") {
				t.Errorf("%q", a.text)
			}
		}},
		{"429 global", 429, false, func(t *testing.T, a response) {
			if a.body.(object)["global"] != true || a.header.Get("X-RateLimit-Global") != "true" || a.header.Get("X-RateLimit-Scope") != "global" {
				t.Errorf("%s %v", a.text, a.header)
			}
		}},
		{"500", 500, false, nil}, {"502", 502, false, nil}, {"503", 503, false, nil}, {"504", 504, false, nil},
		{"lost", 0, true, nil},
		{"cut", 0, false, nil},
		{"slow 30ms", 200, true, nil},
		{"50013", 403, false, func(t *testing.T, a response) {
			if a.code != 50013 {
				t.Errorf("%s", a.text)
			}
		}},
		{"30046", 429, false, func(t *testing.T, a response) {
			if a.code != 30046 {
				t.Errorf("%s", a.text)
			}
		}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			st := discord(t)
			st.Fail("create_message", c.fault)
			began := time.Now()
			a := st.call("POST", messages, say("one"))
			if a.status != c.status || (a.err != nil) != (c.status == 0) {
				t.Errorf("answered %d %s %v", a.status, a.text, a.err)
			}
			if strings.HasPrefix(c.fault, "slow") && time.Since(began) < 30*time.Millisecond {
				t.Errorf("after %s", time.Since(began))
			}
			if c.check != nil && !t.Failed() {
				c.check(t, a)
			}
			if done := strings.Contains(st.Seen("ana", DiscordMain), "one"); done != c.done {
				t.Errorf("done: %t", done)
			}
			st.good("POST", messages, say("two"))
			calls := st.Calls("create_message")
			if len(calls) != 2 || calls[0].Status != c.status || calls[1].Status != 200 || calls[1].Body["content"] != "two" {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

// TestDiscordFaultsOfAny: "" is any operation; faults go one after the other;
// Heal takes them back; Down is down.
func TestDiscordFaultsOfAny(t *testing.T) {
	st := discord(t)
	st.Fail("", "500", "502")
	for _, want := range []int{500, 502, 200} {
		if a := st.call("GET", "/users/@me", nil); a.status != want {
			t.Errorf("want %d, got %d", want, a.status)
		}
	}
	st.Fail("get_my_user", "500")
	st.Heal()
	st.good("GET", "/users/@me", nil)
	st.Down(true)
	if a := st.call("GET", "/users/@me", nil); a.status != 503 {
		t.Errorf("down is answered %d", a.status)
	}
	st.Down(false)
	st.good("GET", "/users/@me", nil)
	st.Fail("get_my_user", "nonsense")
	st.call("GET", "/users/@me", nil)
	st.broken(`no fault "nonsense"`)
}

// TestDiscordLimits: a bucket for each channel with its headers, and the
// global one, which interactions are not in.
func TestDiscordLimits(t *testing.T) {
	st := discord(t)
	other := st.good("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "other", "type": 0}).str("id")
	st.Limit("create_message", 2, time.Hour)
	path := "/channels/" + DiscordMain + "/messages"
	for i, left := range []string{"1", "0"} {
		a := st.good("POST", path, say("x"))
		if a.header.Get("X-RateLimit-Remaining") != left || a.header.Get("X-RateLimit-Limit") != "2" || a.header.Get("X-RateLimit-Bucket") == "" {
			t.Errorf("%d: %v", i, a.header)
		}
	}
	a := st.call("POST", path, say("x"))
	if wait, _ := a.body.(object)["retry_after"].(float64); a.status != 429 || wait < 3500 || wait > 3600 {
		t.Errorf("%d %s", a.status, a.text)
	}
	st.good("POST", "/channels/"+other+"/messages", say("x"))
	st.Limit("create_message", 1, 30*time.Millisecond)
	st.good("POST", path, say("x"))
	for end := time.Now().Add(Wait); st.call("POST", path, say("x")).status != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the bucket never fills again")
		}
	}
	st.Heal()
	st.LimitAll(1, time.Hour)
	st.good("GET", "/users/@me", nil)
	if a := st.call("GET", "/guilds/"+DiscordGuild, nil); a.status != 429 || a.body.(object)["global"] != true {
		t.Errorf("%d %s", a.status, a.text)
	}
	st.fails(10062, "POST", "/interactions/1/none/callback", object{"type": 5})
}

// TestDiscordBodies: what is no JSON, of another type, or misses parts is
// refused and told.
func TestDiscordBodies(t *testing.T) {
	st := discord(t)
	path := "/channels/" + DiscordMain + "/messages"
	for _, c := range []struct{ kind, body, words string }{
		{"application/json", `{"content":`, "cannot be read"},
		{"text/plain", `{}`, `a body of type "text/plain"`},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"avatar\"\r\n\r\n1\r\n--x--\r\n", `a part named "avatar"`},
		{"multipart/form-data; boundary=x", "--x\r\nbroken", "cannot be read"},
	} {
		if a := st.do("POST", path, c.kind, strings.NewReader(c.body)); a.status != 400 {
			t.Errorf("%s is answered %d %s", c.body, a.status, a.text)
		}
		st.broken(c.words)
	}
	if a := st.do("POST", path, "", nil); a.status != 400 {
		t.Errorf("no body is answered %d", a.status)
	}
	if st.contract.with {
		st.broken("the body is missing")
	} else {
		st.spy.breaches()
	}
	if a := st.call("GET", "/channels/abc", nil); a.status != 400 {
		t.Errorf("a channel abc is answered %d", a.status)
	}
	st.broken("not a snowflake")
}
