package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what a mention of the bot does: it is answered with the help,
// in reply. The words of a message come without a privileged intent when it
// mentions the bot; they are not read all the same.

// spoken is what we read of a message that was written.
type spoken struct {
	ID       string `json:"id"`
	Channel  string `json:"channel_id"`
	Guild    string `json:"guild_id"`
	Author   user   `json:"author"`
	Webhook  string `json:"webhook_id"`
	Mentions []user `json:"mentions"`
	Member   *struct {
		Roles   []string `json:"roles"`
		Pending bool     `json:"pending"`
	} `json:"member"`
}

// mentioned takes a message that mentions the bot, written by a member.
func (d *Discord) mentioned(p packet) {
	var s spoken
	if json.Unmarshal(p.Data, &s) != nil {
		return
	}
	d.mu.Lock()
	guild, self := d.guild, d.self
	d.mu.Unlock()
	switch {
	case self == "" || !slices.ContainsFunc(s.Mentions, func(u user) bool { return u.ID == self }):
	case s.Author.Bot || s.Webhook != "" || s.Member == nil || s.Member.Pending || s.Guild == "" || guild != "" && s.Guild != guild:
	case snowflake.MatchString(s.ID) && snowflake.MatchString(s.Channel) && snowflake.MatchString(s.Author.ID):
		e := envelope{ID: "say-" + s.ID, Kind: p.Type, By: "discord:" + s.Author.ID, Payload: p.Data}
		d.take(d.link.Working(), e, func(_ envelope, _ bool, err error) bool {
			if err != nil {
				d.o.Log.Error("discord: a mention cannot be recorded", "error", err)
			}
			return true
		})
	}
}

// help answers a mention. Everybody there reads it: it goes without buttons,
// and where the bot may not write, not at all.
func (d *Discord) help(ctx context.Context, e envelope) error {
	var s spoken
	if json.Unmarshal(e.Payload, &s) != nil || s.Member == nil {
		return nil
	}
	by := d.person(s.Author, s.Member.Roles)
	reply := d.o.Rooms.Say(ctx, commands.Request{ID: request(e), Text: "/help", By: by, Room: d.room(s.Channel), At: e.At})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if reply.Problem.Code == "stopping" {
		return bot.ErrStopping
	}
	m := draw(say{Reply: reply}, d.o.Site)
	m.Nonce, m.Enforce = clip("h"+s.ID, 25), true
	body := struct {
		message
		Reference map[string]any `json:"message_reference"`
	}{m, map[string]any{"message_id": s.ID, "fail_if_not_exists": false}}
	err := d.api.call(ctx, http.MethodPost, "channels/"+s.Channel+"/messages", body, nil)
	if code(err) != 0 && !limitedBy(err) {
		d.o.Log.Warn("discord: a mention cannot be answered", "error", words(err))
		return nil
	}
	return err
}
