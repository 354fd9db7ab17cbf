package bottest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// registered is a fake with commands, whose interactions nobody hears: the
// test answers them itself.
func registered(t *testing.T) *stand {
	t.Helper()
	st := discord(t)
	st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", commandSet())
	return st
}

func (a *DiscordAsk) path() string { return "/interactions/" + a.ID + "/" + a.Token + "/callback" }

func (a *DiscordAsk) hook() string { return "/webhooks/" + DiscordApp + "/" + a.Token }

// TestDiscordClocks: 3 s for the first response, 15 min for the rest, and one
// first response.
func TestDiscordClocks(t *testing.T) {
	st := registered(t)
	late := st.Line("ana", DiscordMain, "/echo late")
	st.Advance(3001 * time.Millisecond)
	st.fails(10062, "POST", late.path(), object{"type": 5})
	if late.Kind() != 0 {
		t.Error("a late response was taken")
	}
	ask := st.Line("ana", DiscordMain, "/echo in time")
	st.fails(10015, "PATCH", ask.hook()+"/messages/@original", say("before it"))
	st.Advance(2900 * time.Millisecond)
	st.good("POST", ask.path(), object{"type": 5})
	st.fails(40060, "POST", ask.path(), object{"type": 5})
	st.broken("a second time")
	st.Advance(14 * time.Minute)
	st.good("PATCH", ask.hook()+"/messages/@original", say("done"))
	st.Advance(time.Minute)
	st.fails(50027, "PATCH", ask.hook()+"/messages/@original", say("too late"))
	st.fails(50027, "POST", ask.hook()+"?wait=true", say("too late"))
	st.fails(50027, "GET", ask.hook()+"/messages/@original", nil)
	if got := ask.Text(); got != "ana used /echo\ndone\n" {
		t.Errorf("the answer reads %q", got)
	}
	st.fails(10062, "POST", "/interactions/1/"+ask.Token+"/callback", object{"type": 5})
	st.fails(10015, "POST", "/webhooks/"+DiscordApp+"/other", say("x"))
	st.fails(10015, "POST", "/webhooks/123/"+ask.Token, say("x"))
}

// TestDiscordAnswers: who sees what, the first follow-up after a deferral,
// edits and deletions, updates of the message under a button.
func TestDiscordAnswers(t *testing.T) {
	st := registered(t)
	ask := st.Line("ana", DiscordMain, "/echo secret")
	st.good("POST", ask.path(), object{"type": 5, "data": object{"flags": 64}})
	if !ask.Ephemeral() || !strings.Contains(st.Seen("ana", DiscordMain), "is thinking") || strings.Contains(st.Seen("ben", DiscordMain), "thinking") {
		t.Errorf("ana: %q, ben: %q", st.Seen("ana", DiscordMain), st.Seen("ben", DiscordMain))
	}
	st.good("POST", ask.hook()+"?wait=true", say("this is the answer")) // becomes it, as private as it
	if m, ok := ask.Message(); !ok || m.Content != "this is the answer" || m.For != DiscordUser("ana") || len(ask.Followups()) != 0 {
		t.Errorf("%+v", m)
	}
	more := st.good("POST", ask.hook()+"?wait=true", object{"content": "more, for all", "allowed_mentions": none}).str("id")
	if fs := ask.Followups(); len(fs) != 1 || fs[0].ID != more || !strings.Contains(st.Seen("ben", DiscordMain), "more, for all") {
		t.Errorf("%+v", fs)
	}
	st.good("PATCH", ask.hook()+"/messages/"+more, say("even more"))
	if got := st.good("GET", ask.hook()+"/messages/"+more, nil).str("content"); got != "even more" {
		t.Errorf("%q", got)
	}
	st.good("DELETE", ask.hook()+"/messages/"+more, nil)
	st.fails(10008, "PATCH", ask.hook()+"/messages/"+more, say("gone"))
	st.fails(10008, "PATCH", ask.hook()+"/messages/123", say("never"))
	other := st.good("POST", mainMessages, say("not an answer")).str("id")
	st.fails(10008, "PATCH", ask.hook()+"/messages/"+other, say("never"))
	st.good("DELETE", mainMessages+"/"+other, nil)
	// Ephemerals are not in the channel.
	m, _ := ask.Message()
	st.fails(10008, "GET", mainMessages+"/"+m.ID, nil)
	if n := len(st.good("GET", mainMessages, nil).body.([]any)); n != 0 {
		t.Errorf("%d messages in the channel", n)
	}
	// A button's message is updated at once, or later.
	card := st.good("POST", mainMessages, object{"content": "card", "allowed_mentions": none, "components": []any{row(knob("Go", "go"), object{"type": 2, "style": 5, "label": "Doc", "url": "https://example.org"}), row(object{"type": 3, "custom_id": "pick:1", "placeholder": "Which", "options": []any{object{"label": "A", "value": "a"}, object{"label": "B", "value": "b"}}})}}).str("id")
	if got := st.Seen("ben", DiscordMain); !strings.Contains(got, "card\n[Go] [Doc -> https://example.org] \n[Which | A | B] \n") {
		t.Errorf("%q", got)
	}
	if st.Click("ben", DiscordMain, "Doc") != nil || st.Click("ben", DiscordMain, "None") != nil {
		t.Error("pressed what cannot be pressed")
	}
	pick := st.Select("ben", DiscordMain, "pick:", "b")
	if d := pick.Payload["data"].(object); d["component_type"] != 3 || d["custom_id"] != "pick:1" || d["values"].([]string)[0] != "b" {
		t.Errorf("%+v", d)
	}
	st.good("POST", pick.path(), object{"type": 6})
	st.good("PATCH", pick.hook()+"/messages/@original", say("picked b"))
	if got := pick.Text(); got != "picked b\n[Go] [Doc -> https://example.org] \n[Which | A | B] \n" {
		t.Errorf("%q", got)
	}
	press := st.Click("ben", DiscordMain, "Go")
	st.good("POST", press.path()+"?with_response=true", object{"type": 7, "data": object{"content": "ben went", "components": []any{}, "allowed_mentions": none}})
	if m, _ := st.Message(DiscordMain, card); m.Content != "ben went" || len(m.Components) != 0 || m.Edits != 2 {
		t.Errorf("%+v", m)
	}
	if st.Click("ben", DiscordMain, "Go") != nil {
		t.Error("the button is still there")
	}
	// A client that is behind presses it all the same.
	if a := st.Press("ana", DiscordMain, card, "go", nil); a.Refused != "" || a.ID == "" {
		t.Errorf("%+v", a.Refused)
	}
}

