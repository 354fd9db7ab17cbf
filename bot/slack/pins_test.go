package slack

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// pins is bot.Pins for tests: it records what it is asked.
type pins struct {
	mu    sync.Mutex
	on    map[string]commands.Pin
	calls []string
	hold  chan struct{} // Pin waits for it, when not nil
}

func newPins() *pins { return &pins{on: map[string]commands.Pin{}} }

func (p *pins) Pin(_ context.Context, pin commands.Pin, post func(commands.Post)) commands.Reply {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		<-hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "pin "+pin.Text)
	if strings.Contains(pin.Text, "refuse this") {
		return commands.Reply{State: commands.StateWarning, Headline: "No incident is open.", Problem: commands.Problem{Code: "no_incident", Message: "No incident is open.", Hint: "Declare one."}}
	}
	if _, twice := p.on[pin.Key]; !twice && pin.Room != "main" {
		post(commands.Post{Room: pin.Room, Reply: commands.Reply{State: commands.StateInfo, Headline: "On the timeline: " + pin.Text, Public: true, Key: "pin/" + pin.Key}})
	}
	p.on[pin.Key] = pin
	return commands.Reply{State: commands.StateInfo, Headline: "It stands on the timeline of " + or(pin.Incident, pin.Room) + "."}
}

func (p *pins) Unpin(_ context.Context, key string, by commands.Person, _ time.Time, post func(commands.Post)) commands.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "unpin by "+by.Name)
	delete(p.on, key)
	return commands.Reply{State: commands.StateInfo, Headline: "It is off the timeline."}
}

func (p *pins) Repin(_ context.Context, key, text string, deleted bool, _ time.Time, _ func(commands.Post)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf("repin %q %v", text, deleted))
	return nil
}

func (p *pins) called() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.calls, "\n")
}

func (p *pins) pinned(channel, ts string) (commands.Pin, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pin, ok := p.on[pinKey(channel, ts)]
	return pin, ok
}

// pinStand is an adapter with one open incident and its channel.
func pinStand(t *testing.T, f *bottest.Slack, o Options) (*stand, *pins, *bottest.Book, string) {
	t.Helper()
	b := bottest.NewBook()
	b.Set(bot.Incident{ID: "INC-7", Title: "images", Topic: "t", Open: true, Updated: time.Now()})
	ps := newPins()
	o.Pins, o.Incidents = ps, b
	st := start(t, f, nil, o)
	var c bottest.SlackChannel
	until(t, "the channel", func() bool { ok := false; c, ok = f.Channel("inc-7"); return ok && st.room(c.ID) == "INC-7" })
	return st, ps, b, c.ID
}

// TestReaction: a reaction puts the very message on the timeline, at its own
// time, with author and link; a thread's reply too; the last one off takes it off.
func TestReaction(t *testing.T) {
	t.Parallel()
	for _, sloppy := range []bool{false, true} {
		f := bottest.NewSlack(t)
		f.Sloppy = sloppy
		_, ps, _, room := pinStand(t, f, Options{})
		first := f.Write("ben", room, "", "the message before")
		ts := f.Write("ben", room, "", "cdn-1 &amp; cdn-2 fail, <@U0ANA> <http://x.example|x.example>")
		reply := f.Write("carl", room, ts, "the reply in the thread")
		f.Write("carl", room, ts, "another reply")
		f.Write("carl", room, "", "the message after")
		if !f.React("ana", room, ts, "pushpin::skin-tone-2", true) || !f.React("ana", room, reply, "pushpin", true) || !f.React("ana", room, first, "eyes", true) {
			t.Fatal("not acknowledged")
		}
		until(t, "both pinned", func() bool {
			_, a := ps.pinned(room, ts)
			_, b := ps.pinned(room, reply)
			return a && b
		})
		p, _ := ps.pinned(room, ts)
		if p.Text != "cdn-1 & cdn-2 fail, @ana x.example" || p.Author.Name != "ben" || p.By.Name != "ana" || p.Room != "INC-7" || !p.At.Equal(stampTime(ts)) || p.Link != "https://test.slack.com/archives/"+room+"/p"+strings.ReplaceAll(ts, ".", "") {
			t.Errorf("%+v", p)
		}
		if p, _ := ps.pinned(room, reply); p.Text != "the reply in the thread" || p.Author.Name != "carl" {
			t.Errorf("the wrong message: %+v", p)
		}
		if _, ok := ps.pinned(room, first); ok {
			t.Error("another emoji pins")
		}
		f.React("ben", room, ts, "pushpin", true)
		until(t, "the second reaction", func() bool { return strings.Count(ps.called(), "pin cdn-1") == 2 })
		if n := strings.Count(f.Seen("ben", room), "On the timeline: cdn-1"); n != 1 {
			t.Errorf("told %d times", n)
		}
		f.React("ana", room, ts, "pushpin", false)
		f.React("ana", room, reply, "pushpin", false)
		until(t, "the reply is off", func() bool { _, on := ps.pinned(room, reply); return !on })
		f.EditMessage(room, ts, "edited text") // it comes after the removal, in the same lane
		until(t, "the edit", func() bool { return strings.Contains(ps.called(), `repin "edited text" false`) })
		if _, ok := ps.pinned(room, ts); !ok {
			t.Error("it is off although ben's reaction is there")
		}
		f.React("ben", room, ts, "pushpin", false)
		until(t, "off", func() bool { _, on := ps.pinned(room, ts); return !on })
	}
}

