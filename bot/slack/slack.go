// Package slack connects the rooms to a Slack workspace: slash commands,
// buttons and mentions come in by Socket Mode or signed HTTP and are written
// down before they are acknowledged; what the rooms say goes out through the
// outbox; an incident gets a channel of its own.
package slack

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file holds the adapter, its parts and its life. How things come in is
// in inbox.go, http.go and socket.go; how they go out in feed.go, send.go,
// operate.go, blocked.go and blocks.go; incidents' channels are in channels.go,
// create.go, milestones.go, bookmarks.go and canvas.go; user groups in groups.go.

// Ways in.
const (
	Socket = "socket"
	HTTP   = "http"
)

// Options are what the adapter is made of.
type Options struct {
	Rooms     *bot.Rooms
	Notes     bot.Notes
	Incidents bot.Incidents // nil: no channels of incidents
	Forms     bot.Forms     // nil: no forms
	Pins      bot.Pins      // nil: no messages on timelines
	Home      bot.Homes     // nil: no App Home
	Reaction  string        // the emoji that puts a message on the timeline; default pushpin
	Mode      string        // Socket or HTTP
	Channel   string        // id of the channel that is the room "main"
	Archive   bool          // channels of ended incidents are archived
	Oncall    string        // id or handle of the user group that is invited to every incident's channel; "": none
	APIURL    string        // "": Slack's own
	AppToken  string        // xapp-..., for Socket Mode
	BotToken  string        // xoxb-...
	Secret    string        // the signing secret, for HTTP
	Site      string        // where the pages are, for links; "": no links
	Now       func() time.Time
	Log       *slog.Logger

	// Private says whether an incident is private, however long ago it ended;
	// nil: by Incidents, and what they do not tell of is private.
	Private func(ctx context.Context, id string) (bool, error)
	// TeamGroups are the handles or ids of a team's user groups; nil: none.
	TeamGroups func(team string) []string
	// Teams are the names of all teams, for Check.
	Teams []string

	Answer       time.Duration // "Working on it" after this long; default 3 s
	ArchiveAfter time.Duration // after the end of an incident; default 1 h
	Every        time.Duration // between messages of a channel; default 1 s
	Edits        time.Duration // between edits of a message; default 2 s
	Tier2        time.Duration // between two calls of a method that Slack allows 20 times a minute; default three times Every
	Settle       time.Duration // before main is told that an incident stands otherwise; default 3 s
	Homes        time.Duration // between looks whether a page of App Home has changed; default 1 min
	Retry        time.Duration // first pause after a failure; default 1 s, doubled up to 30 times that
}

// Status is how it stands with Slack.
type Status struct {
	bot.Status
	Blocked []string `json:"blocked,omitempty"` // channels that cannot be written to, and what to do
}

// Slack is the adapter.
type Slack struct {
	o    Options
	api  *slack.Client
	http *http.Client
	link *bot.Link
	out  *bot.Outbox
	feed *bot.Feed

	channels *bot.Channels[channel, *channel]

	ready <-chan struct{} // closed once Slack has said who we are

	mu      sync.Mutex
	self    string // our user id
	team    string // our workspace's id
	org     string // our organisation's id, of several workspaces; or ""
	selfBot string // our bot id
	in      *bot.Inbox
	people  map[string]known
	replays replays

	pace       *pace
	blocks     map[string]blockage // by channel
	milestones *bot.Milestones     // watchIncidents' alone
	noRoom     time.Time           // until then no private channel is tried; watchIncidents' alone
	groups     groups
	pinning    sync.Mutex // held while a pin's note is changed
	followed   sync.Map   // notes of messages on timelines: their changes are followed
	homes      homes
}

