package bottest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file holds the fake Discord's messages, pins and reactions. How a
// person sees them is in discord_view.go.

// DiscordFile is a file of a message.
type DiscordFile struct {
	Name, Type string
	Data       []byte
	part       string
	id         string
}

// DiscordMessage is a message in a channel of the fake.
type DiscordMessage struct {
	ID, Channel, Author string
	Content             string
	Embeds, Components  []map[string]any
	Flags               int
	Files               []DiscordFile
	For                 string // an ephemeral's only reader, by user id
	Typed               bool   // a slash command, as its typist remembers it
	Thinking            bool   // deferred: not answered yet
	Edits               int
	At, Edited          time.Time
	Ask                 string // the token of the interaction that it answers
	Allowed             map[string]any
	Reactions           map[string][]string // user ids by emoji
	Reference           string
	Nonce               string
	Told                bool // said to the bot: it may read it without the intent
}

// copy is a message that later reactions and files do not change.
func (m *DiscordMessage) copy() DiscordMessage {
	one := *m
	one.Files = slices.Clone(m.Files)
	one.Reactions = map[string][]string{}
	for e, us := range m.Reactions {
		one.Reactions[e] = slices.Clone(us)
	}
	return one
}

func (c *DiscordChannel) find(id string) *DiscordMessage {
	for _, m := range c.Messages {
		if m.ID == id && !m.Typed {
			return m
		}
	}
	return nil
}

// visible finds a message that the API shows: ephemerals are not in channels.
func (c *DiscordChannel) visible(id string) *DiscordMessage {
	if m := c.find(id); m != nil && m.For == "" {
		return m
	}
	return nil
}

type messageIn struct {
	Content    *string
	Embeds     []map[string]any
	Components []map[string]any
	Flags      *int
	Allowed    map[string]any `json:"allowed_mentions"`
	Nonce      json.RawMessage
	Enforce    bool `json:"enforce_nonce"`
	Reference  struct {
		Message string `json:"message_id"`
	} `json:"message_reference"`
	Attachments []struct {
		ID       json.RawMessage
		Filename string
	}
}

// apply puts what was sent into a message; what was not sent stays.
func (f *Discord) apply(c *discordAsked, raw map[string]json.RawMessage, in messageIn, m *DiscordMessage) *discordError {
	has := func(k string) bool { _, ok := raw[k]; return ok }
	if has("content") {
		m.Content = strings.TrimSpace(deref(in.Content))
	}
	if has("embeds") {
		m.Embeds = in.Embeds
	}
	if has("components") {
		m.Components = in.Components
	}
	if in.Flags != nil {
		m.Flags = m.Flags&(flagEphemeral|flagThread|flagLoading) | *in.Flags&^(flagEphemeral|flagLoading)
	}
	if in.Allowed != nil {
		m.Allowed = in.Allowed
	}
	if has("attachments") { // those that are not named are dropped
		m.Files = slices.DeleteFunc(m.Files, func(old DiscordFile) bool {
			for _, a := range in.Attachments {
				if strings.Trim(string(a.ID), `"`) == old.id {
					return false
				}
			}
			return true
		})
	}
	for _, file := range c.Files {
		for _, a := range in.Attachments {
			if file.part == "files["+strings.Trim(string(a.ID), `"`)+"]" && a.Filename != "" {
				file.Name = a.Filename
			}
		}
		if len(file.Data) > 10<<20 {
			return codeError(40005)
		}
		file.id = f.id()
		m.Files = append(m.Files, file)
	}
	if m.Content == "" && len(m.Embeds) == 0 && len(m.Components) == 0 && len(m.Files) == 0 {
		return codeError(50006)
	}
	return nil
}

// writable is whether the bot may write what it has in a channel.
func (f *Discord) writable(ch *DiscordChannel, m *DiscordMessage) *discordError {
	need := int64(permSend)
	if ch.thread() {
		need = permSendInThreads
	}
	if len(m.Embeds) > 0 {
		need |= permEmbed
	}
	if len(m.Files) > 0 {
		need |= permAttach
	}
	for id := range ch.Members {
		if u := f.users[id]; ch.Type == discordDM && (f.shut[id] || u != nil && u.Bot) {
			return codeError(50007)
		}
	}
	if ch.Type == discordCategory {
		return codeError(50024)
	}
	if err := f.may(ch, need); err != nil {
		return err
	}
	return archived(ch)
}

func archived(ch *DiscordChannel) *discordError {
	if ch.Archived {
		return codeError(50083)
	}
	return nil
}

