package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// poison is text as Slack delivers it that tries to mention, to link under
// another name, to format, to turn text around and to end what it stands in.
const poison = "<!channel> &lt;!here&gt; <!everyone|x> <@U0BEN|ben> <#C0MAIN0000|tls> <http://evil.example/x|media.example.com> *bold* _it_ ~st~ `co` ``` fence :pushpin: \u202egnp.exe \u2066\u061c @everyone [a](http://evil.example) ![](@U0BEN) ![](#C0MAIN0000) | a | b | <script> &amp;lt;!channel&amp;gt; 2026-11-22 02:11 UTC"

// tags are all between < and > that certmedic itself makes: times, channels,
// links to its own pages.
var ourTags = regexp.MustCompile(`^<(!date\^\d+\^\{date_short_pretty\} \{time\}\|[0-9: UTC-]+|#C[A-Z0-9]+|https://certmedic\.example\.org/[^|>]*\|[^<>|]*)>$`)

// judgeText looks whether a text that Slack was given does more than be read.
// fields that are no text: what comes back to certmedic alone.
func judgeText(t *testing.T, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(v, -1) {
			if !ourTags.MatchString(tag) {
				t.Errorf("%s: %q goes through in %q", where, tag, v)
			}
		}
		if strings.ContainsAny(v, "\u202e\u2066\u061c") {
			t.Errorf("%s: text that turns others around goes through: %q", where, v)
		}
	case map[string]any:
		if text, _ := v["text"].(string); v["type"] == "mrkdwn" {
			rest := regexp.MustCompile("(?s)^```\n(.*)\n```$").ReplaceAllStringFunc(text, func(fence string) string {
				if strings.Contains(fence[3:len(fence)-3], "`") {
					t.Errorf("%s: a fence can be ended: %q", where, text)
				}
				return ""
			})
			rest = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(rest, "")
			if strings.ContainsAny(rest, "*~`@") || strings.Contains(rest, ":pushpin:") || strings.Contains(rest, "http://evil") {
				t.Errorf("%s: formatting goes through: %q", where, text)
			}
		}
		for k, e := range v {
			if k != "value" && k != "private_metadata" && k != "initial_value" {
				judgeText(t, where+"."+k, e)
			}
		}
	case []any:
		for _, e := range v {
			judgeText(t, where, e)
		}
	}
}

// TestSlackInjection: whatever a field says, it is read in Slack and does
// nothing: in messages, cards, topics, forms, pages, bookmarks, the draft.
func TestSlackInjection(t *testing.T) {
	a := startFront(t, "")
	ana := func(channel, line string) {
		t.Helper()
		if status, answer := a.send("slash_commands", a.slash("ana", channel, line), time.Now(), nil); status != 200 {
			t.Fatalf("%s: %d %s", line, status, answer)
		}
	}
	ana(slackMain, "/incident declare sev1 --anyway --cert site0 declared "+poison[:130])
	var room bottest.SlackChannel
	a.until("the channel", func() bool { room, _ = a.f.Channel("inc-1"); return len(room.Pins) > 0 })
	ts := a.f.Write("ben", room.ID, "", "pinned "+poison, bottest.SlackFile{Name: "<!channel>\u202e|*x*.png", Data: []byte("none")})
	a.f.React("ana", room.ID, ts, "pushpin", true)
	for _, line := range []string{"note", "impact", "task add", "temp add", "status identified", "update", "rename", "role comms <@U0BEN|ben>", "nonsense", "timeline", "show", "postmortem", "resolve", "close --anyway"} {
		word, _, _ := strings.Cut(line, " ")
		if word == "rename" || word == "task" { // they take 200 characters
			ana(room.ID, "/incident "+line+" "+word+"word "+poison[130:230])
		} else if word == "timeline" || word == "show" || word == "postmortem" || word == "role" {
			ana(room.ID, "/incident "+line)
		} else {
			ana(room.ID, "/incident "+line+" "+word+"word "+poison)
		}
	}
	ana(room.ID, "/certcheck "+poison)
	ana(room.ID, "/renew "+poison)
	a.f.OpenHome("ana")
	ana(room.ID, "/incident list all")
	a.until("the draft", func() bool { return strings.Contains(a.f.Everything("ana", room.ID), "-postmortem.md") })
	a.until("the page", func() bool { return len(a.f.Views("ana", "home")) > 0 })
	seen := a.f.Everything("ana", room.ID)
	for _, word := range []string{"noteword", "impactword", "tempword", "statusword", "updateword", "pinned", "closeword", `Nobody here is called "everyone"`} {
		if !strings.Contains(seen, word) {
			t.Errorf("%s was not said at all", word)
		}
	}
	for n, c := range a.f.Calls("") {
		for k, vs := range c.Form {
			var v any = vs[0]
			if k == "blocks" || k == "view" || k == "document_content" || k == "changes" {
				if err := json.Unmarshal([]byte(vs[0]), &v); err != nil {
					t.Errorf("%s: %v", c.Method, err)
				}
			}
			if !strings.HasPrefix(c.Method, "conversations.canvases") && c.Method != "canvases.edit" {
				judgeText(t, fmt.Sprintf("call %d, %s, %s", n, c.Method, k), v)
			} else if text := fmt.Sprint(v); regexp.MustCompile(`(^|[^\\])!\[\]\([@#]`).MatchString(text) {
				t.Errorf("the canvas mentions: %s", near(text, "!["))
			}
		}
	}
	c, _ := a.f.Channel(room.ID)
	for _, m := range c.Messages { // answers come by a response URL, which is no call
		if m.User == "U0BOT" {
			b, _ := json.Marshal(m.Blocks)
			var v any
			_ = json.Unmarshal(b, &v)
			judgeText(t, "message "+m.TS, v)
			judgeText(t, "message "+m.TS, m.Text)
		}
	}
}
