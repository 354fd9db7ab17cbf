package bottest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// This file holds the fake Discord's operations on the guild, channels and
// threads.

func (f *Discord) getMe(*discordAsked) (any, *discordError) {
	u := f.userJSON(DiscordApp)
	u["mfa_enabled"], u["locale"], u["verified"] = true, "en-GB", true
	return u, nil
}

func (f *Discord) getUser(c *discordAsked) (any, *discordError) {
	if f.users[c.Vars["user_id"]] == nil {
		return nil, codeError(10013)
	}
	return f.userJSON(c.Vars["user_id"]), nil
}

func (f *Discord) getMyGuilds(*discordAsked) (any, *discordError) {
	return []any{map[string]any{"id": DiscordGuild, "name": "Harbour", "icon": nil, "banner": nil, "owner": false, "permissions": strconv.FormatInt(f.permissions(DiscordApp, nil), 10), "features": []any{}}}, nil
}

func (f *Discord) getApplication(*discordAsked) (any, *discordError) {
	a := map[string]any{"id": DiscordApp, "name": "certmedic", "description": "", "icon": nil, "bot_public": false, "bot_require_code_grant": false, "verify_key": f.PublicKey(), "flags": 0, "bot": f.userJSON(DiscordApp),
		"owner": f.userJSON(DiscordUser("carl")), "interactions_endpoint_url": nil, "type": nil, "flags_new": "0", "redirect_uris": []any{}, "role_connections_verification_url": nil, "approximate_guild_count": 1,
		"approximate_user_install_count": 0, "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "team": nil, "eligible_oauth2_scopes": []any{}}
	if f.Endpoint != "" {
		a["interactions_endpoint_url"] = f.Endpoint
	}
	return a, nil
}

func (f *Discord) getGuild(*discordAsked) (any, *discordError) { return f.guildJSON(), nil }

func (f *Discord) listRoles(*discordAsked) (any, *discordError) {
	return f.guildJSON()["roles"], nil
}

func (f *Discord) listChannels(*discordAsked) (any, *discordError) {
	all := []any{}
	for _, id := range f.order {
		// The list has hidden channels too, as the real one has.
		if c := f.channels[id]; !c.thread() && c.Type != discordDM {
			all = append(all, f.channelJSON(c))
		}
	}
	return all, nil
}

func (f *Discord) activeThreads(*discordAsked) (any, *discordError) {
	all := []any{}
	for _, id := range f.order {
		if c := f.channels[id]; c.thread() && !c.Archived && f.permissions(DiscordApp, c)&permView != 0 {
			all = append(all, f.channelJSON(c))
		}
	}
	return map[string]any{"threads": all, "members": []any{}, "has_more": false}, nil
}

func (f *Discord) getMember(c *discordAsked) (any, *discordError) {
	if f.users[c.Vars["user_id"]] == nil {
		return nil, codeError(10007)
	}
	return f.memberJSON(c.Vars["user_id"], nil), nil
}

// listMembers needs the members intent in the portal, as the real one does.
func (f *Discord) listMembers(*discordAsked) (any, *discordError) {
	if f.gate.privileged&intentMembers == 0 {
		return nil, codeError(50001)
	}
	return f.members(""), nil
}

func (f *Discord) searchMembers(c *discordAsked) (any, *discordError) {
	return f.members(c.query.Get("query")), nil
}

func (f *Discord) members(prefix string) []any {
	all := []any{}
	ids := []string{}
	for id := range f.users {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if strings.HasPrefix(f.users[id].Name, prefix) {
			all = append(all, f.memberJSON(id, nil))
		}
	}
	return all
}

// channel is the channel of a request, when the bot may do what need says.
func (f *Discord) channel(c *discordAsked, need int64) (*DiscordChannel, *discordError) {
	ch := f.channels[c.Vars["channel_id"]]
	if ch == nil {
		return nil, codeError(10003)
	}
	return ch, f.may(ch, need)
}

func (f *Discord) may(ch *DiscordChannel, need int64) *discordError {
	if ch.Type == discordDM {
		return nil
	}
	have := f.permissions(DiscordApp, ch)
	switch {
	case have&permView == 0:
		return codeError(50001)
	case have&need != need:
		return codeError(50013)
	}
	return nil
}

type overwriteIn struct {
	ID    string
	Type  int
	Allow json.RawMessage
	Deny  json.RawMessage
}

func bits(raw json.RawMessage) int64 {
	n, _ := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	return n
}

// overwrites reads overwrites; the bot can give and take what it has itself.
func (f *Discord) overwrites(in []overwriteIn) ([]DiscordOverwrite, *discordError) {
	have := f.permissions(DiscordApp, nil)
	var all []DiscordOverwrite
	for _, o := range in {
		one := DiscordOverwrite{o.ID, o.Type, bits(o.Allow), bits(o.Deny)}
		if (one.Allow|one.Deny)&^have != 0 || (one.Allow|one.Deny)&permManageRoles != 0 && have&permAdmin == 0 {
			return nil, codeError(50013)
		}
		if o.Type == 1 && f.users[o.ID] == nil || o.Type == 0 && !slices.ContainsFunc(f.roles, func(r *discordRole) bool { return r.ID == o.ID }) {
			return nil, codeError(10009)
		}
		all = append(all, one)
	}
	return all, nil
}

func (f *Discord) createChannel(c *discordAsked) (any, *discordError) {
	var in struct {
		Name, Topic string
		Type        int
		ParentID    string        `json:"parent_id"`
		Overwrites  []overwriteIn `json:"permission_overwrites"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	parent := f.channels[in.ParentID]
	if in.ParentID != "" && (parent == nil || parent.Type != discordCategory) {
		return nil, formError("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
	}
	if f.permissions(DiscordApp, parent)&permManageChannels == 0 {
		return nil, codeError(50013)
	}
	if len(in.Overwrites) > 0 && f.permissions(DiscordApp, nil)&permManageRoles == 0 {
		return nil, codeError(50013)
	}
	ov, err := f.overwrites(in.Overwrites)
	if err != nil {
		return nil, err
	}
	n, inside := 0, 0
	for _, o := range f.channels {
		if !o.thread() && o.Type != discordDM {
			n++
			if in.ParentID != "" && o.Parent == in.ParentID {
				inside++
			}
		}
	}
	if n >= 500 {
		return nil, codeError(30013)
	}
	if inside >= 50 {
		return nil, formError("parent_id", "CHANNEL_PARENT_MAX_CHANNELS", "Maximum number of channels in category reached (50)")
	}
	ch := &DiscordChannel{ID: f.id(), Name: channelName(in.Name, in.Type), Topic: in.Topic, Type: in.Type, Parent: in.ParentID, Overwrites: ov, Position: n}
	if ov == nil && parent != nil {
		ch.Overwrites = slices.Clone(parent.Overwrites) // synced with its category
	}
	f.addChannel(ch)
	f.dispatch("CHANNEL_CREATE", ch.ID, f.channelJSON(ch))
	return f.channelJSON(ch), nil
}

func (f *Discord) addChannel(ch *DiscordChannel) {
	f.channels[ch.ID] = ch
	f.order = append(f.order, ch.ID)
}

// channelName is a text channel's name as Discord writes it.
func channelName(s string, kind int) string {
	if kind != discordText && kind != discordNews {
		return s
	}
	return strings.ToLower(strings.Join(strings.Fields(s), "-"))
}

func (f *Discord) getChannel(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, permView)
	if err != nil {
		return nil, err
	}
	return f.channelJSON(ch), nil
}

func (f *Discord) updateChannel(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	if ch.thread() {
		return f.updateThread(c, ch)
	}
	if err := f.may(ch, permManageChannels); err != nil {
		return nil, err
	}
	var in struct {
		Name, Topic *string
		ParentID    *string       `json:"parent_id"`
		Overwrites  []overwriteIn `json:"permission_overwrites"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if c.has("permission_overwrites") {
		if err := f.may(ch, permManageRoles); err != nil {
			return nil, err
		}
		if ch.Overwrites, err = f.overwrites(in.Overwrites); err != nil {
			return nil, err
		}
	}
	if in.Name != nil {
		ch.Name = channelName(*in.Name, ch.Type)
	}
	if c.has("topic") {
		ch.Topic = deref(in.Topic)
	}
	if c.has("parent_id") {
		if p := f.channels[deref(in.ParentID)]; deref(in.ParentID) != "" && (p == nil || p.Type != discordCategory) {
			return nil, formError("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
		}
		ch.Parent = deref(in.ParentID)
	}
	f.dispatch("CHANNEL_UPDATE", ch.ID, f.channelJSON(ch))
	return f.channelJSON(ch), nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (f *Discord) deleteChannel(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	need := int64(permManageChannels)
	if ch.thread() {
		need = permManageThreads
	}
	if err := f.may(ch, need); err != nil {
		return nil, err
	}
	gone := f.channelJSON(ch)
	f.dropChannel(ch)
	return gone, nil
}

func (f *Discord) setOverwrite(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, permManageRoles)
	if err != nil {
		return nil, err
	}
	if ch.thread() {
		return nil, codeError(50024)
	}
	var in overwriteIn
	if err := c.in(&in); err != nil {
		return nil, err
	}
	in.ID = c.Vars["overwrite_id"]
	ov, err := f.overwrites([]overwriteIn{in})
	if err != nil {
		return nil, err
	}
	ch.overwrite(ov[0])
	f.dispatch("CHANNEL_UPDATE", ch.ID, f.channelJSON(ch))
	return nil, nil
}

func (f *Discord) deleteOverwrite(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, permManageRoles)
	if err != nil {
		return nil, err
	}
	n := len(ch.Overwrites)
	ch.Overwrites = slices.DeleteFunc(ch.Overwrites, func(o DiscordOverwrite) bool { return o.ID == c.Vars["overwrite_id"] })
	if len(ch.Overwrites) == n {
		return nil, codeError(10009)
	}
	f.dispatch("CHANNEL_UPDATE", ch.ID, f.channelJSON(ch))
	return nil, nil
}

func (f *Discord) typing(c *discordAsked) (any, *discordError) {
	_, err := f.channel(c, permSend)
	return nil, err
}

// createDM opens the conversation of the bot and a person.
func (f *Discord) createDM(c *discordAsked) (any, *discordError) {
	var in struct {
		To string `json:"recipient_id"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if f.users[in.To] == nil {
		return nil, codeError(10013)
	}
	return f.dmJSON(f.dm(in.To)), nil
}

func (f *Discord) dm(user string) *DiscordChannel {
	for _, ch := range f.channels {
		if ch.Type == discordDM && ch.Members[user] {
			return ch
		}
	}
	ch := &DiscordChannel{ID: f.id(), Type: discordDM, Members: map[string]bool{user: true}}
	f.addChannel(ch)
	return ch
}

func (f *Discord) dmJSON(ch *DiscordChannel) map[string]any {
	to := []any{}
	for id := range ch.Members {
		to = append(to, f.userJSON(id))
	}
	return map[string]any{"id": ch.ID, "type": discordDM, "last_message_id": nil, "recipients": to, "flags": 0}
}

// DM is the id of the conversation of the bot and a person.
func (f *Discord) DM(person string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dm(DiscordUser(person)).ID
}

// Shut has a person take no direct messages, or take them again.
func (f *Discord) Shut(person string, shut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut[DiscordUser(person)] = shut
}

// Directs are the channels of direct messages that there are.
func (f *Discord) Directs() (ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ch := range f.channels {
		if ch.Type == discordDM {
			ids = append(ids, ch.ID)
		}
	}
	return ids
}
