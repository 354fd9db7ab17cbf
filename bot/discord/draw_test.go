package discord

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// TestEscape: nothing of a stranger's text formats, links or mentions.
func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain words, R-12 is 4.5":   "plain words, R-12 is 4.5",
		"*b* _i_ ~s~ `c` ||x||":      `\*b\* \_i\_ \~s\~ \` + "`" + `c\` + "`" + ` \|\|x\|\|`,
		"# head\n- item\n1. one\n>q": "\\# head\n\\- item\n1\\. one\n\\>q",
		"@everyone <@1> <#2>":        "\\@\u200beveryone \\<\\@\u200b1\\> \\<#2\\>",
		"[a](https://evil.example)":  `\[a\](https:\/\/evil.example)`,
		"a\u202eb\x00c":              "abc",
		"join discord.gg/abc":        `join discord.gg\/abc`,
		`\*`:                         `\\\*`,
	} {
		if got := escape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// live finds what Discord would act upon in an escaped text.
var live = regexp.MustCompile(`(^|[^\\])(\\\\)*([*_~|<>\[\]]|` + "`" + `|@[^\x{200b}]|://)`)

func FuzzEscape(f *testing.F) {
	f.Add(bottest.Hostile, 100)
	f.Add("```js\n@here\n# x", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		e := escape(s)
		if m := live.FindString(e); m != "" {
			t.Fatalf("%q is live in %q", m, e)
		}
		n = 1 + max(n, 0)%200
		if c := fit(e, n); utf8.RuneCountInString(c) > n || live.MatchString(strings.TrimSuffix(c, "…")) {
			t.Fatalf("cut to %d: %q", n, c)
		}
	})
}

// FuzzDraw: no reply makes a message beyond Discord's limits.
func FuzzDraw(f *testing.F) {
	f.Add("headline", "body", "fact", "cell", "label", 3)
	f.Add(bottest.Hostile, strings.Repeat("x\n", 3000), "", strings.Repeat("`", 500), "", 30)
	f.Fuzz(func(t *testing.T, headline, body, fact, cell, label string, n int) {
		n = max(n, 0) % 60
		r := commands.Reply{State: commands.StateCritical, Headline: headline, Body: body, Problem: commands.Problem{Hint: fact}, Done: n, Of: n}
		r.Table.Columns = []string{cell, "b"}
		for range n {
			r.Facts = append(r.Facts, commands.Fact{Name: fact, Value: body})
			r.Table.Rows = append(r.Table.Rows, commands.Row{State: commands.StateGood, Cells: []string{cell, body}})
			r.Buttons = append(r.Buttons, commands.Button{Label: label + string(rune('a'+len(r.Buttons)%26)), Command: "/x"})
			r.Links = append(r.Links, commands.Link{Label: label, Path: "/" + cell})
			r.Steps = append(r.Steps, commands.Line{State: commands.StateRunning, Text: cell})
		}
		checkDrawn(t, draw(say{Room: "main", ID: "m-1", Reply: r, Line: body, Used: ""}, "https://certmedic.example.com"))
		checkDrawn(t, draw(say{Room: "main", ID: "m-1", Reply: r, Line: body, Used: headline, Forms: cardForms("INC-7", true)}, ""))
	})
}

func checkDrawn(t *testing.T, m message) {
	t.Helper()
	if n := utf8.RuneCountInString(m.Content); n > 2000 || strings.TrimSpace(m.Content) == "" {
		t.Fatalf("content of %d characters", n)
	}
	sum := 0
	for _, e := range m.Embeds {
		n := utf8.RuneCountInString(e.Description)
		if n > 4096 || len(e.Fields) > 25 {
			t.Fatalf("description of %d, %d fields", n, len(e.Fields))
		}
		sum += n
		for _, f := range e.Fields {
			if utf8.RuneCountInString(f.Name) > 256 || utf8.RuneCountInString(f.Value) > 1024 || strings.TrimSpace(f.Name) == "" || strings.TrimSpace(f.Value) == "" {
				t.Fatalf("field %q %q", f.Name, f.Value)
			}
			sum += utf8.RuneCountInString(f.Name + f.Value)
		}
		if e.Footer != nil {
			sum += utf8.RuneCountInString(e.Footer.Text)
		}
	}
	if sum > 6000 {
		t.Fatalf("embeds of %d characters", sum)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Mentions   struct{ Parse []string } `json:"allowed_mentions"`
		Components []struct {
			Components []struct {
				Label   string
				ID      string `json:"custom_id"`
				URL     string
				Options []struct{ Label, Value string }
			}
		}
	}
	if err := json.Unmarshal(b, &back); err != nil || back.Mentions.Parse == nil || len(back.Mentions.Parse) > 0 {
		t.Fatalf("allowed_mentions %v %v", back.Mentions, err)
	}
	if len(back.Components) > 5 {
		t.Fatalf("%d rows", len(back.Components))
	}
	ids := map[string]bool{}
	for _, row := range back.Components {
		if len(row.Components) > 5 || len(row.Components) == 0 {
			t.Fatalf("a row of %d", len(row.Components))
		}
		for _, c := range row.Components {
			if len(c.Options) > 25 || utf8.RuneCountInString(c.Label) > 80 || len(c.ID) > 100 || len(c.URL) > 512 || c.ID != "" && ids[c.ID] {
				t.Fatalf("component %+v", c)
			}
			ids[c.ID] = true
			for _, o := range c.Options {
				if utf8.RuneCountInString(o.Label) > 100 || len(o.Value) > 100 || o.Label == "" {
					t.Fatalf("option %+v", o)
				}
			}
		}
	}
}

