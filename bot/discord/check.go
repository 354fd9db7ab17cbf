package discord

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
)

// This file holds the set-up: the link that invites the bot, and whether all
// is right.

// Permission is one that the bot asks for.
type Permission struct {
	Name string
	Bit  int64
	For  string
	Also string // "": always; Channel or Thread: for places of that kind
}

// Permissions are the least that the bot can work with. None of them is that
// of an administrator.
func Permissions() []Permission {
	return []Permission{
		{"View Channels", discordgo.PermissionViewChannel, "seeing its channel", ""},
		{"Send Messages", discordgo.PermissionSendMessages, "speaking", ""},
		{"Embed Links", discordgo.PermissionEmbedLinks, "showing the proof", ""},
		{"Attach Files", discordgo.PermissionAttachFiles, "the postmortem draft and long answers as files", ""},
		{"Read Message History", discordgo.PermissionReadMessageHistory, "not saying a thing twice after a broken connection", ""},
		{"Pin Messages", 1 << 51, "pinning an incident's card", ""},
		{"Manage Channels", discordgo.PermissionManageChannels, "a channel for each incident", Channel},
		{"Manage Roles", discordgo.PermissionManageRoles, "who sees a private incident's channel, and locking a closed one's", Channel},
		{"Add Reactions", discordgo.PermissionAddReactions, "locking a closed incident's channel", Channel},
		{"Create Public Threads", discordgo.PermissionCreatePublicThreads, "a thread for each incident", ""},
		{"Create Private Threads", discordgo.PermissionCreatePrivateThreads, "a thread for each private incident", ""},
		{"Send Messages in Threads", discordgo.PermissionSendMessagesInThreads, "speaking in threads", ""},
		{"Manage Threads", discordgo.PermissionManageThreads, "closing threads and opening them again", Thread},
	}
}

// Invite is the link that adds the bot to a server with the least permissions
// and scopes; place is Channel or Thread.
func Invite(app, place, guild string) string {
	var bits int64
	for _, p := range Permissions() {
		if p.Also == "" || p.Also == place {
			bits |= p.Bit
		}
	}
	q := url.Values{"client_id": {app}, "permissions": {strconv.FormatInt(bits, 10)}, "scope": {"bot applications.commands"}}
	if guild != "" {
		q.Set("guild_id", guild)
	}
	return "https://discord.com/oauth2/authorize?" + q.Encode()
}

// Application asks Discord for the id of the application that a token is of.
func Application(ctx context.Context, o Options) (string, error) {
	if o.Token == "" {
		return "", errors.New("the bot's token is not set: set DISCORD_BOT_TOKEN or DISCORD_BOT_TOKEN_FILE")
	}
	var app struct {
		ID string `json:"id"`
	}
	if err := newAPI(o.APIURL, strings.TrimPrefix(o.Token, "Bot "), 10*time.Second, time.Now).call(ctx, http.MethodGet, "applications/@me", nil, &app); err != nil {
		return "", errors.New(words(err))
	}
	return app.ID, nil
}

// Check asks Discord whether everything is set up: the token, the gateway or
// the public key, the channel, the category and the permissions. It changes nothing.
func Check(ctx context.Context, o Options) []bot.Finding {
	var all bot.Findings
	add := all.Add
	if o.Token == "" {
		add(false, "the bot's token is not set", "set DISCORD_BOT_TOKEN or DISCORD_BOT_TOKEN_FILE: Bot, Reset Token")
		return all
	}
	a := newAPI(o.APIURL, strings.TrimPrefix(o.Token, "Bot "), 10*time.Second, time.Now)
	var app struct {
		ID, Name string
		Key      string `json:"verify_key"`
		Flags    int64
		Endpoint string `json:"interactions_endpoint_url"`
		Bot      struct{ ID string }
	}
	if err := a.call(ctx, http.MethodGet, "applications/@me", nil, &app); err != nil {
		add(false, "the bot's token does not work: "+words(err), "look at the network, or reset the token in the developer portal (Bot, Reset Token) and copy it")
		return all
	}
	add(true, "the bot's token works: "+app.Name, "")
	checkWay(ctx, a, o, app.Key, app.Endpoint, add)
	const contentIntent = 1<<18 | 1<<19 // MESSAGE_CONTENT granted, or limited to small servers
	if o.Content {
		add(app.Flags&contentIntent != 0, "the intent MESSAGE_CONTENT is on: reactions put messages on timelines", "switch it on in the developer portal (Bot, Privileged Gateway Intents), or set chat.discord.content: false")
	}
	checkGuild(ctx, a, o, or(app.Bot.ID, app.ID), app.ID, add)
	return all
}

