package bottest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file holds what the fake Discord's things look like in JSON: each has
// at least what the documentation requires of an answer.

func (f *Discord) guildJSON() map[string]any {
	roles := []any{}
	for _, r := range f.roles {
		roles = append(roles, f.roleJSON(r))
	}
	return map[string]any{"id": DiscordGuild, "name": "Harbour", "owner_id": DiscordUser("carl"), "roles": roles, "emojis": []any{}, "features": []any{}, "preferred_locale": "en-GB", "verification_level": 0,
		"default_message_notifications": 1, "explicit_content_filter": 0, "mfa_level": 0, "afk_timeout": 300, "system_channel_id": nil, "premium_tier": 0, "nsfw_level": 0, "stickers": []any{},
		"icon": nil, "description": nil, "home_header": nil, "splash": nil, "discovery_splash": nil, "banner": nil, "application_id": nil, "region": "deprecated", "afk_channel_id": nil, "system_channel_flags": 0,
		"widget_enabled": false, "widget_channel_id": nil, "max_presences": nil, "max_members": 500000, "max_stage_video_channel_users": 50, "max_video_channel_users": 25, "vanity_url_code": nil, "premium_subscription_count": 0,
		"rules_channel_id": nil, "safety_alerts_channel_id": nil, "public_updates_channel_id": nil, "premium_progress_bar_enabled": false, "nsfw": false, "incidents_data": nil}
}

func (f *Discord) userJSON(id string) map[string]any {
	u := f.users[id]
	if u == nil {
		return map[string]any{"id": id, "username": "Deleted User", "discriminator": "0", "avatar": nil, "global_name": nil, "public_flags": 0, "flags": 0, "primary_guild": nil}
	}
	return map[string]any{"id": u.ID, "username": u.Name, "discriminator": "0", "global_name": strings.ToUpper(u.Name[:1]) + u.Name[1:], "avatar": nil, "bot": u.Bot, "public_flags": 0, "flags": 0, "primary_guild": nil}
}

func (f *Discord) memberJSON(id string, c *DiscordChannel) map[string]any {
	u := f.users[id]
	if u == nil {
		u = &discordUser{}
	}
	m := map[string]any{"user": f.userJSON(id), "nick": nil, "roles": append([]string{}, u.Roles...), "joined_at": "2024-01-01T00:00:00.000000+00:00", "deaf": false, "mute": false, "flags": 0, "avatar": nil, "premium_since": nil, "pending": false, "banner": nil, "communication_disabled_until": nil}
	if u.Nick != "" {
		m["nick"] = u.Nick
	}
	if c != nil {
		m["permissions"] = strconv.FormatInt(f.permissions(id, c), 10)
	}
	return m
}

func (f *Discord) roleJSON(r *discordRole) map[string]any {
	return map[string]any{"id": r.ID, "name": r.Name, "permissions": strconv.FormatInt(r.Permissions, 10), "color": 0, "hoist": false, "position": 1, "managed": r.ID == DiscordBotRole, "mentionable": r.ID == DiscordOnCall, "flags": 0, "icon": nil, "unicode_emoji": nil,
		"colors": map[string]any{"primary_color": 0, "secondary_color": nil, "tertiary_color": nil}}
}

func (f *Discord) channelJSON(c *DiscordChannel) map[string]any {
	ov := []any{}
	for _, o := range c.Overwrites {
		ov = append(ov, map[string]any{"id": o.ID, "type": o.Type, "allow": strconv.FormatInt(o.Allow, 10), "deny": strconv.FormatInt(o.Deny, 10)})
	}
	m := map[string]any{"id": c.ID, "type": c.Type, "name": c.Name, "guild_id": DiscordGuild, "position": c.Position, "permission_overwrites": ov, "nsfw": false, "flags": 0, "topic": nil, "parent_id": nil, "last_message_id": nil}
	if c.Topic != "" {
		m["topic"] = c.Topic
	}
	if c.Parent != "" {
		m["parent_id"] = c.Parent
	}
	if n := len(c.Messages); n > 0 {
		m["last_message_id"] = c.Messages[n-1].ID
	}
	if c.thread() {
		delete(m, "permission_overwrites")
		m["owner_id"], m["message_count"], m["total_message_sent"], m["member_count"], m["rate_limit_per_user"] = c.Owner, len(c.Messages), len(c.Messages), len(c.Members), 0
		m["thread_metadata"] = map[string]any{"archived": c.Archived, "locked": c.Locked, "auto_archive_duration": c.AutoArchive, "archive_timestamp": stampOf(f.now()), "invitable": c.Invitable, "create_timestamp": stampOf(f.now())}
	}
	return m
}

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// messageJSON is a message as the bot is shown it: without the intent, what
// others said is blank unless they said it to the bot.
func (f *Discord) messageJSON(m *DiscordMessage) map[string]any {
	return f.messageAs(m, m.Author == DiscordApp || m.Told || f.gate.privileged&intentContent != 0)
}