// New makes the adapter. It does not speak to Slack yet.
func New(o Options) (*Slack, error) {
	switch {
	case o.BotToken == "":
		return nil, errors.New("the bot's token is missing: set SLACK_BOT_TOKEN or SLACK_BOT_TOKEN_FILE (it starts with xoxb-)")
	case o.Mode == Socket && o.AppToken == "":
		return nil, errors.New("the app's token is missing: set SLACK_APP_TOKEN or SLACK_APP_TOKEN_FILE (it starts with xapp-)")
	case o.Mode == HTTP && o.Secret == "":
		return nil, errors.New("the signing secret is missing: set SLACK_SIGNING_SECRET or SLACK_SIGNING_SECRET_FILE")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Reaction = strings.Trim(o.Reaction, ":"); o.Reaction == "" {
		o.Reaction = "pushpin"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for d, def := range map[*time.Duration]time.Duration{&o.Answer: 3 * time.Second, &o.ArchiveAfter: time.Hour, &o.Retry: time.Second, &o.Every: time.Second, &o.Settle: 3 * time.Second, &o.Homes: time.Minute} {
		if *d <= 0 {
			*d = def
		}
	}
	if o.Tier2 <= 0 {
		o.Tier2 = 3 * o.Every
	}
	s := &Slack{o: o, pace: newPace(o.Tier2, o.Now), blocks: map[string]blockage{}, milestones: bot.NewMilestones(o.Rooms, o.Now, o.Settle), people: map[string]known{}, replays: replays{seen: map[[16]byte]int64{}}}
	s.link = bot.NewLink(bot.LinkOptions{Name: "slack", Now: o.Now, Log: o.Log, Retry: o.Retry, Most: 30, Words: words, Asked: toWait})
	s.ready = s.link.Ready()
	s.groups.asking = make(chan struct{}, 1)
	s.http = &http.Client{Timeout: 10 * time.Second}
	s.api = client(o, s.http, nil)
	s.out = bot.NewOutbox(bot.OutboxOptions{Notes: o.Notes, Sender: s, Now: o.Now, Log: o.Log, Every: o.Every, Edits: o.Edits, Retry: o.Retry})
	s.in = s.link.Inbox(o.Notes)
	s.channels = bot.NewChannels[channel](bot.ChannelsOptions{Link: s.link, Notes: o.Notes, Out: s.out, Main: o.Channel, Incidents: o.Incidents, Private: o.Private})
	s.feed = bot.NewFeed(bot.FeedOptions{Link: s.link, Rooms: o.Rooms, Notes: o.Notes, Out: s.out, Incidents: o.Incidents, Main: o.Channel, Speaker: speaker{s}})
	return s, nil
}

// client is the library's client with a bounded HTTP client, which follows no
// redirect: the token goes nowhere else.
func client(o Options, h *http.Client, headers func(string, http.Header)) *slack.Client {
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	opts := []slack.Option{slack.OptionHTTPClient(h), slack.OptionAppLevelToken(o.AppToken)}
	if o.APIURL != "" {
		opts = append(opts, slack.OptionAPIURL(strings.TrimSuffix(o.APIURL, "/")+"/"))
	}
	if headers != nil {
		opts = append(opts, slack.OptionOnResponseHeaders(headers))
	}
	return slack.New(o.BotToken, opts...)
}

// Run connects, and speaks and listens until ctx ends. What Slack refuses is
// tried again; only a record that cannot be read is an error.
func (s *Slack) Run(ctx context.Context) error {
	if err := s.channels.Read(ctx); err != nil {
		return err
	}
	if err := s.readBlocks(ctx); err != nil {
		return err
	}
	if err := s.readPins(ctx); err != nil {
		return err
	}
	if err := s.recover(ctx); err != nil {
		return err
	}
	parts := []func(context.Context) error{s.greet, s.feed.Main,
		s.link.Greeted(s.out.Run), s.sweep, s.link.Greeted(s.refreshHomes)}
	if s.o.Incidents != nil {
		parts = append(parts, s.link.Greeted(func(ctx context.Context) error { return s.channels.Watch(ctx, s.feed, keeper{s}) }))
	}
	if s.o.Mode == Socket {
		parts = append(parts, s.link.Greeted(s.listen))
	}
	return s.link.Run(ctx, parts...)
}

// Close takes nothing more and waits for what was taken; when ctx ends, the
// rest stays on the record for the next start.
func (s *Slack) Close(ctx context.Context) error { return s.link.Close(ctx) }

// greet asks Slack who we are until it answers.
func (s *Slack) greet(ctx context.Context) error {
	return s.link.Greet(ctx, s.o.Mode == HTTP, func(ctx context.Context) error {
		me, err := s.api.AuthTestContext(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.self, s.selfBot, s.team, s.org = me.UserID, me.BotID, me.TeamID, me.EnterpriseID
		return nil
	})
}

// toWait is how long Slack asks to wait.
func toWait(because error) (time.Duration, bool) {
	var limited *slack.RateLimitedError
	if errors.As(because, &limited) {
		return limited.RetryAfter, true
	}
	return 0, false
}

func (s *Slack) pause(ctx context.Context, n int, because error) bool {
	return s.link.Pause(ctx, n, because)
}
func (s *Slack) stand(state string, err error) { s.link.Stand(state, err) }
func (s *Slack) once(note string) bool         { return s.link.Once(note) }

// Status says how it stands.
func (s *Slack) Status() Status {
	st := Status{Status: s.link.Status(s.out)}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Blocked = s.blockedLines()
	return st
}

// words is an error for people: no token, no URL with a secret in it.
func words(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Op + " " + host(u.URL) + ": " + u.Err.Error()
	}
	var r slack.SlackErrorResponse
	if errors.As(err, &r) {
		text := r.Err
		if r.Needed != "" {
			text += ", it needs the scope " + r.Needed
		}
		switch r.Err {
		case "invalid_auth", "not_authed", "token_revoked", "account_inactive", "token_expired":
			text += ": install the app again and set the new token"
		case "channel_not_found", "not_in_channel":
			text += ": invite the bot to the channel (/invite @certmedic), or correct chat.slack.channel"
		}
		return "Slack says " + text
	}
	return err.Error()
}

func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "Slack"
	}
	return u.Host
}