// checkWay looks at the way in.
func checkWay(ctx context.Context, a *api, o Options, key, endpoint string, add func(bool, string, string)) {
	if o.Mode == HTTP {
		_, err := readKey(o.PublicKey)
		switch {
		case err != nil:
			add(false, err.Error(), "copy the public key from General Information")
		case !strings.EqualFold(strings.TrimSpace(o.PublicKey), key):
			add(false, "the public key is another application's", "copy it from General Information of the same application")
		default:
			add(true, "the public key is the application's", "")
		}
		add(endpoint != "", "the interactions endpoint is set: "+endpoint, "start certmedic, then enter its address with /discord/interactions under General Information, Interactions Endpoint URL")
		return
	}
	add(endpoint == "", "interactions come by the gateway", "clear the Interactions Endpoint URL under General Information, or set chat.discord.mode: http; now they go to "+endpoint)
	var g struct {
		URL   string `json:"url"`
		Limit struct {
			Remaining int `json:"remaining"`
		} `json:"session_start_limit"`
	}
	if err := a.call(ctx, http.MethodGet, "gateway/bot", nil, &g); err != nil {
		add(false, "the gateway does not answer: "+words(err), "look at the network: certmedic must reach "+host(g.URL))
		return
	}
	add(g.Limit.Remaining > 0, "the gateway answers; "+strconv.Itoa(g.Limit.Remaining)+" connections are left today", "wait: Discord lets the bot connect again tomorrow")
}

func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "gateway.discord.gg"
	}
	return u.Host
}

// checkGuild looks at channel, category and permissions.
func checkGuild(ctx context.Context, a *api, o Options, bot, app string, add func(bool, string, string)) {
	type place struct {
		Name, Guild string
		Type        int
		Parent      string      `json:"parent_id"`
		GuildID     string      `json:"guild_id"`
		Overwrites  []overwrite `json:"permission_overwrites"`
	}
	var c place
	if err := a.call(ctx, http.MethodGet, "channels/"+o.Channel, nil, &c); err != nil {
		add(false, "the channel "+o.Channel+" cannot be seen: "+words(err), "copy its id (right click, Copy Channel ID, with developer mode on), and let the bot's role see it")
		return
	}
	add(c.Type == textChannel, "the bot sees #"+c.Name, "name a text channel under chat.discord.channel")
	guild := or(o.Guild, c.GuildID)
	if o.Guild != "" && c.GuildID != o.Guild {
		add(false, "#"+c.Name+" is in another server than chat.discord.guild", "set chat.discord.guild: \""+c.GuildID+"\"")
	}
	var me struct{ Roles []string }
	var roles []role
	if err := errors.Join(a.call(ctx, http.MethodGet, "guilds/"+guild+"/members/"+bot, nil, &me), a.call(ctx, http.MethodGet, "guilds/"+guild+"/roles", nil, &roles)); err != nil {
		add(false, "the bot is not in the server: "+words(err), "open the link of `certmedic discord invite`")
		return
	}
	have := permissionsOf(guild, bot, me.Roles, roles, c.Overwrites)
	where := "#" + c.Name
	parent := c.Parent
	if o.Category != "" {
		parent = o.Category
	}
	inside := have
	if o.Place != Thread && parent != "" {
		var cat place
		if err := a.call(ctx, http.MethodGet, "channels/"+parent, nil, &cat); err != nil || cat.Type != categoryChannel {
			add(false, "the category "+parent+" cannot be seen, or is none", "copy the category's id, and let the bot's role see it")
		} else {
			add(true, "incidents' channels are made in "+cat.Name, "")
			inside = permissionsOf(guild, bot, me.Roles, roles, cat.Overwrites)
		}
	}
	for _, p := range Permissions() {
		if p.Also != "" && p.Also != or(o.Place, Channel) {
			continue
		}
		good := have&p.Bit != 0
		if p.Bit == discordgo.PermissionManageChannels || p.Bit == discordgo.PermissionManageRoles {
			good = inside&p.Bit != 0
			where = "the category of incidents"
		}
		add(good, "permission "+p.Name+": "+p.For, "give it to the bot's role, there too where "+where+" overrides it; or open this link again: "+Invite(app, or(o.Place, Channel), guild))
	}
}

type role struct {
	ID          string `json:"id"`
	Permissions string `json:"permissions"`
}

// permissionsOf computes what a member may do in a channel (docs:
// topics/permissions, permission overwrites).
func permissionsOf(guild, member string, mine []string, roles []role, overwrites []overwrite) int64 {
	var p int64
	for _, r := range roles {
		if n, err := strconv.ParseInt(r.Permissions, 10, 64); err == nil && (r.ID == guild || slices.Contains(mine, r.ID)) {
			p |= n
		}
	}
	if p&discordgo.PermissionAdministrator != 0 {
		return -1
	}
	num := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	var allow, deny int64
	for _, o := range overwrites {
		switch {
		case o.ID == guild:
			p = p&^num(o.Deny) | num(o.Allow)
		case o.Type == 0 && slices.Contains(mine, o.ID):
			allow, deny = allow|num(o.Allow), deny|num(o.Deny)
		}
	}
	p = p&^deny | allow
	for _, o := range overwrites {
		if o.Type == 1 && o.ID == member {
			p = p&^num(o.Deny) | num(o.Allow)
		}
	}
	if p&discordgo.PermissionViewChannel == 0 {
		return 0
	}
	return p
}
