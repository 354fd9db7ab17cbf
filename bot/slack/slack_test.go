package slack

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

const main = "C0MAIN0000"

func TestMain(m *testing.M) {
	for _, s := range Scopes() {
		bottest.SlackScopes = append(bottest.SlackScopes, s.Name)
	}
	os.Exit(m.Run())
}

// stand is an adapter between rooms and a fake Slack.
type stand struct {
	*Slack
	f     *bottest.Slack
	rooms *bot.Rooms
	desk  *bottest.Desk
	notes *bottest.Notes
	stop  func()
}

// start runs an adapter; nil fields of o are filled in.
func start(t testing.TB, f *bottest.Slack, rooms *bot.Rooms, o Options) *stand {
	t.Helper()
	st := &stand{f: f, rooms: rooms}
	if rooms == nil {
		st.rooms, st.desk = bottest.NewRooms()
	}
	if o.Notes == nil {
		o.Notes = bottest.NewNotes()
	}
	st.notes, _ = o.Notes.(*bottest.Notes)
	if o.Mode == "" {
		o.Mode = Socket
	}
	o.Rooms, o.Channel, o.APIURL = st.rooms, main, f.URL()
	o.AppToken, o.BotToken, o.Secret = bottest.SlackAppToken, bottest.SlackBotToken, bottest.SlackSecret
	for d, def := range map[*time.Duration]time.Duration{&o.Answer: 50 * time.Millisecond, &o.Every: 2 * time.Millisecond, &o.Edits: 10 * time.Millisecond, &o.Retry: 10 * time.Millisecond} {
		if *d == 0 {
			*d = def
		}
	}
	o.Log = bottest.Logger(t, bottest.SlackAppToken, bottest.SlackBotToken, bottest.SlackSecret)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	st.Slack = s
	if o.Mode == HTTP {
		srv := httptest.NewServer(s)
		t.Cleanup(srv.Close)
		f.Events = srv.URL + "/slack/events"
	}
	st.stop = bottest.Live(t, s, o.Notes)
	return st
}

var until = bottest.Until

func (st *stand) sees(t testing.TB, who, channel, words string) {
	t.Helper()
	bottest.See(t, st.f, who, channel, words)
}

func (st *stand) types(t testing.TB, who, channel, line string) {
	t.Helper()
	if _, ok := st.f.Command(who, channel, line); !ok {
		t.Fatalf("%q was not acknowledged", line)
	}
}

// TestSuite runs every adapter's suite, by Socket Mode and by HTTP.
func TestSuite(t *testing.T) {
	for _, mode := range []string{Socket, HTTP} {
		t.Run(mode, func(t *testing.T) {
			bottest.Run(t, func(t *testing.T, rooms *bot.Rooms) bottest.Adapter {
				f := bottest.NewSlack(t)
				st := start(t, f, rooms, Options{Mode: mode})
				<-st.ready
				until(t, "connected", func() bool { return st.Status().State == "connected" })
				return bottest.Adapter{
					Say: func(t testing.TB, who, room, line string) {
						if _, ok := f.Command(who, main, line); !ok && !strings.Contains(line, "late") {
							t.Fatalf("%q is not acknowledged", line)
						}
					},
					Seen: func(t testing.TB, who, room string) string {
						return f.Seen(who, main)
					},
					Raw: func(t testing.TB, who, room string) string { return f.Raw(who, main) },
					Press: func(t testing.TB, who, room, label string) string {
						if !f.Click(who, main, label) {
							t.Fatalf("%s has no button %s", who, label)
						}
						return ""
					},
					Never: []string{"<!channel>", "<@", "<script>", "<img", "javascript:alert(5)|", "//evil.example"},
				}
			})
		})
	}
}

