package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// echoDesk answers with the line that it was given, and completes from memory.
type echoDesk struct {
	mu    sync.Mutex
	lines []string
	slow  time.Duration // of completions
}

func (d *echoDesk) Do(_ context.Context, q commands.Request, _ func(commands.Post)) commands.Reply {
	d.mu.Lock()
	d.lines = append(d.lines, q.Text)
	d.mu.Unlock()
	r := commands.Reply{State: commands.StateInfo, Headline: "got " + q.Text, Public: true}
	switch {
	case strings.HasPrefix(q.Text, "/help"):
		r.Public = false
		r.Buttons = []commands.Button{{Label: "Roll back", Command: "/renew rollback R-1", Style: "danger", Confirm: "Put 4 hosts back to the @old certificate?"}}
	case strings.HasPrefix(q.Text, "/certcheck"):
		for i := range 7 {
			r.Buttons = append(r.Buttons, commands.Button{Label: fmt.Sprintf("Renew cert-%d", i), Command: fmt.Sprintf("/renew cert-%d", i)})
		}
	}
	return r
}

func (d *echoDesk) Complete(ctx context.Context, line, _ string) []string {
	if d.slow > 0 {
		select {
		case <-time.After(d.slow):
		case <-ctx.Done():
		}
	}
	var out []string
	for _, head := range []string{"/certcheck ", "/renew approve ", "/incident show ", "/incident lead ", "/incident postmortem --template ", "/incident update --template "} {
		for _, v := range map[string][]string{"/certcheck ": {"media", "mail"}, "/renew approve ": {"R-12"}, "/incident show ": {"INC-7"}, "/incident lead ": {"me", "ana", "INC-7"},
			"/incident postmortem --template ": {"standard", "our-own"}, "/incident update --template ": {"handover"}}[head] {
			if strings.HasPrefix(head+v, line) && head+v != line {
				out = append(out, head+v)
			}
		}
	}
	return out
}

func (d *echoDesk) said(line string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.lines, line)
}

// real runs an adapter with the real table of verbs on an echoing desk.
func real(t *testing.T, o Options) (*stand, *echoDesk) {
	t.Helper()
	desk := &echoDesk{}
	f := bottest.NewDiscord(t)
	o.Verbs, o.Params = commands.Verbs(), commands.ParamsOf
	rooms := bot.New(bot.Options{Desk: desk, Log: bottest.NewLog()})
	st := start(t, f, rooms, o).up(t)
	return st, desk
}

