package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds how chat messages come onto timelines: by the message command
// "Add to timeline", which needs no privileged intent, and by a reaction where
// the bot may read what people write; and how edits and deletions follow them.

// chatMessage is what we read of a message.
type chatMessage struct {
	ID          string    `json:"id"`
	Channel     string    `json:"channel_id"`
	Author      *user     `json:"author"`
	Content     string    `json:"content"`
	At          time.Time `json:"timestamp"`
	Attachments []struct {
		Filename string `json:"filename"`
		URL      string `json:"url"`
		Type     string `json:"content_type"`
		Size     int    `json:"size"`
	} `json:"attachments"`
	Embeds []struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"embeds"`
}

// Images that are kept with the record.
const (
	mostImages = 4
	maxImage   = 4 << 20 // bytes
)

func pinKey(channel, id string) string { return "discord/" + channel + "/" + id }

// pinMessage puts the message that the command was used on, on a timeline.
func (w *worker) pinMessage(ctx context.Context, i interaction, to asker, by commands.Person) error {
	m, ok := i.Data.Resolved.Messages[i.Data.Target]
	if w.d.o.Pins == nil || !ok {
		text := "This message cannot be put on a timeline."
		return w.whisper(ctx, to, say{Reply: commands.Reply{State: commands.StateInfo, Headline: text, Problem: commands.Problem{Code: "no_message", Message: text, Hint: "Type it instead: /incident note"}}})
	}
	m.Channel = or(m.Channel, i.Channel)
	reply := w.d.pinned(ctx, m, by, w.e.At)
	reply.Buttons = nil
	return w.whisper(ctx, to, say{Reply: reply})
}

// pinned puts a message on a timeline.
func (d *Discord) pinned(ctx context.Context, m chatMessage, by commands.Person, at time.Time) commands.Reply {
	d.mu.Lock()
	guild := d.guild
	d.mu.Unlock()
	p := commands.Pin{Key: pinKey(m.Channel, m.ID), Room: d.room(m.Channel), At: m.At.UTC(), By: by, Pinned: at, Text: d.textOf(ctx, m),
		Link: "https://discord.com/channels/" + guild + "/" + m.Channel + "/" + m.ID}
	if p.Room != "main" {
		p.Incident = p.Room
	}
	if p.At.IsZero() {
		p.At = at
	}
	if m.Author != nil {
		p.Author = commands.Person{ID: "discord:" + m.Author.ID, Name: or(bot.Clean(m.Author.Username), m.Author.ID), Platform: "discord"}
	}
	p.Images = d.images(ctx, m)
	return d.o.Pins.Pin(ctx, p, d.post(ctx))
}

func (d *Discord) post(ctx context.Context) func(commands.Post) {
	return func(p commands.Post) {
		if err := d.o.Rooms.Post(ctx, p); err != nil {
			d.o.Log.Error("discord: post", "room", p.Room, "error", err)
		}
	}
}

// textOf is what a message says: its text, else its embeds', and which files
// hang on it.
func (d *Discord) textOf(ctx context.Context, m chatMessage) string {
	text := strings.TrimSpace(m.Content)
	for _, e := range m.Embeds[:min(len(m.Embeds), 3)] {
		if text == "" || m.Author != nil && m.Author.Bot {
			text = strings.TrimSpace(text + "\n" + e.Title + "\n" + e.Description)
		}
	}
	for _, a := range m.Attachments[:min(len(m.Attachments), 10)] {
		text = strings.TrimSpace(text + "\n(file " + clip(oneLine(a.Filename), 100) + ")")
	}
	return clip(d.undo(ctx, interaction{}, text), 4000)
}

// images fetches a message's pictures from Discord's own hosts. What cannot be
// had is left out: the message's link stays.
func (d *Discord) images(ctx context.Context, m chatMessage) (files []commands.File) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	for _, a := range m.Attachments {
		if len(files) == mostImages || !strings.HasPrefix(a.Type, "image/") || a.Size > maxImage || !d.ours(a.URL) {
			continue
		}
		data, err := fetch(ctx, d.api.client.Timeout, a.URL)
		if err != nil {
			d.o.Log.Warn("discord: a picture cannot be fetched", "error", words(err))
			continue
		}
		files = append(files, commands.File{Name: fileName(a.Filename), Type: mediaType(a.Type), Data: data})
	}
	return files
}

// ours reports whether a file's address is Discord's (or, with an API URL of
// one's own, that host's).
func (d *Discord) ours(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil {
		return false
	}
	if own, err := url.Parse(d.o.APIURL); d.o.APIURL != "" && err == nil && u.Host == own.Host {
		return true
	}
	return u.Scheme == "https" && (u.Host == "cdn.discordapp.com" || u.Host == "media.discordapp.net")
}

func fetch(ctx context.Context, timeout time.Duration, raw string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", userAgent)
	c := http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") }}
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxImage+1))
	if err != nil || resp.StatusCode != http.StatusOK || len(data) > maxImage {
		return nil, fmt.Errorf("the answer is %d, %d bytes: %w", resp.StatusCode, len(data), err)
	}
	return data, nil
}

// chatNews is what we read of an event of a chat message.
type chatNews struct {
	chatMessage
	User    string `json:"user_id"`
	Message string `json:"message_id"`
	Guild   string `json:"guild_id"`
	Emoji   struct {
		Name string `json:"name"`
	} `json:"emoji"`
	Member *struct {
		User  user     `json:"user"`
		Roles []string `json:"roles"`
	} `json:"member"`
}

// wanted reports whether an event of a chat message is worth recording.
func (d *Discord) wanted(p packet) bool {
	var n chatNews
	if json.Unmarshal(p.Data, &n) != nil || n.Guild == "" {
		return false
	}
	d.mu.Lock()
	guild, self := d.guild, d.self
	d.mu.Unlock()
	if guild != "" && n.Guild != guild || n.User == self && self != "" || n.Author != nil && n.Author.ID == self {
		return false
	}
	switch p.Type {
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE":
		return slices.Contains(d.o.Emoji, n.Emoji.Name) && snowflake.MatchString(n.Message) && snowflake.MatchString(n.Channel)
	}
	return d.o.Content && snowflake.MatchString(n.ID) && snowflake.MatchString(n.Channel)
}

// chatEvent does a reaction, an edit or a deletion.
func (d *Discord) chatEvent(ctx context.Context, e envelope) error {
	var n chatNews
	if json.Unmarshal(e.Payload, &n) != nil || d.o.Pins == nil {
		return nil
	}
	switch e.Kind {
	case "MESSAGE_REACTION_ADD":
		return d.reacted(ctx, e, n)
	case "MESSAGE_REACTION_REMOVE":
		by := commands.Person{ID: "discord:" + n.User, Name: or(d.handle(ctx, n.User), n.User), Platform: "discord"}
		r := d.o.Pins.Unpin(ctx, pinKey(n.Channel, n.Message), by, e.At, d.post(ctx))
		if !r.Problem.IsZero() {
			d.o.Log.Info("discord: a reaction was taken back, and the timeline is as it was", "why", r.Problem.Code)
		}
		return nil
	case "MESSAGE_UPDATE":
		if n.Content == "" { // an embed was unfolded, or it may not be read
			return nil
		}
		return d.o.Pins.Repin(ctx, pinKey(n.Channel, n.ID), d.textOf(ctx, n.chatMessage), false, e.At, d.post(ctx))
	case "MESSAGE_DELETE":
		return d.o.Pins.Repin(ctx, pinKey(n.Channel, n.ID), "", true, e.At, d.post(ctx))
	}
	return nil
}

// reacted puts the message under a reaction on a timeline.
func (d *Discord) reacted(ctx context.Context, e envelope, n chatNews) error {
	if n.Member == nil || n.Member.User.Bot {
		return nil
	}
	by := d.person(user{ID: n.User, Username: n.Member.User.Username}, n.Member.Roles)
	var m chatMessage
	err := d.api.call(ctx, http.MethodGet, "channels/"+n.Channel+"/messages/"+n.Message, nil, &m)
	if code(err) != 0 && !limitedBy(err) {
		d.o.Log.Info("discord: a message with a reaction cannot be read", "error", words(err))
		return nil
	}
	if err != nil {
		return err
	}
	m.Channel = n.Channel
	if m.Content == "" && len(m.Embeds) == 0 && len(m.Attachments) == 0 {
		if d.once("a reaction cannot put a message on a timeline: the bot may not read what people write. Use \"" + pinName + "\" of the message's menu, Apps, or switch on the intent MESSAGE_CONTENT") {
			return d.aside(ctx, n.Channel, "The bot may not read this message. Use its menu: Apps, "+pinName+".")
		}
		return nil
	}
	r := d.pinned(ctx, m, by, e.At)
	if !r.Problem.IsZero() && d.known(n.Channel) {
		return d.aside(ctx, n.Channel, r.Problem.Message+" "+r.Problem.Hint)
	}
	return nil
}

// asideEvery is how often something is said aside in a channel, at most: a
// flood of reactions is no flood of answers.
const asideEvery = time.Minute

// aside says something short in a channel; where that is not allowed, nothing.
func (d *Discord) aside(ctx context.Context, channel, text string) error {
	now := d.o.Now()
	d.mu.Lock()
	lately := now.Sub(d.asides[channel]) < asideEvery
	if len(d.asides) > mostPeople {
		clear(d.asides)
	}
	if !lately {
		d.asides[channel] = now
	}
	d.mu.Unlock()
	if lately {
		return nil
	}
	err := d.api.call(ctx, http.MethodPost, "channels/"+channel+"/messages", newMessage("-# "+fit(escape(oneLine(text)), 500)), nil)
	if code(err) != 0 && !limitedBy(err) {
		return nil
	}
	return err
}