// TestDuplicates: the same delivery twice, by a repeated envelope and by a new
// one with the same trigger, is done once, and acknowledged each time.
func TestDuplicates(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	p := map[string]any{"command": "/public", "text": "once", "user_id": bottest.SlackUser("ana"), "user_name": "ana", "channel_id": main, "trigger_id": "t.1", "response_url": f.Server.URL + "/hooks/none"}
	for _, id := range []string{"env-a", "env-a", "env-b"} {
		if !f.DeliverAs(id, "slash_commands", p) {
			t.Fatalf("%s is not acknowledged", id)
		}
	}
	st.sees(t, "ben", main, "public: once")
	st.types(t, "ana", main, "/public twice")
	st.sees(t, "ben", main, "public: twice")
	if n := st.desk.Count("/public once"); n != 1 {
		t.Errorf("done %d times", n)
	}
	if n := strings.Count(f.Seen("ben", main), "public: once"); n != 1 {
		t.Errorf("said %d times:\n%s", n, f.Seen("ben", main))
	}
	p = map[string]any{"command": "/echo", "text": "to me", "user_id": bottest.SlackUser("ana"), "user_name": "ana", "channel_id": main, "trigger_id": "t.2"}
	f.DeliverAs("env-c", "slash_commands", p)
	st.sees(t, "ana", main, "echo: to me")
	f.DeliverAs("env-d", "slash_commands", p)
	st.types(t, "ana", main, "/echo after it")
	st.sees(t, "ana", main, "echo: after it")
	if n := len(f.Calls("chat.postEphemeral")); n != 1 {
		t.Errorf("the private answer was given %d times", n)
	}
	// A button's delivery, twice.
	st.types(t, "ana", main, "/buttons")
	st.sees(t, "ben", main, "Renew")
	b := f.Button("ben", main, "Renew")
	f.Deliver("interactive", b)
	f.Deliver("interactive", b)
	st.sees(t, "ana", main, "ben pressed Renew at ")
	st.sees(t, "ana", main, "public: pressed")
	if n := st.desk.Count("/public pressed"); n != 1 {
		t.Errorf("pressed %d times", n)
	}
	if f.Button("ana", main, "Renew") != nil {
		t.Error("the used button is still there")
	}
}

// TestKillBetweenAckAndWork: what was acknowledged and not done is done by the
// next process, once.
func TestKillBetweenAckAndWork(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	st.types(t, "ana", main, "/slow fish")
	st.types(t, "ana", main, "/public behind it")
	if !st.desk.Started("fish", bottest.Wait) {
		t.Fatal("not begun")
	}
	notes := st.notes.Cut() // the process is gone here
	st.stop()
	if n := st.desk.Count("/public behind it"); n != 0 {
		t.Fatalf("it ran %d times before", n)
	}
	next := start(t, f, nil, Options{Notes: notes})
	next.desk.Release("fish")
	next.sees(t, "ana", main, "slow: fish")
	next.sees(t, "ben", main, "public: behind it")
	if n := next.desk.Count("/public behind it"); n != 1 {
		t.Errorf("done %d times", n)
	}
	bottest.AllDone(t, next.in, 2)
}

// TestNotRecordedNotAcknowledged: a delivery that cannot be written down is
// refused, so that Slack tells the person; nothing is done.
func TestNotRecordedNotAcknowledged(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{Mode: HTTP})
	st.notes.Fill(true)
	if _, ok := f.Command("ana", main, "/public lost"); ok {
		t.Fatal("acknowledged, although it is on no record")
	}
	st.notes.Fill(false)
	st.types(t, "ana", main, "/public kept")
	st.sees(t, "ben", main, "public: kept")
	if n := st.desk.Count("/public lost"); n != 0 {
		t.Error("it was done nevertheless")
	}
}

// TestOutage: Slack is away, answers 429 and 500, loses answers, drops and
// refreshes sockets: all is said, once and in order.
func TestOutage(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	post := func(i int) {
		if err := st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{State: commands.StateWarning, Headline: fmt.Sprintf("alert %02d.", i), Public: true}}); err != nil {
			t.Fatal(err)
		}
	}
	f.Fail("chat.postMessage", "lost", "429", "500", "lost", "internal_error")
	for i := range 10 {
		post(i)
	}
	st.sees(t, "ana", main, "alert 09.")
	f.Down(true)
	for i := 10; i < 20; i++ {
		post(i)
	}
	until(t, "failing", func() bool { s := st.Status(); return s.State == "failing" && s.Waiting >= 10 && s.Error != "" })
	f.Down(false)
	st.sees(t, "ana", main, "alert 19.")
	until(t, "connected again", func() bool { return st.Status().State == "connected" })
	f.Revoke(true)
	post(20)
	f.DropSockets()
	until(t, "the revoked token is told", func() bool { return strings.Contains(st.Status().Error, "install the app again") })
	f.Revoke(false)
	st.sees(t, "ana", main, "alert 20.")
	f.Refresh()
	st.types(t, "ana", main, "/public after the refresh")
	st.sees(t, "ana", main, "public: after the refresh")
	bottest.InOrder(t, f.Seen("ben", main), "alert %02d.", 21)
	if strings.Contains(fmt.Sprint(st.Status()), "xoxb") || strings.Contains(fmt.Sprint(st.Status()), "ticket=") {
		t.Errorf("a secret stands in the status: %+v", st.Status())
	}
}

