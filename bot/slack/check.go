package slack

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"
)

// Finding is one line of Check.
type Finding struct {
	Good bool
	Text string
	Next string // what to do; "" when good
}

// Check asks Slack whether everything is set up: tokens, scopes, the socket,
// the channel. It changes nothing.
func Check(ctx context.Context, o Options) []Finding {
	var all []Finding
	add := func(good bool, text, next string) {
		if good {
			next = ""
		}
		all = append(all, Finding{good, text, next})
	}
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
	for _, s := range Scopes() {
		if scopes == "" {
			add(false, "Slack did not say which scopes the token has", "look at OAuth & Permissions by hand")
			break
		}
		next := "paste the manifest again (`certmedic slack manifest`) and reinstall the app"
		if !s.Needed {
			next += "; until then there is no: " + s.For
		}
		add(slices.Contains(granted, s.Name), "scope "+s.Name+": "+s.For, next)
	}
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
	return all
}
