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

// forms is bot.Forms for tests: "/form [title]" wants a form unless it has a
// title; "/public pressed", behind the button Renew, has one beside it.
type forms struct {
	mu      sync.Mutex
	checked int
	slow    time.Duration
	above   bool // the button Check again wants a form
	done    bool // whatever is submitted is wrong from now on
}

func (f *forms) Form(_ context.Context, ask commands.FormAsk) (commands.Form, error) {
	if ask.Verb == "gone" {
		return commands.Form{}, commands.Problem{Code: "gone", Message: "There is nothing to fill in.", Hint: "Look again."}
	}
	h := bottest.Hostile
	form := commands.Form{Verb: ask.Verb, Subject: "INC-7", Title: "A form with a title that is far too long", Submit: "Send", Intro: "Since 2026-11-22 02:11 UTC. " + ask.Given["intro"],
		Fields: []commands.FormField{
			{Param: commands.Param{Name: "title", Kind: commands.ParamText, Required: true, Summary: h}, Label: "Title", Value: ask.Given["title"], Max: 200},
			{Param: commands.Param{Name: "words", Kind: commands.ParamText}, Label: "Words " + h, Value: h + strings.Repeat("x", 5000), Long: true},
			{Param: commands.Param{Name: "sev", Kind: commands.ParamChoice, Required: true}, Label: "Severity", Value: "2", Options: []commands.FormOption{{Value: "1", Label: "SEV1", Note: strings.Repeat("n", 90)}, {Value: "2", Label: "SEV2"}}},
			{Param: commands.Param{Name: "cert", Kind: commands.ParamChoice}, Label: "Certificate"},
			{Param: commands.Param{Name: "also", Kind: commands.ParamSeveral}, Label: "Also", Options: []commands.FormOption{{Value: "drill", Label: h}, {Value: "x", Label: "x"}}, Value: "x"},
			{Param: commands.Param{Name: "none", Kind: commands.ParamChoice}, Label: "No options"},
		}}
	for i := range 150 {
		form.Fields[3].Options = append(form.Fields[3].Options, commands.FormOption{Value: fmt.Sprintf("c%d", i), Label: fmt.Sprintf("certificate %d", i)})
	}
	return form, nil
}

func (f *forms) FormLines(ctx context.Context, ask commands.FormAsk, values map[string]string) ([]string, map[string]string, error) {
	f.mu.Lock()
	f.checked++
	slow, done := f.slow, f.done
	f.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if done || values["title"] == "" {
		return nil, map[string]string{"title": "Say what people see."}, nil
	}
	return []string{"/public first " + values["title"], "/public second sev" + values["sev"] + " also " + values["also"] + " in " + ask.Room + " of " + ask.Subject}, nil, nil
}

func (f *forms) FormFor(_ context.Context, line, room string, by commands.Person) (commands.FormAsk, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return commands.FormAsk{Verb: "form", Room: room, By: by}, line == "/form" || line == "/form " || f.above && line == "/echo rechecked"
}

func (f *forms) FormBeside(line, room string, by commands.Person) (commands.FormAsk, string, bool) {
	switch line {
	case "/public pressed":
		return commands.FormAsk{Verb: "form", Room: room, By: by, Given: map[string]string{"title": "from the button"}}, "Renew with words…", true
	case "/echo rechecked":
		return commands.FormAsk{Verb: "gone", Room: room, By: by}, "Nothing to fill in…", true
	}
	return commands.FormAsk{}, "", false
}

func view(t testing.TB, f *bottest.Slack, who string) bottest.SlackView {
	t.Helper()
	var vs []bottest.SlackView
	until(t, "a modal opens", func() bool { vs = f.Views(who, "modal"); return len(vs) > 0 })
	return vs[len(vs)-1]
}

