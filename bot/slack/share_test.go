package slack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// TestShare: the very answer that a person has seen is shown to everybody where
// it was asked for, once, without what names an incident; also where the bot is
// no member.
func TestShare(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	st.types(t, "ana", main, "/certcheck media")
	st.sees(t, "ana", main, "checked: media")
	if strings.Contains(f.Seen("ben", main), "checked") || f.Button("ben", main, "Share in channel") != nil {
		t.Fatal("ben sees it already")
	}
	p := f.Button("ana", main, "Share in channel")
	if p == nil {
		t.Fatal("no button")
	}
	f.Deliver("interactive", p)
	st.sees(t, "ben", main, "checked: media")
	st.sees(t, "ben", main, "Shared by ana.")
	st.sees(t, "ana", main, "Shared in the channel.")
	if f.Button("ana", main, "Share in channel") != nil {
		t.Error("the button is still there")
	}
	if f.Button("ben", main, "Renew") == nil || f.Button("ben", main, "Open INC-9") != nil {
		t.Error("the shared answer has the wrong buttons")
	}
	p["trigger_id"] = "another"
	f.Deliver("interactive", p) // pressed twice, before the button went
	st.types(t, "ana", main, "/echo behind it")
	st.sees(t, "ana", main, "echo: behind it")
	if n := strings.Count(f.Seen("ben", main), "checked: media"); n != 1 {
		t.Errorf("shared %d times", n)
	}
	if n := st.desk.Count("/certcheck media"); n != 1 {
		t.Errorf("checked %d times", n)
	}
	// In a channel that is none of ours.
	f.AddChannel("C0ELSE0000", "random")
	st.types(t, "ana", "C0ELSE0000", "/certcheck api")
	st.sees(t, "ana", "C0ELSE0000", "checked: api")
	if !f.Click("ana", "C0ELSE0000", "Share in channel") {
		t.Fatal("no button")
	}
	st.sees(t, "ben", "C0ELSE0000", "checked: api")
	if strings.Contains(f.Seen("ben", main), "checked: api") {
		t.Error("it is said in main too")
	}
	// What is no check is not shared.
	st.types(t, "ana", main, "/echo private")
	st.sees(t, "ana", main, "echo: private")
	if f.Button("ana", main, "Share in channel") != nil {
		t.Error("any answer can be shared")
	}
}

// TestStaleButtons: when an incident has ended, the buttons about it go from
// its channel; those that look, and those about renewals, stay.
func TestStaleButtons(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	i := bot.Incident{ID: "INC-7", Topic: "t", Open: true, Updated: time.Now()}
	b.Set(i)
	st := start(t, f, nil, Options{Incidents: b})
	post := func(headline string, buttons ...commands.Button) {
		t.Helper()
		if err := st.rooms.Post(context.Background(), commands.Post{Room: "INC-7", Reply: commands.Reply{Headline: headline, Public: true, Buttons: buttons}}); err != nil {
			t.Fatal(err)
		}
	}
	close7, show, stop := commands.Button{Label: "Close", Command: "/incident close INC-7"}, commands.Button{Label: "Timeline", Command: "/incident timeline INC-7"}, commands.Button{Label: "Stop", Command: "/renew stop R-1"}
	post("first.", close7, show)
	post("second.", stop, close7)
	var room string
	until(t, "the channel", func() bool {
		c, ok := f.Channel("inc-7")
		room = c.ID
		return ok && strings.Contains(f.Seen("ana", room), "second.")
	})
	if f.Button("ana", room, "Close") == nil {
		t.Fatal("no button before")
	}
	i.Open = false
	b.Set(i)
	post("closed.", show)
	until(t, "the buttons go", func() bool { return f.Button("ana", room, "Close") == nil })
	if f.Button("ana", room, "Timeline") == nil || f.Button("ana", room, "Stop") == nil {
		t.Errorf("buttons that still mean something are gone:\n%s", f.Seen("ana", room))
	}
	if n := strings.Count(f.Seen("ana", room), "second."); n != 1 {
		t.Errorf("said %d times", n)
	}
	n := len(f.Calls("chat.update"))
	post("one more word.")
	st.sees(t, "ana", room, "one more word.")
	if got := len(f.Calls("chat.update")); got > n+1 {
		t.Errorf("%d more edits", got-n)
	}
}

// TestStaleMain: in main too, where nothing more is said, also when it ended
// while nobody looked; the next start edits nothing once more.
func TestStaleMain(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	b := bottest.NewBook()
	i := func(id string, open bool) bot.Incident {
		return bot.Incident{ID: id, Topic: "t", Open: open, Updated: time.Now()}
	}
	b.Set(i("INC-7", true))
	b.Set(i("INC-8", true))
	st := start(t, f, nil, Options{Incidents: b})
	has := func(label string) bool { return f.Button("ana", main, label) != nil }
	if err := st.rooms.Post(t.Context(), commands.Post{Room: "main", Reply: bottest.Resolvable()}); err != nil {
		t.Fatal(err)
	}
	until(t, "the buttons", func() bool { return has("Resolve INC-7") && has("Resolve INC-8") && has("Declare") })
	b.Set(i("INC-7", false))
	until(t, "it goes", func() bool { return !has("Resolve INC-7") })
	if !has("Resolve INC-8") || !has("Declare") || !has("Open INC-7") {
		t.Errorf("useful buttons went too:\n%s", f.Seen("ana", main))
	}
	idle := func() { until(t, "all is said", func() bool { return st.Status().Waiting == 0 }) }
	idle()
	st.stop()
	b.Set(i("INC-8", false)) // while nobody looks
	before := len(f.Calls("chat.update"))
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: st.notes.Cut()})
	until(t, "it goes at the next start", func() bool { return !has("Resolve INC-8") })
	idle()
	st.stop()
	edits := len(f.Calls("chat.update"))
	st = start(t, f, st.rooms, Options{Incidents: b, Notes: st.notes.Cut()})
	b.Set(i("INC-8", false))
	st.types(t, "ana", main, "/public behind it")
	st.sees(t, "ana", main, "public: behind it")
	idle()
	if got := len(f.Calls("chat.update")); edits <= before || got != edits {
		t.Errorf("%d edits, then %d, then %d", before, edits, got)
	}
}
