package bottest

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file is the front door of a Discord for tests: its constants, its
// clock, its people, and how to start it. Every request to it is checked
// against Discord's OpenAPI document and the rules that a schema cannot say;
// a breach fails the test.
//
// # How an adapter is pointed at it
//
//	f := bottest.NewDiscord(t)
//	f.URL()               // http://127.0.0.1:PORT/api/v10 (and /api/v9)
//	bottest.DiscordToken  // the bot's token; "Bot " goes before it
//	f.PublicKey()         // the application's Ed25519 key, in hex
//	bottest.DiscordApp, DiscordGuild, DiscordMain (#tls), DiscordCategory
//	f.Endpoint = url      // interactions by signed HTTP; "": by the gateway
//	f.Heartbeat = 50 * time.Millisecond // before connecting; 41.25 s otherwise
//	f.Identify = 5 * time.Second // before connecting: one identify in this time, as the real one; 0: any number
//
// # People: ana, ben, carl, and gus, who may not see private channels
//
//	ask := f.Slash("ana", channel, "incident open", map[string]any{"what": "..."}) // by the registered commands
//	ask := f.Line("ana", channel, "/incident open what:it is down severity:sev1")  // the same, as typed
//	ask := f.Click("ana", channel, "Renew")            // the newest button she sees; nil: none
//	ask := f.Select("ana", channel, customID, "value") // a select; custom id by prefix
//	ask := f.MessageCommand("ana", channel, messageID, "Add to timeline")
//	ask := f.Submit("ana", ask, map[string]string{"title": "..."}) // the modal that ask was answered with
//	ask := f.Complete("ana", channel, "incident note", "incident", "I-1", nil)     // autocomplete
//	f.React / f.Unreact / f.Mention / f.Speak
//
//	ask.OK()         // waits: answered within 3 s?
//	ask.Kind(), ask.Data() // the first response: its type and its data
//	ask.Text()       // what its person sees of it now: the answer, its edits, its follow-ups
//	ask.Message(), ask.Followups(), ask.Modal(), ask.Choices(), ask.Ephemeral(), ask.Refused
//	f.Seen(person, channel), f.Raw(person, channel), f.Pings() // who was notified by whom
//	f.Channel(nameOrID), f.Channels(), f.Message(channel, id), f.JSON(channel, id), f.Commands(guildOrEmpty), f.Calls(op)
//
// # Faults
//
// Operations have the operationId of Discord's OpenAPI document:
// create_message, update_message, create_interaction_response,
// execute_webhook, update_original_webhook_message, create_guild_channel ...
//
//	f.Fail(op, how...)  // the next calls of op, one each ("" is any): "429", "429 empty", "429 html",
//	                    // "429 global", "500" to "504", "slow 300ms", "lost" (done, connection cut),
//	                    // "cut" (not done, connection cut), or an error code: "50013"
//	f.Limit(op, n, per) // n calls in per for each channel, guild or webhook; f.LimitAll(n, per): all together
//	f.Next(how...)      // the next gateway connections, one each: see discord_gateway_faults.go
//	f.Reconnect() f.Invalidate(resumable) f.Zombie(on) f.NoAcks(on) f.Drop() f.CloseSockets(code) f.Expire()
//	f.Down(on) f.Revoke(on) f.Heal()
//	f.Advance(d)        // ages interactions, webhook tokens and messages; f.Now is the fake's clock
//	f.Permit(channel, who, allow, deny), f.Grant(role, permissions), f.DeleteChannel, f.DeleteMessage, f.Archive

// Identities of the fake.
const (
	DiscordToken    = "fake-discord-token"
	DiscordApp      = "1100000000000000001" // the application, and its bot's user
	DiscordGuild    = "1100000000000000002" // also the id of the role @everyone
	DiscordMain     = "1100000000000000003" // #tls
	DiscordCategory = "1100000000000000004" // the category "incidents"
	DiscordBotRole  = "1100000000000000005" // the bot's own role
	DiscordOnCall   = "1100000000000000006" // the role on-call: ana and ben
)

// discordEpoch is where snowflakes begin, in Unix milliseconds.
const discordEpoch = 1420070400000

// Discord is a fake Discord.
type Discord struct {
	Server    *httptest.Server
	Endpoint  string        // where interactions are POSTed, signed; "": the gateway
	Heartbeat time.Duration // what hello asks for
	Retry     time.Duration // what an injected 429 asks to wait
	Day       time.Duration // until sessions are counted anew, as Discord says it
	Identify  time.Duration // who identifies sooner after another gets op 9; 0: nobody does

	t        testing.TB
	contract *discordContract
	key      ed25519.PrivateKey
	work     sync.WaitGroup // the gateway's goroutines, deliveries
	quit     chan struct{}

	mu       sync.Mutex
	ended    bool
	clock    func() time.Time
	ahead    time.Duration
	next     int64
	lastMS   int64
	users    map[string]*discordUser
	roles    []*discordRole
	channels map[string]*DiscordChannel
	order    []string                    // channel ids, oldest first
	commands map[string][]map[string]any // by guild; "": global
	asks     map[string]*DiscordAsk      // by token
	shut     map[string]bool             // users who take no direct messages
	nonces   map[string]string           // channel and nonce to message
	pings    []DiscordPing
	calls    []DiscordCall
	faults   map[string][]string
	limits   map[string]*discordLimit
	windows  map[string]*discordWindow
	invalid  int // 401, 403 and 429 that were answered
	down     bool
	revoked  bool
	token    string // the bot's
	gate     discordGate
}