// TestPace: a channel gets a message a second after three at once, and edits
// of one message are told as one, the last state always.
func TestPace(t *testing.T) {
	t.Parallel()
	f := bottest.NewSlack(t)
	f.Limit = true
	st := start(t, f, nil, Options{Every: time.Second, Edits: 2 * time.Second})
	until(t, "connected", func() bool { return st.Status().State == "connected" })
	for i := range 100 {
		_ = st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{State: commands.StateRunning, Headline: fmt.Sprintf("step %d.", i), Key: "k", Public: true}})
	}
	for i := range 5 {
		_ = st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: fmt.Sprintf("other %d.", i), Public: true}})
	}
	st.sees(t, "ana", main, "step 99.")
	st.sees(t, "ana", main, "other 4.")
	if n := len(f.Calls("chat.update")); n > 3 {
		t.Errorf("%d edits", n)
	}
	limited := 0
	posts := f.Calls("chat.postMessage")
	for i, c := range posts {
		if i >= 3 && c.At.Sub(posts[i-3].At) < 900*time.Millisecond {
			limited++
		}
	}
	if len(posts) != 6 || limited > 0 {
		t.Errorf("%d posts, %d of them too soon", len(posts), limited)
	}
}

// TestGuest: people who are not members get a polite no, and nothing is done.
func TestGuest(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	st.types(t, "gus", main, "/public hello")
	st.sees(t, "gus", main, "members of this workspace only")
	if n := st.desk.Count(""); n != 0 {
		t.Errorf("%d requests of a guest were done", n)
	}
}

// TestMention: a mention of the bot answers help, to the one who asked.
func TestMention(t *testing.T) {
	for _, mode := range []string{Socket, HTTP} {
		f := bottest.NewSlack(t)
		st := start(t, f, nil, Options{Mode: mode})
		if _, ok := f.Mention("ana", main); !ok {
			t.Fatal("not acknowledged")
		}
		st.sees(t, "ana", main, "There is no verb /help") // the test's desk has none
		if strings.Contains(f.Seen("ben", main), "/help") {
			t.Error("ben sees it too")
		}
		if n := st.desk.Count("/help"); n != 1 {
			t.Errorf("asked %d times", n)
		}
	}
}

// TestElsewhere: a command typed where the bot is not is answered there, to
// the person; and what comes from Slack stands in the room under its name.
func TestElsewhere(t *testing.T) {
	f := bottest.NewSlack(t)
	st := start(t, f, nil, Options{})
	p := map[string]any{"command": "/public", "text": "see <http://media.example.org|media.example.org> &amp; <@U0BEN|x>", "user_id": bottest.SlackUser("ana"), "user_name": "evil", "channel_id": "D0ELSE0000", "trigger_id": "t.9",
		"response_url": f.Server.URL + "/hooks/none"}
	f.Deliver("slash_commands", p)
	st.sees(t, "ben", main, "public: see media.example.org & @ben")
	ms, err := st.rooms.Messages(context.Background(), "main", "", 0)
	if err != nil || ms[0].By.Name != "ana" || ms[0].By.Platform != "slack" || ms[0].By.Zone != "Europe/Berlin" || ms[0].Text != "/public see media.example.org & @ben" {
		t.Errorf("%v %+v", err, ms)
	}
	st.sees(t, "ben", main, "ana: /public see media.example.org & @ben") // whose line it answers
}
