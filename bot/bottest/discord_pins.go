package bottest

import (
	"fmt"
	"slices"
)

// This file holds the fake Discord's pins and reactions.

func (f *Discord) pin(c *discordAsked) (any, *discordError) {
	ch, m, err := f.message(c, permHistory|permPin)
	if err != nil {
		return nil, err
	}
	if err := archived(ch); err != nil {
		return nil, err
	}
	if slices.Contains(ch.Pins, m.ID) {
		return nil, nil
	}
	if len(ch.Pins) >= 250 {
		return nil, codeError(30003)
	}
	ch.Pins = append(ch.Pins, m.ID)
	f.dispatch("CHANNEL_PINS_UPDATE", ch.ID, map[string]any{"guild_id": DiscordGuild, "channel_id": ch.ID, "last_pin_timestamp": stampOf(f.now())})
	return nil, nil
}

func (f *Discord) unpin(c *discordAsked) (any, *discordError) {
	ch, m, err := f.message(c, permPin)
	if err != nil {
		return nil, err
	}
	if err := archived(ch); err != nil {
		return nil, err
	}
	ch.Pins = slices.DeleteFunc(ch.Pins, func(id string) bool { return id == m.ID })
	return nil, nil
}

func (f *Discord) listPins(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	old, items := []any{}, []any{}
	for i := len(ch.Pins) - 1; i >= 0; i-- {
		if m := ch.visible(ch.Pins[i]); m != nil && f.may(ch, permHistory) == nil {
			old = append(old, f.messageJSON(m))
			items = append(items, map[string]any{"pinned_at": stampOf(m.At), "message": f.messageJSON(m)})
		}
	}
	if c.Op == "deprecated_list_pins" {
		return old, nil
	}
	return map[string]any{"items": items, "has_more": false}, nil
}

// FillPins pins 250 messages of somebody's: the channel takes no more.
func (f *Discord) FillPins(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[channel]
	for i := len(ch.Pins); i < 250; i++ {
		m := &DiscordMessage{ID: f.id(), Channel: ch.ID, Author: DiscordUser("carl"), Content: fmt.Sprintf("pin %d", i), At: f.now()}
		ch.Messages = append(ch.Messages, m)
		ch.Pins = append(ch.Pins, m.ID)
	}
}

func (f *Discord) addReaction(c *discordAsked) (any, *discordError) {
	ch, m, err := f.message(c, permHistory|permAddReactions)
	if err == nil {
		err = archived(ch)
	}
	if err != nil {
		return nil, err
	}
	f.react(m, DiscordApp, c.Vars["emoji_name"], true)
	return nil, nil
}

func (f *Discord) dropReaction(c *discordAsked) (any, *discordError) {
	_, m, err := f.message(c, 0)
	if err != nil {
		return nil, err
	}
	f.react(m, DiscordApp, c.Vars["emoji_name"], false)
	return nil, nil
}

func (f *Discord) listReactions(c *discordAsked) (any, *discordError) {
	_, m, err := f.message(c, permHistory)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, id := range m.Reactions[c.Vars["emoji_name"]] {
		all = append(all, f.userJSON(id))
	}
	return all, nil
}

func (f *Discord) react(m *DiscordMessage, user, emoji string, on bool) {
	if m.Reactions == nil {
		m.Reactions = map[string][]string{}
	}
	have := slices.Contains(m.Reactions[emoji], user)
	if have == on {
		return
	}
	event := map[string]any{"user_id": user, "channel_id": m.Channel, "message_id": m.ID, "guild_id": DiscordGuild, "emoji": map[string]any{"id": nil, "name": emoji}, "burst": false, "type": 0}
	if !on {
		m.Reactions[emoji] = slices.DeleteFunc(m.Reactions[emoji], func(id string) bool { return id == user })
		f.dispatch("MESSAGE_REACTION_REMOVE", m.Channel, event)
		return
	}
	m.Reactions[emoji] = append(m.Reactions[emoji], user)
	event["member"], event["message_author_id"] = f.memberJSON(user, nil), m.Author
	f.dispatch("MESSAGE_REACTION_ADD", m.Channel, event)
}
