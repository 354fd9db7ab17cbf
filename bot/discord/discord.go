// Package discord connects the rooms to a Discord server: slash commands,
// buttons, forms, "Add to timeline" and reactions come in by the gateway or by
// signed HTTP and are written down before they are acknowledged; what the
// rooms say goes out through the outbox; an incident gets a channel or a thread.
//
// The gateway's conversation is our own, on gorilla/websocket, and the library
// gives REST requests and types: discordgo v0.29.0 hangs in Open when the
// second packet is op 7 or op 11, forgets resume_gateway_url, and closes with
// 1000 when an ack is missed, which ends the session that it then resumes.
package discord

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds the adapter, its parts and its life. How things come in is
// in gateway.go, http.go and inbox.go, what they do in handle.go; how they go
// out in feed.go, send.go and draw.go; incidents' places are in places.go.

// Ways in.
const (
	Gateway = "gateway"
	HTTP    = "http"
)

// Places of incidents.
const (
	Channel = "channel"
	Thread  = "thread"
)

// Options are what the adapter is made of.
type Options struct {
	Rooms     *bot.Rooms
	Notes     bot.Notes
	Incidents bot.Incidents // nil: no places of incidents
	Pins      bot.Pins      // nil: no message is put on a timeline
	Forms     bot.Forms     // nil: forms have the verbs' fields alone

	// Private, which may be nil, says whether an incident is, however long ago
	// it was; without it only those that Incidents tells of are known.
	Private func(ctx context.Context, id string) (bool, error)

	Mode      string                 // Gateway or HTTP
	Guild     string                 // id of the server; "": the main channel's, and commands are registered for all servers
	Channel   string                 // id of the channel that is the room "main"
	Category  string                 // id of the category that incidents' channels are made in; "": the main channel's
	Place     string                 // Channel or Thread
	Archive   bool                   // places of ended incidents are locked and archived
	Content   bool                   // the bot has the privileged intent MESSAGE_CONTENT: reactions and edits can be read
	Emoji     []string               // reactions that put a message on the timeline; default: the pushpin
	APIURL    string                 // "": Discord's own
	Token     string                 // the bot's
	Secret    func() (string, error) // reads the token anew, when Discord refuses the one that there is; nil: it stays
	PublicKey string                 // the application's Ed25519 key in hex, for HTTP
	Site      string                 // where the pages are, for links; "": no links
	Now       func() time.Time
	Log       *slog.Logger

	Verbs  []commands.Verb                    // nil: commands.Verbs()
	Params func(verb string) []commands.Param // nil: commands.ParamsOf

	// With the defaults people are heard again in less than 30 s: a connection
	// that went silent is noticed in Beat + Ack = 15 s; the next one is tried
	// after Retry = 1 s, given up after Connect = 10 s when it says no hello, and
	// tried again 2 s later: 28 s in all. Alone, each takes less (BenchmarkBack).
	Answer       time.Duration // "Working on it" after this long; default 1.5 s
	TokenLife    time.Duration // so long an interaction is answered by its token; default 14 min
	ArchiveAfter time.Duration // after the end of an incident; default 1 h
	Every        time.Duration // between messages of a channel; default 1 s
	Settle       time.Duration // main is told of an incident's change after this long; default 3 s
	Edits        time.Duration // between edits of a message; default 2 s
	Retry        time.Duration // first pause after a failure; default 1 s, doubled up to 20 times that
	Connect      time.Duration // a connection must be there after this long; default 10 s
	Beat         time.Duration // at most this long between heartbeats; default 10 s, so that a dead connection is noticed sooner than Discord asks
	Ack          time.Duration // a heartbeat is answered in this time; default 5 s, at most Beat
}

// Status is how it stands with Discord.
type Status struct {
	bot.Status
	Beat time.Time `json:"beat,omitzero"` // when the gateway last answered a heartbeat
}

// Discord is the adapter.
type Discord struct {
	o    Options
	api  *api
	key  []byte // the public key
	seen seen   // signatures
	link *bot.Link
	out  *bot.Outbox
	feed *bot.Feed

	channels   *bot.Channels[channel, *channel]
	milestones *bot.Milestones

	cmds  commandSet
	ready <-chan struct{} // closed once Discord has said who we are

	mu      sync.Mutex
	beat    time.Time // of the gateway
	app     string    // our application's id
	self    string    // our user id
	guild   string
	parent  string            // of incidents' channels
	roles   map[string]string // names by id
	in      *bot.Inbox
	people  map[string]member
	asks    map[string]*ask
	unsaid  map[string]bool          // tokens whose "thinking" was taken away
	titles  *known                   // incidents, for completion
	asides  map[string]time.Time     // when something was said aside in a channel
	holds   map[string]chan struct{} // by token: closed when "Working on it" was sent; nil: the answer was
	directs map[string]string        // channels of direct messages by user
}

