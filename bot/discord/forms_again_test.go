package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// This file holds forms that were refused, and opened again.

// fussy are Forms of one verb, which take a text that begins with "fine".
type fussy struct{}

func (fussy) Form(_ context.Context, ask commands.FormAsk) (commands.Form, error) {
	if ask.Verb != "incident status" {
		return commands.Form{}, errors.New("no form")
	}
	return commands.Form{Verb: ask.Verb, Subject: ask.Subject, Title: "Post an update", Fields: []commands.FormField{
		{Param: commands.Param{Name: "status", Kind: commands.ParamChoice}, Label: "Where it stands", Value: "investigating", Options: []commands.FormOption{{Value: "investigating", Label: "Investigating"}, {Value: "identified", Label: "Identified"}}},
		{Param: commands.Param{Name: "who", Kind: commands.ParamSeveral}, Label: "Who is told", Options: []commands.FormOption{{Value: "team", Label: "Team"}, {Value: "page", Label: "Page"}, {Value: "mail", Label: "Mail"}}},
		{Param: commands.Param{Name: "text", Kind: commands.ParamText, Required: true}, Label: "What to say", Value: "as before", Long: true},
		{Param: commands.Param{Name: "at", Kind: commands.ParamTime}, Label: "When it was", Value: "now"},
	}}, nil
}

func (fussy) FormLines(_ context.Context, ask commands.FormAsk, v map[string]string) ([]string, map[string]string, error) {
	if !strings.HasPrefix(v["text"], "fine") {
		return nil, map[string]string{"text": "It does not begin with fine.", "status": "Nor is that right."}, nil
	}
	return []string{"/incident status " + ask.Subject + " " + v["status"] + " " + v["text"]}, nil, nil
}

func (fussy) FormFor(context.Context, string, string, commands.Person) (commands.FormAsk, bool) {
	return commands.FormAsk{}, false
}

func (fussy) FormBeside(string, string, commands.Person) (commands.FormAsk, string, bool) {
	return commands.FormAsk{}, "", false
}

// shows is what stands in a form's fields, by custom id.
func shows(a *bottest.DiscordAsk) map[string]string {
	raw, _ := json.Marshal(a.Modal())
	var f struct {
		Components []struct {
			Component struct {
				ID      string `json:"custom_id"`
				Value   string
				Options []struct {
					Value   string
					Default bool
				}
			}
		}
	}
	_ = json.Unmarshal(raw, &f)
	all := map[string]string{}
	for _, c := range f.Components {
		v := c.Component.Value
		for _, o := range c.Component.Options {
			if o.Default {
				v = strings.TrimPrefix(v+","+o.Value, ",")
			}
		}
		all[c.Component.ID] = v
	}
	return all
}

// TestFormAgain: a form with a wrong field is answered with what is wrong, by
// the fields' names, and a button that opens it again with everything that was
// typed, also what was emptied; wrong again, the same answer is edited; right,
// it goes. A restart in between loses nothing.
func TestFormAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{Gateway, HTTP} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := bottest.NewBook()
			st, desk := real(t, Options{Incidents: b, Forms: fussy{}, Mode: mode})
			b.Set(bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2", Open: true, Updated: time.Now()})
			c := st.place(t, "INC-7").ID
			opened := st.f.Click("ana", c, "Post an update")
			if !opened.OK() {
				t.Fatal("not opened")
			}
			typed := map[string]string{"status": "identified", "who": "team,mail", "text": "not * fine\nin two lines", "at": ""}
			wrong := st.f.Submit("ana", opened, typed)
			if !wrong.OK() || !wrong.Ephemeral() || wrong.Kind() != sayMessage {
				t.Fatalf("answered %d %s", wrong.Kind(), wrong.Refused)
			}
			for _, w := range []string{"nothing was done", "What to say\nIt does not begin with fine.", "Where it stands\nNor is that right.", "[Open it again]"} {
				if !strings.Contains(wrong.Text(), w) {
					t.Errorf("without %q:\n%s", w, wrong.Text())
				}
			}
			again := st.f.Click("ana", c, "Open it again")
			if !again.OK() || fmt.Sprint(shows(again)) != fmt.Sprint(typed) {
				t.Fatalf("opened with %q, typed was %q", shows(again), typed)
			}
			second := st.f.Submit("ana", again, map[string]string{"text": "still wrong"})
			if !second.OK() || second.Kind() != sayUpdate || strings.Count(st.f.Seen("ana", c), "nothing was done") != 1 {
				t.Errorf("the second time answered %d:\n%s", second.Kind(), st.f.Seen("ana", c))
			}
			notes := st.notes.Cut()
			st.stop()
			st = start(t, st.f, st.rooms, Options{Notes: notes, Incidents: b, Forms: fussy{}, Mode: mode, Verbs: commands.Verbs(), Params: commands.ParamsOf}).up(t)
			third := st.f.Click("ana", c, "Open it again")
			typed["text"] = "still wrong"
			if !third.OK() || fmt.Sprint(shows(third)) != fmt.Sprint(typed) {
				t.Fatalf("after a restart opened with %q, typed was %q", shows(third), typed)
			}
			if a := st.f.Submit("ana", third, map[string]string{"text": "fine now"}); !a.OK() {
				t.Fatal("not taken")
			}
			until(t, "it is done", func() bool { return desk.said("/incident status INC-7 identified fine now") })
			until(t, "the words about what was wrong go", func() bool { return !strings.Contains(st.f.Seen("ana", c), "nothing was done") })
			if ns, err := st.notes.List(t.Context(), "form/"); err != nil || len(ns) > 0 {
				t.Errorf("kept: %v %v", ns, err)
			}
		})
	}
}

