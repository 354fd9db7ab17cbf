package bottest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const mainMessages = "/channels/" + DiscordMain + "/messages"

// TestDiscordMessages: made, read, listed, edited, deleted; nonces; whose they
// are; how old they may be.
func TestDiscordMessages(t *testing.T) {
	st := discord(t)
	one := st.good("POST", mainMessages, say("one")).str("id")
	two := st.good("POST", mainMessages, object{"content": "two", "allowed_mentions": none, "nonce": "n1"}).str("id")
	if three := st.good("POST", mainMessages, object{"content": "two", "allowed_mentions": none, "nonce": "n1"}).str("id"); three == two {
		t.Error("a nonce that is not enforced made one message of two")
	}
	if got := st.good("GET", mainMessages+"/"+one, nil).str("content"); got != "one" {
		t.Errorf("read %q", got)
	}
	ids := func(query string) []string {
		var all []string
		for _, m := range st.good("GET", mainMessages+query, nil).body.([]any) {
			all = append(all, m.(object)["id"].(string))
		}
		return all
	}
	all := ids("")
	if len(all) != 3 || all[2] != one || all[1] != two {
		t.Errorf("listed %v", all)
	}
	if got := ids("?limit=1"); len(got) != 1 || got[0] != all[0] {
		t.Errorf("the newest: %v", got)
	}
	if got := ids("?before=" + two); !slices.Equal(got, []string{one}) {
		t.Errorf("before two: %v", got)
	}
	if got := ids("?limit=1&after=" + one); !slices.Equal(got, []string{two}) {
		t.Errorf("after one: %v", got)
	}
	st.good("PATCH", mainMessages+"/"+one, object{"content": "uno", "allowed_mentions": none, "components": []any{row(knob("Go", "go"))}})
	st.good("PATCH", mainMessages+"/"+one, object{"components": []any{}, "allowed_mentions": none})
	m, _ := st.Message(DiscordMain, one)
	if m.Content != "uno" || len(m.Components) != 0 || m.Edits != 2 {
		t.Errorf("edited: %+v", m)
	}
	st.fails(50006, "POST", mainMessages, say("  "))
	st.fails(50006, "PATCH", mainMessages+"/"+one, say(""))
	if m, _ := st.Message(DiscordMain, one); m.Content != "uno" {
		t.Errorf("a refused edit left %q", m.Content)
	}
	theirs := st.Speak("ana", DiscordMain, "hello")
	st.fails(50005, "PATCH", mainMessages+"/"+theirs, say("mine"))
	if got := st.good("GET", mainMessages+"/"+theirs, nil).str("content"); got != "" {
		t.Errorf("without the intent the bot reads %q", got)
	}
	asked := st.Mention("ana", DiscordMain, "help")
	if got := st.good("GET", mainMessages+"/"+asked, nil).str("content"); !strings.HasSuffix(got, "help") {
		t.Errorf("what is said to it reads %q", got)
	}
	st.Advance(time.Hour + time.Second)
	st.fails(30046, "PATCH", mainMessages+"/"+one, say("late"))
	st.good("DELETE", mainMessages+"/"+one, nil)
	st.fails(10008, "GET", mainMessages+"/"+one, nil)
	st.DeleteMessage(DiscordMain, two)
	st.fails(10008, "PATCH", mainMessages+"/"+two, say("gone"))
	st.fails(10003, "POST", "/channels/1/messages", say("nowhere"))
	st.fails(50024, "POST", "/channels/"+DiscordCategory+"/messages", say("in a category"))
	st.DeleteChannel(DiscordMain)
	st.fails(10003, "POST", mainMessages, say("too late"))
	if got := st.Seen("ana", DiscordMain); got != "" {
		t.Errorf("a deleted channel shows %q", got)
	}
}

func knob(label, id string) object {
	return object{"type": 2, "style": 1, "label": label, "custom_id": id}
}

func row(cs ...any) object { return object{"type": 1, "components": cs} }

