package slack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file reads messages out of Slack: text, author, link, images.

// chatMessage is what we read of a message. On disk it is part of keptMessage.
type chatMessage struct {
	TS         string `json:"ts"`
	ThreadTS   string `json:"thread_ts,omitempty"`
	Subtype    string `json:"subtype,omitempty"`
	User       string `json:"user,omitempty"`
	BotID      string `json:"bot_id,omitempty"`
	Username   string `json:"username,omitempty"`
	Text       string `json:"text,omitempty"`
	BotProfile struct {
		Name string `json:"name,omitempty"`
	} `json:"bot_profile,omitzero"`
	Attachments []struct {
		Fallback string `json:"fallback,omitempty"`
		Title    string `json:"title,omitempty"`
		Text     string `json:"text,omitempty"`
	} `json:"attachments,omitempty"`
	Files []chatFile `json:"files,omitempty"`
}

type chatFile struct {
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"`
	URL  string `json:"url_private,omitempty"`
}

// keptMessage is a message kept under msg/<channel>/<ts> until its pinner has
// said where it belongs. V is 1; new fields may join, none changes its meaning.
type keptMessage struct {
	V       int         `json:"v"`
	Message chatMessage `json:"message"`
	At      time.Time   `json:"at"`
}

func (m chatMessage) readable() bool {
	return m.TS != "" && (m.Text != "" || len(m.Attachments) > 0 || len(m.Files) > 0)
}

// unreadable says why a message cannot be read until somebody changes something.
type unreadable string

func (u unreadable) Error() string { return string(u) }

// fetch reads one message. History leaves a thread's replies out, and answers
// with the message before when it has none of that time: only the very one counts.
func (s *Slack) fetch(ctx context.Context, channel, ts string) (chatMessage, error) {
	h, err := s.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Latest: ts, Oldest: ts, Inclusive: true, Limit: 1})
	if err != nil {
		return chatMessage{}, s.cannotRead(err)
	}
	for _, m := range h.Messages {
		if m.Timestamp == ts {
			return read(m), nil
		}
	}
	ms, _, _, err := s.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts, Latest: ts, Oldest: ts, Inclusive: true, Limit: 10})
	if err != nil {
		return chatMessage{}, s.cannotRead(err)
	}
	for _, m := range ms {
		if m.Timestamp == ts {
			return read(m), nil
		}
	}
	return chatMessage{}, unreadable("Slack does not show it")
}

func (s *Slack) cannotRead(err error) error {
	switch slackError(err) {
	case "missing_scope", "not_in_channel", "channel_not_found", "thread_not_found", "message_not_found", "missing_charset", "invalid_ts_latest", "invalid_ts_oldest", "not_allowed_token_type":
		return unreadable(words(err))
	}
	return err
}

func read(m slack.Message) chatMessage {
	c := chatMessage{TS: m.Timestamp, ThreadTS: m.ThreadTimestamp, Subtype: m.SubType, User: m.User, BotID: m.BotID, Username: m.Username, Text: m.Text}
	if m.BotProfile != nil {
		c.BotProfile.Name = m.BotProfile.Name
	}
	for _, a := range m.Attachments {
		c.Attachments = append(c.Attachments, struct {
			Fallback string `json:"fallback,omitempty"`
			Title    string `json:"title,omitempty"`
			Text     string `json:"text,omitempty"`
		}{a.Fallback, a.Title, a.Text})
	}
	for _, f := range m.Files {
		c.Files = append(c.Files, chatFile{Name: f.Name, Size: int64(f.Size), URL: f.URLPrivate})
	}
	return c
}

// plain is a message's text with Slack's markup taken back; of a message
// without text what its attachments say, or which files it has.
func (s *Slack) plain(ctx context.Context, m chatMessage) string {
	t := m.Text
	for _, a := range m.Attachments {
		if strings.TrimSpace(m.Text) == "" {
			t += "\n" + or(strings.TrimSpace(a.Title+"\n"+a.Text), a.Fallback)
		}
	}
	if strings.TrimSpace(t) == "" {
		for _, f := range m.Files {
			t += "\n(file " + clip(or(f.Name, "without a name"), 100) + ")"
		}
	}
	return strings.TrimSpace(s.undo(ctx, t))
}

