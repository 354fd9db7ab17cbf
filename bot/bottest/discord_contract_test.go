package bottest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// embed is a message with one embed.
func embed(e object) object { return object{"embeds": []any{e}, "allowed_mentions": none} }

func option(kind int, name string, more ...any) object {
	o := object{"type": kind, "name": name, "description": "d"}
	for i := 0; i+1 < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return o
}

func slash(name string, options ...any) object {
	return object{"name": name, "description": "d", "options": options}
}

// TestDiscordContract: each breach of a schema or a rule is refused and told,
// and its neighbour that is none is not. Rows with schema need the document.
func TestDiscordContract(t *testing.T) {
	st := registered(t)
	long := func(n int) string { return strings.Repeat("é", n) }
	message := func(m any) (string, string, any) { return "POST", mainMessages, m }
	commands := func(cs ...any) (string, string, any) {
		return "PUT", "/applications/" + DiscordApp + "/guilds/" + DiscordGuild + "/commands", cs
	}
	type request struct {
		method, path string
		body         any
	}
	mk := func(method, path string, body any) request { return request{method, path, body} }
	many := func(n int, f func(i int) any) []any {
		var all []any
		for i := range n {
			all = append(all, f(i))
		}
		return all
	}
	choice := func(i int) any { return object{"name": fmt.Sprint("c", i), "value": fmt.Sprint(i)} }
	for _, c := range []struct {
		name   string
		schema bool
		req    request
		words  string // "": it is none
	}{
		// Messages.
		{"2000 characters", false, mk(message(say(long(2000)))), ""},
		{"2001 characters", false, mk(message(say(long(2001)))), "2000"},
		{"an unknown member", true, mk(message(with(say("x"), "colour", 1))), "colour"},
		{"a number for content", true, mk(message(with(say("x"), "content", 1))), "content"},
		{"what libraries add", false, mk(message(object{"content": "x", "tts": false, "embeds": nil, "components": nil, "sticker_ids": nil, "allowed_mentions": none})), ""},
		{"no allowed_mentions", false, mk(message(object{"content": "x"})), "no allowed_mentions"},
		{"parse null", false, mk(message(with(say("x"), "allowed_mentions", object{"parse": nil}))), "without parse"},
		{"everyone", false, mk(message(with(say("x"), "allowed_mentions", object{"parse": []any{"everyone"}}))), "everyone"},
		{"parsed and listed", false, mk(message(with(say("x"), "allowed_mentions", object{"parse": []any{"users"}, "users": []any{DiscordUser("ana")}}))), "one of both"},
		{"a word for parse", true, mk(message(with(say("x"), "allowed_mentions", object{"parse": []any{"me"}}))), "allowed_mentions"},
		{"a nonce of 26", false, mk(message(with(say("x"), "nonce", strings.Repeat("x", 26)))), "nonce"},
		// Embeds.
		{"a title of 257", true, mk(message(embed(object{"title": long(257)}))), "title"},
		{"6000 in two embeds", false, mk(message(object{"embeds": []any{object{"description": long(3000)}, object{"description": long(3000)}}, "allowed_mentions": none})), ""},
		{"6001 in two embeds", false, mk(message(object{"embeds": []any{object{"description": long(3000)}, object{"description": long(2900), "footer": object{"text": long(101)}}}, "allowed_mentions": none})), "6000"},
		{"an empty field", false, mk(message(embed(object{"fields": []any{object{"name": " ", "value": "x"}}}))), "without a name"},
		{"26 fields", true, mk(message(embed(object{"fields": many(26, func(int) any { return object{"name": "a", "value": "b"} })}))), "fields"},
		{"a long footer", false, mk(message(embed(object{"footer": object{"text": long(2049)}}))), "footer"},
		{"a long author", false, mk(message(embed(object{"author": object{"name": long(257)}}))), "author"},
		{"a colour too big", true, mk(message(embed(object{"title": "x", "color": 1 << 24}))), "color"},
		// Components.
		{"5 rows", false, mk(message(with(say("x"), "components", many(5, func(i int) any { return row(knob("A", fmt.Sprint(i))) })))), ""},
		{"6 rows", false, mk(message(with(say("x"), "components", many(6, func(i int) any { return row(knob("A", fmt.Sprint(i))) })))), "5 are the most"},
		{"6 buttons in a row", true, mk(message(with(say("x"), "components", []any{row(many(6, func(i int) any { return knob("A", fmt.Sprint(i)) })...)}))), "components"},
		{"an id twice", false, mk(message(with(say("x"), "components", []any{row(knob("A", "a"), knob("B", "a"))}))), "stands twice"},
		{"an id of 101", false, mk(message(with(say("x"), "components", []any{row(knob("A", long(101)))}))), "custom"},
		{"a label of 81", true, mk(message(with(say("x"), "components", []any{row(knob(long(81), "a"))}))), "label"},
		{"no label", false, mk(message(with(say("x"), "components", []any{row(knob("", "a"))}))), "without a label"},
		{"a link with an id", false, mk(message(with(say("x"), "components", []any{row(with(knob("A", "a"), "url", "https://example.org"))}))), "a custom id, or a URL"},
		{"no id", false, mk(message(with(say("x"), "components", []any{row(object{"type": 2, "style": 1, "label": "A"})}))), "a custom id, or a URL"},
		{"a select beside a button", false, mk(message(with(say("x"), "components", []any{row(knob("A", "a"), object{"type": 5, "custom_id": "u"})}))), "beside"},
		{"a value twice", false, mk(message(with(say("x"), "components", []any{row(object{"type": 3, "custom_id": "s", "options": []any{object{"label": "a", "value": "1"}, object{"label": "b", "value": "1"}}})}))), "twice"},
		{"a text display without the flag", false, mk(message(with(say("x"), "components", []any{object{"type": 10, "content": "x"}}))), "version 2"},
		{"version 2", false, mk(message(object{"flags": fV2, "components": []any{object{"type": 10, "content": "x"}}, "allowed_mentions": none})), ""},
		{"version 2 and content", false, mk(message(object{"content": "x", "flags": fV2, "components": []any{object{"type": 10, "content": "x"}}, "allowed_mentions": none})), "version 2"},
		// Channels.
		{"a topic of 1025", false, mk("PATCH", "/channels/"+DiscordMain, object{"topic": long(1025)}), "1024"},
		{"a name of 101", true, mk("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": long(101), "type": 0}), "name"},
		{"a channel of no kind", true, mk("POST", "/guilds/"+DiscordGuild+"/channels", object{"name": "x", "type": 77}), "type"},
		{"a channel archived", true, mk("PATCH", "/channels/"+DiscordMain, object{"archived": true}), "archived"},
		{"a thread without a type", false, mk("POST", "/channels/"+DiscordMain+"/threads", object{"name": "x"}), "without a type"},
		{"a thread for 7 minutes", true, mk("POST", "/channels/"+DiscordMain+"/threads", object{"name": "x", "type": 11, "auto_archive_duration": 7}), "auto_archive_duration"},
		{"an unknown query", true, mk("GET", mainMessages+"?last=1", nil), `no "last"`},
		{"a body where none is", true, mk("PUT", mainMessages+"/pins/1", object{"x": 1}), "takes none"},
		// Commands.
		{"the set", false, mk(commands(commandSet()...)), ""},
		{"what discordgo adds", false, mk(commands(object{"name": "a", "description": "d", "default_member_permissions": "32", "options": []any{
			object{"type": 1, "name": "b", "description": "d", "channel_types": nil, "required": false, "options": nil, "autocomplete": false, "choices": nil}}})), ""},
		{"a capital", false, mk(commands(slash("Echo"))), "cannot be a name"},
		{"a space", false, mk(commands(slash("echo it"))), "cannot be a name"},
		{"no description", false, mk(commands(object{"name": "echo"})), "no description"},
		{"a description of 101", true, mk(commands(object{"name": "echo", "description": long(101)})), "description"},
		{"a described menu", false, mk(commands(object{"name": "Add it", "type": 3, "description": "d"})), "takes no description"},
		{"a command twice", false, mk(commands(slash("a"), slash("a"))), "stands twice"},
		{"the same name for messages", false, mk(commands(slash("a"), object{"name": "a", "type": 3})), ""},
		{"required after optional", false, mk(commands(slash("a", option(3, "b"), option(3, "c", "required", true)))), "comes after one that is not"},
		{"required first", false, mk(commands(slash("a", option(3, "c", "required", true), option(3, "b")))), ""},
		{"26 options", false, mk(commands(slash("a", many(26, func(i int) any { return option(3, fmt.Sprint("o", i)) })...))), "o"},
		{"an option twice", false, mk(commands(slash("a", option(3, "b"), option(3, "b")))), "stands twice"},
		{"26 choices", true, mk(commands(slash("a", option(3, "b", "choices", many(26, choice))))), "choices"},
		{"a choice twice", false, mk(commands(slash("a", option(3, "b", "choices", []any{choice(1), choice(1)})))), "twice"},
		{"choices and completing", false, mk(commands(slash("a", option(3, "b", "autocomplete", true, "choices", []any{choice(1)})))), "completes, and has choices"},
		{"completing a person", false, mk(commands(slash("a", option(6, "b", "autocomplete", true)))), "b"},
		{"a subcommand beside an option", false, mk(commands(slash("a", option(1, "b"), option(3, "c")))), "side by side"},
		{"a group", false, mk(commands(slash("a", option(2, "g", "options", []any{option(1, "b")})))), ""},
		{"a group of nothing", false, mk(commands(slash("a", option(2, "g")))), "a group of nothing"},
		{"a group in a group", false, mk(commands(slash("a", option(2, "g", "options", []any{option(2, "h", "options", []any{option(1, "b")})})))), "a"},
		{"an option in a group", false, mk(commands(slash("a", option(2, "g", "options", []any{option(3, "b")})))), "a"},
		{"a subcommand in a subcommand", false, mk(commands(slash("a", option(1, "b", "options", []any{option(1, "c")})))), "a"},
		{"8000 characters", false, mk(commands(big(8000))), ""},
		{"8001 characters", false, mk(commands(big(8001))), "8000"},
		{"101 commands", false, mk(commands(many(101, func(i int) any { return slash(fmt.Sprint("c", i)) })...)), "100"},
	} {
		if c.schema && !st.contract.with {
			continue
		}
		a := st.call(c.req.method, c.req.path, c.req.body)
		if c.words == "" {
			if a.status/100 != 2 {
				t.Errorf("%s: answered %d %s", c.name, a.status, a.text)
			}
			if all := st.spy.breaches(); len(all) > 0 {
				t.Errorf("%s: %q", c.name, all)
			}
			continue
		}
		if a.code != 50035 {
			t.Errorf("%s: answered %d %s", c.name, a.status, a.text)
		}
		all := st.spy.breaches()
		if len(all) != 1 || !strings.Contains(all[0], c.words) {
			t.Errorf("%s: told %q", c.name, all)
		}
	}
	if !st.contract.with {
		t.Logf("NO SPECIFICATION: the rows that need %s were left out", discordSpecName)
	}
}