// TestDiscordWrongAnswers: responses that do not fit are refused and told.
func TestDiscordWrongAnswers(t *testing.T) {
	st := registered(t)
	modal := object{"type": 9, "data": object{"custom_id": "m", "title": "M", "components": []any{row(object{"type": 4, "custom_id": "t", "style": 1, "label": "T", "max_length": 5})}}}
	cmd := func() *DiscordAsk { return st.Line("ana", DiscordMain, "/echo x") }
	for _, c := range []struct {
		ask   *DiscordAsk
		body  object
		words string
	}{
		{cmd(), object{"type": 7, "data": say("x")}, "no message under it"},
		{cmd(), object{"type": 6}, "no message under it"},
		{cmd(), object{"type": 8, "data": object{"choices": []any{object{"name": "a", "value": "a"}}}}, "nobody is completing"},
		{cmd(), object{"type": 1}, "a pong"},
		{cmd(), object{"type": 5, "data": object{"flags": 4}}, "only 64"},
		{cmd(), object{"type": 12}, "no response type 12"},
		{cmd(), object{}, "no response type"},
		{st.Complete("ana", DiscordMain, "incident note", "incident", "I", nil), object{"type": 5}, "autocomplete is answered with type 5"},
	} {
		if a := st.call("POST", c.ask.path(), c.body); a.code != 50035 || c.ask.Kind() != 0 {
			t.Errorf("%v is answered %d %s", c.body, a.status, a.text)
		}
		if c.words != "no response type 12" && c.words != "no response type" || st.contract.with {
			st.broken(c.words)
		}
	}
	shown := cmd()
	st.good("POST", shown.path(), modal)
	if a := st.Submit("ana", shown, map[string]string{"t": "toolong"}); !strings.Contains(a.Refused, "longer than 5") {
		t.Errorf("%q", a.Refused)
	}
	if a := st.Submit("ana", shown, map[string]string{"t": ""}); !strings.Contains(a.Refused, "required") {
		t.Errorf("%q", a.Refused)
	}
	if a := st.Submit("ana", shown, map[string]string{"t": "ok", "u": "x"}); !strings.Contains(a.Refused, "no field u") {
		t.Errorf("%q", a.Refused)
	}
	sent := st.Submit("ana", shown, map[string]string{"T": "ok"}) // by its label
	if sent.Refused != "" {
		t.Fatal(sent.Refused)
	}
	if a := st.call("POST", sent.path(), modal); a.code != 50035 {
		t.Errorf("a modal after a modal is answered %s", a.text)
	}
	st.broken("a modal after a modal")
	if a := st.Submit("ana", sent, nil); a.Refused != "no modal was shown" {
		t.Errorf("%q", a.Refused)
	}
}

