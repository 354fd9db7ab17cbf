package bot_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

var (
	ana = commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	ben = commands.Person{ID: "web:ben", Name: "ben", Platform: "web"}
)

type setup struct {
	*bot.Rooms
	desk *bottest.Desk
	log  *bottest.Log
	text *bytes.Buffer // what was logged
}

func open(t testing.TB, log *bottest.Log) setup {
	t.Helper()
	var text bytes.Buffer
	s := setup{desk: bottest.NewDesk(), log: log, text: &text}
	s.Rooms = bot.New(bot.Options{
		Desk: s.desk, Log: log, Answer: 30 * time.Millisecond,
		Now:    func() time.Time { return time.Date(2026, 11, 22, 2, 11, 0, 0, time.UTC) },
		Logger: slog.New(slog.NewTextHandler(&text, nil)),
	})
	t.Cleanup(func() {
		s.desk.ReleaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s setup) say(by commands.Person, text string) commands.Reply {
	return s.Say(context.Background(), commands.Request{Text: text, By: by, Room: "main"})
}

func (s setup) sees(t testing.TB, by commands.Person) []bot.Message {
	t.Helper()
	ms, err := s.Messages(context.Background(), "main", by.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func next(t testing.TB, c <-chan bot.Message) bot.Message {
	t.Helper()
	select {
	case m, ok := <-c:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	return bot.Message{}
}

func Example() {
	rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog()})
	defer rooms.Close(context.Background())
	reply := rooms.Say(context.Background(), commands.Request{Text: "/public media is good", By: ana})
	fmt.Println(reply.Headline)
	ms, _ := rooms.Messages(context.Background(), "main", ben.ID, 10)
	fmt.Println(ms[0].By.Name, "said", ms[0].Text)
	// Output:
	// public: media is good
	// ana said /public media is good
}

func TestPublicAndPrivate(t *testing.T) {
	s := open(t, bottest.NewLog())
	sub := s.Subscribe(t.Context(), "main", ben.ID)
	s.say(ana, "/echo secret")
	s.say(ana, "/nonsense")
	s.say(ana, "/public open")
	if line := next(t, sub); line.Text != "/public open" || line.For != "" {
		t.Errorf("ben is sent %+v first", line)
	}
	if m := next(t, sub); m.Reply.Headline != "public: open" {
		t.Errorf("ben is sent %+v second", m)
	}
	if got := s.sees(t, ben); len(got) != 2 {
		t.Errorf("ben sees %+v", got)
	}
	mine := s.sees(t, ana)
	if len(mine) != 6 {
		t.Fatalf("ana sees %d messages", len(mine))
	}
	for i, m := range mine {
		private := i < 4
		if (m.For == ana.ID) != private {
			t.Errorf("message %d is for %q", i, m.For)
		}
		if m.Seq != i+1 || m.ID != fmt.Sprintf("m-%d", i+1) {
			t.Errorf("message %d is %s, seq %d", i, m.ID, m.Seq)
		}
	}
}

func TestPlaceholderIsEdited(t *testing.T) {
	s := open(t, bottest.NewLog())
	sub := s.Subscribe(t.Context(), "main", ana.ID)
	done := make(chan commands.Reply)
	go func() { done <- s.say(ana, "/slow x") }()
	line, work := next(t, sub), next(t, sub)
	if line.Text != "/slow x" || work.Reply.State != commands.StateRunning || work.Rev != 1 {
		t.Fatalf("got %+v, %+v", line, work)
	}
	s.desk.Release("x")
	if end := next(t, sub); end.ID != work.ID || end.Rev != 2 || end.Reply.Headline != "slow: x" || end.Mark <= work.Mark || end.Edited.IsZero() {
		t.Errorf("the placeholder became %+v", end)
	}
	if r := <-done; r.Headline != "slow: x" {
		t.Errorf("Say answers %+v", r)
	}
}

func TestSameIDTwice(t *testing.T) {
	log := bottest.NewLog()
	s := open(t, log)
	q := commands.Request{ID: "delivery-1", Text: "/public once", By: ana, Room: "main"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if r := s.Say(context.Background(), q); r.Headline != "public: once" {
				t.Errorf("answers %+v", r)
			}
		})
	}
	wg.Wait()
	if n := s.desk.Count(q.Text); n != 1 {
		t.Errorf("asked %d times", n)
	}
	again := open(t, log.Cut()) // also after a restart
	if r := again.Say(context.Background(), q); r.Headline != "public: once" || again.desk.Count(q.Text) != 0 {
		t.Errorf("after a restart: %+v, asked %d times", r, again.desk.Count(q.Text))
	}
}

func TestRequestGetsAnID(t *testing.T) {
	s := open(t, bottest.NewLog())
	s.say(ana, "/echo a")
	s.say(ana, "/echo a")
	got := s.desk.Asked("/echo a")
	if len(got) != 2 || len(got[0].ID) != 32 || got[0].ID == got[1].ID || got[0].At.IsZero() {
		t.Errorf("the desk is asked %+v", got)
	}
}

func TestConcurrentPressRunsOnce(t *testing.T) {
	s := open(t, bottest.NewLog())
	s.say(ana, "/buttons")
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for i := range 16 {
		by := []commands.Person{ana, ben}[i%2]
		wg.Go(func() {
			r := s.Press(context.Background(), "main", "m-2", 0, by)
			mu.Lock()
			defer mu.Unlock()
			codes[r.Problem.Code]++
			if r.Problem.Code == "used" && !strings.Contains(r.Headline, "pressed Renew at 02:11 UTC") {
				t.Errorf("a late press answers %q", r.Headline)
			}
		})
	}
	wg.Wait()
	if codes[""] != 1 || codes["used"] != 15 || s.desk.Count("/public pressed") != 1 {
		t.Errorf("answers %v, command ran %d times", codes, s.desk.Count("/public pressed"))
	}
	if m := s.sees(t, ben)[1]; m.Used.Label != "Renew" || m.Rev != 2 {
		t.Errorf("the message is %+v", m)
	}
}

func TestPressIsWrittenBeforeItRuns(t *testing.T) {
	log := bottest.NewLog()
	s := open(t, log)
	if err := s.Post(context.Background(), commands.Post{Reply: commands.Reply{Headline: "Renew?", Buttons: []commands.Button{{Label: "Go", Command: "/slow go"}}}}); err != nil {
		t.Fatal(err)
	}
	go s.Press(context.Background(), "main", "m-1", 0, ana)
	if !s.desk.Started("go", 20*time.Second) {
		t.Fatal("the command does not run")
	}
	cut := log.Cut() // killed here
	if ms, _ := cut.Load(context.Background(), "main", 10); ms[0].Used.Label != "Go" {
		t.Errorf("the press is not on the record: %+v", ms[0])
	}
	again := open(t, cut)
	ms := again.sees(t, ana)
	if ms[0].Used.Label != "" {
		t.Errorf("the button whose command was cut off cannot be pressed again: %+v", ms[0])
	}
	if last := ms[len(ms)-1]; last.Reply.Problem.Code != "interrupted" || last.For != ana.ID {
		t.Errorf("ana is not told: %+v", last)
	}
	if n := len(ms); len(open(t, cut.Cut()).sees(t, ana)) != n {
		t.Error("a second restart says it again")
	}
	s.desk.Release("go")
}

func TestRefusedPressGivesTheButtonBack(t *testing.T) {
	s := open(t, bottest.NewLog())
	post := commands.Post{Room: "main", Reply: commands.Reply{Headline: "Approve?", Buttons: []commands.Button{{Label: "Approve", Command: "/notallowed"}}}}
	if err := s.Post(context.Background(), post); err != nil {
		t.Fatal(err)
	}
	if r := s.Press(context.Background(), "main", "m-1", 0, ana); r.Problem.Code != "unknown_verb" {
		t.Errorf("answers %+v", r)
	}
	if m := s.sees(t, ben)[0]; m.Used.Label != "" {
		t.Errorf("the button is gone: %+v", m)
	}
	for _, c := range []struct {
		message string
		button  int
		code    string
	}{{"m-1", 7, "unknown_button"}, {"m-1", -1, "unknown_button"}, {"m-99", 0, "unknown_message"}, {"m-2", 0, "unknown_message"}} {
		if r := s.Press(context.Background(), "main", c.message, c.button, ben); r.Problem.Code != c.code {
			t.Errorf("press %s %d answers %+v", c.message, c.button, r)
		}
	}
}

func TestKeyEditsAlsoAfterRestart(t *testing.T) {
	log := bottest.NewLog()
	s := open(t, log)
	post := func(s setup, text string, buttons ...commands.Button) {
		t.Helper()
		if err := s.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: text, Key: "R-1", Buttons: buttons}}); err != nil {
			t.Fatal(err)
		}
	}
	approve, stop := commands.Button{Label: "Approve", Command: "/public yes"}, commands.Button{Label: "Stop", Command: "/public stop"}
	post(s, "waiting", approve)
	s.Press(context.Background(), "main", "m-1", 0, ben)
	post(s, "waiting still", approve)
	if m := s.sees(t, ana)[0]; m.Reply.Headline != "waiting still" || m.Used.By != ben {
		t.Errorf("the same buttons came back: %+v", m)
	}
	s = open(t, log.Cut())
	post(s, "running", stop)
	ms := s.sees(t, ana)
	if len(ms) != 3 || ms[0].Reply.Headline != "running" || ms[0].Used.Label != "" || ms[0].Seq != 1 {
		t.Errorf("after a restart: %+v", ms)
	}
}