// NewDiscord starts a fake: the guild Harbour with #tls and the category
// incidents, the people ana, ben, carl and gus, and the bot with the
// permissions that certmedic asks for.
func NewDiscord(t testing.TB) *Discord {
	t.Helper()
	f := &Discord{
		token: DiscordToken, Day: 24 * time.Hour,
		Heartbeat: 41250 * time.Millisecond, Retry: 50 * time.Millisecond,
		t: t, contract: loadDiscordContract(t), key: ed25519.NewKeyFromSeed([]byte("certmedic's fake discord, 32 byte")[:32]), quit: make(chan struct{}),
		clock: time.Now, users: map[string]*discordUser{}, channels: map[string]*DiscordChannel{}, commands: map[string][]map[string]any{},
		asks: map[string]*DiscordAsk{}, shut: map[string]bool{}, nonces: map[string]string{}, faults: map[string][]string{}, limits: map[string]*discordLimit{}, windows: map[string]*discordWindow{},
	}
	f.gate.begin()
	f.populate()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", f.api)
	mux.HandleFunc("/gateway", f.socket)
	mux.HandleFunc("/gateway/", f.socket)
	mux.HandleFunc("/files/", f.file)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.mu.Lock()
		f.ended = true
		f.mu.Unlock()
		close(f.quit)
		f.Drop()
		f.Server.CloseClientConnections()
		f.Server.Close()
		f.work.Wait()
	})
	return f
}

// URL is the API, without a slash at the end.
func (f *Discord) URL() string { return f.Server.URL + "/api/v10" }

// GatewayURL is what GET /gateway answers.
func (f *Discord) GatewayURL() string {
	return "ws" + strings.TrimPrefix(f.Server.URL, "http") + "/gateway"
}

// PublicKey is the application's public key, in hex as the portal shows it.
func (f *Discord) PublicKey() string {
	return hex.EncodeToString(f.key.Public().(ed25519.PublicKey))
}

// Now is the fake's clock.
func (f *Discord) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now()
}

func (f *Discord) now() time.Time { return f.clock().Add(f.ahead) }

// Clock sets the clock; Advance moves it on.
func (f *Discord) Clock(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = now
}

// Advance moves the clock on: interactions and messages grow older.
func (f *Discord) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead += d
}

// id makes a snowflake: the clock's milliseconds, and a count so that no two
// are alike and later ones are greater.
func (f *Discord) id() string {
	f.next++
	ms := max(f.now().UnixMilli()-discordEpoch, f.lastMS)
	f.lastMS = ms
	return strconv.FormatInt(ms<<22|f.next&(1<<22-1), 10)
}

// broke reports a breach of the contract, unless the test has ended.
func (f *Discord) broke(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.breach(format, args...)
}

func (f *Discord) breach(format string, args ...any) {
	if !f.ended {
		f.t.Errorf("Discord: "+format, args...)
	}
}

// DiscordCall is a request that the fake got.
type DiscordCall struct {
	Op     string // operationId
	Method string
	Path   string // below /api/v10
	Vars   map[string]string
	Body   map[string]any // the JSON, when it is an object
	List   []any          // the JSON, when it is a list
	Files  []DiscordFile
	Status int // what was answered; 0: the connection was cut
	Code   int // the error code in the answer
	At     time.Time
}

// Calls are the requests of an operation ("": all), in order.
func (f *Discord) Calls(op string) []DiscordCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []DiscordCall
	for _, c := range f.calls {
		if op == "" || c.Op == op {
			all = append(all, c)
		}
	}
	return all
}

// Invalid is how many 401, 403 and 429 were answered: 10,000 in ten minutes
// get an address banned.
func (f *Discord) Invalid() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.invalid
}

// wait polls for something until it is so or the time is over.
func (f *Discord) wait(d time.Duration, so func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(2 * time.Millisecond) {
		f.mu.Lock()
		ok := so()
		f.mu.Unlock()
		if ok {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// DiscordUser is the id of a person.
func DiscordUser(name string) string {
	n := int64(0)
	for _, r := range name {
		n = (n*31 + int64(r)) % 1_000_000
	}
	return fmt.Sprintf("12%011d%06d", 0, n)
}
