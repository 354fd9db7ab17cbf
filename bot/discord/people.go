package discord

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds who people are: an interaction says it, with their roles.

// member is somebody who spoke to the bot lately.
type member struct {
	name  string
	roles []string
	at    time.Time
}

// mostPeople is how many are remembered.
const mostPeople = 10_000

// who is the person of an interaction. no, when not nil, is the polite refusal
// for those who are not members of the server. The name is the user name,
// which is unique: anybody may choose a display name.
func (d *Discord) who(i interaction) (by commands.Person, no *commands.Reply) {
	if i.isDirect() { // whether they are members is asked when it is worked on
		return commands.Person{ID: "discord:" + i.User.ID, Name: or(bot.Clean(i.User.Username), i.User.ID), Platform: "discord"}, nil
	}
	d.mu.Lock()
	guild := or(d.o.Guild, d.guild)
	d.mu.Unlock()
	if i.Member == nil || i.Member.Pending || i.Member.User.Bot || !snowflake.MatchString(i.Member.User.ID) || guild != "" && i.Guild != guild {
		return by, guest()
	}
	return d.person(i.Member.User, i.Member.Roles), nil
}

// settled reports whether it is known which server is ours. Before that nobody
// can be told from a stranger.
func (d *Discord) settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return or(d.o.Guild, d.guild) != ""
}

// starting is what somebody is told whose press cannot be judged yet.
func starting() commands.Reply {
	text := "certmedic is starting, so nothing was done."
	return commands.Reply{State: commands.StateInfo, Headline: text, Problem: commands.Problem{Code: "starting", Message: text, Hint: "Do it again in a moment."}}
}

// guest is the polite refusal.
func guest() *commands.Reply {
	text := "certmedic works for members of its own server only."
	return &commands.Reply{State: commands.StateInfo, Headline: text, Problem: commands.Problem{Code: "guest", Message: text, Hint: "Ask one of them to say it for you."}}
}

// person remembers somebody's name and roles.
func (d *Discord) person(u user, roles []string) commands.Person {
	name := or(bot.Clean(u.Username), u.ID)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.people) >= mostPeople {
		clear(d.people)
	}
	d.people[u.ID] = member{name, slices.Clone(roles), d.o.Now()}
	return commands.Person{ID: "discord:" + u.ID, Name: name, Platform: "discord"}
}

// Groups are the ids and names of the roles that somebody had when last heard
// of; nil for people of other platforms.
func (d *Discord) Groups(p commands.Person) []string {
	id, ok := strings.CutPrefix(p.ID, "discord:")
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, r := range d.people[id].roles {
		all = append(all, r)
		if n := d.roles[r]; n != "" {
			all = append(all, n)
		}
	}
	return all
}

// undo takes back what Discord made of a typed text.
func (d *Discord) undo(ctx context.Context, i interaction, text string) string {
	return undo(text, func(id string) string {
		if u, ok := i.Data.Resolved.Users[id]; ok {
			return bot.Clean(u.Username)
		}
		return d.handle(ctx, id)
	}, func(id string) string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.roles[id]
	}, func(id string) string {
		if r := d.room(id); r != "main" {
			return r
		}
		return ""
	})
}

// handle is a member's user name, asked of Discord when it is not known.
func (d *Discord) handle(ctx context.Context, id string) string {
	d.mu.Lock()
	k, ok := d.people[id]
	guild := d.guild
	d.mu.Unlock()
	if ok || guild == "" {
		return k.name
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var m struct {
		User  user     `json:"user"`
		Roles []string `json:"roles"`
	}
	if d.api.call(ctx, http.MethodGet, "guilds/"+guild+"/members/"+id, nil, &m) != nil || m.User.ID != id {
		return ""
	}
	return d.person(m.User, m.Roles).Name
}
