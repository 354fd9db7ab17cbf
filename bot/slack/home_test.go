package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// homePages is bot.Homes for tests.
type homePages struct {
	mu   sync.Mutex
	said string
	big  bool
}

func (p *homePages) say(s string) { p.mu.Lock(); p.said = s; p.mu.Unlock() }

func (p *homePages) Home(_ context.Context, by commands.Person) (commands.Home, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := commands.Home{State: commands.StateCritical, Headline: "Home of " + by.Name + ": " + p.said, Sections: []commands.HomeSection{
		{Title: "Waits for you", Empty: "Nothing waits.", Items: []commands.HomeItem{{State: commands.StateWarning, Text: "Since 2026-11-22 02:11 UTC", Detail: bottest.Hostile,
			Buttons: []commands.Button{{Label: "Look", Command: "/echo from home"}, {Label: "Do", Command: "/public from home", Style: "danger", Confirm: "Really?"}, {Label: "Slow", Command: "/slow home"}, {Label: "Fill in", Command: "/form"}, {Label: "Choose", Command: "/buttons"}}}}},
		{Title: "Open incidents", Empty: "None is open."}}}
	if p.big {
		for n := range 6 {
			s := commands.HomeSection{Title: strings.Repeat("t", 200), More: 3}
			for range 20 {
				s.Items = append(s.Items, commands.HomeItem{Text: strings.Repeat("<&>", 2000), Buttons: []commands.Button{{Label: strings.Repeat("l", 200), Command: "/x"}, {Label: "", Command: fmt.Sprint(n)}, {Label: "long", Command: strings.Repeat("c", 3000)}}})
			}
			h.Sections = append(h.Sections, s)
		}
	}
	return h, nil
}

func home(t testing.TB, f *bottest.Slack, who string, words string) {
	t.Helper()
	until(t, who+"'s home says "+words, func() bool {
		vs := f.Views(who, "home")
		return len(vs) == 1 && strings.Contains(vs[0].Texts(), words)
	})
}

// filling reports whether a person's newest open view is a form.
func filling(f *bottest.Slack, who string) bool {
	p := f.Submission(who, nil)
	return p != nil && p["view"].(map[string]any)["callback_id"] == formCallback
}

// TestHome: the page comes when it is opened, is kept current for who opened
// it, and its buttons work there, answered in a view.
func TestHome(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	ps, fs := &homePages{said: "one"}, &forms{}
	st := start(t, f, nil, Options{Home: ps, Forms: fs, Homes: 20 * time.Millisecond})
	<-st.ready
	if !f.OpenHome("ana") || !f.OpenHome("gus") {
		t.Fatal("not acknowledged")
	}
	home(t, f, "ana", "✕ critical: Home of ana: one")
	home(t, f, "ana", "None is open.")
	home(t, f, "gus", "members of this workspace only")
	ps.say("two")
	home(t, f, "ana", "Home of ana: two")
	if vs := f.Views("ben", "home"); len(vs) > 0 {
		t.Error("ben, who never opened it, has a page")
	}
	n := len(f.Calls("views.publish"))
	time.Sleep(100 * time.Millisecond) // five looks
	if got := len(f.Calls("views.publish")); got != n {
		t.Errorf("nothing changed and the page was published %d times more", got-n)
	}
	// A look: the answer stands in a view, nobody else sees it.
	if !f.PressView("ana", "home", "Look") {
		t.Fatal("no button")
	}
	until(t, "the answer", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "echo: from home") })
	if strings.Contains(f.Seen("ana", main), "from home") {
		t.Error("it is said in the channel too")
	}
	// A change: the view says it, and so does the channel.
	f.PressView("ana", "home", "Do")
	until(t, "the answer", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "public: from home") })
	st.sees(t, "ben", main, "public: from home")
	// A slow one: the view opens at once.
	f.PressView("ana", "home", "Slow")
	until(t, "the view", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "Working on it.") })
	st.desk.Release("home")
	until(t, "the answer", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "slow: home") })
	// Buttons of an answer work in its view.
	f.PressView("ana", "home", "Choose")
	until(t, "a choice", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "a choice") })
	if !f.PressView("ana", "modal", "Check again") {
		t.Fatal("the answer has no buttons")
	}
	until(t, "the answer", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "echo: rechecked") })
	// A form opened from an answer lies above it.
	fs.mu.Lock()
	fs.above = true
	fs.mu.Unlock()
	f.PressView("ana", "home", "Choose")
	until(t, "a choice", func() bool { return strings.Contains(view(t, f, "ana").Texts(), "a choice") })
	f.PressView("ana", "modal", "Check again")
	until(t, "the form above", func() bool { return len(f.Calls("views.push")) == 1 && filling(f, "ana") })
	if wrong, ok := f.Submit("ana", map[string]string{"title": "from above"}); !ok || wrong != nil {
		t.Fatalf("%v", wrong)
	}
	st.sees(t, "ben", main, "public: first from above")
	// What needs words opens its form.
	f.PressView("ana", "home", "Fill in")
	until(t, "the form", func() bool { return filling(f, "ana") })
	if wrong, ok := f.Submit("ana", map[string]string{"title": "by home"}); !ok || wrong != nil {
		t.Fatalf("%v", wrong)
	}
	st.sees(t, "ben", main, "public: first by home")
	// Where no view opens, the answer comes as a message to the person.
	f.ExpireTriggers(true)
	f.PressView("ana", "home", "Look")
	until(t, "the message", func() bool {
		_, ok := f.Channel(bottest.SlackUser("ana"))
		return ok && strings.Contains(f.Seen("ana", bottest.SlackUser("ana")), "echo: from home")
	})
}