// TestEveryVerbCanBeSaid: each verb is registered under one path, and its
// options make the line that was meant.
func TestEveryVerbCanBeSaid(t *testing.T) {
	t.Parallel()
	set, err := buildCommands(commands.Verbs(), commands.ParamsOf, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range commands.Verbs() {
		l, ok := set.leaves[set.paths[v.Name]]
		if !ok || l.verb.Name != v.Name {
			t.Errorf("%s cannot be said", v.Name)
		}
		if n := len(strings.Fields(set.paths[v.Name])); n > 3 {
			t.Errorf("%s: %q is nested too deep", v.Name, set.paths[v.Name])
		}
	}
	for _, c := range set.list {
		if n := commandSize(c); n > maxSize {
			t.Errorf("/%s has %d characters", c.Name, n)
		}
	}
	// The fake checks what is registered against Discord's rules.
	st, desk := real(t, Options{})
	for _, c := range st.f.Commands(bottest.DiscordGuild) {
		if fmt.Sprint(c["contexts"]) != "[0]" || fmt.Sprint(c["integration_types"]) != "[0]" || c["default_member_permissions"] == nil {
			t.Errorf("%v: contexts %v, installs %v, permissions %v: it is for members of servers, and its permission can be taken from them", c["name"], c["contexts"], c["integration_types"], c["default_member_permissions"])
		}
	}
	for _, c := range []struct {
		path    string
		options map[string]any
		line    string
	}{
		{"certcheck look", map[string]any{"certificate": "media", "all": true}, "/certcheck --all media"},
		{"incident declare", map[string]any{"title": "a --private title", "severity": "sev2", "cert": "me dia"}, `/incident declare --cert="me dia" -- sev2 a --private title`},
		{"incident note", map[string]any{"text": "<@" + bottest.DiscordUser("ben") + "> saw it", "at": "-20m"}, "/incident note @ben saw it @ -20m"},
		{"incident more task", map[string]any{"do": "add", "text": "renew it", "owner": "ana", "due": "fri"}, "/incident task add renew it @ana due fri"},
		{"incident here", nil, "/incident"},
		{"help", map[string]any{"verb": "incident note"}, "/help incident note"},
	} {
		if a := st.f.Slash("ana", main, c.path, c.options); !a.OK() {
			t.Errorf("/%s: %s", c.path, a.Refused)
		}
		until(t, c.line, func() bool { return desk.said(c.line) })
	}
}

// TestRegisteredOnce: the commands are told once, and again when they change.
func TestRegisteredOnce(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Fail("bulk_set_guild_application_commands", "500", "429")
	st := start(t, f, nil, Options{}).up(t)
	st.alive(t, "first")
	const op = "bulk_set_guild_application_commands"
	n := len(f.Calls(op))
	notes := st.notes.Cut()
	st.stop()
	st = start(t, f, st.rooms, Options{Notes: notes}).up(t)
	st.alive(t, "second")
	if got := len(f.Calls(op)); got != n {
		t.Errorf("told again, though nothing changed: %d and %d calls", n, got)
	}
	notes = st.notes.Cut()
	st.stop()
	start(t, f, nil, Options{Notes: notes, Verbs: commands.Verbs(), Params: commands.ParamsOf})
	until(t, "told anew", func() bool { return len(f.Calls(op)) > n })
}

// TestForms: what a command lacks is asked in a form; a card's button opens
// one; what is filled in makes the same line.
func TestForms(t *testing.T) {
	t.Parallel()
	b := bottest.NewBook()
	st, desk := real(t, Options{Incidents: b})
	submit := func(a *bottest.DiscordAsk, line string, fields map[string]string) {
		t.Helper()
		if a == nil || !a.OK() || a.Modal() == nil {
			t.Fatalf("no form for %q: %+v", line, a)
		}
		if s := st.f.Submit("ana", a, fields); !s.OK() {
			t.Fatalf("%q is not taken: %s", line, s.Refused)
		}
		until(t, line, func() bool { return desk.said(line) })
	}
	declare := st.f.Slash("ana", main, "incident declare", map[string]any{"severity": "sev1"})
	submit(declare, "/incident declare --cert=media sev1 images do not load", map[string]string{"title": "images do not load", "cert": "media"})
	approve := st.f.Slash("ana", main, "renew approve", nil)
	submit(approve, "/renew approve R-12 as agreed", map[string]string{"reason": "as agreed"}) // the only one that waits is filled in
	b.Set(bot.Incident{ID: "INC-7", Topic: "INC-7 SEV2", Open: true, Updated: time.Now()})
	c := st.place(t, "INC-7")
	submit(st.f.Click("ana", c.ID, "Post an update"), "/incident status INC-7 identified found it", map[string]string{"status": "Identified", "text": "found it"})
	submit(st.f.Click("ana", c.ID, "Close it"), "/incident close INC-7 all good", map[string]string{"text": "all good"})
	if got := len(desk.lines); got != 4 {
		t.Errorf("%d lines were said: %q", got, desk.lines)
	}
}

// TestSure: a dangerous button asks first; Cancel does nothing, yes does it once.
func TestSure(t *testing.T) {
	t.Parallel()
	st, desk := real(t, Options{})
	first := st.types(t, "ana", main, "/help verb:renew")
	until(t, "the button", func() bool { return strings.Contains(first.Text(), "[Roll back]") })
	press := func(label string) *bottest.DiscordAsk {
		t.Helper()
		a := st.f.Click("ana", main, label)
		if a == nil || !a.OK() {
			t.Fatalf("no %s:\n%s", label, st.f.Seen("ana", main))
		}
		return a
	}
	if a := press("Roll back"); !a.Ephemeral() || !strings.Contains(a.Text(), "Put 4 hosts back") {
		t.Errorf("asked %q", a.Text())
	}
	press("Cancel")
	if desk.said("/renew rollback R-1") {
		t.Fatal("done although it was cancelled")
	}
	until(t, "the no", func() bool { return strings.Contains(st.f.Seen("ana", main), "Nothing was done.") })
	if a := st.f.Press("ana", main, first.Payload["id"].(string), "x", nil); a.Refused == "" {
		t.Error("there is no such message")
	}
	m, _ := first.Message()
	again := st.f.Press("ana", main, m.ID, "p|main|m-2|0|"+labelHash("Roll back"), nil)
	if !again.OK() {
		t.Fatal("not answered")
	}
	press("Roll back") // of the question
	until(t, "it is done", func() bool { return desk.said("/renew rollback R-1") })
	st.sees(t, "ben", main, "got /renew rollback R-1")
	st.sees(t, "ana", main, "Done: got /renew rollback R-1")
}

// TestMenu: more than five buttons are a menu, which presses them.
func TestMenu(t *testing.T) {
	t.Parallel()
	st, desk := real(t, Options{})
	a := st.types(t, "ana", main, "/certcheck look")
	until(t, "the answer", func() bool { return strings.Contains(a.Text()+st.f.Seen("ana", main), "What next?") })
	_, menu := st.f.Button("ana", main, "Renew cert-6")
	if menu != nil {
		t.Error("seven buttons in rows")
	}
	ms, err := st.rooms.Messages(context.Background(), "main", "", 0)
	if err != nil || len(ms) == 0 {
		t.Fatalf("%v %v", ms, err)
	}
	last := ms[len(ms)-1]
	s := st.f.Select("ben", main, "menu|", pressID("main", last.ID, 6, "Renew cert-6"))
	if s == nil || !s.OK() {
		t.Fatal("the menu is not answered")
	}
	until(t, "the seventh", func() bool { return desk.said("/renew cert-6") })
	st.sees(t, "ana", main, "ben pressed Renew cert-6 at ")
}

// TestComplete: offers come from memory, titles with ids, in time, and never
// an empty list.
func TestComplete(t *testing.T) {
	t.Parallel()
	b := bottest.NewBook()
	b.Set(bot.Incident{ID: "INC-7", Title: "images do not load", Topic: "x", Open: true})
	b.Set(bot.Incident{ID: "INC-8", Title: "a leak", Private: true, Open: true})
	st, desk := real(t, Options{Incidents: b})
	st.place(t, "INC-7")
	calls := len(st.f.Calls(""))
	for _, c := range []struct{ path, option, typed, name, value string }{
		{"certcheck look", "certificate", "m", "media", "media"},
		{"certcheck look", "certificate", "media", "media", "media"},
		{"certcheck look", "certificate", "example.org:443", "as typed: example.org:443", "example.org:443"},
		{"incident show", "incident", "", "INC-7 images do not load", "INC-7"},
		{"incident show", "incident", "images", "INC-7 images do not load", "INC-7"},
		{"renew approve", "renewal", "", "R-12", "R-12"},
		{"incident lead", "person", "", "me", "me"},
		{"incident lead", "person", "zoe", "as typed: zoe", "zoe"},
		{"incident note", "at", "-1", "-15m", "-15m"},
		{"incident postmortem", "template", "our", "our-own", "our-own"},
		{"incident postmortem", "template", "our-own", "our-own", "our-own"},
		{"incident update", "template", "", "handover", "handover"},
		{"help", "verb", "incident no", "incident note", "incident note"},
		{"renew stop", "renewal", "", "nothing to offer: type it", "?"},
	} {
		a := st.f.Complete("ana", main, c.path, c.option, c.typed, nil)
		if !a.OK() {
			t.Fatalf("%v: %s", c, a.Refused)
		}
		names, values := a.Choices()
		if len(names) == 0 || names[0] != c.name || values[0] != c.value {
			t.Errorf("%s %s %q: %q %q", c.path, c.option, c.typed, names, values)
		}
		if strings.Contains(fmt.Sprint(names), "leak") {
			t.Errorf("a private incident is offered: %q", names)
		}
	}
	for _, c := range st.f.Calls("")[calls:] {
		if c.Op != "create_interaction_response" && !strings.HasPrefix(c.Op, "bulk_set") && c.Op != "create_message" && c.Op != "create_pin" && c.Op != "update_channel" && c.Op != "create_guild_channel" {
			t.Errorf("asked Discord: %s", c.Op)
		}
	}
	desk.slow = time.Hour // a desk that hangs
	a := st.f.Complete("ana", main, "certcheck look", "certificate", "me", nil)
	if !a.OK() {
		t.Fatal("not answered in time")
	}
	if names, _ := a.Choices(); len(names) != 1 || names[0] != "as typed: me" {
		t.Errorf("%q", names)
	}
}

// TestKnown: open incidents are offered before those that ended, these newest
// first, private ones never, and no more than Discord shows.
func TestKnown(t *testing.T) {
	t.Parallel()
	st, _ := real(t, Options{})
	var all []bot.Incident
	for n := range 60 {
		all = append(all, bot.Incident{ID: fmt.Sprint("INC-", n+40), Title: "images", Open: n == 3, Private: n == 59})
	}
	st.know(all)
	a := st.f.Complete("ana", main, "incident show", "incident", "Images", nil)
	if !a.OK() {
		t.Fatal(a.Refused)
	}
	_, values := a.Choices()
	if len(values) != maxChoices || !slices.Equal(values[:3], []string{"INC-43", "INC-98", "INC-97"}) {
		t.Errorf("%d: %q", len(values), values)
	}
}

// pins are Pins that write down what they are told.
type pins struct {
	mu  sync.Mutex
	log []string
	all []commands.Pin
}

func (p *pins) Pin(_ context.Context, n commands.Pin, post func(commands.Post)) commands.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, n)
	p.log = append(p.log, "pin "+n.Key)
	post(commands.Post{Room: n.Room, Reply: commands.Reply{Headline: "on the timeline: " + n.Text, Public: true, Key: n.Key}})
	return commands.Reply{State: commands.StateGood, Headline: "It is on the timeline."}
}

