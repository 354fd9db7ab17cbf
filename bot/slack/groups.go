package slack

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds who people in Slack are: the user groups they are in, which
// of an incident's people they are, and who is no member of the workspace.

// groups are the workspace's user groups as they were last read.
type groups struct {
	asking chan struct{} // holds one while Slack is asked

	mu    sync.Mutex
	all   []slack.UserGroup // with their users
	at    time.Time         // when they were read
	tried time.Time         // when reading them was last tried
	err   error             // of the last try
}

const (
	groupsFor = 5 * time.Minute // so long they are taken for true
	groupsMax = time.Hour       // and so long when Slack cannot be asked again
)

// Groups returns the handles and ids of the user groups that somebody is in, as
// "slack:tls-oncall" and "slack:S0123ABCD"; none for people who are not in Slack. They are read at most every five
// minutes. When Slack cannot be asked, what it said in the last hour counts;
// after that nobody is in any.
func (s *Slack) Groups(ctx context.Context, p commands.Person) []string {
	user := slackID(p)
	if user == "" {
		return nil
	}
	all, err := s.userGroups(ctx)
	if err != nil {
		s.o.Log.Warn("slack: the user groups cannot be read", "error", words(err))
	}
	var in []string
	for _, g := range all {
		if slices.Contains(g.Users, user) {
			in = append(in, "slack:"+g.Handle, "slack:"+g.ID)
		}
	}
	return in
}

// userGroups returns the user groups. An error comes with what is known still.
func (s *Slack) userGroups(ctx context.Context) ([]slack.UserGroup, error) {
	g := &s.groups
	if all, ok := g.fresh(s.o.Now()); ok {
		return all, nil
	}
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done(): // somebody else asks
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.known(s.o.Now()), ctx.Err()
	}
	now := s.o.Now()
	if all, ok := g.fresh(now); ok {
		return all, nil
	}
	g.mu.Lock()
	try := g.err == nil || now.Sub(g.tried) >= 10*s.o.Retry
	g.mu.Unlock()
	var all []slack.UserGroup
	var err error
	if try {
		all, err = s.readGroups(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if try {
		g.tried = now
		switch e := slackError(err); {
		case err == nil:
			g.all, g.at, g.err = all, now, nil
			return g.all, nil
		case e == "missing_scope" || e == "plan_upgrade_required" || e == "paid_teams_only" || e == "not_allowed_token_type" || e == "unknown_method":
			s.once("user groups cannot be read: nobody is invited or let in by them: " + words(err))
			g.all, g.at, g.err = nil, now, nil
			return nil, nil
		default:
			s.heldBack("usergroups.list", err)
			g.err = err
		}
	}
	return g.known(now), g.err
}

// fresh returns the groups when they were read lately.
func (g *groups) fresh(now time.Time) ([]slack.UserGroup, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all, !g.at.IsZero() && now.Sub(g.at) < groupsFor
}

// known are the groups as long as they count when Slack cannot be asked. g.mu is held.
func (g *groups) known(now time.Time) []slack.UserGroup {
	if now.Sub(g.at) > groupsMax {
		g.all = nil
	}
	return g.all
}

// readGroups asks Slack for the user groups and who is in them.
func (s *Slack) readGroups(ctx context.Context) ([]slack.UserGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if left := s.pace.wait("usergroups.list"); left > 0 {
		return nil, &slack.RateLimitedError{RetryAfter: left}
	}
	all, err := s.api.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(g slack.UserGroup) bool { return g.DateDelete != 0 || g.IsExternal })
	for i, g := range all {
		if len(g.Users) >= g.UserCount {
			continue // Slack leaves the users of large groups out
		}
		if all[i].Users, err = s.api.GetUserGroupMembersContext(ctx, g.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// members are the users of groups, named by id or handle.
func (s *Slack) members(ctx context.Context, names []string) ([]string, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	if len(names) == 0 {
		return nil, nil
	}
	all, err := s.userGroups(ctx)
	if err != nil && len(all) == 0 {
		return nil, err
	}
	var users []string
	for _, name := range names {
		i := slices.IndexFunc(all, func(g slack.UserGroup) bool { return named(g, name) })
		if i < 0 {
			if len(all) > 0 {
				s.once("there is no user group " + name + " in Slack; nobody is invited by it")
			}
			continue
		}
		users = append(users, all[i].Users...)
	}
	return users, nil
}

// named reports whether a group is called so: by id, or by handle.
func named(g slack.UserGroup, name string) bool {
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	return g.ID == name || strings.EqualFold(g.Handle, name)
}

// teamGroups are the user groups of teams.
func (s *Slack) teamGroups(teams []string) (all []string) {
	if s.o.TeamGroups == nil {
		return nil
	}
	for _, t := range teams {
		for _, g := range s.o.TeamGroups(t) {
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all
}

var userID = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)

// slackID is a person's user id in Slack, or "".
func slackID(p commands.Person) string {
	if id, ok := strings.CutPrefix(p.ID, "slack:"); ok && userID.MatchString(id) {
		return id
	}
	return ""
}

// userOf is slackID; somebody who was named by handle alone is found if they
// were seen here.
func (s *Slack) userOf(p commands.Person) string {
	if id := slackID(p); id != "" {
		return id
	}
	name, ok := strings.CutPrefix(p.ID, "slack:")
	if !ok {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.people {
		if !k.guest && strings.EqualFold(k.by.Name, name) {
			return id
		}
	}
	return ""
}

// partOf are the users who are part of an incident; again: somebody could not
// be asked about now.
func (s *Slack) partOf(ctx context.Context, i bot.Incident) (ids []string, again bool) {
	for _, p := range append([]commands.Person{i.Commander}, i.People...) {
		id := s.userOf(p)
		if id == "" || slices.Contains(ids, id) {
			continue
		}
		switch _, no, err := s.who(ctx, id, ""); {
		case err != nil:
			again = true
		case no == nil:
			ids = append(ids, id)
		}
	}
	return ids, again
}

// outsider reports whether a user is no member of this workspace: a guest, a
// bot, somebody deactivated, or somebody of a connected workspace. Members of
// another workspace of the same organisation are none only when they are in
// this one too.
func (s *Slack) outsider(u *slack.User) bool {
	if u.IsRestricted || u.IsUltraRestricted || u.IsStranger || u.IsBot || u.Deleted {
		return true
	}
	s.mu.Lock()
	team, org := s.team, s.org
	s.mu.Unlock()
	if u.TeamID == "" || team == "" || u.TeamID == team {
		return false
	}
	return org == "" || u.Enterprise.EnterpriseID != org || !slices.Contains(u.Enterprise.Teams, team)
}
