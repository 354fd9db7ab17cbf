package bottest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file holds what a person sees in the fake Discord: messages drawn as
// text, with embeds and components, and who is notified by them.

// DiscordPing is a notification.
type DiscordPing struct {
	Message, Channel, Author string
	User                     string // a person's name; "" for others
	Role                     string // a role's id
	Everyone                 bool
}

// Pings are the notifications so far.
func (f *Discord) Pings() []DiscordPing {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pings)
}

var (
	mentionUser = regexp.MustCompile(`<@!?(\d+)>`)
	mentionRole = regexp.MustCompile(`<@&(\d+)>`)
	mentionRoom = regexp.MustCompile(`<#(\d+)>`)
	mentionTime = regexp.MustCompile(`<t:(-?\d+)(?::([tTdDfFsSR]))?>`)
	mentionVerb = regexp.MustCompile(`</([^:>]{1,100}):(\d+)>`)
	maskedLink  = regexp.MustCompile(`\[([^\]\n]+)\]\(<?(https?://[^)\s>]+)>?(?: "[^"]*")?\)`)
	inCode      = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
)

// ping notes who a message notifies: mentions in its content, outside code,
// as far as allowed_mentions lets them. Embeds notify nobody.
func (f *Discord) ping(ch *DiscordChannel, m *DiscordMessage) {
	if m.Thinking {
		return
	}
	text := inCode.ReplaceAllString(m.Content, "")
	parse := func(kind string) bool {
		if m.Allowed == nil {
			return kind == "users" || m.Ask == ""
		}
		list, _ := m.Allowed["parse"].([]any)
		return slices.Contains(list, any(kind))
	}
	named := func(kind, id string) bool {
		list, _ := m.Allowed[kind].([]any)
		return slices.Contains(list, any(id))
	}
	one := DiscordPing{Message: m.ID, Channel: m.Channel, Author: m.Author}
	for _, hit := range mentionUser.FindAllStringSubmatch(text, -1) {
		if u := f.users[hit[1]]; u != nil && (parse("users") || named("users", hit[1])) {
			p := one
			p.User = u.Name
			f.pings = append(f.pings, p)
		}
	}
	all := f.permissions(m.Author, ch)&permMentionAll != 0
	for _, hit := range mentionRole.FindAllStringSubmatch(text, -1) {
		i := slices.IndexFunc(f.roles, func(r *discordRole) bool { return r.ID == hit[1] })
		if i >= 0 && (parse("roles") || named("roles", hit[1])) && (all || hit[1] == DiscordOnCall) {
			p := one
			p.Role = hit[1]
			f.pings = append(f.pings, p)
		}
	}
	if all && parse("everyone") && (strings.Contains(text, "@everyone") || strings.Contains(text, "@here")) {
		one.Everyone = true
		f.pings = append(f.pings, one)
	}
}

// Seen is what a person can read in a channel now, as text; Raw is what was
// sent for it, with its markup. A deferred answer reads "certmedic is
// thinking...". Who does not see the channel reads nothing.
func (f *Discord) Seen(person, channel string) string { return f.readChannel(person, channel, false) }

// Raw is Seen with Discord's markup.
func (f *Discord) Raw(person, channel string) string { return f.readChannel(person, channel, true) }

// reads reports whether a user reads a channel: direct messages their two.
func (f *Discord) reads(user string, ch *DiscordChannel) bool {
	if ch.Type == discordDM {
		return ch.Members[user]
	}
	return f.permissions(user, ch)&permView != 0
}

func (f *Discord) readChannel(person, channel string, raw bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch, user := f.channels[channel], f.who(person)
	if ch == nil || !f.reads(user, ch) {
		return ""
	}
	var b strings.Builder
	for _, m := range ch.Messages {
		if m.For != "" && m.For != user {
			continue
		}
		if m.Typed {
			if !raw {
				b.WriteString(m.Content + "\n")
			}
			continue
		}
		b.WriteString(f.draw(m, raw))
	}
	return b.String()
}

// Message returns a copy of a message.
func (f *Discord) Message(channel, id string) (DiscordMessage, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ch := f.channels[channel]; ch != nil {
		if m := ch.find(id); m != nil {
			return m.copy(), true
		}
	}
	return DiscordMessage{}, false
}

// JSON is a message as Discord's API has it, for a test to look into.
func (f *Discord) JSON(channel, id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[channel]
	if ch == nil || ch.find(id) == nil {
		return ""
	}
	b, err := json.MarshalIndent(f.messageAs(ch.find(id), true), "", "  ")
	if err != nil {
		f.breach("message %s is not JSON: %v", id, err)
	}
	return string(b)
}

// draw writes a message as text.
func (f *Discord) draw(m *DiscordMessage, raw bool) string {
	var b strings.Builder
	line := func(s string) {
		if s == "" {
			return
		}
		if !raw {
			s = f.plain(s)
		}
		b.WriteString(s + "\n")
	}
	if a := f.asks[m.Ask]; a != nil && a.Type == askCommand && !raw && a.original == m.ID {
		line(f.name(a.User) + " used /" + a.what())
	}
	if m.Thinking {
		b.WriteString("certmedic is thinking...\n")
		return b.String()
	}
	line(m.Content)
	if m.Flags&flagSuppressEmbeds == 0 {
		for _, e := range m.Embeds {
			drawEmbed(e, line)
		}
	}
	for _, file := range m.Files {
		line("file " + file.Name)
	}
	f.drawComponents(m.Components, &b, line)
	return b.String()
}

func drawEmbed(e map[string]any, line func(string)) {
	get := func(v any, k string) string {
		o, _ := v.(map[string]any)
		s, _ := o[k].(string)
		return s
	}
	line(get(e["author"], "name"))
	line(get(e, "title"))
	line(get(e, "description"))
	fields, _ := e["fields"].([]any)
	for _, x := range fields {
		line(get(x, "name"))
		line(get(x, "value"))
	}
	line(get(e["footer"], "text"))
}

// drawComponents writes rows: "[Renew] [Details, off] [Runbook -> url]".
func (f *Discord) drawComponents(list []map[string]any, b *strings.Builder, line func(string)) {
	for _, c := range list {
		kind, _ := c["type"].(float64)
		text := func(k string) string { s, _ := c[k].(string); return s }
		switch kind {
		case 2:
			s := text("label")
			if c["disabled"] == true {
				s += ", off"
			}
			if text("url") != "" {
				s += " -> " + text("url")
			}
			b.WriteString("[" + s + "] ")
		case 3:
			s := text("placeholder")
			for _, o := range optionsOf(c) {
				s += " | " + fmt.Sprint(o["label"])
			}
			b.WriteString("[" + s + "] ")
		case 5, 6, 7, 8:
			b.WriteString("[" + text("placeholder") + "] ")
		case 10:
			line(text("content"))
		default:
			var in []map[string]any
			inside, _ := c["components"].([]any)
			for _, e := range inside {
				if e, ok := e.(map[string]any); ok {
					in = append(in, e)
				}
			}
			f.drawComponents(in, b, line)
			if kind == 1 {
				b.WriteString("\n")
			}
		}
	}
}

func (f *Discord) name(id string) string {
	if u := f.users[id]; u != nil {
		return u.Name
	}
	return "unknown-user"
}
