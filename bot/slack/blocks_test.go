package slack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// check says what is wrong with a drawing, by Block Kit's limits and the schema.
func check(t *testing.T, d drawing, schema *jsonschema.Schema) {
	t.Helper()
	if d.text == "" || len(d.blocks) == 0 || len(d.blocks) > 50 || len([]rune(d.text)) > 40_000 {
		t.Fatalf("%d blocks, %d characters of text", len(d.blocks), len(d.text))
	}
	b, err := json.Marshal(map[string]any{"blocks": d.blocks})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if schema != nil {
		if err := schema.Validate(v); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
	}
	total := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				total += len([]rune(s))
				for _, bad := range []string{"<!", "<@", "<#", "<a", "<s", "<img"} {
					if strings.Contains(s, bad) {
						t.Fatalf("%q went through: %q", bad, s)
					}
				}
				if v["type"] == "mrkdwn" && strings.Contains(strings.Trim(s, "`"), "`") {
					t.Fatalf("the fence is broken: %q", s)
				}
				if len([]rune(s)) > 3000 {
					t.Fatalf("%d characters in a text", len([]rune(s)))
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	if total > 13_000 {
		t.Fatalf("%d characters in a message", total)
	}
}

func hostileReply(h string, n int) commands.Reply {
	r := commands.Reply{State: h, Headline: strings.Repeat(h, n), Body: strings.Repeat(h+"\n", n), Done: n - 3, Of: n,
		Table: commands.Table{Columns: []string{h, h}}, Problem: commands.Problem{Hint: strings.Repeat(h, n)}}
	for range n {
		r.Facts = append(r.Facts, commands.Fact{Name: h, Value: strings.Repeat(h, n)})
		r.Steps = append(r.Steps, commands.Line{State: "good", Text: h})
		r.Table.Rows = append(r.Table.Rows, commands.Row{State: "good", Cells: []string{h, strings.Repeat(h, n), h}})
		r.Buttons = append(r.Buttons, commands.Button{Label: h, Command: h, Confirm: strings.Repeat(h, n), Style: "danger"})
	}
	return r
}

func TestDrawLimits(t *testing.T) {
	schema := bottest.SlackSchema(t, "slack-message-blocks.schema.json")
	for _, h := range []string{bottest.Hostile, "&", "<", "`", "x", "🔥", "a\nb"} {
		for _, n := range []int{1, 7, 60, 200} {
			y := say{Room: "main", ID: "m-1", Line: h, Reply: hostileReply(h, n)}
			check(t, draw(y, "cm-1"), schema)
			y.Used = h
			d := draw(y, "cm-1")
			check(t, d, schema)
			check(t, d.bare("cm-2"), schema)
			for _, p := range pages(y) {
				check(t, draw(p, ""), schema)
			}
			if n >= 200 && !strings.Contains(bot.Text(y.Reply), strings.TrimSpace(h)) {
				t.Errorf("the file lacks %q", h)
			}
		}
	}
}

// FuzzDraw: no reply leaves Block Kit's limits or lets text format, mention or link.
func FuzzDraw(f *testing.F) {
	f.Add(bottest.Hostile, 3)
	f.Add("<!channel>", 100)
	f.Add("```\n", 40)
	f.Fuzz(func(t *testing.T, h string, n int) {
		n = min(max(n, 1), 100)
		if len(h) > 300 {
			h = h[:300]
		}
		check(t, draw(say{Room: "main", ID: "m-1", Line: h, Reply: hostileReply(h, n)}, "cm-1"), nil)
	})
}

// TestButtons: a press carries what the room needs, and asks where it must.
func TestButtons(t *testing.T) {
	d := draw(say{Room: "INC-7", ID: "m-3", Reply: commands.Reply{Headline: "x", Buttons: []commands.Button{
		{Label: "Renew", Style: "primary"}, {Label: "Roll back", Style: "danger", Confirm: "media goes back to what it served before."}}}}, "")
	b, _ := json.Marshal(d.blocks)
	for _, want := range []string{`"value":"{\"r\":\"INC-7\",\"m\":\"m-3\",\"b\":1,\"l\":\"Roll back\"}"`, `"style":"danger"`, `"style":"primary"`, "media goes back to what it served before."} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	if strings.Count(string(b), `"confirm":{"title"`) != 1 {
		t.Errorf("confirm dialogs in %s", b)
	}
}

func TestLinks(t *testing.T) {
	d := draw(say{Reply: commands.Reply{Headline: "x"}}, "")
	d.link("https://certmedic.example.org/", []commands.Link{{Label: "INC-1 *a*|b>", Path: "/incident/INC-1"}, {Label: "x", Path: "//evil.example"}, {Label: "x", Path: "javascript:alert(1)"}, {Label: "x", Path: "/a|b"}})
	b, _ := json.Marshal(d.blocks[len(d.blocks)-1])
	var v struct{ Elements []struct{ Text string } }
	_ = json.Unmarshal(b, &v)
	if len(v.Elements) != 1 || v.Elements[0].Text != "<https://certmedic.example.org/incident/INC-1|INC-1  a  b >" {
		t.Errorf("%s", b)
	}
}

// TestManifest: Slack's schema takes it, in both ways; the three commands are
// there with their verbs.
func TestManifest(t *testing.T) {
	schema := bottest.SlackSchema(t, "slack-manifest.schema.json")
	for _, url := range []string{"", "https://certmedic.example.org/"} {
		b, err := json.Marshal(NewManifest(url))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		_ = json.Unmarshal(b, &v)
		if schema != nil {
			if err := schema.Validate(v); err != nil {
				t.Errorf("%v\n%s", err, b)
			}
		}
		for _, want := range []string{`"/certcheck"`, "Add to timeline", `"/renew"`, `"/incident"`, "declare", "app_mention", `"should_escape":true`} {
			if !strings.Contains(string(b), want) {
				t.Errorf("no %s in %s", want, b)
			}
		}
		for _, feature := range []string{Timeline, HomeTab} {
			one, _ := json.Marshal(NewManifest(url, feature))
			var v any
			_ = json.Unmarshal(one, &v)
			if schema != nil {
				if err := schema.Validate(v); err != nil {
					t.Errorf("without %s: %v\n%s", feature, err, one)
				}
			}
			for of, words := range map[string][]string{Timeline: {"message.channels", "reactions:read", "files:read"}, HomeTab: {"app_home_opened", `"home_tab_enabled":true`}} {
				for _, w := range words {
					if !strings.Contains(string(b), w) || strings.Contains(string(one), w) != (of != feature) {
						t.Errorf("%s with and without %s: %v, %s", w, feature, strings.Contains(string(one), w), b)
					}
				}
			}
		}
		if strings.Contains(string(b), "/slack/events") != (url != "") {
			t.Errorf("%s", b)
		}
	}
}

// TestCheck: each line is good, or says what to do.
func TestCheck(t *testing.T) {
	f := bottest.NewSlack(t)
	o := Options{Mode: Socket, Channel: main, APIURL: f.URL(), BotToken: bottest.SlackBotToken, AppToken: bottest.SlackAppToken}
	for _, l := range Check(t.Context(), o) {
		if !l.Good || l.Next != "" {
			t.Errorf("%+v", l)
		}
	}
	all := func(o Options) string {
		text := ""
		for _, l := range Check(t.Context(), o) {
			if !l.Good {
				text += l.Text + ": " + l.Next + "\n"
			}
		}
		return text
	}
	o.Channel = "C0NOTHERE0"
	o.AppToken = "xapp-wrong"
	if s := all(o); !strings.Contains(s, "channel_not_found") || !strings.Contains(s, "/invite @certmedic") || !strings.Contains(s, "connections:write") {
		t.Errorf("%s", s)
	}
	o.BotToken = "xoxb-wrong"
	if s := all(o); !strings.Contains(s, "invalid_auth") || strings.Contains(s, "xoxb-wrong") {
		t.Errorf("%s", s)
	}
}

// TestWideTable: a table of two wide columns is drawn as lines, a narrow one in columns.
func TestWideTable(t *testing.T) {
	help := commands.Table{Columns: []string{"say", "get"}, Rows: []commands.Row{{Cells: []string{"/incident note [INC] text [@ time]", strings.Repeat("a line of the timeline ", 3)}}, {State: commands.StateGood, Cells: []string{"/x", "y"}}}}
	d := draw(say{Reply: commands.Reply{Headline: "help", Table: help}}, "")
	b, _ := json.Marshal(d.blocks)
	if strings.Contains(string(b), "```") || !strings.Contains(string(b), "text [@ time]: a line of the timeline") || !strings.Contains(string(b), "✓ /x: y") {
		t.Errorf("%s", b)
	}
	help.Rows = help.Rows[1:]
	d = draw(say{Reply: commands.Reply{Headline: "help", Table: help}}, "")
	if b, _ = json.Marshal(d.blocks); !strings.Contains(string(b), "```") {
		t.Errorf("%s", b)
	}
}
