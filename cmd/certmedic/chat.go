package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// This file joins the chat platforms to the program: their configuration,
// their part of the record, and what they are told of incidents.

// slackConfig is chat.slack of the configuration. Mode "" means: no Slack.
type slackConfig struct {
	Mode    string
	Channel string
	APIURL  string
	Archive bool
	Oncall  string // user group

	Reaction string // the emoji that puts a message on the timeline; "": the default
}

// emojiName is an emoji's name as Slack allows it, up to 100 letters; userGroup
// a group's id or handle, up to 80. The lengths stand in fits: counted in the
// expression, each would repeat all of Unicode's letters, megabytes of it.
var (
	emojiName = regexp.MustCompile(`^[\p{L}0-9_+'-]+$`)
	userGroup = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._-]*$`)
)

// fits reports a text of a form and of at most n letters.
func fits(form *regexp.Regexp, n int, s string) bool {
	return utf8.RuneCountInString(s) <= n && form.MatchString(s)
}

var channelID = regexp.MustCompile(`^[CG][A-Z0-9]{6,20}$`)

// chat reads chat: of the configuration.
func (r *yamlReader) chat(n node, c *config) {
	r.mapping(n, "chat", fields{"discord": func(n node) { r.discord(n, c) }, "slack": func(n node) {
		s := slackConfig{Mode: slack.Socket}
		never := func(n node) {
			r.add(n, "chat.slack: a secret does not stand in this file", "set SLACK_APP_TOKEN, SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET (or ..._FILE) in the environment")
		}
		r.mapping(n, "chat.slack", fields{
			"mode": func(n node) {
				if s.Mode = r.text(n, "chat.slack.mode"); s.Mode != slack.Socket && s.Mode != slack.HTTP {
					r.add(n, "chat.slack.mode: %q is none", "socket (nothing needs to reach this machine) or http", s.Mode)
				}
			},
			"channel": func(n node) {
				if s.Channel = r.text(n, "chat.slack.channel"); !channelID.MatchString(s.Channel) {
					r.add(n, "chat.slack.channel: %q is no channel's id", "copy it from the end of the channel's details in Slack: C0123456789", s.Channel)
				}
			},
			"api_url": func(n node) {
				s.APIURL = r.text(n, "chat.slack.api_url")
				if u, err := url.Parse(s.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(withPort(u.Host))) {
					r.add(n, "chat.slack.api_url: %q is no https URL", "leave it out, unless a proxy or a test stands in for Slack: https://slack-proxy.example.com/api/", s.APIURL)
				}
			},
			"oncall": func(n node) {
				if s.Oncall = strings.TrimPrefix(r.text(n, "chat.slack.oncall"), "@"); !fits(userGroup, 80, s.Oncall) {
					r.add(n, "chat.slack.oncall: %q is no user group", "the group's id or its handle: S0123456789 or tls-oncall", s.Oncall)
				}
			},
			"reaction": func(n node) {
				if s.Reaction = strings.Trim(r.text(n, "chat.slack.reaction"), ":"); !fits(emojiName, 100, s.Reaction) {
					r.add(n, "chat.slack.reaction: %q is no emoji's name", "the name between the colons, without a skin tone: pushpin", s.Reaction)
				}
			},
			"archive":   func(n node) { s.Archive = r.boolean(n, "chat.slack.archive") },
			"app_token": never, "bot_token": never, "signing_secret": never, "token": never,
		})
		if !r.has(n, "channel") {
			r.add(n, "chat.slack has no channel", "name the channel for alerts by its id: `channel: C0123456789`")
		}
		c.Slack = s
	}})
}

func withPort(host string) string {
	if strings.Contains(host, ":") {
		return host
	}
	return host + ":80"
}

// slackOptions are the adapter's options out of configuration and environment.
func slackOptions(c slackConfig) (o slack.Options, err error) {
	o = slack.Options{Mode: c.Mode, Channel: c.Channel, APIURL: c.APIURL, Archive: c.Archive, Reaction: c.Reaction}
	for name, to := range map[string]*string{"SLACK_APP_TOKEN": &o.AppToken, "SLACK_BOT_TOKEN": &o.BotToken, "SLACK_SIGNING_SECRET": &o.Secret} {
		if *to, err = environment(name); err != nil {
			return o, err
		}
	}
	o.Oncall = c.Oncall
	return o, nil
}

// openSlack makes the adapter when it is configured. It must stop before the rooms do.
func (p *program) openSlack() error {
	if p.cfg.Slack.Mode == "" || !p.o.Listen {
		return nil
	}
	o, err := slackOptions(p.cfg.Slack)
	if err != nil {
		return err
	}
	o.Rooms, o.Notes, o.Incidents = p.rooms, storeNotes{p.store, "chat/slack/"}, incidents{p}
	o.Forms, o.Home = p.desk, p.desk
	o.Private, o.TeamGroups = p.private, slackGroups(p.cfg.Teams)
	if pins, ok := any(p.desk).(bot.Pins); ok {
		o.Pins = pins
	}
	o.Now, o.Log = time.Now, p.o.Log
	if len(p.cfg.Hosts) > 0 {
		o.Site = "https://" + p.cfg.Hosts[0]
	} else if !loopback(p.cfg.Listen) {
		o.Site = p.Address()
	}
	if p.o.tuneSlack != nil {
		p.o.tuneSlack(&o)
	}
	if p.slack, err = slack.New(o); err != nil {
		return fmt.Errorf("chat.slack: %w", err)
	}
	p.groups = append(p.groups, p.slack.Groups)
	p.onStop("slack", p.slack.Close)
	return nil
}

// storeNotes is a chat platform's part of the record, below a prefix.
type storeNotes struct {
	s      store.Store
	prefix string
}

// Add implements bot.Notes.
func (n storeNotes) Add(ctx context.Context, one bot.Note) (added bool, err error) {
	err = n.s.Update(ctx, func(tx store.Tx) error {
		there, err := tx.Get(n.prefix + one.Key)
		if added = err == nil && there == nil; !added {
			return err
		}
		return tx.Put(n.prefix+one.Key, one.Value)
	})
	return added && err == nil, err
}

// Put implements bot.Notes.
func (n storeNotes) Put(ctx context.Context, ns ...bot.Note) error {
	if len(ns) == 0 {
		return nil
	}
	return n.s.Update(ctx, func(tx store.Tx) error {
		for _, one := range ns {
			var err error
			if len(one.Value) == 0 {
				err = tx.Delete(n.prefix + one.Key)
			} else {
				err = tx.Put(n.prefix+one.Key, one.Value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// List implements bot.Notes.
func (n storeNotes) List(ctx context.Context, prefix string) (all []bot.Note, err error) {
	err = n.s.View(ctx, func(tx store.Tx) error {
		all = all[:0]
		return tx.Scan(store.Range{Prefix: n.prefix + prefix}, func(key string, value []byte) error {
			all = append(all, bot.Note{Key: strings.TrimPrefix(key, n.prefix), Value: append([]byte(nil), value...)})
			return nil
		})
	})
	return all, err
}

// incidents tells a chat platform of incidents.
type incidents struct{ p *program }

// Incidents implements bot.Incidents.
func (s incidents) Incidents(ctx context.Context) ([]bot.Incident, error) {
	list, err := s.p.lately.list(ctx, s.p.book, time.Now())
	if err != nil {
		return nil, err
	}
	var all []bot.Incident
	for _, i := range list {
		over := i.Status == incident.Closed || i.Status == incident.Cancelled || i.Status == incident.Duplicate
		lead := i.Commander.Name
		if lead == "" {
			lead = "nobody yet"
		}
		line := fmt.Sprintf("%s SEV%d %s: %s", i.ID, i.Severity, s.p.cfg.Statuses.Of(i.Status), i.Title)
		c := bot.Incident{ID: i.ID, Title: i.Title, Status: s.p.cfg.Statuses.Of(i.Status), Severity: int(i.Severity), Drill: i.Drill, Private: i.Private, Open: !over, Updated: i.Updated, Topic: line + " | lead: " + lead,
			Commander: commands.Person{ID: i.Commander.ID, Name: i.Commander.Name, Platform: i.Commander.Platform},
			Card: commands.Reply{State: incidentLook(i), Headline: line, Public: true, Incident: i.ID,
				Facts: []commands.Fact{{Name: "commander", Value: lead}, {Name: "declared", Value: i.Declared.UTC().Format("2006-01-02 15:04 UTC") + " by " + i.DeclaredBy.Name}},
				Links: []commands.Link{{Label: i.ID, Path: "/incident/" + i.ID}, {Label: "draft", Path: "/incident/" + i.ID + "/draft"}}}}
		if i.Drill {
			c.Card.Facts = append(c.Card.Facts, commands.Fact{Name: "drill", Value: "this is an exercise"})
		}
		if len(i.Certificates) > 0 {
			c.Card.Facts = append(c.Card.Facts, commands.Fact{Name: "certificate", Value: strings.Join(i.Certificates, ", ")})
		}
		if i.Impact != "" {
			c.Card.Facts = append(c.Card.Facts, commands.Fact{Name: "impact", Value: i.Impact})
		}
		s.belongs(&c, i)
		all = append(all, c)
	}
	return all, nil
}

// belongs says who and what is part of an incident.
func (s incidents) belongs(c *bot.Incident, i incident.Incident) {
	add := func(p incident.Person) {
		if p.ID == "" {
			return
		}
		for _, one := range s.p.desk.Identities(commands.Person{ID: p.ID, Name: p.Name, Platform: p.Platform}) {
			if !slices.ContainsFunc(c.People, func(q commands.Person) bool { return q.ID == one.ID }) {
				c.People = append(c.People, one)
			}
		}
	}
	if i.Commander.ID != "" {
		c.Leads = s.p.desk.Identities(c.Commander)
	}
	for _, p := range i.Part() {
		add(p)
	}
	for _, name := range i.Certificates {
		cert, ok := s.p.cfg.Inventory.Certificate(name)
		if !ok {
			continue
		}
		if c.Runbook == "" {
			c.Runbook = cert.Runbook
		}
		if cert.Owner != "" && !slices.Contains(c.Teams, cert.Owner) {
			c.Teams = append(c.Teams, cert.Owner)
		}
	}
}

func incidentLook(i incident.Incident) string {
	switch {
	case i.Status == incident.Resolved || i.Status == incident.Closed:
		return commands.StateGood
	case !i.Status.Open():
		return commands.StateInfo
	case i.Status == incident.Monitoring || i.Severity >= 3:
		return commands.StateWarning
	}
	return commands.StateCritical
}

// Changed implements bot.Incidents.
func (s incidents) Changed(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		changes, err := s.p.store.Watch(ctx, "incident/")
		if err != nil {
			s.p.o.Log.Error("watch the incidents", "err", err)
			<-ctx.Done()
			return
		}
		for range changes {
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out
}

// The desk keeps what people pin; every chat platform's adapter is given it.
var _ bot.Pins = (*commands.Desk)(nil)