// TestFormAgainRefused: a form that the desk refuses after it was recorded can
// be opened again too; nobody else sees what was typed.
func TestFormAgainRefused(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	start(t, f, bot.New(bot.Options{Desk: &refusing{}, Log: bottest.NewLog()}), Options{Verbs: commands.Verbs(), Params: commands.ParamsOf}).up(t)
	ask := f.Slash("ana", main, "incident declare", map[string]any{"severity": "sev1"})
	if !ask.OK() || ask.Modal() == nil {
		t.Fatalf("no form: %s", ask.Text())
	}
	typed := f.Submit("ana", ask, map[string]string{"title": "images do not load", "severity": "sev9"})
	until(t, "the refusal", func() bool { return strings.Contains(f.Seen("ana", main), "[Open it again]") })
	if !typed.OK() || strings.Contains(f.Seen("ben", main), "images") {
		t.Errorf("ben sees it:\n%s", f.Seen("ben", main))
	}
	if s := f.Seen("ana", main); strings.Count(s, "It is sev1 to sev4.") != 1 || strings.Count(s, "what you typed") != 1 {
		t.Errorf("said more than once:\n%s", s)
	}
	m, button := f.Button("ana", main, "Open it again")
	id := fmt.Sprint(button["custom_id"])
	again := f.Press("ana", main, m.ID, id, nil)
	if !again.OK() || !strings.Contains(fmt.Sprint(again.Modal()), "images do not load") {
		t.Errorf("opened %v", again.Modal())
	}
	if other := f.Press("ben", main, m.ID, id, nil); !other.OK() || strings.Contains(fmt.Sprint(other.Modal()), "images do not load") {
		t.Errorf("ben is shown what ana typed: %v", other.Modal())
	}
}

type refusing struct{}

func (*refusing) Do(context.Context, commands.Request, func(commands.Post)) commands.Reply {
	p := commands.Problem{Code: "bad_severity", Message: "There is no sev9.", Hint: "It is sev1 to sev4."}
	return commands.Reply{State: commands.StateInfo, Headline: p.Message, Body: p.Hint, Problem: p}
}

func (*refusing) Complete(context.Context, string, string) []string { return nil }

// TestFormNotKept: where what was typed cannot be kept, it is said, so that it
// can be copied; what is kept is forgotten after a while, and is bounded.
func TestFormNotKept(t *testing.T) {
	t.Parallel()
	b := bottest.NewBook()
	st, _ := real(t, Options{Incidents: b, Forms: fussy{}})
	b.Set(bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2", Open: true, Updated: time.Now()})
	c := st.place(t, "INC-7").ID
	opened := st.f.Click("ana", c, "Post an update")
	if !opened.OK() {
		t.Fatal("not opened")
	}
	st.notes.Fill(true)
	wrong := st.f.Submit("ana", opened, map[string]string{"text": "words of *mine*"})
	if !wrong.OK() || !strings.Contains(wrong.Text(), "words of *mine*") || strings.Contains(wrong.Text(), "[Open it again]") {
		t.Errorf("answered:\n%s", wrong.Text())
	}
	st.notes.Fill(false)
	put := func(n int, at time.Time) {
		v, err := json.Marshal(typed{V: 1, By: "discord:1", At: at})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.notes.Put(t.Context(), note(typedKey(fmt.Sprint(100+n)), v)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range mostTyped + 20 {
		put(n, time.Now())
	}
	st.sweepForms(t.Context())
	ns, err := st.notes.List(t.Context(), "form/")
	if err != nil || len(ns) != mostTyped || ns[0].Key != typedKey("120") {
		t.Errorf("%d are kept, from %s: %v", len(ns), ns[0].Key, err)
	}
	put(mostTyped, time.Now().Add(-keepTyped-time.Minute))
	st.sweepForms(t.Context())
	if ns, err = st.notes.List(t.Context(), "form/"); err != nil || len(ns) != mostTyped-1 {
		t.Errorf("%d are kept for ever: %v", len(ns), err)
	}
}