// TestForm: a command that lacks its words opens a form; what is wrong is told
// in it, and nothing is recorded; filled in rightly it is done once, however
// often it is submitted.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{Socket, HTTP} {
		t.Run(mode, func(t *testing.T) {
			f := bottest.NewSlack(t)
			fs := &forms{}
			st := start(t, f, nil, Options{Mode: mode, Forms: fs})
			<-st.ready
			st.types(t, "ana", main, "/form")
			v := view(t, f, "ana")
			if v.Initial("sev") != "2" || v.Initial("also") != "x" || !strings.Contains(v.Texts(), "Severity") || len(f.Views("ben", "modal")) > 0 {
				t.Errorf("%+v", v)
			}
			if got := len([]rune(v.Title)); got > 24 {
				t.Errorf("title of %d characters", got)
			}
			wrong, ok := f.Submit("ana", map[string]string{"title": ""})
			if !ok || wrong["title"] != "Say what people see." || len(wrong) != 1 {
				t.Fatalf("%v %v", wrong, ok)
			}
			for _, n := range st.inbox(t) {
				if n.Kind == "interactive" {
					t.Errorf("a form that is wrong was recorded: %+v", n)
				}
			}
			p := f.Submission("ana", map[string]string{"title": "images do not load", "sev": "1", "also": "drill"})
			if wrong, ok = f.Submit("ana", map[string]string{"title": "images do not load", "sev": "1", "also": "drill"}); !ok || wrong != nil {
				t.Fatalf("%v %v", wrong, ok)
			}
			st.sees(t, "ben", main, "public: first images do not load")
			st.sees(t, "ben", main, "public: second sev1 also drill in main of INC-7")
			fs.mu.Lock()
			fs.done = true // it would be refused now
			fs.mu.Unlock()
			id, ok := f.Deliver("interactive", p)
			if wrong := f.Submitted(id, p); !ok || wrong != nil {
				t.Errorf("a repeated submission is answered %v %v", wrong, ok)
			}
			st.types(t, "ana", main, "/public after it")
			st.sees(t, "ben", main, "public: after it")
			if n := st.desk.Count("/public first images do not load"); n != 1 {
				t.Errorf("done %d times", n)
			}
			if n := st.desk.Count("/form"); n != 0 {
				t.Errorf("the line was said %d times although its form opened", n)
			}
			st.types(t, "ana", main, "/form")
			until(t, "a second modal", func() bool { return len(f.Views("ana", "modal")) == 2 })
			if !f.CloseView("ana") {
				t.Error("a closed view is not acknowledged")
			}
		})
	}
}

// inbox is what stands in the inbox.
func (st *stand) inbox(t testing.TB) []envelope {
	t.Helper()
	es, err := st.in.All(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// TestFormTooLate: where no view can be opened, what was typed or pressed is
// answered in text; a lost answer of Slack opens no second one.
func TestFormTooLate(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Forms: &forms{}})
	<-st.ready
	f.ExpireTriggers(true)
	st.types(t, "ana", main, "/form")
	st.sees(t, "ana", main, "There is no verb /form")
	st.types(t, "ana", main, "/buttons")
	st.sees(t, "ana", main, "a choice")
	if !f.Menu("ana", main, "Renew with words…") {
		t.Fatal("no menu")
	}
	st.sees(t, "ana", main, "The form did not open in time")
	if !f.Menu("ana", main, "Nothing to fill in…") {
		t.Fatal("no menu")
	}
	st.sees(t, "ana", main, "There is nothing to fill in.")
	f.ExpireTriggers(false)
	f.Fail("views.open", "lost")
	before := len(f.Calls("views.open"))
	st.types(t, "ben", main, "/form")
	view(t, f, "ben")
	until(t, "a second try", func() bool { return len(f.Calls("views.open")) == before+2 })
	st.types(t, "ben", main, "/echo next")
	st.sees(t, "ben", main, "echo: next")
	if strings.Contains(f.Seen("ben", main), "There is no verb /form") {
		t.Error("the form opened, and the line was answered too")
	}
	f.Fail("views.open", "429")
	st.types(t, "ben", main, "/form")
	st.sees(t, "ben", main, "There is no verb /form")
	if n := len(f.Views("ben", "modal")); n != 1 {
		t.Errorf("%d modals", n)
	}
	if n := st.desk.Count("/form"); n > 2 { // "/form" of ana and of the second time of ben
		t.Errorf("said %d times", n)
	}
	// Guests get their no, not a form.
	st.types(t, "gus", main, "/form")
	st.sees(t, "gus", main, "members of this workspace only")
	if len(f.Views("gus", "modal")) > 0 {
		t.Error("a guest got a form")
	}
}

// TestFormPastTheQueue: a form opens while the person's earlier line is still
// being answered.
func TestFormPastTheQueue(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Forms: &forms{}})
	<-st.ready
	st.types(t, "ana", main, "/slow fish")
	if !st.desk.Started("fish", bottest.Wait) {
		t.Fatal("not begun")
	}
	st.types(t, "ana", main, "/form")
	view(t, f, "ana")
	if _, ok := f.Submit("ana", map[string]string{"title": "behind fish"}); !ok {
		t.Fatal("not acknowledged")
	}
	if n := st.desk.Count("/public first behind fish"); n != 0 {
		t.Error("lines of one person are out of order")
	}
	st.desk.Release("fish")
	st.sees(t, "ben", main, "public: first behind fish")
}

// TestFormBeside: the menu beside a button opens its form, filled in; the
// submission takes the buttons away, saying who did it.
func TestFormBeside(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Forms: &forms{}})
	st.types(t, "ana", main, "/buttons")
	st.sees(t, "ben", main, "a choice")
	if !f.Menu("ben", main, "Renew with words…") {
		t.Fatal("no menu")
	}
	if v := view(t, f, "ben"); v.Initial("title") != "from the button" {
		t.Errorf("%q", v.Initial("title"))
	}
	if wrong, ok := f.Submit("ben", nil); !ok || wrong != nil {
		t.Fatalf("%v %v", wrong, ok)
	}
	st.sees(t, "ana", main, "public: first from the button")
	st.sees(t, "ana", main, "ben pressed Renew at ")
	if f.Button("ana", main, "Renew") != nil {
		t.Error("the button is still there")
	}
	if n := st.desk.Count("/public pressed"); n != 0 {
		t.Errorf("the button's own line was said %d times", n)
	}
}

