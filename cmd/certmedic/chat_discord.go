package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/commands"
)

// This file joins Discord to the program: its configuration and its adapter.

// discordConfig is chat.discord of the configuration. Mode "" means: no Discord.
type discordConfig struct {
	Mode     string
	Guild    string
	Channel  string
	Category string
	Place    string
	Archive  bool
	Content  bool
	Emoji    []string
	APIURL   string
}

// discordID is an id of Discord's: a number of 15 to 20 digits, in quotes or not.
var discordID = regexp.MustCompile(`^[0-9]{15,20}$`)

// discord reads chat.discord of the configuration.
func (r *yamlReader) discord(n node, c *config) {
	d := discordConfig{Mode: discord.Gateway, Place: discord.Channel}
	never := func(n node) {
		r.add(n, "chat.discord: a secret does not stand in this file", "set DISCORD_BOT_TOKEN (and DISCORD_PUBLIC_KEY for mode http), or ..._FILE, in the environment")
	}
	id := func(name, what string, to *string) func(node) {
		return func(n node) {
			if *to = r.text(n, "chat.discord."+name); !discordID.MatchString(*to) {
				r.add(n, "chat.discord."+name+": %q is no "+what+"'s id", "switch on developer mode in Discord's settings (Advanced), right-click the "+what+", Copy ID, and put it in quotes: \"1100000000000000003\"", *to)
			}
		}
	}
	r.mapping(n, "chat.discord", fields{
		"mode": func(n node) {
			if d.Mode = r.text(n, "chat.discord.mode"); d.Mode != discord.Gateway && d.Mode != discord.HTTP {
				r.add(n, "chat.discord.mode: %q is none", "gateway (nothing needs to reach this machine) or http", d.Mode)
			}
		},
		"place": func(n node) {
			if d.Place = r.text(n, "chat.discord.place"); d.Place != discord.Channel && d.Place != discord.Thread {
				r.add(n, "chat.discord.place: %q is none", "channel (one for each incident) or thread (of the main channel)", d.Place)
			}
		},
		"guild":    id("guild", "server", &d.Guild),
		"channel":  id("channel", "channel", &d.Channel),
		"category": id("category", "category", &d.Category),
		"api_url": func(n node) {
			d.APIURL = r.text(n, "chat.discord.api_url")
			if u, err := url.Parse(d.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(withPort(u.Host))) {
				r.add(n, "chat.discord.api_url: %q is no https URL", "leave it out, unless a proxy or a test stands in for Discord: https://discord-proxy.example.com/api/v10", d.APIURL)
			}
		},
		"archive": func(n node) { d.Archive = r.boolean(n, "chat.discord.archive") },
		"content": func(n node) { d.Content = r.boolean(n, "chat.discord.content") },
		"emoji": func(n node) {
			for _, e := range r.list(n, "chat.discord.emoji") {
				d.Emoji = append(d.Emoji, r.text(e, "chat.discord.emoji"))
			}
		},
		"token": never, "bot_token": never, "public_key": never,
	})
	if !r.has(n, "channel") {
		r.add(n, "chat.discord has no channel", "name the channel for alerts by its id: `channel: \"1100000000000000003\"`")
	}
	c.Discord = d
}

// discordOptions are the adapter's options out of configuration and environment.
func discordOptions(c discordConfig) (o discord.Options, err error) {
	o = discord.Options{Mode: c.Mode, Guild: c.Guild, Channel: c.Channel, Category: c.Category, Place: c.Place, Archive: c.Archive, Content: c.Content, Emoji: c.Emoji, APIURL: c.APIURL}
	for name, to := range map[string]*string{"DISCORD_BOT_TOKEN": &o.Token, "DISCORD_PUBLIC_KEY": &o.PublicKey} {
		if *to, err = environment(name); err != nil {
			return o, err
		}
	}
	return o, nil
}

// openDiscord makes the adapter when it is configured. It must stop before the rooms do.
func (p *program) openDiscord() error {
	if p.cfg.Discord.Mode == "" || !p.o.Listen {
		return nil
	}
	o, err := discordOptions(p.cfg.Discord)
	if err != nil {
		return err
	}
	o.Rooms, o.Notes, o.Incidents = p.rooms, storeNotes{p.store, "chat/discord/"}, incidents{p}
	o.Secret = func() (string, error) { return environment("DISCORD_BOT_TOKEN") }
	o.Pins, o.Forms, o.Private = p.desk, p.desk, p.private
	o.Params = commands.ParamsCalled(p.cfg.Statuses)
	o.Now, o.Log = time.Now, p.o.Log
	if len(p.cfg.Hosts) > 0 {
		o.Site = "https://" + p.cfg.Hosts[0]
	} else if !loopback(p.cfg.Listen) {
		o.Site = p.Address()
	}
	if p.o.tuneDiscord != nil {
		p.o.tuneDiscord(&o)
	}
	if p.discord, err = discord.New(o); err != nil {
		return fmt.Errorf("chat.discord: %w", err)
	}
	p.groups = append(p.groups, func(_ context.Context, who commands.Person) (all []string) {
		for _, g := range p.discord.Groups(who) {
			all = append(all, "discord:"+g) // as teams: names them
		}
		return all
	})
	p.onStop("discord", p.discord.Close)
	return nil
}
