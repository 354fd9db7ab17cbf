package slack

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// Check asks Slack whether everything is set up: tokens, scopes, the socket,
// the channel. It changes nothing.
func Check(ctx context.Context, o Options) []bot.Finding {
	var all bot.Findings
	add := all.Add
	var mu sync.Mutex
	scopes := ""
	api := client(o, &http.Client{Timeout: window / 30}, func(path string, h http.Header) {
		mu.Lock()
		defer mu.Unlock()
		if v := h.Get("X-OAuth-Scopes"); v != "" && strings.HasSuffix(path, "auth.test") {
			scopes = v
		}
	})
	if o.BotToken == "" {
		add(false, "the bot's token is not set", "set SLACK_BOT_TOKEN or SLACK_BOT_TOKEN_FILE: OAuth & Permissions, Bot User OAuth Token (xoxb-)")
		return all
	}
	me, err := api.AuthTestContext(ctx)
	if err != nil {
		add(false, "the bot's token does not work: "+words(err), "look at the network, or install the app again and copy the new token")
		return all
	}
	add(true, "the bot's token works: "+me.User+" in "+me.Team, "")
	mu.Lock()
	granted := strings.Split(strings.ReplaceAll(scopes, " ", ""), ",")
	mu.Unlock()
	all = append(all, checkScopes(granted, scopes != "")...)
	switch {
	case o.Mode == HTTP:
		add(o.Secret != "", "the signing secret is set", "set SLACK_SIGNING_SECRET or SLACK_SIGNING_SECRET_FILE: Basic Information, Signing Secret")
	case o.AppToken == "":
		add(false, "the app's token is not set", "set SLACK_APP_TOKEN or SLACK_APP_TOKEN_FILE: Basic Information, App-Level Tokens, with connections:write (xapp-)")
	default:
		if _, _, err := api.StartSocketModeContext(ctx); err != nil {
			add(false, "Socket Mode does not open: "+words(err), "make an app-level token with connections:write, and switch Socket Mode on")
		} else {
			add(true, "Socket Mode opens", "")
		}
	}
	c, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: o.Channel})
	switch {
	case err != nil:
		add(false, "the channel "+o.Channel+" cannot be seen: "+words(err), "copy its id from the channel's details, and invite the bot there: /invite @"+me.User)
	case c.IsArchived:
		add(false, "#"+c.Name+" is archived", "unarchive it, or name another under chat.slack.channel")
	case !c.IsMember:
		add(false, "the bot is not in #"+c.Name, "type /invite @"+me.User+" there")
	default:
		add(true, "the bot is in #"+c.Name, "")
	}
	return append(all, checkGroups(ctx, api, o, slices.Contains(granted, "usergroups:read"))...)
}

// checkScopes says of each scope whether it is granted and what is not there
// without it; how to get those that are missing is said once, in the last line.
func checkScopes(granted []string, known bool) (all []bot.Finding) {
	if !known {
		return []bot.Finding{{Text: "Slack did not say which scopes the token has", Next: "look at OAuth & Permissions by hand"}}
	}
	missing := 0
	for _, s := range Scopes() {
		f := bot.Finding{Good: slices.Contains(granted, s.Name), Text: "scope " + s.Name + ": " + s.For}
		if !f.Good {
			missing++
			if f.Next = "until it is granted there is no: " + s.For; s.Needed {
				f.Next = "without it nothing works"
			}
		}
		all = append(all, f)
	}
	if missing > 0 {
		all = append(all, bot.Finding{Text: fmt.Sprintf("%d of %d scopes are missing", missing, len(Scopes())),
			Next: "paste the manifest again (`certmedic slack manifest`; App Manifest at api.slack.com/apps), then reinstall the app"})
	}
	return all
}

// checkGroups looks for the user groups of the configuration.
func checkGroups(ctx context.Context, api *slack.Client, o Options, may bool) (all []bot.Finding) {
	names := map[string]string{}
	for _, t := range o.Teams {
		if o.TeamGroups == nil {
			break
		}
		for _, g := range o.TeamGroups(t) {
			names[g] = "the team " + t
		}
	}
	if o.Oncall != "" {
		names[o.Oncall] = "those on call"
	}
	if len(names) == 0 || !may {
		return nil // the missing scope was told
	}
	groups, err := api.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeCount(true))
	if e := slackError(err); e == "plan_upgrade_required" || e == "paid_teams_only" {
		return []bot.Finding{{Text: "this workspace's plan has no user groups", Next: "name people under teams:, and leave out chat.slack.oncall; nobody is invited or let in by a group"}}
	} else if err != nil {
		return []bot.Finding{{Text: "the user groups cannot be read: " + words(err), Next: "try again; until then nobody is invited or let in by a group"}}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		i := slices.IndexFunc(groups, func(g slack.UserGroup) bool { return named(g, name) && g.DateDelete == 0 })
		if i < 0 {
			all = append(all, bot.Finding{Text: "there is no user group " + name + ", of " + names[name], Next: "correct the name, or take its id from the group's page in Slack (S0123456789)"})
			continue
		}
		f := bot.Finding{Good: groups[i].UserCount > 0, Text: fmt.Sprintf("the user group @%s, of %s, has %d people", groups[i].Handle, names[name], groups[i].UserCount)}
		if !f.Good {
			f.Next = "put people into it"
		}
		all = append(all, f)
	}
	return all
}
