package bottest

import (
	"slices"
	"strconv"
)

// This file holds the fake Discord's guild: people, roles, channels, what is
// permitted to whom, and how a test changes them. What the bot does with them
// is in discord_channels.go and discord_messages.go.

// Permissions (docs: topics/permissions).
const (
	permAdmin          = 1 << 3
	permManageChannels = 1 << 4
	permManageGuild    = 1 << 5
	permAddReactions   = 1 << 6
	permView           = 1 << 10
	permSend           = 1 << 11
	permManageMessages = 1 << 13
	permEmbed          = 1 << 14
	permAttach         = 1 << 15
	permHistory        = 1 << 16
	permMentionAll     = 1 << 17
	permManageRoles    = 1 << 28
	permUseCommands    = 1 << 31
	permManageThreads  = 1 << 34
	permPublicThreads  = 1 << 35
	permPrivateThreads = 1 << 36
	permSendInThreads  = 1 << 38
	permPin            = 1 << 51
	permAll            = 1<<53 - 1

	// DiscordBotPermissions are the bot's when the fake starts.
	DiscordBotPermissions = permManageChannels | permAddReactions | permView | permSend | permManageMessages | permEmbed | permAttach | permHistory |
		permManageRoles | permManageThreads | permPublicThreads | permPrivateThreads | permSendInThreads | permPin
)

// Kinds of channels.
const (
	discordText, discordDM, discordCategory, discordNews            = 0, 1, 4, 5
	discordNewsThread, discordPublicThread, discordPrivateThread    = 10, 11, 12
	flagSuppressEmbeds, flagThread, flagEphemeral, flagLoading, fV2 = 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 15
)

type discordUser struct {
	ID, Name, Nick string
	Bot            bool
	Roles          []string
}

type discordRole struct {
	ID, Name    string
	Permissions int64
}

// DiscordOverwrite is a permission overwrite of a channel.
type DiscordOverwrite struct {
	ID          string
	Type        int // 0 a role, 1 a member
	Allow, Deny int64
}

// DiscordChannel is a channel, a category or a thread.
type DiscordChannel struct {
	ID, Name, Topic, Parent string
	Type                    int
	Overwrites              []DiscordOverwrite
	Position                int
	Messages                []*DiscordMessage
	Pins                    []string // message ids, oldest first
	// Threads.
	Owner            string
	Archived, Locked bool
	Invitable        bool
	AutoArchive      int // minutes
	Members          map[string]bool
}

func (c *DiscordChannel) thread() bool { return c.Type >= 10 && c.Type <= 12 }

func (f *Discord) populate() {
	f.roles = []*discordRole{
		{DiscordGuild, "@everyone", permView | permSend | permHistory | permUseCommands | permAddReactions | permSendInThreads | permEmbed | permAttach},
		{DiscordBotRole, "certmedic", DiscordBotPermissions},
		{DiscordOnCall, "on-call", 0},
	}
	f.users[DiscordApp] = &discordUser{ID: DiscordApp, Name: "certmedic", Bot: true, Roles: []string{DiscordBotRole}}
	for _, n := range []string{"ana", "ben", "carl", "gus"} {
		u := &discordUser{ID: DiscordUser(n), Name: n}
		if n == "ana" || n == "ben" {
			u.Roles = []string{DiscordOnCall}
		}
		f.users[u.ID] = u
	}
	for _, c := range []*DiscordChannel{{ID: DiscordMain, Name: "tls"}, {ID: DiscordCategory, Name: "incidents", Type: discordCategory}} {
		f.channels[c.ID] = c
		f.order = append(f.order, c.ID)
	}
}

// Person adds somebody, or gives them other roles.
func (f *Discord) Person(name string, roles ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[DiscordUser(name)] = &discordUser{ID: DiscordUser(name), Name: name, Roles: roles}
}

// Role adds a role, and returns its id.
func (f *Discord) Role(name string, permissions int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &discordRole{f.id(), name, permissions}
	f.roles = append(f.roles, r)
	return r.ID
}

// Grant sets a role's permissions: DiscordBotRole's are the bot's, with those
// of @everyone (DiscordGuild).
func (f *Discord) Grant(role string, permissions int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.roles {
		if r.ID == role {
			r.Permissions = permissions
		}
	}
}

// Permit sets what a channel allows and denies to a role (by its id), a person
// (by name) or the bot (DiscordApp).
func (f *Discord) Permit(channel, who string, allow, deny int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := DiscordOverwrite{ID: f.who(who), Type: 1, Allow: allow, Deny: deny}
	for _, r := range f.roles {
		if r.ID == who {
			o.Type = 0
		}
	}
	if c := f.channels[channel]; c != nil {
		c.overwrite(o)
		f.dispatch("CHANNEL_UPDATE", c.ID, f.channelJSON(c))
	}
}

