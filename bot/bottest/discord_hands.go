package bottest

// This file holds what people change in the fake Discord: channels of their
// own, and what they said.

// AddChannel makes a text channel that everybody sees, and returns its id.
func (f *Discord) AddChannel(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &DiscordChannel{ID: f.id(), Name: name}
	f.addChannel(c)
	f.dispatch("CHANNEL_CREATE", c.ID, f.channelJSON(c))
	return c.ID
}

// Edit changes what somebody said. The bot is told, with the words only when
// it may read them.
func (f *Discord) Edit(person, channel, message, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[channel]
	if ch == nil {
		return
	}
	if m := ch.visible(message); m != nil && m.Author == DiscordUser(person) {
		m.Content, m.Edited = text, f.now()
		m.Edits++
		f.dispatchMessage("MESSAGE_UPDATE", m)
	}
}