// TestPinnedMessageFollowed: edits and the deletion of a message on a timeline
// are followed; links that unfold, other messages and our own are not.
func TestPinnedMessageFollowed(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{})
	other := f.Write("ben", room, "", "not pinned")
	ts := f.Write("ben", room, "", "it broek")
	if !f.PinMessage("ana", room, ts, true) {
		t.Fatal("not acknowledged")
	}
	until(t, "pinned", func() bool { _, ok := ps.pinned(room, ts); return ok })
	before := len(st.inbox(t))
	for range 5 {
		if !f.Said(room, other) || !f.EditMessage(room, other, "still not pinned") {
			t.Fatal("not acknowledged")
		}
	}
	if n := len(st.inbox(t)); n != before {
		t.Errorf("%d messages that are none of ours were recorded", n-before)
	}
	f.EditMessage(room, ts, "it broek") // unfolded
	f.EditMessage(room, ts, "it broke")
	f.DeleteMessage(room, ts)
	until(t, "deleted", func() bool { return strings.Contains(ps.called(), `repin "" true`) })
	if got := ps.called(); got != "pin it broek\nrepin \"it broke\" false\nrepin \"\" true" {
		t.Errorf("%s", got)
	}
	// Our own messages and pins: the card that we pin ourselves says nothing.
	c, _ := f.Channel(room)
	card := c.Pins[0]
	f.PinMessage("bot", room, card, true)
	f.React("ana", room, card, "pushpin", true)
	st.sees(t, "ana", room, "certmedic's own message")
	if got := ps.called(); strings.Count(got, "\n") != 2 {
		t.Errorf("%s", got)
	}
}

// TestReactionFlood: many reactions on one message cost Slack's limits little,
// and it stands on the timeline until the last of them is taken off.
func TestReactionFlood(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{})
	const people = 120
	worked := func() {
		until(t, "all is worked off", func() bool {
			es, err := st.in.Undone(t.Context())
			return err == nil && len(es) == 0
		})
	}
	for i := range people {
		f.User(fmt.Sprintf("x%d", i), nil)
	}
	ts := f.Write("ben", room, "", "everybody likes this")
	before := len(f.Calls(""))
	for i := range people {
		if !f.React(fmt.Sprintf("x%d", i), room, ts, "pushpin", true) {
			t.Fatal("not acknowledged")
		}
	}
	worked()
	if n := len(f.Calls("")) - before; n > 5*mostHolders {
		t.Errorf("%d reactions take %d calls", people, n)
	}
	before = len(f.Calls(""))
	for i := range people - 1 {
		f.React(fmt.Sprintf("x%d", i), room, ts, "pushpin", false)
	}
	worked()
	if n := len(f.Calls("")) - before; n > people {
		t.Errorf("%d reactions taken off take %d calls", people-1, n)
	}
	if _, on := ps.pinned(room, ts); !on {
		t.Error("it is off although one reaction is left")
	}
	f.React(fmt.Sprintf("x%d", people-1), room, ts, "pushpin", false)
	until(t, "off", func() bool { _, on := ps.pinned(room, ts); return !on })
}

// TestFileFlood: of a message with many files only a few are fetched.
func TestFileFlood(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	_, ps, _, room := pinStand(t, f, Options{})
	var files []bottest.SlackFile
	for i := range 60 {
		files = append(files, bottest.SlackFile{Name: fmt.Sprintf("x%d.png", i), Data: []byte("no picture")})
	}
	ts := f.Write("ben", room, "", "many files", files...)
	f.React("ana", room, ts, "pushpin", true)
	until(t, "pinned", func() bool { _, ok := ps.pinned(room, ts); return ok })
	if n := f.Downloads(); n == 0 || n > mostTried {
		t.Errorf("%d files are fetched", n)
	}
}