// ours reports a message of our own.
func (s *Slack) ours(m chatMessage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.User != "" && m.User == s.self || m.BotID != "" && m.BotID == s.selfBot
}

// author is who wrote a message, also when it is a guest or another bot.
func (s *Slack) author(ctx context.Context, m chatMessage) commands.Person {
	if m.User != "" {
		_, _, err := s.who(ctx, m.User, m.User)
		s.mu.Lock()
		k := s.people[m.User]
		s.mu.Unlock()
		if err == nil && k.by.ID != "" {
			return k.by
		}
		return commands.Person{ID: "slack:" + m.User, Name: m.User, Platform: "slack"}
	}
	name := or(or(m.Username, m.BotProfile.Name), "a bot")
	return commands.Person{ID: "slack:" + or(m.BotID, "bot"), Name: clip(bot.Clean(name), 40), Platform: "slack"}
}

// permalink is a message's link, or "".
func (s *Slack) permalink(ctx context.Context, channel, ts string) string {
	link, err := s.api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: channel, Ts: ts})
	if err != nil {
		s.o.Log.Warn("slack: a pinned message has no link", "error", words(err))
		return ""
	}
	return link
}

// reacting are the users whose reaction holds a message; asked is false when
// Slack does not let us ask.
func (s *Slack) reacting(ctx context.Context, channel, ts string) (users []string, asked bool, err error) {
	item, err := s.api.GetReactionsContext(ctx, slack.NewRefToMessage(channel, ts), slack.GetReactionsParameters{Full: true})
	switch e := slackError(err); {
	case e == "message_not_found" || e == "no_reaction":
		return nil, true, nil
	case e != "" && !slices.Contains(unsure, e) && e != "ratelimited":
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	for _, r := range item.Reactions {
		if s.emoji(r.Name) {
			users = append(users, r.Users...)
		}
	}
	return users, true, nil
}

// stampTime is when a message was written, from its ts ("1700000000.000100").
func stampTime(ts string) time.Time {
	sec, frac, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || n <= 0 || n > 1<<33 {
		return time.Time{}
	}
	us, err := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	if err != nil || us < 0 {
		us = 0
	}
	return time.Unix(n, us*1000).UTC()
}

// Limits of images kept with a message.
const (
	maxImage   = 5 << 20
	mostImages = 4
	mostTried  = 8 // files of a message that are fetched to see whether they are images
)

// images are the pictures attached to a message. What Slack calls them is not
// believed: only bytes that are a PNG, JPEG, GIF or WebP are kept.
func (s *Slack) images(ctx context.Context, m chatMessage) []commands.File {
	var all []commands.File
	tried := 0
	for _, f := range m.Files {
		if f.URL == "" || f.Size > maxImage || len(all) == mostImages || tried == mostTried {
			continue
		}
		tried++
		data, err := s.download(ctx, f.URL)
		if err != nil {
			s.once("a picture of a pinned message is not kept (the scope files:read is needed): " + words(err))
			continue
		}
		switch kind := http.DetectContentType(data); kind {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
			all = append(all, commands.File{Name: fileName(f.Name), Type: kind, Data: data})
		case "text/html; charset=utf-8":
			s.once("a picture of a pinned message is not kept: Slack showed a sign-in page (the scope files:read is needed)")
		}
	}
	return all
}

// download gets a file, with the token, from Slack's hosts alone.
func (s *Slack) download(ctx context.Context, raw string) ([]byte, error) {
	if !s.trusted(raw) {
		return nil, fmt.Errorf("it is not at Slack but at %s", host(raw))
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.o.BotToken)
	c := http.Client{Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !s.trusted(r.URL.String()) {
			return fmt.Errorf("it leads away from Slack, to %s", r.URL.Host)
		}
		return nil
	}}
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("Slack answers %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxImage+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxImage {
		return nil, fmt.Errorf("it has more than %d MiB", maxImage>>20)
	}
	return b, nil
}
