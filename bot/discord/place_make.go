package discord

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
)

// This file holds how incidents' places are made, found again, filled with
// people, pinned, locked and opened (docs: resources/channel).

const (
	textChannel, categoryChannel = 0, 4
	publicThread, privateThread  = 11, 12

	// weekLong is how many minutes a thread stays open without a word.
	weekLong = 10080

	seeAndSpeak = discordgo.PermissionViewChannel | discordgo.PermissionSendMessages | discordgo.PermissionReadMessageHistory
	botNeeds    = seeAndSpeak | discordgo.PermissionEmbedLinks | discordgo.PermissionAttachFiles
	speaking    = discordgo.PermissionSendMessages | discordgo.PermissionAddReactions | discordgo.PermissionCreatePublicThreads | discordgo.PermissionCreatePrivateThreads | discordgo.PermissionSendMessagesInThreads
)

// overwrite is a permission overwrite: 0 of a role, 1 of a member.
type overwrite struct {
	ID    string `json:"id"`
	Type  int    `json:"type"`
	Allow string `json:"allow"`
	Deny  string `json:"deny"`
}

func bitsOf(n int64) string { return strconv.FormatInt(n, 10) }

// create makes a place. The name is written down first: a process that was
// killed in between finds its own place again.
func (d *Discord) create(ctx context.Context, i bot.Incident, c channel) (channel, error) {
	c.Thread, c.Private = d.o.Place == Thread, i.Private
	if c.Name != "" {
		id, err := d.own(ctx, i, c)
		if err != nil && code(err) == 0 {
			return c, err
		}
		if id != "" {
			c.ID = id
			return c, d.channels.Keep(ctx, i.ID, c)
		}
	}
	c.Name = strings.ToLower(i.ID)
	if c.Thread {
		c.Name = clip(i.ID+" "+or(oneLine(i.Title), "incident"), 95)
		if i.Private {
			c.Name = i.ID // its title stands nowhere else
		}
	}
	if err := d.channels.Keep(ctx, i.ID, c); err != nil {
		return c, err
	}
	var made struct {
		ID string `json:"id"`
	}
	var err error
	if c.Thread {
		kind := publicThread
		if i.Private {
			kind = privateThread
		}
		err = d.api.call(ctx, http.MethodPost, "channels/"+d.o.Channel+"/threads", map[string]any{"name": c.Name, "type": kind, "auto_archive_duration": weekLong}, &made)
	} else {
		body := map[string]any{"name": c.Name, "type": textChannel, "topic": topic(i.Topic)}
		d.mu.Lock()
		parent, guild := d.parent, d.guild
		d.mu.Unlock()
		if parent != "" {
			body["parent_id"] = parent
		}
		if i.Private {
			body["permission_overwrites"] = d.overwrites(d.membersOf(i, c))
		}
		err = d.api.call(ctx, http.MethodPost, "guilds/"+guild+"/channels", body, &made)
	}
	switch {
	case err == nil && made.ID != "":
		c.ID = made.ID
		if i.Private && !c.Thread {
			c.Members = d.membersOf(i, c)
		}
		return c, d.channels.Keep(ctx, i.ID, c)
	case code(err) == 0 || status(err) == http.StatusUnauthorized || limitedBy(err):
		return c, err
	}
	what := "incidents get no places of their own, they are spoken of in the main channel: "
	if i.Private {
		d.once("a private incident gets no place in Discord: " + words(err))
		return c, nil // looked at again with the next change
	}
	d.once(what + words(err))
	c.ID, c.Main = d.o.Channel, true
	return c, d.channels.Keep(ctx, i.ID, c)
}

// topic is a channel's topic. No backslashes: not every client takes them back there.
func topic(s string) string { return clip(calm.Replace(oneLine(bot.Clean(s))), 1000) }

// calm takes from a topic what would link, mention or hide an address.
var calm = strings.NewReplacer("](", "] (", "<", "<\u200b", "@", "@\u200b")

// overwrites of a private place: nobody sees it but the bot and these people.
func (d *Discord) overwrites(users []string) []overwrite {
	d.mu.Lock()
	guild, self := d.guild, d.self
	d.mu.Unlock()
	all := []overwrite{{guild, 0, "0", bitsOf(discordgo.PermissionViewChannel)}, {self, 1, bitsOf(botNeeds), "0"}}
	for _, u := range users {
		if u != self {
			all = append(all, overwrite{u, 1, bitsOf(seeAndSpeak), "0"})
		}
	}
	return all
}

// own looks for a place that we made under this name.
func (d *Discord) own(ctx context.Context, i bot.Incident, c channel) (string, error) {
	d.mu.Lock()
	guild, self, parent := d.guild, d.self, d.parent
	d.mu.Unlock()
	type found struct {
		ID, Name, Topic string
		Parent          string `json:"parent_id"`
		Owner           string `json:"owner_id"`
	}
	var all []found
	if c.Thread {
		var threads struct {
			Threads []found `json:"threads"`
		}
		if err := d.api.call(ctx, http.MethodGet, "guilds/"+guild+"/threads/active", nil, &threads); err != nil {
			return "", err
		}
		all = threads.Threads
	} else if err := d.api.call(ctx, http.MethodGet, "guilds/"+guild+"/channels", nil, &all); err != nil {
		return "", err
	}
	for _, f := range all {
		if d.known(f.ID) || f.Name != c.Name {
			continue
		}
		if c.Thread && f.Owner == self && f.Parent == d.o.Channel || !c.Thread && f.Parent == parent && strings.HasPrefix(f.Topic, i.ID+" ") {
			return f.ID, nil
		}
	}
	return "", nil
}