// TestFormKilled: a submission that was acknowledged is done by the next
// process, with the lines that were recorded, once.
func TestFormKilled(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Forms: &forms{}})
	<-st.ready
	st.types(t, "ana", main, "/slow fish")
	if !st.desk.Started("fish", bottest.Wait) {
		t.Fatal("not begun")
	}
	st.types(t, "ana", main, "/form")
	view(t, f, "ana")
	if wrong, ok := f.Submit("ana", map[string]string{"title": "kept"}); !ok || wrong != nil {
		t.Fatalf("%v %v", wrong, ok)
	}
	notes := st.notes.Cut() // the process is gone here
	st.stop()
	next := start(t, f, nil, Options{Notes: notes, Forms: &forms{done: true}}) // by now it would be refused
	next.desk.Release("fish")
	next.sees(t, "ben", main, "public: first kept")
	next.sees(t, "ben", main, "public: second sev2")
	if n := next.desk.Count("/public first kept"); n != 1 {
		t.Errorf("done %d times", n)
	}
}

// TestFormSocketCut: the socket goes while a submission is under way, which
// comes again: it is acknowledged and done once.
func TestFormSocketCut(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	fs := &forms{slow: 150 * time.Millisecond}
	st := start(t, f, nil, Options{Forms: fs})
	<-st.ready
	st.types(t, "ana", main, "/form")
	view(t, f, "ana")
	p := f.Submission("ana", map[string]string{"title": "cut"})
	go func() {
		time.Sleep(50 * time.Millisecond)
		f.DropSockets()
	}()
	if _, ok := f.Deliver("interactive", p); !ok {
		t.Fatal("not acknowledged")
	}
	st.sees(t, "ben", main, "public: first cut")
	f.Deliver("interactive", p)
	st.types(t, "ana", main, "/public after it")
	st.sees(t, "ben", main, "public: after it")
	if n := st.desk.Count("/public first cut"); n != 1 {
		t.Errorf("done %d times", n)
	}
}

// TestFormCheckedTooSlowly: a check that takes longer than Slack waits is not
// waited for; what is wrong is told in text.
func TestFormCheckedTooSlowly(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	fs := &forms{slow: checking + 200*time.Millisecond}
	st := start(t, f, nil, Options{Forms: fs})
	<-st.ready
	st.types(t, "ana", main, "/form")
	view(t, f, "ana")
	wrong, ok := f.Submit("ana", map[string]string{"title": ""})
	if !ok || wrong != nil {
		t.Fatalf("%v %v", wrong, ok)
	}
	fs.mu.Lock()
	fs.slow = 0
	fs.mu.Unlock()
	st.sees(t, "ana", main, "Say what people see.")
	st.sees(t, "ana", main, "Nothing was done.")
}

// TestModalLimits draws hostile forms; the schema and the limits hold.
func TestModalLimits(t *testing.T) {
	t.Parallel()
	schema := bottest.SlackSchema(t, "slack-modal.schema.json")
	form, _ := (&forms{}).Form(context.Background(), commands.FormAsk{Verb: "form"})
	v, ok := modal(form, formMeta{Room: "main", Channel: main})
	if !ok {
		t.Fatal("not drawn")
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if schema != nil {
		var any any
		_ = json.Unmarshal(b, &any)
		if err := schema.Validate(any); err != nil {
			t.Error(err)
		}
	}
	for _, never := range []string{"<!channel>", "\\u003c!channel\\u003e", "\u202e", "\\u001b"} {
		// What stands in an input beforehand is shown as it is: no markup is read there.
		for _, block := range v.Blocks.BlockSet[:1] {
			one, _ := json.Marshal(block)
			if strings.Contains(string(one), never) {
				t.Errorf("%q went through: %s", never, one)
			}
		}
	}
	if _, ok := modal(form, formMeta{Room: strings.Repeat("x", 3000)}); ok {
		t.Error("private metadata of more than 3000 characters")
	}
}

// FuzzSubmission: whatever a submission holds, reading it breaks nothing.
func FuzzSubmission(f *testing.F) {
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1"},"view":{"id":"V1","hash":"h","callback_id":"form","private_metadata":"{\"v\":\"form\"}","state":{"values":{"a":{"v":{"selected_options":[{"value":"x"}]}}}}}}`))
	f.Add([]byte(`{"type":"view_submission","view":{"state":{"values":{"a":null,"b":{"v":{"selected_option":null,"value":null}}}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := open("interactive", "env", b)
		if err != nil {
			return
		}
		if len(e.ID) > 200 || strings.ContainsAny(e.ID, "/ \n") {
			t.Fatalf("%q", e.ID)
		}
		var sub submission
		if json.Unmarshal(b, &sub) == nil {
			_, _ = sub.meta()
			for k, v := range sub.values() {
				_ = k + v
			}
		}
	})
}