// TestHomeLimits draws a page that is far too large; the contract holds.
func TestHomeLimits(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	ps := &homePages{said: bottest.Hostile, big: true}
	st := start(t, f, nil, Options{Home: ps})
	<-st.ready
	f.OpenHome("ana")
	home(t, f, "ana", "Home of ana")
	b, _ := json.Marshal(f.Views("ana", "home")[0].Blocks)
	if n := len(f.Views("ana", "home")[0].Blocks); n > 100 || n < 60 {
		t.Errorf("%d blocks", n)
	}
	for _, never := range []string{"<!channel>", `\u003c!channel\u003e`, `\u202e`, `\u001b`} {
		if strings.Contains(string(b), never) {
			t.Errorf("%q went through", never)
		}
	}
	f.Fail("views.publish", "not_enabled")
	ps.say("x")
	f.OpenHome("ana")
	until(t, "the note", func() bool { return strings.Contains(fmt.Sprint(st.Status().Notes), "App Home is not switched on") })
}

var ourTag = "<!date^"

// TestTimed: UTC times get the reader's own beside them, only in texts that
// cannot format.
func TestTimed(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"started: 2026-11-22 02:11 UTC":        "started: 2026-11-22 02:11 UTC (<!date^1795313460^{date_short_pretty} {time}|2026-11-22 02:11 UTC>)",
		"at 2026-11-22 02:11:07 UTC, measured": "at 2026-11-22 02:11:07 UTC (<!date^1795313467^{date_short_pretty} {time}|2026-11-22 02:11:07 UTC>), measured",
	} {
		if o := timed(in); o.Text != want || o.Type != "mrkdwn" || !o.Verbatim {
			t.Errorf("%q: %+v", in, o)
		}
	}
	for _, in := range []string{"no time", "2026-11-22 02:11 CET", "2026-13-45 02:11 UTC", "0001-01-01 00:00 UTC", "*bold* at 2026-11-22 02:11 UTC", "`x` 2026-11-22 02:11 UTC", "<!channel> 2026-11-22 02:11 UTC",
		":rotating_light: 2026-11-22 02:11 UTC", "@here 2026-11-22 02:11 UTC", "2026-11-22 02:11 UTC|x", "a & b 2026-11-22 02:11 UTC", strings.Repeat("2026-11-22 02:11 UTC ", 95)} {
		if o := timed(in); o.Type != "plain_text" || strings.Contains(o.Text, ourTag) {
			t.Errorf("%q: %+v", in, o)
		}
	}
}

// FuzzTimed: whatever a text holds, what Slack is given to read as formatting
// has no markup but tags of times that were parsed.
func FuzzTimed(f *testing.F) {
	for _, s := range []string{"2026-11-22 02:11 UTC", "<!date^1^{time}|2026-11-22 02:11 UTC>", "2026-11-22 02:11 UTC (<!date^0^x|y>)", "x:y: 2026-11-22 02:11:59 UTC", "2026-11-22 02:11 UTC\n>quote"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o := timed(s)
		if o.Type == "plain_text" {
			return
		}
		rest := o.Text
		for strings.Contains(rest, ourTag) {
			before, tag, _ := strings.Cut(rest, ourTag)
			tag, after, ok := strings.Cut(tag, ">")
			unix, shown, both := strings.Cut(tag, "^{date_short_pretty} {time}|")
			at, err := parseStamp(shown)
			if !ok || !both || err != nil || fmt.Sprint(at.Unix()) != unix || !utcStamp.MatchString(shown) {
				t.Fatalf("%q became the tag %q", s, tag)
			}
			rest = before + after
		}
		if markup.MatchString(utcStamp.ReplaceAllString(rest, "0")) || strings.ContainsAny(rest, "<>&*_~`|@") {
			t.Fatalf("%q became %q", s, o.Text)
		}
	})
}
