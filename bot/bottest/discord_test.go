package bottest

import (
	"strings"
	"testing"
)

// bare commands for tests: /echo text, /incident open what [severity], and a
// command for messages.
func commandSet() []any {
	return []any{
		object{"name": "echo", "description": "Say it again", "options": []any{object{"type": 3, "name": "text", "description": "What", "required": true}}},
		object{"name": "incident", "description": "Incidents", "options": []any{
			object{"type": 1, "name": "open", "description": "Open one", "options": []any{
				object{"type": 3, "name": "what", "description": "What is wrong", "required": true},
				object{"type": 3, "name": "severity", "description": "How bad", "choices": []any{object{"name": "SEV1", "value": "1"}, object{"name": "SEV2", "value": "2"}}},
				object{"type": 4, "name": "hosts", "description": "How many", "min_value": 1},
			}},
			object{"type": 1, "name": "note", "description": "Note", "options": []any{object{"type": 3, "name": "incident", "description": "Which", "autocomplete": true}}},
		}},
		object{"name": "Add to timeline", "type": 3},
	}
}

// TestDiscordOutage is the fake's whole way once: commands, a deferred answer,
// a button, a modal, a channel with a pinned card, a file.
func TestDiscordOutage(t *testing.T) {
	st := discord(t)
	if got := st.good("GET", "/gateway", nil).str("url"); got != st.GatewayURL() {
		t.Errorf("gateway %q", got)
	}
	st.good("PUT", "/applications/"+DiscordApp+"/guilds/"+DiscordGuild+"/commands", commandSet())
	l, _ := st.enter(intentGuilds)
	ask := st.Line("ana", DiscordMain, "/incident open the shop is down severity:1")
	p := l.want(opDispatch, "INTERACTION_CREATE")
	if name := p.get("member", "user", "username"); name != "ana" {
		t.Errorf("asked by %v", name)
	}
	id, token := p.get("id").(string), p.get("token").(string)
	sub := p.get("data", "options").([]any)[0].(object)
	if sub["name"] != "open" || sub["options"].([]any)[0].(object)["value"] != "the shop is down" || sub["options"].([]any)[1].(object)["value"] != "1" {
		t.Errorf("options %+v", sub)
	}
	st.good("POST", "/interactions/"+id+"/"+token+"/callback", object{"type": 5})
	if !ask.OK() || ask.Kind() != 5 || !strings.Contains(st.Seen("ben", DiscordMain), "certmedic is thinking") {
		t.Errorf("deferred: %d, %q", ask.Kind(), st.Seen("ben", DiscordMain))
	}
	hook := "/webhooks/" + DiscordApp + "/" + token
	st.good("PATCH", hook+"/messages/@original", object{"content": "**I-1** is open since <t:1700000000:F>.", "allowed_mentions": none, "components": []any{object{"type": 1, "components": []any{object{"type": 2, "style": 1, "label": "Note", "custom_id": "v1:note"}}}}})
	if got := st.Seen("ben", DiscordMain); !strings.Contains(got, "ana used /incident\nI-1 is open since 2023-11-14 22:13:20 UTC.\n[Note] \n") {
		t.Errorf("seen: %q", got)
	}
	click := st.Click("ben", DiscordMain, "Note")
	l.want(opDispatch, "INTERACTION_CREATE")
	st.good("POST", "/interactions/"+click.ID+"/"+click.Token+"/callback", object{"type": 9, "data": object{"custom_id": "note:I-1", "title": "Note", "components": []any{
		object{"type": 18, "label": "What happened", "component": object{"type": 4, "style": 2, "custom_id": "text", "required": true}}}}})
	if !click.OK() {
		t.Fatal("no modal")
	}
	sent := st.Submit("ben", click, map[string]string{"text": "restarted the proxy"})
	p = l.want(opDispatch, "INTERACTION_CREATE")
	if got := p.get("data", "components").([]any)[0].(object)["component"].(object)["value"]; got != "restarted the proxy" {
		t.Errorf("submitted %v", got)
	}
	st.good("POST", "/interactions/"+sent.ID+"/"+sent.Token+"/callback", object{"type": 4, "data": object{"content": "Noted.", "flags": 64, "allowed_mentions": none}})
	if !sent.OK() || !strings.Contains(sent.Text(), "Noted.") || strings.Contains(st.Seen("ana", DiscordMain), "Noted.") || !strings.Contains(st.Seen("ben", DiscordMain), "Noted.") {
		t.Errorf("the note: %q", sent.Text())
	}
	ch := st.good("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "Inc 1", "type": 0, "parent_id": DiscordCategory, "topic": "SEV1"}).str("id")
	l.want(opDispatch, "CHANNEL_CREATE")
	card := st.good("POST", "/channels/"+ch+"/messages", object{"embeds": []any{object{"title": "I-1", "description": "the shop is down"}}, "allowed_mentions": none, "nonce": "card-1", "enforce_nonce": true}).str("id")
	again := st.good("POST", "/channels/"+ch+"/messages", object{"content": "another", "allowed_mentions": none, "nonce": "card-1", "enforce_nonce": true}).str("id")
	if card != again {
		t.Error("the same nonce made two messages")
	}
	st.good("PUT", "/channels/"+ch+"/pins/"+card, nil)
	if a := st.form("POST", "/channels/"+ch+"/messages", say("the draft"), map[string]string{"draft.md": "# I-1"}); a.status != 200 {
		t.Fatalf("file: %d %s", a.status, a.text)
	}
	c, _ := st.Channel("inc-1")
	if len(c.Messages) != 2 || len(c.Pins) != 1 || string(c.Messages[1].Files[0].Data) != "# I-1" {
		t.Errorf("channel %+v", c)
	}
	if got := st.Seen("gus", ch); got != "I-1\nthe shop is down\nthe draft\nfile draft.md\n" {
		t.Errorf("seen: %q", got)
	}
}

// TestDiscordPage: the page shows what a person sees, and nothing on it is
// markup of a stranger's.
func TestDiscordPage(t *testing.T) {
	st := registered(t)
	ask := st.Line("ana", DiscordMain, "/echo x")
	st.good("POST", ask.path(), object{"type": 4, "data": object{"content": "**good** `a<b>`\n-# small\n<t:1700000000:F> \\*as it is\\* <script>alert(1)</script>", "flags": 64, "allowed_mentions": none,
		"embeds":     []any{object{"title": "I-1 <img>", "color": 0xda373c, "fields": []any{object{"name": "hosts", "value": "4 of 4", "inline": true}}}},
		"components": []any{row(knob("Renew <b>", "a"), object{"type": 2, "style": 4, "label": "Stop", "custom_id": "b", "disabled": true})}}})
	page := st.Page("ana", DiscordMain)
	for _, want := range []string{"<b>good</b> <code>a&lt;b&gt;</code>", `<span class="s">small</span>`, "2023-11-14 22:13:20 UTC", "*as it is* &lt;script&gt;", "I-1 &lt;img&gt;", "border-left-color:#da373c",
		`<div class="f i"><b>hosts</b>4 of 4</div>`, `<span class="k k1">Renew &lt;b&gt;</span>`, `<span class="k k4 off">Stop</span>`, "Only you can see this", "ana used"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
	if got := st.Page("ben", DiscordMain); strings.Contains(got, "good") || !strings.Contains(got, "# tls") {
		t.Errorf("ben sees %s", got)
	}
	st.Permit(DiscordMain, "gus", 0, permView)
	if got := st.Page("gus", DiscordMain); got != "" {
		t.Errorf("gus sees %s", got)
	}
}
