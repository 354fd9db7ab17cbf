package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file shows a private answer to everybody: the very answer that its
// person has seen, not one asked again.

// shareAction is the button "Share in channel".
const shareAction = "share"

// sharable reports whether an answer may be shared where it was asked: one of
// /certcheck, in a channel, that worked.
func sharable(to asker, q commands.Request, r commands.Reply) bool {
	verb, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(q.Text)), " ")
	return (verb == "/certcheck" || verb == "/cc") && r.Problem.IsZero() && !r.Public && r.Incident == "" && (strings.HasPrefix(to.channel, "C") || strings.HasPrefix(to.channel, "G"))
}

// share shows an answer in the channel where it was asked for.
func (s *Slack) share(ctx context.Context, e envelope, a action) error {
	var p pressed
	if json.Unmarshal([]byte(a.Actions[0].Value), &p) != nil {
		return nil
	}
	to := asker{url: a.ResponseURL, channel: a.channel(), user: a.User.ID, at: e.At}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	m, ok := s.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message && m.By.Platform == bot.Bot.Platform })
	if !ok || !m.Reply.Problem.IsZero() || m.Reply.Incident != "" {
		return s.whisper(ctx, to, say{Reply: commands.Reply{State: commands.StateInfo, Headline: "That answer is not at hand any more. Ask again with --public."}}, false)
	}
	r := m.Reply
	r.Public, r.Files, r.Body = true, nil, strings.TrimSpace("Shared by "+by.Name+".\n"+r.Body)
	r.Key = strings.Join([]string{"share", p.Room, m.ID, to.channel}, "/") // once, however often it is pressed
	r.Buttons = nil
	for _, b := range m.Reply.Buttons { // what names an incident may be for its people alone
		if strings.HasPrefix(b.Command, "/certcheck") || strings.HasPrefix(b.Command, "/renew ") {
			r.Buttons = append(r.Buttons, b)
		}
	}
	if s.known(to.channel) {
		err = s.o.Rooms.Post(ctx, commands.Post{Room: s.room(to.channel), Reply: r, At: e.At})
	} else {
		r.Buttons = nil // they belong to rooms
		d := draw(say{Reply: r}, "")
		d.link(s.o.Site, r.Links)
		err = s.publicly(ctx, to, d)
	}
	if err != nil {
		return err
	}
	y := s.saying(m)
	y.Line = "Shared in the channel."
	return s.whisper(ctx, to, y, true)
}

// publicly answers a delivery for everybody in its channel, also where the bot
// is no member.
func (s *Slack) publicly(ctx context.Context, to asker, d drawing) error {
	if !s.trusted(to.url) {
		return fmt.Errorf("no response URL")
	}
	return slack.PostWebhookCustomHTTPContext(ctx, to.url, s.http, &slack.WebhookMessage{Text: d.text, Blocks: &slack.Blocks{BlockSet: d.blocks}, ResponseType: slack.ResponseTypeInChannel})
}