// TestStamps: a moment has Discord's clock beside it, and stays in the text.
func TestStamps(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"since 2026-11-22 01:52:10 UTC":               "since 2026-11-22 01:52:10 UTC (<t:1795312330:R>)",
		"2026-11-22 01:52 UTC, 3 d ago":               "2026-11-22 01:52 UTC (<t:1795312320:t>), 3 d ago",
		"1 s ago, good until 2027-02-20 05:57:34 UTC": "1 s ago, good until 2027-02-20 05:57:34 UTC (<t:1803103054:f>)",
		"good again until 2026-11-22 01:52 UTC":       "good again until 2026-11-22 01:52 UTC (<t:1795312320:R>)",
		"no 2026-13-40 01:52 UTC":                     "no 2026-13-40 01:52 UTC",
		"2026-11-22 01:52:10 CET is another one":      "2026-11-22 01:52:10 CET is another one",
	} {
		if got := stamps(in, time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestNarrow: no line of a table is wider than an embed shows; what is left out
// but seconds is in the file, whole.
func TestNarrow(t *testing.T) {
	t.Parallel()
	row := func(cells ...string) commands.Row { return commands.Row{State: commands.StateGood, Cells: cells} }
	for name, c := range map[string]struct {
		t       commands.Table
		has     string
		hasNot  string
		isWhole bool
	}{
		"fits":    {commands.Table{Columns: []string{"a", "until"}, Rows: []commands.Row{row("media", "2027-02-20 05:57:34 UTC")}}, "05:57:34 UTC", "", true},
		"seconds": {commands.Table{Columns: []string{"certificate", "until", "since"}, Rows: []commands.Row{row("media", "2027-02-20 05:57:34 UTC", "2026-11-22 05:57:34 UTC")}}, "2027-02-20 05:57 UTC", ":34", true},
		"wide":    {commands.Table{Columns: []string{"host", "what", "state"}, Rows: []commands.Row{row("h1", strings.Repeat("long ", 30), "good")}}, "good", strings.Repeat("long ", 12), false},
		"one":     {commands.Table{Columns: []string{"line"}, Rows: []commands.Row{row(strings.Repeat("ö", 100))}}, "ööö", strings.Repeat("ö", 60), false},
		"many":    {commands.Table{Columns: strings.Fields(strings.Repeat("a-long-column ", 9)), Rows: []commands.Row{row(strings.Fields(strings.Repeat("a-long-cell-too ", 9))...)}}, "a-long-", "", false},
	} {
		y := say{Room: "main", ID: "m-1", Reply: commands.Reply{Headline: "h", Table: c.t}}
		m := draw(y, "")
		text := m.Embeds[0].Description
		for _, l := range strings.Split(text, "\n") {
			if utf8.RuneCountInString(l) > 55 {
				t.Errorf("%s: a line of %d characters: %s", name, utf8.RuneCountInString(l), l)
			}
		}
		if !strings.Contains(text, c.has) || c.hasNot != "" && strings.Contains(text, c.hasNot) {
			t.Errorf("%s:\n%s", name, text)
		}
		if all := m.all(y); (len(all) == 0) != c.isWhole || !c.isWhole && !strings.Contains(string(all[0].Data), strings.TrimSpace(c.t.Rows[0].Cells[len(c.t.Rows[0].Cells)-1])) {
			t.Errorf("%s: files %v", name, all)
		}
	}
}