func (p *pins) Unpin(_ context.Context, key string, by commands.Person, _ time.Time, _ func(commands.Post)) commands.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, "unpin "+key+" "+by.Name)
	return commands.Reply{}
}

func (p *pins) Repin(_ context.Context, key, text string, deleted bool, _ time.Time, _ func(commands.Post)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf("repin %s %q %v", key, text, deleted))
	return nil
}

func (p *pins) has(s string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.log, s)
}

// TestPinMessage: "Add to timeline" of a message's menu needs no intent.
func TestPinMessage(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	p := &pins{}
	st := start(t, f, nil, Options{Pins: p}).up(t)
	m := f.Speak("carl", main, "cdn-1 serves the old one, <@"+bottest.DiscordUser("ana")+">")
	a := f.MessageCommand("ana", main, m, pinName)
	if !a.OK() || !a.Ephemeral() {
		t.Fatalf("%s", a.Refused)
	}
	st.sees(t, "ben", main, "on the timeline: cdn-1 serves the old one, @\u200bana")
	until(t, "the answer", func() bool { return strings.Contains(a.Text(), "It is on the timeline.") })
	n := p.all[0]
	if n.Key != "discord/"+main+"/"+m || n.Author.Name != "carl" || n.By.Name != "ana" || n.Room != "main" || !strings.HasSuffix(n.Link, "/"+main+"/"+m) || n.At.IsZero() || time.Since(n.At) > time.Minute {
		t.Errorf("%+v", n)
	}
	// Without the intent a reaction cannot be read; it is said how else.
	f.React("ben", main, m, "📌")
	st.sees(t, "ana", main, "Apps, Add to timeline")
	if len(p.all) != 1 {
		t.Errorf("pinned without its text: %+v", p.all)
	}
}