// keyDesk answers with a key, after something was posted with the same key.
type keyDesk struct{}

func (d *keyDesk) Do(ctx context.Context, q commands.Request, post func(commands.Post)) commands.Reply {
	if q.Text == "/overtaken" {
		post(commands.Post{Room: "main", Reply: commands.Reply{Headline: "2 of 4", Key: "R-1"}})
	}
	return commands.Reply{Headline: "0 of 4", Key: "R-1", Public: true}
}
func (d *keyDesk) Complete(context.Context, string, string) []string { return nil }

func TestReplyDoesNotOverwriteNewerProgress(t *testing.T) {
	rooms := bot.New(bot.Options{Desk: &keyDesk{}, Log: bottest.NewLog()})
	defer rooms.Close(context.Background())
	heads := func() (all []string) {
		ms, _ := rooms.Messages(context.Background(), "main", ben.ID, 0)
		for _, m := range ms {
			all = append(all, m.Text+m.Reply.Headline)
		}
		return all
	}
	rooms.Say(context.Background(), commands.Request{Text: "/overtaken", By: ana})
	if got := fmt.Sprint(heads()); got != "[/overtaken 2 of 4]" {
		t.Errorf("the room is %v", got)
	}
	rooms.Say(context.Background(), commands.Request{Text: "/again", By: ana})
	rooms.Post(context.Background(), commands.Post{Reply: commands.Reply{Headline: "4 of 4", Key: "R-1"}})
	if got := fmt.Sprint(heads()); got != "[/overtaken 2 of 4 /again 4 of 4]" {
		t.Errorf("a later reply does not take the key over: %v", got)
	}
}

