package slack

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// clock is a clock for tests.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func calls(f *bottest.Slack, methods ...string) (n int) {
	for _, m := range methods {
		n += len(f.Calls(m))
	}
	return n
}

// grouped is an adapter that does not run, with a clock.
func grouped(t *testing.T, f *bottest.Slack) (*Slack, *clock) {
	c := &clock{t: time.Now()}
	s, err := New(Options{Notes: bottest.NewNotes(), Mode: Socket, Channel: main, APIURL: f.URL(), AppToken: bottest.SlackAppToken, BotToken: bottest.SlackBotToken, Now: c.now, Retry: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// TestGroups: handles and ids of the groups that a user is in, asked of Slack
// every five minutes; when Slack is away, the last hour counts, then nothing.
func TestGroups(t *testing.T) {
	f := bottest.NewSlack(t)
	f.Group("S0EDGE", "edge-team", "ana", "ben")
	f.Group("S0ALL", "all", "ana", "ben", "carl", "gus")
	s, c := grouped(t, f)
	want := func(who string, groups ...string) {
		t.Helper()
		for i := range groups {
			groups[i] = "slack:" + groups[i]
		}
		if got := s.Groups(t.Context(), slackPerson(who)); !slices.Equal(got, groups) {
			t.Errorf("%s is in %q, not %q", who, got, groups)
		}
	}
	want("ana", "edge-team", "S0EDGE", "all", "S0ALL")
	want("carl", "all", "S0ALL")
	if got := s.Groups(t.Context(), commands.Person{ID: "web:" + bottest.SlackUser("ana"), Name: "ana", Platform: "web"}); got != nil {
		t.Errorf("somebody of the browser's room is in %q", got)
	}
	if n := calls(f, "usergroups.list"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	f.Group("S0EDGE", "edge-team", "carl")
	want("carl", "all", "S0ALL")
	c.add(6 * time.Minute)
	want("carl", "all", "S0ALL", "edge-team", "S0EDGE")
	f.Down(true)
	c.add(30 * time.Minute)
	want("carl", "all", "S0ALL", "edge-team", "S0EDGE")
	c.add(31 * time.Minute)
	want("carl")
	f.Down(false)
	c.add(time.Minute)
	want("carl", "all", "S0ALL", "edge-team", "S0EDGE")
}

// TestGroupsMissing: without the scope or the plan nobody is in a group; that
// is said once.
func TestGroupsMissing(t *testing.T) {
	for _, why := range []string{"plan_upgrade_required", "missing_scope"} {
		f := bottest.NewSlack(t)
		f.Group("S0EDGE", "edge-team", "ana")
		f.Fail("usergroups.list", why, why)
		s, c := grouped(t, f)
		for range 2 {
			if got := s.Groups(t.Context(), slackPerson("ana")); got != nil {
				t.Errorf("%s: %q", why, got)
			}
			c.add(6 * time.Minute)
		}
		if notes := s.Status().Notes; len(notes) != 1 || !strings.Contains(notes[0], why) {
			t.Errorf("notes %q", notes)
		}
		if got := s.Groups(t.Context(), slackPerson("ana")); len(got) != 2 {
			t.Errorf("when it can be read: %q", got)
		}
	}
}

// TestOutsiders: guests, bots, strangers and people of connected workspaces get
// a polite no wherever they speak; nothing of theirs is done.
func TestOutsiders(t *testing.T) {
	f := bottest.NewSlack(t)
	who := map[string]map[string]any{
		"multi": {"is_restricted": true}, "single": {"is_restricted": true, "is_ultra_restricted": true}, "stranger": {"is_stranger": true},
		"other": {"team_id": "T0OTHER"}, "robot": {"is_bot": true}, "gone": {"deleted": true},
		"grid": {"team_id": "T0OTHER", "enterprise_user": map[string]any{"enterprise_id": "E0OTHER", "teams": []string{"T0TEAM"}}},
	}
	for name, fields := range who {
		f.User(name, fields)
	}
	st := start(t, f, nil, Options{})
	st.types(t, "ana", main, "/buttons")
	st.sees(t, "ben", main, "Renew")
	for name := range who {
		st.types(t, name, main, "/public "+name)
		st.sees(t, name, main, "members of this workspace only")
		if _, ok := f.Mention(name, main); !ok {
			t.Errorf("the mention of %s is not acknowledged", name)
		}
		f.Click(name, main, "Renew")
		until(t, name+" is told three times", func() bool { return strings.Count(f.Seen(name, main), "members of this workspace only") >= 3 })
	}
	if n := st.desk.Count(""); n != 1 {
		t.Errorf("%d requests were done, not ana's alone", n)
	}
}

// TestSameOrganisation: a member of this workspace and of another one of the
// same organisation is no outsider.
func TestSameOrganisation(t *testing.T) {
	s := &Slack{team: "T1", org: "E1"}
	for _, row := range []struct {
		u   slack.User
		out bool
	}{
		{slack.User{TeamID: "T1"}, false},
		{slack.User{TeamID: "T2"}, true},
		{slack.User{TeamID: "T2", Enterprise: slack.EnterpriseUser{EnterpriseID: "E1", Teams: []string{"T2", "T1"}}}, false},
		{slack.User{TeamID: "T2", Enterprise: slack.EnterpriseUser{EnterpriseID: "E1", Teams: []string{"T2"}}}, true},
		{slack.User{TeamID: "T2", Enterprise: slack.EnterpriseUser{EnterpriseID: "E2", Teams: []string{"T1"}}}, true},
		{slack.User{TeamID: "T1", IsStranger: true}, true},
	} {
		if got := s.outsider(&row.u); got != row.out {
			t.Errorf("%+v: %v", row.u, got)
		}
	}
}

// wordOf is Slack's answer with this error.
func wordOf(e string) error { return slack.SlackErrorResponse{Err: e} }