func (f *Discord) messageAs(m *DiscordMessage, content bool) map[string]any {
	files := []any{}
	for i, file := range m.Files {
		files = append(files, map[string]any{"id": file.id, "filename": file.Name, "size": len(file.Data), "url": f.Server.URL + "/files/" + m.ID + "/" + strconv.Itoa(i), "proxy_url": f.Server.URL + "/files/" + m.ID + "/" + strconv.Itoa(i), "content_type": file.Type})
	}
	ch := f.channels[m.Channel]
	j := map[string]any{"id": m.ID, "channel_id": m.Channel, "type": 0, "author": f.userJSON(m.Author), "content": m.Content, "timestamp": stampOf(m.At), "edited_timestamp": nil, "tts": false, "mention_everyone": false,
		"mentions": []any{}, "mention_roles": []any{}, "attachments": files, "embeds": shownEmbeds(m.Embeds), "components": shownComponents(m.Components, new(int)), "pinned": ch != nil && slices.Contains(ch.Pins, m.ID), "flags": m.Flags}
	if !content {
		j["content"], j["embeds"], j["components"], j["attachments"] = "", []any{}, []any{}, []any{}
	}
	if !m.Edited.IsZero() {
		j["edited_timestamp"] = stampOf(m.Edited)
	}
	if m.Nonce != "" {
		j["nonce"] = m.Nonce
	}
	if strings.Contains(m.Content, "<@"+DiscordApp+">") {
		j["mentions"] = []any{f.userJSON(DiscordApp)}
	}
	if m.Reference != "" {
		j["type"], j["message_reference"] = 19, map[string]any{"type": 0, "message_id": m.Reference, "channel_id": m.Channel, "guild_id": DiscordGuild}
	}
	if a := f.asks[m.Ask]; a != nil {
		j["type"], j["application_id"], j["webhook_id"] = 20, DiscordApp, DiscordApp
		j["interaction_metadata"] = f.metadata(a)
	}
	if len(m.Reactions) > 0 {
		all := []any{}
		for e, us := range m.Reactions {
			all = append(all, map[string]any{"emoji": map[string]any{"id": nil, "name": e}, "count": len(us), "count_details": map[string]any{"normal": len(us), "burst": 0}, "burst_colors": []any{}, "me_burst": false, "me": slices.Contains(us, DiscordApp)})
		}
		j["reactions"] = all
	}
	return j
}

// metadata is what an answer says of its interaction.
func (f *Discord) metadata(a *DiscordAsk) map[string]any {
	m := map[string]any{"id": a.ID, "type": a.Type, "user": f.userJSON(a.User), "authorizing_integration_owners": map[string]any{"0": DiscordGuild}}
	switch {
	case a.Type == askComponent && a.source != nil:
		m["interacted_message_id"] = a.source.ID
	case a.Type == askModal && a.from != nil:
		m["triggering_interaction_metadata"] = f.metadata(a.from)
	}
	return m
}

// shownEmbeds are embeds as they come back.
func shownEmbeds(list []map[string]any) []map[string]any {
	out := []map[string]any{}
	for _, e := range list {
		one := with(e, "type", "rich")
		if fields := objects(e["fields"]); len(fields) > 0 {
			all := []any{}
			for _, x := range fields {
				if x["inline"] == nil {
					x = with(x, "inline", false)
				}
				all = append(all, x)
			}
			one["fields"] = all
		}
		out = append(out, one)
	}
	return out
}

// shownComponents are components as they come back: numbered, with defaults.
func shownComponents(list []map[string]any, n *int) []map[string]any {
	out := []map[string]any{}
	for _, c := range list {
		*n++
		one := map[string]any{}
		for k, v := range c {
			if v != nil && v != "" {
				one[k] = v
			}
		}
		if one["id"] == nil {
			one["id"] = *n
		}
		if kind, _ := c["type"].(float64); kind == 3 || kind >= 5 && kind <= 8 {
			for _, k := range []string{"min_values", "max_values"} {
				if one[k] == nil {
					one[k] = 1
				}
			}
		}
		if in := objects(c["components"]); len(in) > 0 {
			one["components"] = shownComponents(in, n)
		}
		out = append(out, one)
	}
	return out
}

// with is a copy of an object with one member more.
func with(m map[string]any, k string, v any) map[string]any {
	out := map[string]any{}
	for a, b := range m {
		out[a] = b
	}
	out[k] = v
	return out
}
