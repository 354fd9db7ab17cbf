package slack

import (
	"slices"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
)

// TestCheckFeatures: each line is good or says what to do; how to get scopes is said once.
func TestCheckFeatures(t *testing.T) {
	scopes := slices.Clone(bottest.SlackScopes)
	f := bottest.NewSlack(t)
	f.Group("S0ONCALL", "tls-oncall", "ana", "ben")
	f.Group("S0EMPTY", "nobody")
	o := Options{Mode: Socket, Channel: main, APIURL: f.URL(), AppToken: bottest.SlackAppToken, BotToken: bottest.SlackBotToken,
		Oncall: "S0ONCALL", Teams: []string{"web", "edge"}, TeamGroups: func(team string) []string {
			return map[string][]string{"web": {"nobody"}, "edge": {"@edge-team"}}[team]
		}}
	bad := func() (lines []string) {
		for _, l := range Check(t.Context(), o) {
			if (l.Next == "") != l.Good || l.Text == "" {
				t.Errorf("%+v", l)
			}
			if !l.Good {
				lines = append(lines, l.Text)
			}
		}
		return lines
	}
	want := []string{"there is no user group @edge-team, of the team edge", "the user group @nobody, of the team web, has 0 people"}
	if got := bad(); !slices.Equal(got, want) {
		t.Errorf("bad: %q", got)
	}
	o.Teams = nil
	if got := bad(); len(got) != 0 {
		t.Errorf("bad: %q", got)
	}
	f.Fail("usergroups.list", "plan_upgrade_required")
	if got := bad(); len(got) != 1 || got[0] != "this workspace's plan has no user groups" {
		t.Errorf("on a free plan: %q", got)
	}
	f.Grant(slices.DeleteFunc(scopes, func(s string) bool { return s == "groups:write" || s == "usergroups:read" }))
	got := bad()
	if len(got) != 3 || !strings.HasPrefix(got[0], "scope groups:write: ") || !strings.HasPrefix(got[1], "scope usergroups:read: ") || !strings.HasPrefix(got[2], "2 of ") {
		t.Errorf("without two scopes: %q", got)
	}
}

// TestScopesOfManifest: the manifest asks for each scope once, and for none
// that no feature names.
func TestScopesOfManifest(t *testing.T) {
	all := NewManifest("").OAuth.Scopes.Bot
	if len(all) != len(Scopes()) || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("%q", all)
	}
	for _, s := range Scopes() {
		if s.For == "" {
			t.Errorf("the scope %s is for nothing", s.Name)
		}
	}
}
