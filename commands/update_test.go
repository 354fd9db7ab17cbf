package commands_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// targets are what the tests' rooms can send to.
func targets() []commands.Target {
	return []commands.Target{
		{Name: "board", Kind: commands.MailTarget, Whom: "2 addresses: cleo@example.com, dan@example.com", Audience: commands.Internal},
		{Name: "hook", Kind: commands.WebhookTarget, Whom: "hooks.example.com", Audience: commands.Internal, Named: true},
		{Name: "page", Kind: commands.StatuspageTarget, Whom: "everybody: page kctbh9vrtdwd", Audience: commands.External, Components: map[string][]string{"media": {"comp1"}, "api": {"comp2"}}},
	}
}

// configure makes the room's desk anew, with targets, trackers and a policy.
func (r *room) configure(policy string) {
	u := commands.Updates{Targets: targets(), Templates: map[string]string{"handover": `{{.ID}}: {{or .Commander "nobody"}} hands over.{{with .Cause}} {{.}}{{end}}`}}
	if strings.Contains(policy, "templates") {
		u.Templates["second"], u.Templates["long"] = `{{index .Domains 1}} fails.`, `{{range .Certificates}}{{range 50000}}and on {{end}}{{end}}`
	}
	o := commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Log: slog.New(slog.DiscardHandler),
		Teams:    []commands.Team{{Name: "web", People: []string{"ana", "ben"}, Escalate: []string{"leads"}}, {Name: "leads", People: []string{"Cleo", "dan"}}},
		Trackers: []commands.Tracker{{Name: "github", Where: "example/certs", AtClose: strings.Contains(policy, "close")}, {Name: "jira", Where: "TLS at jira.example.com"}}}
	u.Approve, u.Self, u.Preview = strings.Contains(policy, "approve"), strings.Contains(policy, "self"), strings.Contains(policy, "preview")
	o.Updates, o.Drill = u, strings.Contains(policy, "drill")
	r.desk = commands.New(o)
}

// push presses the newest button of that label.
func (r *room) push(who, where, label string) commands.Reply {
	for _, p := range slices.Backward(r.shown) {
		if at := slices.IndexFunc(p.Buttons, func(b commands.Button) bool { return b.Label == label }); at >= 0 {
			return r.say(who, where, p.Buttons[at].Command)
		}
	}
	r.t.Fatalf("no button %q", label)
	return commands.Reply{}
}

// deliver delivers all that is to be delivered, or fails to.
func (r *room) deliver(how string) string {
	var out strings.Builder
	all, err := r.desk.Dispatches(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range all {
		fmt.Fprintf(&out, "= %s %s | %s | %v %v\n", m.Key, m.Status, m.Title, m.Earlier, m.Components)
		for l := range strings.SplitSeq(m.Text, "\n") {
			fmt.Fprintf(&out, "  %s\n", l)
		}
		o := commands.Outcome{Text: "taken at " + m.At.Format("15:04 UTC"), Ref: "ref", Open: m.Target == "page" && m.Status != "resolved"}
		if why, failed := strings.CutPrefix(how, "failed "); failed {
			o = commands.Outcome{Failed: true, Text: why, Next: "Mend it."}
		}
		for range 2 { // a kill may have it told twice
			if err := r.desk.Dispatched(context.Background(), m, o, r.post); err != nil {
				r.t.Error(err)
			}
		}
	}
	return out.String()
}

// exports does what is to be done in trackers: "done ben", "open ben" are what is read there.
func (r *room) exports(how string) string {
	var out strings.Builder
	all, err := r.desk.Exports(context.Background(), r.clock.now())
	if err != nil {
		r.t.Fatal(err)
	}
	state, by, _ := strings.Cut(how, " ")
	for n, e := range all {
		fmt.Fprintf(&out, "= %s %s read %t %s %q\n", e.Key, e.Tracker, e.Read, e.Marker, e.Title)
		switch {
		case e.Read:
			err = r.desk.Saw(context.Background(), e, commands.There{Done: state == "done", At: r.clock.now().Add(-time.Hour), By: by}, r.post)
		case state == "failed":
			err = r.desk.Exported(context.Background(), e, commands.Exported{Failed: true, Text: by, Next: "Mend it."}, r.post)
		default:
			err = r.desk.Exported(context.Background(), e, commands.Exported{Ref: fmt.Sprintf("example/certs#%d", n+1), URL: "https://github.com/example/certs/issues/1"}, r.post)
		}
		if err != nil {
			r.t.Error(err)
		}
	}
	return out.String()
}

// TestUpdatePacked: what the preview shows is what the Send button sends, to
// the letter.
func TestUpdatePacked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"two\nlines", `"quoted"`, `a "b" 'c' \ \n \x41;`, "--to nobody -- --yes", "<@U1|ana> &amp; <#C1> @here", "a  b   c", "— – dash", "“smart”", "żółć 漢字 ✓", `"approve U-2"`, "x", "*bold* _it_ `c` ~s~"} {
		r := newRoom(t)
		r.configure("preview")
		r.must("ana", "main", "/incident declare sev2 images --cert media")
		shown := r.say("ana", "main", "/incident update INC-1 -- "+text)
		if !shown.Problem.IsZero() {
			t.Fatalf("%q: %+v", text, shown.Problem)
		}
		want, _, _ := strings.Cut(shown.Body, "\n\nTo change it")
		sent := r.push("ana", "main", "Send")
		us, err := r.book.Updates(t.Context(), "INC-1")
		if err != nil || len(us) != 1 || us[0].Text != want {
			t.Errorf("%q: shown %q, sent %+v %v (%s)", text, want, us, err, r.shown[len(r.shown)-1].Buttons[0].Command)
		}
		if sent.Body != want {
			t.Errorf("%q: the rooms are told %q", text, sent.Body)
		}
	}
}