// TestHolders: what the shortcut or a pin put there stays when a reaction goes.
func TestHolders(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{})
	ts := f.Write("ben", room, "", "held")
	p := f.Shortcut("ana", room, ts)
	f.Deliver("interactive", p)
	st.sees(t, "ana", room, "It stands on the timeline of INC-7.")
	f.React("ben", room, ts, "pushpin", true)
	f.PinMessage("ben", room, ts, true)
	f.React("ben", room, ts, "pushpin", false)
	f.PinMessage("ben", room, ts, false)
	f.EditMessage(room, ts, "held fast") // the same lane: all before it is done
	until(t, "the edit", func() bool { return strings.Contains(ps.called(), "held fast") })
	if strings.Contains(ps.called(), "unpin") {
		t.Errorf("%s", ps.called())
	}
	guest := f.Write("gus", room, "", "a guest saw it")
	f.React("ana", room, guest, "pushpin", true)
	until(t, "the guest's message", func() bool { p, ok := ps.pinned(room, guest); return ok && p.Author.Name == "gus" })
	f.Deliver("interactive", p)
	if n := strings.Count(ps.called(), "pin held"); n > 3 {
		t.Errorf("%s", ps.called())
	}
}

// TestEventTwice: the same event by two envelopes is done once; a reaction that
// puts nothing anywhere leaves nothing behind.
func TestEventTwice(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{})
	ts := f.Write("ben", room, "", "once")
	p := map[string]any{"type": "event_callback", "event_id": "Ev-same", "event": map[string]any{"type": "reaction_added", "user": bottest.SlackUser("ana"), "reaction": "pushpin", "item": map[string]any{"type": "message", "channel": room, "ts": ts}}}
	for range 3 {
		if _, ok := f.Deliver("events_api", p); !ok {
			t.Fatal("not acknowledged")
		}
	}
	until(t, "pinned", func() bool { _, ok := ps.pinned(room, ts); return ok })
	bad := f.Write("ben", room, "", "refuse this")
	f.React("ana", room, bad, "pushpin", true)
	st.sees(t, "ana", room, "No incident is open.")
	until(t, "it is followed no more", func() bool { _, ok := st.followed.Load(pinNote(room, bad)); return !ok })
	if got := ps.called(); got != "pin once\npin refuse this" {
		t.Errorf("%s", got)
	}
}

// TestWhichIncident: where several are open and the channel is none's, the
// pinner is asked, and sees of private ones only their own.
func TestWhichIncident(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, b, _ := pinStand(t, f, Options{})
	b.Set(bot.Incident{ID: "INC-8", Title: "docs <!channel>", Topic: "t", Open: true, Updated: time.Now()})
	b.Set(bot.Incident{ID: "INC-9", Title: "secret", Topic: "t", Open: true, Private: true, People: []commands.Person{{ID: "slack:" + bottest.SlackUser("ben")}}})
	ts := f.Write("carl", main, "", "where does this belong")
	f.Deliver("interactive", f.Shortcut("ana", main, ts))
	st.sees(t, "ana", main, "2 incidents are open. On which timeline")
	if strings.Contains(f.Raw("ana", main), "secret") {
		t.Error("a private incident is shown to ana")
	}
	if f.Menu("ben", main, "INC-8: docs <!channel>") {
		t.Error("ben sees ana's question")
	}
	if !f.Menu("ana", main, "INC-8: docs &lt;!channel&gt;") {
		t.Fatal("no choice")
	}
	st.sees(t, "ana", main, "It stands on the timeline of INC-8.")
	if strings.Contains(f.Seen("ana", main), "On which timeline") {
		t.Error("the question still stands")
	}
	if p, ok := ps.pinned(main, ts); !ok || p.Incident != "INC-8" || p.Text != "where does this belong" || p.Author.Name != "carl" {
		t.Errorf("%+v", p)
	}
	f.React("ben", main, ts, "pushpin", true)
	st.sees(t, "ben", main, "3 incidents are open.")
	if !f.Menu("ben", main, "INC-9: secret") {
		t.Error("ben's own private incident is not offered")
	}
}

// TestPinsDegrade: without the scopes messages are not read, which is said
// once; the shortcut works all the same. A refusal is told to the pinner.
func TestPinsDegrade(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{Reaction: ":memo:"})
	f.Lack("conversations.history")
	f.Lack("chat.getPermalink")
	f.Lack("reactions.get")
	ts := f.Write("ben", room, "", "cannot be read")
	f.React("ana", room, ts, "pushpin", true) // not the configured one
	f.React("ana", room, ts, "memo", true)
	st.sees(t, "ana", room, "The message could not be read")
	st.sees(t, "ana", room, "Add to timeline")
	f.React("ben", room, ts, "memo", true)
	st.sees(t, "ben", room, "The message could not be read")
	notes := 0
	for _, n := range st.Status().Notes {
		if strings.Contains(n, "messages cannot be read") {
			notes++
		}
	}
	if notes != 1 || ps.called() != "" {
		t.Errorf("%d notes: %q; %s", notes, st.Status().Notes, ps.called())
	}
	f.Deliver("interactive", f.Shortcut("ana", room, ts))
	st.sees(t, "ana", room, "It stands on the timeline of INC-7.")
	if p, ok := ps.pinned(room, ts); !ok || p.Link != "" {
		t.Errorf("%+v", p)
	}
	bad := f.Write("ben", room, "", "refuse this")
	f.Deliver("interactive", f.Shortcut("ana", room, bad))
	st.sees(t, "ana", room, "No incident is open.")
	f.EditMessage(room, bad, "refuse this too")
	f.Deliver("interactive", f.Shortcut("gus", room, ts))
	st.sees(t, "gus", room, "members of this workspace only")
	if strings.Contains(ps.called(), "repin") {
		t.Errorf("what was refused is followed: %s", ps.called())
	}
}

