package bot_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// A form that stands for a button uses it up, once, for who sees it; that this
// cannot be written down is an error, and the button stays.
func TestSpend(t *testing.T) {
	s := open(t, bottest.NewLog())
	ctx := context.Background()
	s.say(ana, "/buttons") // m-1 is the line, m-2 the answer
	s.say(ana, "/certcheck media")
	s.log.Fill(true)
	if err := s.Spend(ctx, "main", "m-2", "Renew", "r-1", ana); !errors.Is(err, bottest.ErrFull) {
		t.Errorf("with a full disk: %v", err)
	}
	s.log.Fill(false)
	if m := s.sees(t, ana)[1]; m.Used.Label != "" {
		t.Errorf("the button is gone: %+v", m.Used)
	}
	for _, c := range []struct {
		message string
		by      commands.Person
	}{{"m-1", ana}, {"m-99", ana}, {"m-4", ben}} { // without buttons, not there, not for ben
		if err := s.Spend(ctx, "main", c.message, "Renew", "r-1", c.by); err != nil {
			t.Errorf("%s: %v", c.message, err)
		}
	}
	for n, request := range []string{"r-1", "r-2"} {
		if err := s.Spend(ctx, "main", "m-2", "Renew", request, ana); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
	ms := s.sees(t, ana)
	if u := ms[1].Used; u.Label != "Renew" || u.Request != "r-1" || u.By != ana {
		t.Errorf("%+v", u)
	}
	if u := ms[3].Used; u.Label != "" {
		t.Errorf("ben has used up a button of ana's: %+v", u)
	}
	if r := s.Press(ctx, "main", "m-2", 0, ben); r.Problem.Code != "used" {
		t.Errorf("%+v", r)
	}
	if err := s.Spend(ctx, "no room!", "m-2", "Renew", "r-1", ana); err == nil {
		t.Error("there is no such room")
	}
}