func (f *Discord) createMessage(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	var in messageIn
	if err := c.in(&in); err != nil {
		return nil, err
	}
	key := ch.ID + " " + strings.Trim(string(in.Nonce), `"`)
	if id, ok := f.nonces[key]; ok && in.Enforce {
		if m := ch.visible(id); m != nil {
			return f.messageJSON(m), nil // the same one again: nothing new is made
		}
	}
	m := &DiscordMessage{ID: f.id(), Channel: ch.ID, Author: DiscordApp, At: f.now(), Nonce: strings.Trim(string(in.Nonce), `"`), Reference: in.Reference.Message}
	if err := f.apply(c, c.raw, in, m); err != nil {
		return nil, err
	}
	if err := f.writable(ch, m); err != nil {
		return nil, err
	}
	if m.Reference != "" && ch.visible(m.Reference) == nil {
		return nil, formError("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
	}
	f.put(ch, m)
	if in.Enforce {
		f.nonces[key] = m.ID
	}
	return f.messageJSON(m), nil
}

// put adds a message to a channel, and tells who is notified by it.
func (f *Discord) put(ch *DiscordChannel, m *DiscordMessage) {
	ch.Messages = append(ch.Messages, m)
	if m.For != "" || m.Typed {
		return
	}
	f.ping(ch, m)
	if m.Flags&flagLoading == 0 || m.Author != DiscordApp {
		f.dispatchMessage("MESSAGE_CREATE", m)
	}
}

func (f *Discord) message(c *discordAsked, need int64) (*DiscordChannel, *DiscordMessage, *discordError) {
	ch, err := f.channel(c, need)
	if err != nil {
		return nil, nil, err
	}
	m := ch.visible(c.Vars["message_id"])
	if m == nil {
		return nil, nil, codeError(10008)
	}
	return ch, m, nil
}

func (f *Discord) getMessage(c *discordAsked) (any, *discordError) {
	_, m, err := f.message(c, permHistory)
	if err != nil {
		return nil, err
	}
	return f.messageJSON(m), nil
}

func (f *Discord) listMessages(c *discordAsked) (any, *discordError) {
	ch, err := f.channel(c, 0)
	if err != nil {
		return nil, err
	}
	all := []any{}
	if f.may(ch, permHistory) != nil {
		return all, nil // without the permission the list is empty
	}
	limit, _ := strconv.Atoi(c.query.Get("limit"))
	if limit == 0 {
		limit = 50
	}
	before, after := c.query.Get("before"), c.query.Get("after")
	for i := range ch.Messages {
		m := ch.Messages[len(ch.Messages)-1-i]
		if after != "" {
			m = ch.Messages[i] // the oldest after it
		}
		if m.For != "" || m.Typed || before != "" && !older(m.ID, before) || after != "" && !older(after, m.ID) {
			continue
		}
		if len(all) < limit {
			all = append(all, f.messageJSON(m))
		}
	}
	if after != "" {
		slices.Reverse(all) // newest first
	}
	return all, nil
}

// older compares snowflakes.
func older(a, b string) bool {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	return x < y
}

func (f *Discord) updateMessage(c *discordAsked) (any, *discordError) {
	ch, m, err := f.message(c, 0)
	if err != nil {
		return nil, err
	}
	if m.Author != DiscordApp {
		return nil, codeError(50005)
	}
	if err := archived(ch); err != nil {
		return nil, err
	}
	if f.now().Sub(m.At) > time.Hour {
		return nil, codeError(30046)
	}
	var in messageIn
	if err := c.in(&in); err != nil {
		return nil, err
	}
	return f.edit(c, c.raw, in, m)
}

// edit changes a message, or leaves it as it was.
func (f *Discord) edit(c *discordAsked, raw map[string]json.RawMessage, in messageIn, m *DiscordMessage) (any, *discordError) {
	next := *m
	next.Files = slices.Clone(m.Files)
	if err := f.apply(c, raw, in, &next); err != nil {
		return nil, err
	}
	next.Edits, next.Edited = m.Edits+1, f.now()
	*m = next
	if m.For == "" {
		f.dispatchMessage("MESSAGE_UPDATE", m)
	}
	return f.messageJSON(m), nil
}

func (f *Discord) deleteMessage(c *discordAsked) (any, *discordError) {
	ch, m, err := f.message(c, 0)
	if err != nil {
		return nil, err
	}
	if m.Author != DiscordApp {
		if err := f.may(ch, permManageMessages); err != nil {
			return nil, err
		}
	}
	if err := archived(ch); err != nil {
		return nil, err
	}
	f.dropMessage(ch, m.ID)
	return nil, nil
}

// file serves a file of a message.
func (f *Discord) file(w http.ResponseWriter, r *http.Request) {
	id, n, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/files/"), "/")
	i, _ := strconv.Atoi(n)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ch := range f.channels {
		if m := ch.find(id); m != nil && i >= 0 && i < len(m.Files) {
			w.Header().Set("Content-Type", m.Files[i].Type)
			_, _ = w.Write(m.Files[i].Data)
			return
		}
	}
	http.NotFound(w, r)
}