// TestPinImages: pictures are kept when they are pictures, not too large, and
// at Slack; the token goes nowhere else.
func TestPinImages(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, _, room := pinStand(t, f, Options{})
	evil := bottest.NewSlack(t)
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	big := append(b.Bytes(), bytes.Repeat([]byte{0}, maxImage)...)
	ts := f.Write("ben", room, "", "", bottest.SlackFile{Name: "../../graph <1>.png", Data: b.Bytes()}, bottest.SlackFile{Name: "page.png", Data: []byte("<html><script>alert(1)</script>")},
		bottest.SlackFile{Name: "evil.png", URL: evil.Server.URL + "/files/F1", Data: b.Bytes()}, bottest.SlackFile{Name: "big.png", Data: big}, bottest.SlackFile{Name: "liar.png", Data: big, Size: 10})
	f.Deliver("interactive", f.Shortcut("ana", room, ts))
	st.sees(t, "ana", room, "It stands on the timeline")
	p, _ := ps.pinned(room, ts)
	if len(p.Images) != 1 || p.Images[0].Name != "graph-1-.png" || p.Images[0].Type != "image/png" || !bytes.Equal(p.Images[0].Data, b.Bytes()) {
		t.Errorf("%d images: %+v", len(p.Images), p.Images)
	}
	if n := evil.Downloads(); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
	if n := f.Downloads(); n != 3 { // the large one that says so is not asked for
		t.Errorf("%d downloads", n)
	}
	if !strings.Contains(p.Text, "(file") {
		t.Errorf("text %q", p.Text)
	}
}

// TestPinKilled: a reaction that was acknowledged is worked on by the next
// process; what is on a timeline is followed there too.
func TestPinKilled(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st, ps, b, room := pinStand(t, f, Options{})
	kept := f.Write("ben", room, "", "before the kill")
	f.React("ana", room, kept, "pushpin", true)
	until(t, "pinned", func() bool { _, ok := ps.pinned(room, kept); return ok })
	until(t, "done", func() bool {
		for _, e := range st.inbox(t) {
			if e.Done.IsZero() {
				return false
			}
		}
		return true
	})
	ps.mu.Lock()
	ps.hold = make(chan struct{})
	ps.mu.Unlock()
	ts := f.Write("ben", room, "", "in the middle")
	if !f.React("ana", room, ts, "pushpin", true) {
		t.Fatal("not acknowledged")
	}
	notes := st.notes.Cut()
	close(ps.hold)
	st.stop()
	again := newPins()
	start(t, f, nil, Options{Notes: notes, Pins: again, Incidents: b})
	until(t, "pinned by the next process", func() bool { p, ok := again.pinned(room, ts); return ok && p.Text == "in the middle" })
	until(t, "followed", func() bool {
		f.EditMessage(room, kept, "after the kill")
		return strings.Contains(again.called(), `repin "after the kill" false`)
	})
}

// FuzzEvent: whatever an event holds, reading it breaks nothing.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{`{"event_id":"E1","event":{"type":"reaction_added","reaction":"pushpin","item":{"type":"message","channel":"C1","ts":"1.2"}}}`,
		`{"event_id":"E1","event":{"type":"message","subtype":"message_changed","channel":"C1","message":{"ts":"1.2","files":[{"size":1}],"attachments":[{}]}}}`,
		`{"event_id":"E1","event":{"type":"pin_added","item":{"message":null}}}`, `{"event_id":"E1","event":{"ts":"-1.9999999999999999999"}}`} {
		f.Add([]byte(s))
	}
	s := &Slack{o: Options{Pins: newPins(), Reaction: "pushpin"}, self: "U0BOT"}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []string{"events_api", "interactive"} {
			e, err := open(kind, "env", b)
			if err != nil {
				continue
			}
			_ = s.concerns(e)
			_ = person(e)
		}
		_ = stampTime(string(b))
	})
}