// TestReactions: where the bot may read, a pushpin puts a message on the
// timeline, its removal takes it off, edits and deletions follow.
func TestReactions(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Privileged(1 << 15)
	p := &pins{}
	st := start(t, f, nil, Options{Pins: p, Content: true, Emoji: []string{"📌", "eyes"}}).up(t)
	m := f.Speak("carl", main, "users call")
	key := "discord/" + main + "/" + m
	f.React("ben", main, m, "🎉")
	f.React("ana", main, m, "📌")
	st.sees(t, "ben", main, "on the timeline: users call")
	f.Unreact("ana", main, m, "📌")
	until(t, "taken off", func() bool { return p.has("unpin " + key + " ana") })
	f.Edit("carl", main, m, "many users call")
	until(t, "corrected", func() bool { return p.has("repin " + key + ` "many users call" false`) })
	f.DeleteMessage(main, m)
	until(t, "deleted", func() bool { return p.has("repin " + key + ` "" true`) })
	if len(p.all) != 1 {
		t.Errorf("%+v", p.all)
	}
}

// TestIntentRefused: without the privileged intent in the portal the gateway
// is connected all the same, and the operator is told.
func TestIntentRefused(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{Pins: &pins{}, Content: true}).up(t)
	st.alive(t, "without")
	if s := strings.Join(st.Status().Notes, " "); !strings.Contains(s, "MESSAGE_CONTENT") {
		t.Errorf("not told: %q", s)
	}
}

