package bottest

// This file holds the fake Discord's threads.

// createThread starts a thread: of a message, or of its own.
func (f *Discord) createThread(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name      string
		Type      *int
		Archive   int `json:"auto_archive_duration"`
		Invitable *bool
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if ch.Type != discordText && ch.Type != discordNews {
		return nil, codeError(50024)
	}
	t := &DiscordChannel{ID: f.id(), Name: in.Name, Parent: ch.ID, Type: discordPrivateThread, Owner: DiscordApp, AutoArchive: in.Archive, Invitable: in.Invitable == nil || *in.Invitable, Members: map[string]bool{DiscordApp: true}}
	if t.AutoArchive == 0 {
		t.AutoArchive = 4320
	}
	if id := c.Vars["message_id"]; id != "" {
		m := ch.find(id)
		if m == nil {
			return nil, codeError(10008)
		}
		if f.channels[id] != nil {
			return nil, codeError(160004)
		}
		t.ID, t.Type = id, discordPublicThread
		m.Flags |= flagThread
	} else if in.Type != nil {
		t.Type = *in.Type
	}
	need := int64(permPublicThreads)
	if t.Type == discordPrivateThread {
		need = permPrivateThreads
	}
	if err := f.may(ch, need); err != nil {
		return nil, err
	}
	f.addChannel(t)
	made := f.channelJSON(t)
	made["newly_created"] = true
	f.dispatch("THREAD_CREATE", t.ID, made)
	return f.channelJSON(t), nil
}

// updateThread changes a thread. An archived one can only be brought back, a
// locked one only by who may manage threads.
func (f *Discord) updateThread(c *discordAsked, t *DiscordChannel) (any, *discordError) {
	var in struct {
		Name             *string
		Archived, Locked *bool
		Invitable        *bool
		Archive          *int `json:"auto_archive_duration"`
	}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	manage := f.permissions(DiscordApp, t)&permManageThreads != 0
	switch {
	case in.Locked != nil && !manage:
		return nil, codeError(50013)
	case t.Locked && !manage:
		return nil, codeError(160005)
	case t.Owner != DiscordApp && !manage && (in.Archived == nil || *in.Archived || in.Name != nil):
		return nil, codeError(50013)
	case t.Archived && (in.Archived == nil || *in.Archived):
		return nil, codeError(50083)
	}
	if in.Name != nil {
		t.Name = *in.Name
	}
	if in.Archived != nil {
		t.Archived = *in.Archived
	}
	if in.Locked != nil {
		t.Locked = *in.Locked
	}
	if in.Invitable != nil {
		t.Invitable = *in.Invitable
	}
	if in.Archive != nil {
		t.AutoArchive = *in.Archive
	}
	f.dispatch("THREAD_UPDATE", t.ID, f.channelJSON(t))
	return f.channelJSON(t), nil
}

// thread is a thread that the bot may write to.
func (f *Discord) thread(c *discordAsked) (*DiscordChannel, *discordError) {
	t, err := f.channel(c, 0)
	switch {
	case err != nil:
		return nil, err
	case !t.thread():
		return nil, codeError(50024)
	}
	return t, nil
}

func (f *Discord) addThreadMember(c *discordAsked) (any, *discordError) {
	t, err := f.thread(c)
	if err != nil {
		return nil, err
	}
	id := c.Vars["user_id"]
	switch {
	case id == "":
		id = DiscordApp
	case f.users[id] == nil:
		return nil, codeError(10007)
	case f.permissions(DiscordApp, t)&permSendInThreads == 0:
		return nil, codeError(50013)
	case f.permissions(id, f.channels[t.Parent])&permView == 0:
		return nil, codeError(50001) // who cannot see the channel cannot see its threads
	}
	if t.Archived {
		return nil, codeError(50083)
	}
	t.Members[id] = true
	return nil, nil
}

func (f *Discord) dropThreadMember(c *discordAsked) (any, *discordError) {
	t, err := f.thread(c)
	if err != nil {
		return nil, err
	}
	if t.Archived {
		return nil, codeError(50083)
	}
	delete(t.Members, c.Vars["user_id"])
	return nil, nil
}

func (f *Discord) listThreadMembers(c *discordAsked) (any, *discordError) {
	t, err := f.thread(c)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for id := range t.Members {
		all = append(all, map[string]any{"id": t.ID, "user_id": id, "join_timestamp": stampOf(f.now()), "flags": 0})
	}
	return all, nil
}