// TestDiscordClients: what a person's client does not let them do.
func TestDiscordClients(t *testing.T) {
	st := registered(t)
	for _, c := range []struct {
		ask  *DiscordAsk
		want string
	}{
		{st.Line("ana", DiscordMain, "/certchek x"), "no command /certchek"},
		{st.Slash("ana", DiscordMain, "incident", nil), "cannot be called"},
		{st.Slash("ana", DiscordMain, "incident close", nil), "cannot be called"},
		{st.Slash("ana", DiscordMain, "incident open", nil), "what is required"},
		{st.Slash("ana", DiscordMain, "incident open", object{"what": "x", "severity": "9"}), "not one of the choices"},
		{st.Slash("ana", DiscordMain, "incident open", object{"what": "x", "hosts": "many"}), "not a number"},
		{st.Slash("ana", DiscordMain, "incident open", object{"what": "x", "where": "y"}), "no option where"},
		{st.Slash("zoe", DiscordMain, "echo", object{"text": "x"}), "nobody called zoe"},
		{st.Slash("ana", "1", "echo", object{"text": "x"}), "no such channel"},
		{st.Slash("ana", st.DM("ana"), "echo", object{"text": "x"}), "not for direct messages"},
		{st.MessageCommand("ana", DiscordMain, "1", "Add to timeline"), "no such message"},
		{st.MessageCommand("ana", DiscordMain, st.Speak("ben", DiscordMain, "x"), "Other"), "no command Other"},
		{st.Complete("ana", DiscordMain, "echo", "text", "x", nil), "does not complete"},
		{st.Press("ana", DiscordMain, "1", "x", nil), "no such message"},
	} {
		if !strings.Contains(c.ask.Refused, c.want) || c.ask.OK() || c.ask.Text() != c.ask.Refused {
			t.Errorf("refused with %q, want %q", c.ask.Refused, c.want)
		}
	}
	ask := st.Slash("ana", DiscordMain, "incident open", object{"what": "x", "severity": "SEV1", "hosts": 3})
	got := ask.Payload["data"].(object)["options"].([]any)[0].(object)["options"].([]any)
	if ask.Refused != "" || got[1].(object)["value"] != "1" || got[2].(object)["value"] != 3.0 {
		t.Errorf("%q %v", ask.Refused, got)
	}
	cmds := commandSet()
	cmds[0].(object)["default_member_permissions"] = "32"
	st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", cmds)
	if a := st.Line("ana", DiscordMain, "/echo x"); !strings.Contains(a.Refused, "permissions are missing") {
		t.Errorf("%q", a.Refused)
	}
	st.Person("dora", st.Role("admins", permManageGuild))
	if a := st.Line("dora", DiscordMain, "/echo x"); a.Refused != "" {
		t.Errorf("%q", a.Refused)
	}
	before := st.Commands(DiscordGuild)
	st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", commandSet())
	after := st.Commands(DiscordGuild)
	if before[0]["id"] != after[0]["id"] || len(after) != 3 {
		t.Error("the same command got another id")
	}
	if n := len(st.good("GET", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", nil).body.([]any)); n != 3 {
		t.Errorf("%d commands", n)
	}
	st.good("PUT", "/applications/"+DiscordApp+"/commands", []any{commandSet()[0]})
	st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", []any{})
	if a := st.Slash("ana", st.DM("ana"), "echo", object{"text": "x"}); a.Refused != "" || a.Payload["user"] == nil || a.Payload["member"] != nil || a.Payload["context"] != 1 {
		t.Errorf("in a direct message: %q %v", a.Refused, a.Payload)
	}
}

// TestDiscordMenu: the message under a message command is readable without the
// intent; autocomplete gives its choices.
func TestDiscordMenu(t *testing.T) {
	st := registered(t)
	id := st.Speak("ben", DiscordMain, "I restarted the proxy")
	ask := st.MessageCommand("ana", DiscordMain, id, "Add to timeline")
	d := ask.Payload["data"].(object)
	if got := d["resolved"].(object)["messages"].(object)[id].(object); got["content"] != "I restarted the proxy" || d["target_id"] != id || d["type"] != 3 {
		t.Errorf("%+v", d)
	}
	c := st.Complete("ana", DiscordMain, "incident note", "incident", "I-", nil)
	sub := c.Payload["data"].(object)["options"].([]any)[0].(object)["options"].([]any)[0].(object)
	if c.Payload["type"] != 4 || sub["focused"] != true || sub["value"] != "I-" {
		t.Errorf("%+v", sub)
	}
	st.good("POST", c.path(), object{"type": 8, "data": object{"choices": []any{object{"name": "I-1 the shop", "value": "I-1"}}}})
	if names, values := c.Choices(); len(names) != 1 || names[0] != "I-1 the shop" || values[0] != "I-1" {
		t.Errorf("%v %v", names, values)
	}
}

// TestDiscordPings: who is notified, as allowed_mentions says.
func TestDiscordPings(t *testing.T) {
	st := discord(t)
	text := "<@" + DiscordUser("ana") + "> <@" + DiscordUser("ben") + "> <@&" + DiscordOnCall + "> @everyone `<@" + DiscordUser("carl") + ">`"
	post := func(allowed object) int {
		t.Helper()
		before := len(st.Pings())
		st.good("POST", mainMessages, object{"content": text, "allowed_mentions": allowed})
		return len(st.Pings()) - before
	}
	if n := post(none); n != 0 {
		t.Errorf("nobody is %d", n)
	}
	if n := post(object{"parse": []any{}, "users": []any{DiscordUser("ben")}}); n != 1 || st.Pings()[0].User != "ben" {
		t.Errorf("%d: %+v", n, st.Pings())
	}
	if n := post(object{"parse": []any{"users"}}); n != 2 {
		t.Errorf("people are %d", n)
	}
	if n := post(object{"parse": []any{}, "roles": []any{DiscordOnCall}}); n != 1 || st.Pings()[3].Role != DiscordOnCall {
		t.Errorf("the role is %d", n)
	}
	st.Grant(DiscordBotRole, permAdmin)
	before := len(st.Pings())
	st.call("POST", mainMessages, object{"content": text, "allowed_mentions": object{"parse": []any{"everyone"}}})
	st.broken("everyone")
	if n := len(st.Pings()) - before; n != 0 {
		t.Errorf("a refused message notified %d", n)
	}
}

// TestDiscordEndpoint: interactions by HTTP are signed, with 202 and the
// callback, or answered in the response.
func TestDiscordEndpoint(t *testing.T) {
	st := registered(t)
	key, _ := hex.DecodeString(st.PublicKey())
	answer := `{"type":4,"data":{"content":"hello","allowed_mentions":{"parse":[]}}}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sig, _ := hex.DecodeString(r.Header.Get("X-Signature-Ed25519"))
		if !ed25519.Verify(key, append([]byte(r.Header.Get("X-Signature-Timestamp")), body...), sig) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var in object
		_ = json.Unmarshal(body, &in)
		switch {
		case in["type"] == 1.0:
			_, _ = io.WriteString(w, `{"type":1}`)
		case strings.Contains(string(body), "later"):
			w.WriteHeader(http.StatusAccepted)
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	defer srv.Close()
	st.Endpoint = srv.URL
	if status, got, err := st.Ping(); status != 200 || got != `{"type":1}` || err != nil {
		t.Errorf("ping: %d %q %v", status, got, err)
	}
	ask := st.Line("ana", DiscordMain, "/echo now")
	if !ask.OK() || ask.Kind() != 4 || !strings.Contains(st.Seen("ben", DiscordMain), "hello") || ask.Status() != 200 {
		t.Errorf("%d %d %q", ask.Kind(), ask.Status(), st.Seen("ben", DiscordMain))
	}
	later := st.Line("ana", DiscordMain, "/echo later")
	st.wait(Wait, func() bool { return later.status != 0 })
	if later.Status() != 202 || later.Kind() != 0 {
		t.Errorf("later: %d %d", later.Status(), later.Kind())
	}
	st.good("POST", later.path(), object{"type": 5})
	// Signed by somebody else.
	body := []byte(`{"type":1}`)
	r, _ := http.NewRequest("POST", srv.URL, bytes.NewReader(body))
	st.SignDiscord(r, []byte(`{"type":2}`), time.Now())
	resp, err := st.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("another body's signature is answered %d", resp.StatusCode)
	}
	answer = `{"type":4,"data":{"content":"hello"}}`
	bad := st.Line("ana", DiscordMain, "/echo bad")
	st.spy.wait()
	st.broken("no allowed_mentions")
	if bad.Kind() != 0 {
		t.Error("an answer without allowed_mentions was taken")
	}
}