func TestPanicHasAnIDInTheLog(t *testing.T) {
	s := open(t, bottest.NewLog())
	r := s.say(ana, "/panic x")
	id := strings.TrimSuffix(strings.TrimPrefix(r.Headline, "Internal error "), ".")
	if r.Problem.Code != "internal" || len(id) != 12 || strings.Contains(r.Problem.Hint, "boom") {
		t.Fatalf("answers %+v", r)
	}
	if !strings.Contains(s.text.String(), id) || !strings.Contains(s.text.String(), "boom: x") {
		t.Errorf("the log does not have %s: %s", id, s.text)
	}
}

func TestFullDiskRefuses(t *testing.T) {
	log := bottest.NewLog()
	s := open(t, log)
	s.say(ana, "/buttons")
	log.Fill(true)
	if r := s.say(ana, "/echo x"); r.Problem.Code != "record" {
		t.Errorf("answers %+v", r)
	}
	if r := s.Press(context.Background(), "main", "m-2", 0, ana); r.Problem.Code != "record" {
		t.Errorf("press answers %+v", r)
	}
	if s.desk.Count("/echo x")+s.desk.Count("/public pressed") != 0 {
		t.Error("something was done although it could not be written down")
	}
	log.Fill(false)
	if r := s.Press(context.Background(), "main", "m-2", 0, ana); !r.Problem.IsZero() {
		t.Errorf("with room again, press answers %+v", r)
	}
	if n := len(s.sees(t, ana)); n != 4 {
		t.Errorf("%d messages", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := open(t, bottest.NewLog())
	for i := range 600 {
		if err := s.Post(context.Background(), commands.Post{Reply: commands.Reply{Headline: fmt.Sprint(i), Key: fmt.Sprint("k", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	ms := s.sees(t, ana)
	if len(ms) != 500 || ms[0].Reply.Headline != "100" || ms[499].Seq != 600 {
		t.Errorf("%d messages from %+v", len(ms), ms[0])
	}
	two, _ := s.Messages(context.Background(), "main", ana.ID, 2)
	if len(two) != 2 || two[1].Seq != 600 {
		t.Errorf("the last two are %+v", two)
	}
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	s := open(t, bottest.NewLog())
	slow := s.Subscribe(t.Context(), "main", ana.ID)
	ctx, cancel := context.WithCancel(t.Context())
	left := s.Subscribe(ctx, "main", ana.ID)
	cancel()
	for range left {
		t.Error("who left is sent something")
	}
	for i := range 300 {
		s.Post(context.Background(), commands.Post{Reply: commands.Reply{Headline: fmt.Sprint(i)}})
	}
	n := 0
	for range slow {
		n++
	}
	if n != 256 {
		t.Errorf("%d messages before the end", n)
	}
}

func TestSubscribersSeeChangesInOrder(t *testing.T) {
	s := open(t, bottest.NewLog())
	sub := s.Subscribe(t.Context(), "main", "web:p0")
	var wg sync.WaitGroup
	for p := range 8 {
		by := commands.Person{ID: fmt.Sprint("web:p", p), Name: fmt.Sprint("p", p)}
		wg.Go(func() {
			for i := range 6 {
				s.say(by, fmt.Sprintf("/public %d-%d", p, i))
			}
		})
	}
	wg.Wait()
	mark, seen := 0, map[string]bool{}
	for len(seen) < 48 {
		m := next(t, sub)
		if m.Mark <= mark {
			t.Fatalf("mark %d after %d", m.Mark, mark)
		}
		mark = m.Mark
		if m.By == bot.Bot {
			seen[m.Reply.Headline] = true
		}
	}
}

func TestRoomNames(t *testing.T) {
	s := open(t, bottest.NewLog())
	for _, room := range []string{"../x", "a b", strings.Repeat("x", 81), "-x", "é"} {
		if r := s.Say(context.Background(), commands.Request{Text: "/echo", By: ana, Room: room}); r.Problem.Code != "unknown_room" {
			t.Errorf("room %q: %+v", room, r)
		}
		if _, ok := <-s.Subscribe(t.Context(), room, ana.ID); ok {
			t.Errorf("room %q can be subscribed", room)
		}
	}
	for i := range 200 { // rooms nobody is in leave memory, nothing is lost
		room := fmt.Sprint("INC-", i)
		s.Say(context.Background(), commands.Request{Text: "/public " + room, By: ana, Room: room})
	}
	ms, err := s.Messages(context.Background(), "INC-3", ben.ID, 0)
	if err != nil || len(ms) != 2 || ms[1].Reply.Headline != "public: INC-3" {
		t.Errorf("INC-3 holds %+v, %v", ms, err)
	}
}

func TestCloseGivesUpInTime(t *testing.T) {
	desk := bottest.NewDesk()
	rooms := bot.New(bot.Options{Desk: desk, Log: bottest.NewLog()})
	go rooms.Say(context.Background(), commands.Request{Text: "/slow w", By: ana, Wait: true})
	go rooms.Say(context.Background(), commands.Request{Text: "/slow n", By: ben})
	desk.Started("w", time.Minute)
	desk.Started("n", time.Minute)
	sub := rooms.Subscribe(t.Context(), "main", ana.ID)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := rooms.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 unanswered") {
		t.Errorf("close: %v", err)
	}
	for range sub { // ends
	}
	if err := rooms.Close(context.Background()); err != nil { // told to stop, it has
		t.Errorf("second close: %v", err)
	}
}

// TestCloseEndsSilentSubscribers: also who may not read a room is told of its end.
func TestCloseEndsSilentSubscribers(t *testing.T) {
	r := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog(), MayRead: func(_ context.Context, _, person string) bool { return person != ben.ID }})
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	stay, heard := r.Subscribe(context.Background(), "main", ben.ID), r.Subscribe(ctx, "main", ben.ID)
	leave()
	if m, ok := <-heard; ok {
		t.Errorf("ben heard %+v", m)
	}
	if err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	select {
	case m, ok := <-stay:
		if ok {
			t.Errorf("ben heard %+v", m)
		}
	case <-time.After(20 * time.Second):
		t.Error("the channel is open still")
	}
}

func TestWaitDoesNotHoldTheLane(t *testing.T) {
	s := open(t, bottest.NewLog())
	go s.Say(context.Background(), commands.Request{Text: "/slow renewal", By: ana, Room: "main", Wait: true})
	s.desk.Started("renewal", time.Minute)
	if r := s.say(ana, "/echo meanwhile"); r.Headline != "echo: meanwhile" {
		t.Errorf("answers %+v", r)
	}
}

func FuzzClean(f *testing.F) {
	f.Add(bottest.Hostile)
	f.Add("a\xff\xfeb\x00\u202e\n\t")
	f.Fuzz(func(t *testing.T, s string) {
		c := bot.Clean(s)
		if bot.Clean(c) != c {
			t.Errorf("%q is not clean", c)
		}
		if strings.ContainsAny(c, "\x00\x1b\x07\r\u202e\u2066\ufffd") {
			t.Errorf("%q keeps harm", c)
		}
	})
}

func BenchmarkSay(b *testing.B) {
	s := open(b, bottest.NewLog())
	b.RunParallel(func(pb *testing.PB) {
		by := commands.Person{ID: fmt.Sprintf("web:%p", pb), Name: "x"}
		for pb.Next() {
			s.say(by, "/public x")
		}
	})
}