func (c *DiscordChannel) overwrite(o DiscordOverwrite) {
	c.Overwrites = append(slices.DeleteFunc(c.Overwrites, func(x DiscordOverwrite) bool { return x.ID == o.ID }), o)
}

// who is a user's id, by id or by name.
func (f *Discord) who(name string) string {
	if _, err := strconv.ParseInt(name, 10, 64); err == nil {
		return name
	}
	return DiscordUser(name)
}

// permissions computes what somebody may do in a channel (nil: in the guild),
// as the documentation does.
func (f *Discord) permissions(user string, c *DiscordChannel) int64 {
	u := f.users[user]
	if u == nil {
		return 0
	}
	var p int64
	for _, r := range f.roles {
		if r.ID == DiscordGuild || slices.Contains(u.Roles, r.ID) {
			p |= r.Permissions
		}
	}
	if p&permAdmin != 0 {
		return permAll
	}
	if c == nil || c.Type == discordDM {
		return p
	}
	top := c
	if c.thread() {
		if top = f.channels[c.Parent]; top == nil {
			return 0
		}
	}
	var allow, deny int64
	for _, o := range top.Overwrites {
		switch {
		case o.ID == DiscordGuild:
			p = p&^o.Deny | o.Allow
		case o.Type == 0 && slices.Contains(u.Roles, o.ID):
			allow, deny = allow|o.Allow, deny|o.Deny
		}
	}
	p = p&^deny | allow
	for _, o := range top.Overwrites {
		if o.Type == 1 && o.ID == user {
			p = p&^o.Deny | o.Allow
		}
	}
	if p&permView == 0 || c.Type == discordPrivateThread && !c.Members[user] && p&permManageThreads == 0 {
		return 0
	}
	return p
}

// DeleteChannel, DeleteMessage and Archive are what an administrator does.
func (f *Discord) DeleteChannel(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropChannel(f.channels[id])
}

func (f *Discord) dropChannel(c *DiscordChannel) {
	if c == nil {
		return
	}
	event := "CHANNEL_DELETE"
	if c.thread() {
		event = "THREAD_DELETE"
	}
	f.dispatch(event, c.ID, f.channelJSON(c))
	delete(f.channels, c.ID)
	f.order = slices.DeleteFunc(f.order, func(id string) bool { return id == c.ID })
	for _, t := range f.channels {
		if t.thread() && t.Parent == c.ID {
			delete(f.channels, t.ID)
			f.order = slices.DeleteFunc(f.order, func(id string) bool { return id == t.ID })
		}
	}
}

// DeleteMessage deletes a message as a moderator does.
func (f *Discord) DeleteMessage(channel, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.channels[channel]; c != nil {
		f.dropMessage(c, id)
	}
}

func (f *Discord) dropMessage(c *DiscordChannel, id string) {
	c.Messages = slices.DeleteFunc(c.Messages, func(m *DiscordMessage) bool { return m.ID == id })
	c.Pins = slices.DeleteFunc(c.Pins, func(p string) bool { return p == id })
	f.dispatch("MESSAGE_DELETE", c.ID, map[string]any{"id": id, "channel_id": c.ID, "guild_id": DiscordGuild})
}

// Archive archives a thread, and locks it.
func (f *Discord) Archive(thread string, archived, locked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.channels[thread]; c != nil {
		c.Archived, c.Locked = archived, locked
		f.dispatch("THREAD_UPDATE", c.ID, f.channelJSON(c))
	}
}

// Channel returns a copy of a channel by name or id.
func (f *Discord) Channel(name string) (DiscordChannel, bool) {
	for _, c := range f.Channels() {
		if c.ID == name || c.Name == name {
			return c, true
		}
	}
	return DiscordChannel{}, false
}

// Channels returns copies of all channels, oldest first.
func (f *Discord) Channels() []DiscordChannel {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []DiscordChannel
	for _, id := range f.order {
		cp := *f.channels[id]
		cp.Pins, cp.Overwrites = slices.Clone(cp.Pins), slices.Clone(cp.Overwrites)
		cp.Members = map[string]bool{}
		for m := range f.channels[id].Members {
			cp.Members[m] = true
		}
		cp.Messages = nil
		for _, m := range f.channels[id].Messages {
			one := m.copy()
			cp.Messages = append(cp.Messages, &one)
		}
		all = append(all, cp)
	}
	return all
}