// TestWho: roles are known from the last interaction; who is no member is
// refused; the name is the user name.
func TestWho(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	st.types(t, "ana", main, "/public hello")
	st.sees(t, "ben", main, "public: hello")
	q := st.desk.Asked("/public hello")
	if len(q) != 1 || q[0].By != (commands.Person{ID: "discord:" + bottest.DiscordUser("ana"), Name: "ana", Platform: "discord"}) {
		t.Fatalf("%+v", q)
	}
	if g := st.Groups(q[0].By); !slices.Equal(g, []string{bottest.DiscordOnCall, "on-call"}) {
		t.Errorf("groups %q", g)
	}
	if g := st.Groups(commands.Person{ID: "slack:U1"}); g != nil {
		t.Errorf("groups of another platform: %q", g)
	}
	a := st.types(t, "ana", main, "/public again")
	for _, spoil := range []func(map[string]any){
		func(p map[string]any) { p["guild_id"] = "999999999999999999" },
		func(p map[string]any) { delete(p, "member") },
		func(p map[string]any) { p["member"].(map[string]any)["pending"] = true },
	} {
		if by, no := st.who(spoiled(t, a, spoil)); no == nil {
			t.Errorf("taken for a member: %+v", by)
		}
	}
}

// TestElsewhere: a command in a channel that is no room is answered there, to
// its person; what it changes is said in the main channel.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	other := f.AddChannel("random")
	st := start(t, f, nil, Options{}).up(t)
	a := st.types(t, "ana", other, "/public from afar")
	st.sees(t, "ben", main, "ana: /public from afar")
	until(t, "her answer", func() bool { return strings.Contains(a.Text(), "public: from afar") })
	if !a.Ephemeral() || strings.Contains(f.Seen("ben", other), "public: from afar") {
		t.Error("others see it there")
	}
}

// TestNotRecorded: what cannot be written down is refused, and nothing is done.
func TestNotRecorded(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{Gateway, HTTP} {
		f := bottest.NewDiscord(t)
		st := start(t, f, nil, Options{Mode: mode}).up(t)
		st.notes.Fill(true)
		a := f.Line("ana", main, "/public lost")
		if !a.OK() || a.Kind() != sayMessage || !strings.Contains(a.Text(), "nothing was done") {
			t.Errorf("%s: answered %d %s", mode, a.Kind(), a.Text())
		}
		st.notes.Fill(false)
		st.types(t, "ana", main, "/public kept")
		st.sees(t, "ben", main, "public: kept")
		if n := st.desk.Count("/public lost"); n != 0 {
			t.Error("it was done nevertheless")
		}
	}
}

// spoiled is an interaction as it was delivered, changed.
func spoiled(t *testing.T, a *bottest.DiscordAsk, change func(map[string]any)) interaction {
	t.Helper()
	b, err := json.Marshal(a.Payload)
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	change(p)
	if b, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	i, err := readInteraction(b)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestGlobal: without a guild the commands are registered for all servers, and
// members of the main channel's server are heard.
func TestGlobal(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{Guild: everywhere})
	until(t, "registered", func() bool { return len(f.Commands("")) > 0 && st.Status().State == "connected" })
	st.alive(t, "anywhere")
	if n := len(f.Commands(bottest.DiscordGuild)); n != 0 {
		t.Errorf("%d commands of the guild", n)
	}
}
