package slack

import (
	"strings"

	"github.com/certmedic/certmedic/commands"
)

// Manifest is the app's manifest, as Slack takes it at api.slack.com/apps.
type Manifest struct {
	Display  Display  `json:"display_information" yaml:"display_information"`
	Features Features `json:"features" yaml:"features"`
	OAuth    OAuth    `json:"oauth_config" yaml:"oauth_config"`
	Settings Settings `json:"settings" yaml:"settings"`
}

// Display is how the app is shown.
type Display struct {
	Name        string `json:"name" yaml:"name"`
	Description string `json:"description" yaml:"description"`
	Colour      string `json:"background_color" yaml:"background_color"`
}

// Features are the bot's user and its slash commands.
type Features struct {
	Home      AppHome        `json:"app_home" yaml:"app_home"`
	Bot       BotUser        `json:"bot_user" yaml:"bot_user"`
	Shortcuts []Shortcut     `json:"shortcuts,omitempty" yaml:"shortcuts,omitempty"`
	Commands  []SlashCommand `json:"slash_commands" yaml:"slash_commands"`
}

// BotUser is who the bot is among the users.
type BotUser struct {
	Name   string `json:"display_name" yaml:"display_name"`
	Online bool   `json:"always_online" yaml:"always_online"`
}

// SlashCommand is one command.
type SlashCommand struct {
	Command     string `json:"command" yaml:"command"`
	URL         string `json:"url,omitempty" yaml:"url,omitempty"`
	Description string `json:"description" yaml:"description"`
	Hint        string `json:"usage_hint,omitempty" yaml:"usage_hint,omitempty"`
	Escape      bool   `json:"should_escape" yaml:"should_escape"`
}

// OAuth holds the scopes.
type OAuth struct {
	Scopes struct {
		Bot []string `json:"bot" yaml:"bot"`
	} `json:"scopes" yaml:"scopes"`
}

// Settings are the ways in.
type Settings struct {
	Events struct {
		URL string   `json:"request_url,omitempty" yaml:"request_url,omitempty"`
		Bot []string `json:"bot_events" yaml:"bot_events"`
	} `json:"event_subscriptions" yaml:"event_subscriptions"`
	Interactivity struct {
		On  bool   `json:"is_enabled" yaml:"is_enabled"`
		URL string `json:"request_url,omitempty" yaml:"request_url,omitempty"`
	} `json:"interactivity" yaml:"interactivity"`
	OrgDeploy bool `json:"org_deploy_enabled" yaml:"org_deploy_enabled"`
	Socket    bool `json:"socket_mode_enabled" yaml:"socket_mode_enabled"`
	Rotation  bool `json:"token_rotation_enabled" yaml:"token_rotation_enabled"`
}

// Scope is a permission of the bot and what it is for.
type Scope struct {
	Name   string
	For    string
	Needed bool // without it nothing works; else the feature falls away
}

// Scopes are all that the bot asks for.
func Scopes() []Scope { return withScopes(baseScopes(), timelineScopes()) }

// baseScopes are those of commands and channels.
func baseScopes() []Scope {
	return []Scope{
		{"commands", "the slash commands", true},
		{"chat:write", "answers and alerts", true},
		{"users:read", "who types: handle, zone, guest or member", false},
		{"app_mentions:read", "help when the bot is mentioned", false},
		{"channels:manage", "a channel for each incident", false},
		{"channels:read", "looking at the channel's settings, and finding one's own channels again", false},
		{"channels:history", "no message twice after a break of the connection", false},
		{"pins:write", "the incident's card at the top of its channel", false},
		{"channels:join", "coming back into the channel of a reopened incident", false},
		{"groups:write", "a private channel for each private incident", false},
		{"groups:read", "finding one's own private channels again", false},
		{"groups:history", "no message twice in private channels after a break of the connection", false},
		{"usergroups:read", "those on call and owner teams invited, user groups as teams", false},
		{"bookmarks:write", "bookmarks in an incident's channel: page, runbook, postmortem", false},
		{"bookmarks:read", "no bookmark twice, and a changed runbook corrected", false},
		{"canvases:write", "the draft as a canvas, where the plan has canvases", false},
		{"files:write", "the draft and long answers as files", false},
	}
}

// NewManifest makes the manifest from the table of verbs. url is where Slack
// reaches certmedic, for HTTP; "": Socket Mode. without names features to leave out.
func NewManifest(url string, without ...string) Manifest {
	m := Manifest{Display: Display{Name: "certmedic", Colour: "#0b3d2e",
		Description: "Handles TLS certificate outages: checks, renews, verifies, keeps the timeline, drafts the postmortem."}}
	m.Features.Bot = BotUser{Name: "certmedic", Online: true}
	if url != "" {
		url = strings.TrimSuffix(url, "/") + "/slack/events"
	}
	for _, group := range []string{"certcheck", "renew", "incident"} {
		c := SlashCommand{Command: "/" + group, URL: url, Escape: true}
		var subs []string
		for _, v := range commands.Verbs() {
			g, sub, two := strings.Cut(v.Name, " ")
			switch {
			case g != group:
			case two:
				subs = append(subs, sub)
			default:
				c.Description, c.Hint = clip(v.Summary, 200), v.Args
			}
		}
		hint := strings.TrimSpace(c.Hint + " | " + strings.Join(append(subs, "help"), " | "))
		c.Hint = clip(strings.TrimPrefix(hint, "| "), 200)
		c.Description = or(c.Description, "certmedic: "+group)
		m.Features.Commands = append(m.Features.Commands, c)
	}
	for _, s := range Scopes() {
		m.OAuth.Scopes.Bot = append(m.OAuth.Scopes.Bot, s.Name)
	}
	m.Settings.Events.Bot, m.Settings.Events.URL = []string{"app_mention"}, url
	m.Settings.Events.Bot = append(m.Settings.Events.Bot, "member_joined_channel", "channel_unarchive", "group_unarchive") // a blocked channel is open again
	m.features(without)
	m.Settings.Interactivity.On, m.Settings.Interactivity.URL = true, url
	m.Settings.Socket = url == ""
	return m
}
