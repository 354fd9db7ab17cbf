package bot_test

import (
	"context"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// What is forgotten is shown no more, its buttons and keys lead nowhere, and
// the numbers of what comes later go on; the rest stays as it was.
func TestForget(t *testing.T) {
	s := open(t, bottest.NewLog())
	post := func(key string) {
		t.Helper()
		r := commands.Reply{Headline: key, Key: key, Buttons: []commands.Button{{Label: "Again", Command: "/echo " + key}}}
		if err := s.Post(context.Background(), commands.Post{Room: "main", Reply: r}); err != nil {
			t.Fatal(err)
		}
	}
	post("old")
	post("young")
	s.Forget("main", func(m bot.Message) bool { return m.Reply.Headline == "old" })
	if ms := s.sees(t, ana); len(ms) != 1 || ms[0].ID != "m-2" {
		t.Fatalf("%+v", ms)
	}
	if r := s.Press(context.Background(), "main", "m-1", 0, ana); r.Problem.Code != "unknown_message" {
		t.Errorf("the button of what is forgotten: %+v", r)
	}
	post("old")
	post("young")
	ms := s.sees(t, ana)
	if len(ms) != 2 || ms[0].ID != "m-2" || ms[0].Rev != 2 || ms[1].ID != "m-3" || ms[1].Rev != 1 || ms[1].Mark != 3 {
		t.Errorf("%+v", ms)
	}
	s.Forget("INC-9", func(bot.Message) bool { return true }) // nobody was there
}