// TestUpdateLeavesOnlyOnce: the same delivery told twice makes one line; a
// request that comes again makes one update.
func TestUpdateLeavesOnlyOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.configure("")
	r.must("ana", "main", "/incident declare sev2 images --cert media")
	q := commands.Request{ID: "again", Text: "/incident update INC-1 images do not load", By: person("ana"), Room: "main"}
	r.desk.Do(t.Context(), q, r.post)
	r.configure("") // as after a restart
	if again := r.desk.Do(t.Context(), q, r.post); !again.Problem.IsZero() || !strings.Contains(again.Headline, "U-1") {
		t.Errorf("%+v", again)
	}
	r.deliver("")
	if out := r.deliver(""); out != "" {
		t.Errorf("delivered a second time: %s", out)
	}
	es, _ := r.book.Timeline(t.Context(), "INC-1")
	n := map[string]int{}
	for _, e := range es {
		n[e.Kind]++
	}
	if n[incident.UpdateKind] != 1 || n[incident.CommsKind] != 2 {
		t.Errorf("on the timeline: %v", n)
	}
}

// TestUpdateTemplates: each that comes with certmedic reads well whatever is
// known: no empty places, no doubled stops, no zero times.
func TestUpdateTemplates(t *testing.T) {
	t.Parallel()
	for _, declared := range []string{"/incident declare sev2 images do not load. --cert media", "/incident declare sev3 something odd", "/incident declare api slow --cert api"} {
		r := newRoom(t)
		r.configure("")
		r.must("ana", "main", declared)
		for _, name := range []string{"investigating", "identified", "monitoring", "resolved", "handover"} {
			for _, to := range []string{"internal", "external"} {
				p := r.must("ana", "main", "/incident update INC-1 --template "+name+" --draft "+to)
				text, _, _ := strings.Cut(p.Body, "\n\n")
				for _, bad := range []string{"..", "  ", " .", "0001", "<no value>", "not known", ": .", "%!"} {
					if strings.Contains(text, bad) {
						t.Errorf("%s %s of %q: %q in %q", to, name, declared, bad, text)
					}
				}
				if to == "external" && name != "handover" && strings.Contains(text, "cdn-") {
					t.Errorf("a host's name goes outside: %q", text)
				}
			}
		}
	}
}

func FuzzParseUpdateTemplate(f *testing.F) {
	f.Add("{{.ID}}")
	f.Add("{{range .Domains}}{{.}}{{end}}{{when .Started}}")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 || strings.Contains(text, "template") || strings.Contains(text, "define") {
			return
		}
		_, _ = commands.ParseUpdateTemplate("x", text)
	})
}

func TestUpdateComplete(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.configure("")
	r.must("ana", "main", "/incident declare images")
	for line, want := range map[string]string{
		"/incident update --to ":         "/incident update --to board",
		"/incident update --to pa":       "/incident update --to page",
		"/incident update --draft e":     "/incident update --draft external",
		"/incident update --template ha": "/incident update --template handover",
		"/incident update a":             "/incident update approve",
		"/incident task e":               "/incident task export",
		"/incident update --t":           "/incident update --to",
	} {
		if got := r.desk.Complete(t.Context(), line, "INC-1"); len(got) == 0 || got[0] != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// An own template that fitted when it was tried, and does not fit this
// incident, says so and what to do; it is no internal error.
func TestUpdateTemplateDoesNotFit(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.configure("templates")
	r.must("ana", "main", "/incident declare the shop is down")
	for line, want := range map[string]string{
		"/incident update INC-1 --template second": "The template second does not fit INC-1: ",
		"/incident update INC-1 --template long":   "The template long does not fit INC-1: ",
	} {
		reply := r.say("ana", "main", line)
		if reply.Problem.Code != "bad_template" || !strings.HasPrefix(reply.Problem.Message, want) || !strings.Contains(reply.Problem.Hint, " your words") {
			t.Errorf("%s: %+v", line, reply.Problem)
		}
	}
}