// operate does what is no message.
func (d *Discord) operate(ctx context.Context, room string, c channel, y say) error {
	if c.Main {
		return nil
	}
	path := "channels/" + c.ID
	var err error
	switch y.Op {
	case "topic":
		err = d.api.call(ctx, http.MethodPatch, path, map[string]any{"topic": topic(y.Text)}, nil)
	case "members":
		err = d.members(ctx, c, y.Users)
	case "archive":
		err = d.lock(ctx, c, true)
	case "open":
		err = d.lock(ctx, c, false)
	default:
		return fmt.Errorf("no operation %q", y.Op)
	}
	if k := code(err); k == missingPermissions || k == missingAccess || k == notThisKind || k == badForm || k == threadArchived || k > 0 && y.Op == "members" && !limitedBy(err) && k != unknownChannel {
		d.once(map[string]string{"topic": "the topic of an incident's channel cannot be set", "members": "people cannot be let into an incident's place",
			"archive": "an incident's place cannot be locked", "open": "an incident's place cannot be opened again"}[y.Op] + ": " + words(err))
		return nil
	}
	return err
}

// members lets people into a place, and those out who are part of it no more.
func (d *Discord) members(ctx context.Context, c channel, users []string) error {
	if c.Thread {
		var first error
		for _, u := range users {
			if err := d.api.call(ctx, http.MethodPut, "channels/"+c.ID+"/thread-members/"+u, nil, nil); err != nil && first == nil {
				first = err
			}
		}
		return first
	}
	if !c.Private {
		return nil
	}
	return d.api.call(ctx, http.MethodPatch, "channels/"+c.ID, map[string]any{"permission_overwrites": d.overwrites(users)}, nil)
}

// lock closes a place for words, or opens it again. Who sees it stays.
func (d *Discord) lock(ctx context.Context, c channel, locked bool) error {
	if c.Thread {
		err := d.api.call(ctx, http.MethodPatch, "channels/"+c.ID, map[string]any{"archived": locked, "locked": locked}, nil)
		if locked && code(err) == threadArchived {
			return nil
		}
		return err
	}
	d.mu.Lock()
	guild, self := d.guild, d.self
	d.mu.Unlock()
	var now struct {
		Overwrites []overwrite `json:"permission_overwrites"`
	}
	if err := d.api.call(ctx, http.MethodGet, "channels/"+c.ID, nil, &now); err != nil {
		return err
	}
	all := slices.DeleteFunc(now.Overwrites, func(o overwrite) bool { return o.ID == guild || o.ID == self })
	hide := int64(0)
	if c.Private {
		hide = discordgo.PermissionViewChannel
	}
	mute := func(o *overwrite) {
		allow, _ := strconv.ParseInt(o.Allow, 10, 64)
		if c.Private && o.Type == 1 { // its people read on
			if locked {
				allow &^= discordgo.PermissionSendMessages
			} else {
				allow |= discordgo.PermissionSendMessages
			}
			o.Allow = bitsOf(allow)
		}
	}
	for i := range all {
		mute(&all[i])
	}
	if locked {
		hide |= speaking
	}
	all = append(all, overwrite{guild, 0, "0", bitsOf(hide)}, overwrite{self, 1, bitsOf(botNeeds), "0"})
	return d.api.call(ctx, http.MethodPatch, "channels/"+c.ID, map[string]any{"permission_overwrites": all}, nil)
}

// open does something in a place, and opens a thread that was archived under us.
func (d *Discord) open(ctx context.Context, c channel, do func() error) error {
	err := do()
	if k := code(err); k != threadArchived && k != threadLocked {
		return err
	}
	if e := d.api.call(ctx, http.MethodPatch, "channels/"+c.ID, map[string]any{"archived": false}, nil); e != nil {
		return e
	}
	return do()
}

// pin pins a card and takes the one before away. That it cannot be pinned is
// said once and harms nothing.
func (d *Discord) pin(ctx context.Context, p bot.Parcel, channel, id string) {
	if old, err := d.out.Place(ctx, p.Lane, p.Key); err == nil && old != "" && old != channel+"/"+id {
		if parts := strings.Split(old, "/"); len(parts) > 1 {
			_ = d.api.call(ctx, http.MethodDelete, "channels/"+parts[0]+"/messages/"+parts[1], nil, nil)
		}
	}
	if err := d.api.call(ctx, http.MethodPut, "channels/"+channel+"/messages/pins/"+id, nil, nil); err != nil {
		d.once("the card of an incident cannot be pinned: " + words(err))
	}
}