// TestDiscordNesting: what the schema refuses too is refused without it.
func TestDiscordNesting(t *testing.T) {
	sub := option(1, "b")
	for _, c := range []struct {
		name  string
		cmd   object
		words string // "": it is fine
	}{
		{"a group", slash("a", option(2, "g", "options", []any{sub})), ""},
		{"a group in a group", slash("a", option(2, "g", "options", []any{option(2, "h", "options", []any{sub})})), "too deep"},
		{"a group in a subcommand", slash("a", option(1, "g", "options", []any{option(2, "h", "options", []any{sub})})), "too deep"},
		{"a subcommand in a subcommand", slash("a", option(1, "b", "options", []any{option(1, "c")})), "too deep"},
		{"an option in a group", slash("a", option(2, "g", "options", []any{option(3, "b")})), "in a group"},
		{"26 options", slash("a", many26()...), "25 are the most"},
		{"completing a person", slash("a", option(6, "b", "autocomplete", true)), "cannot complete"},
	} {
		var cmd any
		b, err := json.Marshal(c.cmd)
		if err == nil {
			err = json.Unmarshal(b, &cmd)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = commandsRules([]any{cmd})
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func many26() (all []any) {
	for i := range 26 {
		all = append(all, option(3, fmt.Sprint("o", i)))
	}
	return all
}

// big is a command of n characters: names, descriptions and 100 values.
func big(n int) object {
	left := n - len("bigd") - 4*len("o0d") - 100*len("00")
	var options []any
	for i := range 4 {
		var choices []any
		for j := range 25 {
			size := left / 100
			if i*25+j < left%100 {
				size++
			}
			choices = append(choices, object{"name": fmt.Sprintf("%02d", j), "value": fmt.Sprintf("%02d", j) + strings.Repeat("v", size-2)})
		}
		options = append(options, option(3, fmt.Sprint("o", i), "choices", choices))
	}
	return slash("big", options...)
}

// TestDiscordAnswerContract: the rules for responses and modals.
func TestDiscordAnswerContract(t *testing.T) {
	st := registered(t)
	input := func(id string) object {
		return row(object{"type": 4, "style": 1, "custom_id": id, "label": "L"})
	}
	modal := func(title string, rows ...any) object {
		return object{"type": 9, "data": object{"custom_id": "m", "title": title, "components": rows}}
	}
	choices := func(n int) object {
		list := []any{}
		for i := range n {
			list = append(list, object{"name": fmt.Sprint(i), "value": fmt.Sprint(i)})
		}
		return object{"type": 8, "data": object{"choices": list}}
	}
	for _, c := range []struct {
		name  string
		body  object
		words string
	}{
		{"a title of 46", modal(strings.Repeat("x", 46), input("a")), "title"},
		{"6 rows", modal("M", input("a"), input("b"), input("c"), input("d"), input("e"), input("f")), "1 to 5"},
		{"an input twice", modal("M", input("a"), input("a")), "stands twice"},
		{"filled with too much", modal("M", row(object{"type": 4, "style": 1, "custom_id": "a", "label": "L", "max_length": 2, "value": "xyz"})), "more than it takes"},
		{"a message without data", object{"type": 4}, "no allowed_mentions"},
		{"a message that mentions", object{"type": 4, "data": object{"content": "x"}}, "no allowed_mentions"},
		{"an unknown member", object{"type": 4, "data": with(say("x"), "colour", 1)}, "colour"},
	} {
		if !st.contract.with && (c.words == "title" || c.words == "colour") {
			continue
		}
		a := st.Line("ana", DiscordMain, "/echo x")
		if got := st.call("POST", a.path(), c.body); got.code != 50035 && got.code != 50006 {
			t.Errorf("%s: answered %d %s", c.name, got.status, got.text)
		}
		if c.name == "a message without data" {
			st.spy.breaches()
			continue
		}
		st.broken(c.words)
	}
	for _, n := range []int{0, 26} {
		a := st.Complete("ana", DiscordMain, "incident note", "incident", "I", nil)
		if got := st.call("POST", a.path(), choices(n)); got.code != 50035 {
			t.Errorf("%d choices are answered %d %s", n, got.status, got.text)
		}
		if all := st.spy.breaches(); len(all) != 1 {
			t.Errorf("%d choices: %q", n, all)
		}
	}
	a := st.Complete("ana", DiscordMain, "incident note", "incident", "I", nil)
	st.good("POST", a.path(), choices(25))
	// As discordgo writes a deferral and a modal.
	d := st.Line("ana", DiscordMain, "/echo x")
	st.good("POST", d.path(), object{"type": 5, "data": object{"tts": false, "content": "", "components": nil, "embeds": nil, "flags": 64}})
	m := st.Line("ana", DiscordMain, "/echo x")
	body := modal("M", input("a"))
	body["data"].(object)["tts"], body["data"].(object)["content"], body["data"].(object)["embeds"] = false, "", nil
	st.good("POST", m.path(), body)
}