// TestDiscordFiles: files come with a form, can be fetched, and are kept or
// dropped by an edit.
func TestDiscordFiles(t *testing.T) {
	st := discord(t)
	a := st.form("POST", mainMessages, object{"content": "draft", "allowed_mentions": none, "attachments": []any{object{"id": "0", "filename": "draft-1.md"}}}, map[string]string{"x.md": "one"})
	if a.status != 200 {
		t.Fatal(a.text)
	}
	id := a.str("id")
	file := a.body.(object)["attachments"].([]any)[0].(object)
	resp, err := http.Get(file["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(b) != "one" || file["filename"] != "draft-1.md" {
		t.Errorf("fetched %q of %v", b, file)
	}
	keep := object{"allowed_mentions": none, "content": "draft 2", "attachments": []any{object{"id": file["id"]}, object{"id": "0", "filename": "draft-2.md"}}}
	if a := st.form("PATCH", mainMessages+"/"+id, keep, map[string]string{"y.md": "two"}); a.status != 200 {
		t.Fatal(a.text)
	}
	m, _ := st.Message(DiscordMain, id)
	if j := st.JSON(DiscordMain, id); !strings.Contains(j, `"filename": "draft-2.md"`) || st.JSON(DiscordMain, "1") != "" {
		t.Errorf("JSON %s", j)
	}
	if len(m.Files) != 2 || m.Files[1].Name != "draft-2.md" || string(m.Files[1].Data) != "two" {
		t.Errorf("files %+v", m.Files)
	}
	st.good("PATCH", mainMessages+"/"+id, object{"content": "none", "allowed_mentions": none, "attachments": []any{}})
	if m, _ := st.Message(DiscordMain, id); len(m.Files) != 0 {
		t.Errorf("files %+v", m.Files)
	}
	if a := st.form("POST", mainMessages, say("big"), map[string]string{"big": strings.Repeat("x", 10<<20+1)}); a.code != 40005 || a.status != 413 {
		t.Errorf("11 MB are answered %d %s", a.status, a.text)
	}
}

// TestDiscordAnswerFiles: responses, their edits and follow-ups carry files.
func TestDiscordAnswerFiles(t *testing.T) {
	st := registered(t)
	ask := st.Line("ana", DiscordMain, "/echo x")
	if a := st.form("POST", ask.path(), object{"type": 4, "data": object{"content": "here", "flags": 64, "allowed_mentions": none}}, map[string]string{"one.md": "1"}); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if a := st.form("PATCH", ask.hook()+"/messages/@original", say("two of them"), map[string]string{"two.md": "2"}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if a := st.form("POST", ask.hook()+"?wait=true", say("and one more"), map[string]string{"three.md": "3"}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if want := "ana used /echo\ntwo of them\nfile one.md\nfile two.md\nand one more\nfile three.md\n"; ask.Text() != want {
		t.Errorf("reads %q, want %q", ask.Text(), want)
	}
	m, _ := ask.Message()
	if len(m.Files) != 2 || string(m.Files[1].Data) != "2" || strings.Contains(st.Seen("ben", DiscordMain), "one.md") {
		t.Errorf("%+v", m.Files)
	}
}

// TestDiscordPins: pinned once, listed both ways, full at 250.
func TestDiscordPins(t *testing.T) {
	st := discord(t)
	id := st.good("POST", mainMessages, say("card")).str("id")
	st.good("PUT", mainMessages+"/pins/"+id, nil)
	st.good("PUT", "/channels/"+DiscordMain+"/pins/"+id, nil)
	if n := len(st.good("GET", "/channels/"+DiscordMain+"/pins", nil).body.([]any)); n != 1 {
		t.Errorf("%d pins the old way", n)
	}
	if items := st.good("GET", mainMessages+"/pins", nil).body.(object)["items"].([]any); len(items) != 1 || items[0].(object)["message"].(object)["pinned"] != true {
		t.Errorf("pins %v", items)
	}
	st.good("DELETE", mainMessages+"/pins/"+id, nil)
	st.FillPins(DiscordMain)
	st.fails(30003, "PUT", mainMessages+"/pins/"+id, nil)
	st.fails(10008, "PUT", mainMessages+"/pins/77", nil)
	if c, _ := st.Channel("tls"); len(c.Pins) != 250 || slices.Contains(c.Pins, id) {
		t.Errorf("%d pins", len(c.Pins))
	}
}

// TestDiscordPermissions: what the bot may, as roles and overwrites say it.
func TestDiscordPermissions(t *testing.T) {
	st := discord(t)
	ch := st.good("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "private", "type": 0, "permission_overwrites": []any{
		object{"id": DiscordGuild, "type": 0, "allow": "0", "deny": "1024"}, object{"id": DiscordApp, "type": 1, "allow": "1024", "deny": "0"}, object{"id": DiscordUser("ana"), "type": 1, "allow": "1024", "deny": "0"}}}).str("id")
	path := "/channels/" + ch
	id := st.good("POST", path+"/messages", say("between us")).str("id")
	if st.Seen("ana", ch) != "between us\n" || st.Seen("gus", ch) != "" {
		t.Errorf("ana reads %q, gus %q", st.Seen("ana", ch), st.Seen("gus", ch))
	}
	if a := st.Line("gus", ch, "/echo hi"); !strings.Contains(a.Refused, "does not see") {
		t.Errorf("gus: %q", a.Refused)
	}
	// Of what roles say, what is allowed wins.
	st.Permit(ch, DiscordOnCall, permView, 0)
	if st.Seen("ben", ch) == "" {
		t.Error("ben's role was let in and he sees nothing")
	}
	st.Permit(ch, DiscordOnCall, 0, permView)
	if st.Seen("ben", ch) != "" || st.Seen("ana", ch) == "" {
		t.Error("a role was shut out: ben should not see it, ana should")
	}
	st.good("PUT", path+"/permissions/"+DiscordUser("gus"), object{"type": 1, "allow": "1024", "deny": "0"})
	if st.Seen("gus", ch) == "" {
		t.Error("gus was let in and sees nothing")
	}
	st.good("DELETE", path+"/permissions/"+DiscordUser("gus"), nil)
	st.fails(10009, "DELETE", path+"/permissions/"+DiscordUser("gus"), nil)
	st.fails(50013, "PUT", path+"/permissions/"+DiscordUser("gus"), object{"type": 1, "allow": "8", "deny": "0"}) // administrator: it has not got it
	st.fails(10009, "PUT", path+"/permissions/99", object{"type": 1, "allow": "1024", "deny": "0"})
	for _, c := range []struct {
		name         string
		deny         int64
		code         int
		method, path string
		body         any
	}{
		{"send", permSend, 50013, "POST", "/messages", say("x")},
		{"embeds", permEmbed, 50013, "POST", "/messages", object{"embeds": []any{object{"title": "x"}}, "allowed_mentions": none}},
		{"history", permHistory, 50013, "GET", "/messages/" + id, nil},
		{"pin", permPin, 50013, "PUT", "/messages/pins/" + id, nil},
		{"react", permAddReactions, 50013, "PUT", "/messages/" + id + "/reactions/%E2%9C%85/@me", nil},
		{"manage", permManageChannels, 50013, "PATCH", "", object{"topic": "x"}},
		{"delete", permManageChannels, 50013, "DELETE", "", nil},
		{"overwrites", permManageRoles, 50013, "PUT", "/permissions/" + DiscordUser("gus"), object{"type": 1, "allow": "1024"}},
		{"threads", permPublicThreads, 50013, "POST", "/threads", object{"name": "t", "type": 11}},
		{"private threads", permPrivateThreads, 50013, "POST", "/threads", object{"name": "t", "type": 12}},
		{"view", permView, 50001, "POST", "/messages", say("x")},
		{"view the channel", permView, 50001, "GET", "", nil},
	} {
		st.Permit(ch, DiscordApp, permView, c.deny)
		if c.deny == permView {
			st.Permit(ch, DiscordApp, 0, c.deny)
		}
		if a := st.call(c.method, path+c.path, c.body); a.code != c.code || a.status != 403 {
			t.Errorf("without %s: %d %s", c.name, a.status, a.text)
		}
	}
	st.Permit(ch, DiscordApp, permView, 0)
	st.good("POST", path+"/messages", say("again"))
	st.Grant(DiscordBotRole, 0)
	st.Grant(DiscordGuild, permView)
	st.fails(50013, "POST", mainMessages, say("x"))
	st.fails(50013, "POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "x", "type": 0})
	st.Grant(DiscordBotRole, permAdmin)
	st.good("POST", mainMessages, say("x"))
}

// TestDiscordThreads: started of its own and of a message, members, archived
// and locked.
func TestDiscordThreads(t *testing.T) {
	st := discord(t)
	own := st.good("POST", "/channels/"+DiscordMain+"/threads", object{"name": "I-1", "type": 12, "auto_archive_duration": 1440, "invitable": false}).str("id")
	path := "/channels/" + own
	st.good("POST", path+"/messages", say("inside"))
	if st.Seen("ana", own) != "" {
		t.Error("a private thread is seen by who was not added")
	}
	st.good("PUT", path+"/thread-members/"+DiscordUser("ana"), nil)
	if st.Seen("ana", own) != "inside\n" {
		t.Errorf("ana reads %q", st.Seen("ana", own))
	}
	if n := len(st.good("GET", path+"/thread-members", nil).body.([]any)); n != 2 {
		t.Errorf("%d members", n)
	}
	st.good("DELETE", path+"/thread-members/"+DiscordUser("ana"), nil)
	st.fails(10007, "PUT", path+"/thread-members/44", nil)
	if a := st.good("PATCH", path, object{"archived": true, "locked": true}); a.body.(object)["thread_metadata"].(object)["locked"] != true {
		t.Errorf("%s", a.text)
	}
	st.fails(50083, "POST", path+"/messages", say("late"))
	st.fails(50083, "PATCH", path, object{"name": "other"})
	st.fails(50083, "PUT", path+"/thread-members/"+DiscordUser("ana"), nil)
	st.good("PATCH", path, object{"archived": false})
	id := st.good("POST", path+"/messages", say("back")).str("id")
	st.Archive(own, true, true) // by somebody else
	st.fails(50083, "PATCH", path+"/messages/"+id, say("edit"))
	st.fails(50083, "PUT", path+"/messages/pins/"+id, nil)
	st.Permit(DiscordMain, DiscordApp, 0, permManageThreads)
	st.fails(160005, "PATCH", path, object{"archived": false})
	st.Permit(DiscordMain, DiscordApp, 0, 0)
	card := st.good("POST", mainMessages, say("card")).str("id")
	of := st.good("POST", mainMessages+"/"+card+"/threads", object{"name": "of the card"})
	if of.str("id") != card || of.body.(object)["type"] != 11.0 {
		t.Errorf("%s", of.text)
	}
	st.fails(160004, "POST", mainMessages+"/"+card+"/threads", object{"name": "twice"})
	if n := len(st.good("GET", "/guilds/"+DiscordGuild+"/threads/active", nil).body.(object)["threads"].([]any)); n != 1 {
		t.Errorf("%d active threads", n)
	}
	st.fails(50024, "POST", path+"/threads", object{"name": "in a thread", "type": 11})
	st.DeleteChannel(DiscordMain)
	st.fails(10003, "GET", "/channels/"+card, nil)
}

// TestDiscordReactions: by people and by the bot.
func TestDiscordReactions(t *testing.T) {
	st := discord(t)
	id := st.good("POST", mainMessages, say("card")).str("id")
	st.React("ana", DiscordMain, id, "📌")
	st.React("ana", DiscordMain, id, "📌")
	path := mainMessages + "/" + id + "/reactions/%F0%9F%93%8C"
	st.good("PUT", path+"/@me", nil)
	who := st.good("GET", path, nil).body.([]any)
	if len(who) != 2 || who[0].(object)["username"] != "ana" {
		t.Errorf("reactions %v", who)
	}
	st.Unreact("ana", DiscordMain, id, "📌")
	st.good("DELETE", path+"/@me", nil)
	if who := st.good("GET", path, nil).body.([]any); len(who) != 0 {
		t.Errorf("reactions %v", who)
	}
}

// TestDiscordGuild: people and roles as the bot can ask for them.
func TestDiscordGuild(t *testing.T) {
	st := discord(t)
	if a := st.good("GET", "/guilds/"+DiscordGuild+"/members/"+DiscordUser("ana"), nil); a.str("user", "username") != "ana" {
		t.Errorf("%s", a.text)
	}
	st.fails(10007, "GET", "/guilds/"+DiscordGuild+"/members/5", nil)
	if n := len(st.good("GET", "/guilds/"+DiscordGuild+"/members/search?query=be&limit=5", nil).body.([]any)); n != 1 {
		t.Errorf("%d people found", n)
	}
	st.fails(50001, "GET", "/guilds/"+DiscordGuild+"/members?limit=10", nil)
	if n := len(st.good("GET", "/guilds/"+DiscordGuild+"/roles", nil).body.([]any)); n != 3 {
		t.Errorf("%d roles", n)
	}
	st.good("GET", "/guilds/"+DiscordGuild, nil)
	st.good("GET", "/users/@me/guilds", nil)
	if a := st.good("GET", "/applications/@me", nil); a.str("verify_key") != st.PublicKey() {
		t.Errorf("%s", a.text)
	}
	st.good("GET", "/oauth2/applications/@me", nil)
	if got := st.good("GET", "/gateway/bot", nil).str("url"); got != st.GatewayURL() {
		t.Errorf("%q", got)
	}
	for range 50 {
		st.good("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "x", "type": 0, "parent_id": DiscordCategory})
	}
	st.fails(50035, "POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "x", "type": 0, "parent_id": DiscordCategory})
	st.fails(50035, "POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "x", "type": 0, "parent_id": DiscordMain})
	if a := st.good("PATCH", "/channels/"+DiscordMain, object{"name": "TLS Alerts", "topic": "on call: ana", "parent_id": nil}); a.str("name") != "tls-alerts" || a.str("topic") != "on call: ana" {
		t.Errorf("%s", a.text)
	}
	dm := st.good("POST", "/users/@me/channels", object{"recipient_id": DiscordUser("ana")}).str("id")
	st.good("POST", "/channels/"+dm+"/messages", say("hello"))
	if dm != st.DM("ana") || st.Seen("ana", dm) != "hello\n" {
		t.Errorf("direct: %q", st.Seen("ana", dm))
	}
}