// New makes the adapter. It does not speak to Discord yet.
func New(o Options) (*Discord, error) {
	if o.Token == "" {
		return nil, errors.New("the bot's token is missing: set DISCORD_BOT_TOKEN or DISCORD_BOT_TOKEN_FILE")
	}
	o.Token = strings.TrimPrefix(o.Token, "Bot ")
	var key []byte
	if o.Mode == HTTP {
		var err error
		if key, err = readKey(o.PublicKey); err != nil {
			return nil, err
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Verbs == nil {
		o.Verbs = commands.Verbs()
	}
	if o.Params == nil {
		o.Params = commands.ParamsOf
	}
	if len(o.Emoji) == 0 {
		o.Emoji = []string{"📌"}
	}
	for d, def := range map[*time.Duration]time.Duration{&o.Answer: 1500 * time.Millisecond, &o.TokenLife: 14 * time.Minute, &o.ArchiveAfter: time.Hour,
		&o.Retry: time.Second, &o.Connect: 10 * time.Second, &o.Beat: 10 * time.Second, &o.Ack: 5 * time.Second, &o.Settle: 3 * time.Second} {
		if *d <= 0 {
			*d = def
		}
	}
	d := &Discord{o: o, key: key, roles: map[string]string{},
		people: map[string]member{}, asks: map[string]*ask{}, unsaid: map[string]bool{}, asides: map[string]time.Time{}, holds: map[string]chan struct{}{}, directs: map[string]string{}, titles: &known{}}
	d.milestones = bot.NewMilestones(o.Rooms, o.Now, o.Settle)
	var err error
	if d.cmds, err = buildCommands(o.Verbs, o.Params, o.Pins != nil); err != nil {
		return nil, err
	}
	d.link = bot.NewLink(bot.LinkOptions{Name: "discord", Now: o.Now, Log: o.Log, Retry: o.Retry, Most: 20, Words: words, Asked: toWait})
	d.ready = d.link.Ready()
	d.api = newAPI(o.APIURL, o.Token, 12*time.Second, time.Now)
	d.api.secret = o.Secret
	d.out = bot.NewOutbox(bot.OutboxOptions{Notes: o.Notes, Sender: d, Now: o.Now, Log: o.Log, Every: o.Every, Burst: 4, Edits: o.Edits, Retry: o.Retry})
	d.in = d.link.Inbox(o.Notes)
	d.channels = bot.NewChannels[channel](bot.ChannelsOptions{Link: d.link, Notes: o.Notes, Out: d.out, Main: o.Channel, Incidents: o.Incidents, Private: o.Private})
	d.feed = bot.NewFeed(bot.FeedOptions{Link: d.link, Rooms: o.Rooms, Notes: o.Notes, Out: d.out, Incidents: o.Incidents, Main: o.Channel, Speaker: speaker{d}})
	return d, nil
}

// Run connects, and speaks and listens until ctx ends. What Discord refuses is
// tried again; only a record that cannot be read is an error.
func (d *Discord) Run(ctx context.Context) error {
	if err := d.channels.Read(ctx); err != nil {
		return err
	}
	if err := d.recover(ctx); err != nil {
		return err
	}
	parts := []func(context.Context) error{d.greet, d.feed.Main,
		d.link.Greeted(d.out.Run), d.link.Greeted(d.register), d.sweep}
	if d.o.Incidents != nil {
		parts = append(parts, d.link.Greeted(func(ctx context.Context) error { return d.channels.Watch(ctx, d.feed, keeper{d}) }))
	}
	if d.o.Mode != HTTP {
		parts = append(parts, d.link.Greeted(d.listen))
	}
	return d.link.Run(ctx, parts...)
}

// Close takes nothing more and waits for what was taken; when ctx ends, the
// rest stays on the record for the next start.
func (d *Discord) Close(ctx context.Context) error { return d.link.Close(ctx) }

// greet asks Discord who we are and where the main channel is, until it answers.
func (d *Discord) greet(ctx context.Context) error {
	return d.link.Greet(ctx, d.o.Mode == HTTP, d.learn)
}

// learn reads our ids, and the server and category of the main channel.
func (d *Discord) learn(ctx context.Context) error {
	var app struct {
		ID  string `json:"id"`
		Bot struct {
			ID string `json:"id"`
		} `json:"bot"`
	}
	if err := d.api.call(ctx, http.MethodGet, "applications/@me", nil, &app); err != nil {
		return err
	}
	var me struct {
		ID string `json:"id"`
	}
	if err := d.api.call(ctx, http.MethodGet, "users/@me", nil, &me); err != nil {
		return err
	}
	var c struct {
		Guild  string `json:"guild_id"`
		Parent string `json:"parent_id"`
	}
	if err := d.api.call(ctx, http.MethodGet, "channels/"+d.o.Channel, nil, &c); err != nil {
		return err
	}
	var roles []struct{ ID, Name string }
	if err := d.api.call(ctx, http.MethodGet, "guilds/"+or(d.o.Guild, c.Guild)+"/roles", nil, &roles); err != nil && code(err) == 0 {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.app, d.self, d.guild, d.parent = app.ID, me.ID, or(d.o.Guild, c.Guild), or(d.o.Category, c.Parent)
	for _, r := range roles {
		d.roles[r.ID] = r.Name
	}
	return nil
}

// toWait is how long Discord asks to wait.
func toWait(because error) (time.Duration, bool) {
	var l *limited
	if errors.As(because, &l) {
		return l.after, true
	}
	return 0, false
}

func (d *Discord) pause(ctx context.Context, n int, because error) bool {
	return d.link.Pause(ctx, n, because)
}
func (d *Discord) stand(state string, err error) { d.link.Stand(state, err) }
func (d *Discord) once(note string) bool         { return d.link.Once(note) }

// Status says how it stands.
func (d *Discord) Status() Status {
	st := Status{Status: d.link.Status(d.out)}
	d.mu.Lock()
	defer d.mu.Unlock()
	st.Beat = d.beat
	return st
}

func note(key string, value []byte) bot.Note { return bot.Note{Key: key, Value: value} }
