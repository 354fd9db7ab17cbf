package bottest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// This file is a Slack for tests: the part of its Web API that certmedic
// uses, Socket Mode with pings, response URLs, and faults on demand. Every
// call is checked against the documented methods and schemas (contract.go).

// Tokens and secret of the fake.
const (
	SlackBotToken = "xoxb-fake"
	SlackAppToken = "xapp-fake"
	SlackSecret   = "8f742231b10e8888abcd99yyyzzz85a5"
)

// SlackMessage is a message in a channel of the fake.
type SlackMessage struct {
	TS, User, Text string
	Blocks         []map[string]any
	For            string // an ephemeral's only reader
	Typed          bool   // a slash command, as its typist remembers it
	Hook           string // the response URL that an ephemeral came by
	Edits          int
	File           string
	Data           []byte
	Thread         string // ts of the thread's first message
	Reactions      map[string][]string
	Files          []SlackFile
}

// SlackChannel is a channel of the fake.
type SlackChannel struct {
	ID, Name, Topic string
	Archived        bool
	Members         map[string]bool
	Absent          map[string]bool // people who are not in it, although it is public
	Pins            []string
	Messages        []*SlackMessage
	Private         bool
	Marks           []SlackMark
	CanvasID        string
	Canvas          string // its Markdown
}

// SlackCall is a call that the fake got.
type SlackCall struct {
	Method string
	Form   url.Values
	At     time.Time
}

// Slack is a fake Slack.
type Slack struct {
	Server *httptest.Server
	Events string // where signed HTTP goes; "": Socket Mode
	Sloppy bool   // conversations.history minds latest alone
	Limit  bool   // one message a second in a channel, three at once; else 429

	t        testing.TB
	contract *contract

	mu       sync.Mutex
	channels map[string]*SlackChannel
	users    map[string]map[string]any
	calls    []SlackCall
	faults   map[string][]string
	missing  map[string]bool // methods whose scope is missing
	hooks    map[string]*hook
	files    map[string]*SlackMessage
	sockets  map[*websocket.Conn]*sync.Mutex
	waiting  map[string]chan struct{} // by envelope: closed when acknowledged
	acks     map[string]int
	revoked  bool
	down     bool
	clock    int64
	next     int
	tokens   map[string]*bucket
	answers  map[string]json.RawMessage // by envelope: what the acknowledgement said
	triggers map[string]*trigger
	expire   bool
	views    []*SlackView
	groups   []SlackGroup
	granted  []string // nil: those of the manifest
	tier2    int      // calls a minute; 0: any number
	minute   time.Duration
	lately   map[string][]time.Time

	downloads []string
}

type hook struct {
	channel, user string
	posts         int
	message       string // ts of what it is about
}

type bucket struct {
	n  float64
	at time.Time
}

// NewSlack starts a fake with the channel C0MAIN0000 and the users ana, ben
// and gus, who is a guest.
func NewSlack(t testing.TB) *Slack {
	f := &Slack{t: t, contract: loadContract(t), channels: map[string]*SlackChannel{}, users: map[string]map[string]any{}, faults: map[string][]string{}, missing: map[string]bool{},
		hooks: map[string]*hook{}, files: map[string]*SlackMessage{}, sockets: map[*websocket.Conn]*sync.Mutex{}, waiting: map[string]chan struct{}{}, acks: map[string]int{}, tokens: map[string]*bucket{}, answers: map[string]json.RawMessage{}, lately: map[string][]time.Time{}}
	f.clock = time.Now().UnixMicro()
	f.channels["C0MAIN0000"] = &SlackChannel{ID: "C0MAIN0000", Name: "tls", Members: map[string]bool{"U0BOT": true}}
	for _, u := range []string{"ana", "ben", "carl", "gus"} {
		f.users[SlackUser(u)] = map[string]any{"id": SlackUser(u), "name": u, "tz": "Europe/Berlin", "team_id": "T0TEAM", "is_restricted": u == "gus"}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", f.api)
	mux.HandleFunc("/hooks/", f.hooked)
	mux.HandleFunc("/upload/", f.upload)
	mux.HandleFunc("/files/", f.file)
	mux.HandleFunc("/link", f.link)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() { f.DropSockets(); f.Server.Close() })
	return f
}

// SlackUser is the id of a user of the fake.
func SlackUser(name string) string { return "U0" + strings.ToUpper(name) }

// URL is the fake's API URL.
func (f *Slack) URL() string { return f.Server.URL + "/api/" }

// Fail makes the next calls of a method fail, one after the other: "429",
// "500" (nothing is done), "lost" (it is done, the answer is not sent) or the
// name of an error.
func (f *Slack) Fail(method string, how ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[method] = append(f.faults[method], how...)
}

// Lack takes the scope of a method away.
func (f *Slack) Lack(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missing[method] = true
}

// Down makes Slack unreachable, or brings it back; Revoke takes the token away.
func (f *Slack) Down(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
	if down {
		f.DropSockets()
	}
}

// Revoke makes every token invalid, or valid again.
func (f *Slack) Revoke(revoked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = revoked
}

// DropSockets cuts every Socket Mode connection.
func (f *Slack) DropSockets() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.sockets {
		c.Close()
	}
}

// Calls are the calls of a method ("": all), in order.
func (f *Slack) Calls(method string) []SlackCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []SlackCall
	for _, c := range f.calls {
		if method == "" || c.Method == method {
			all = append(all, c)
		}
	}
	return all
}

// Acks is how often an envelope was acknowledged.
func (f *Slack) Acks(envelope string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acks[envelope]
}

// Channel returns a copy of a channel by name or id.
func (f *Slack) Channel(name string) (SlackChannel, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.channels {
		if c.Name == name || c.ID == name {
			cp := *c
			cp.Messages, cp.Absent, cp.Members, cp.Pins, cp.Marks = nil, nil, maps.Clone(c.Members), slices.Clone(c.Pins), slices.Clone(c.Marks)
			for _, m := range c.Messages {
				one := *m
				cp.Messages = append(cp.Messages, &one)
			}
			return cp, true
		}
	}
	return SlackChannel{}, false
}

func (f *Slack) id(prefix string) string {
	f.next++
	return fmt.Sprintf("%s%06d", prefix, f.next)
}

func (f *Slack) ts() string {
	f.clock++
	return fmt.Sprintf("%d.%06d", f.clock/1e6, f.clock%1e6)
}

func (f *Slack) hook(channel, user, message string) string {
	id := f.id("h")
	f.hooks[id] = &hook{channel: channel, user: user, message: message}
	return f.Server.URL + "/hooks/" + id
}

// link is a Socket Mode connection.
func (f *Slack) link(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	var m sync.Mutex
	defer c.Close()
	_ = c.WriteJSON(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A0APP"}})
	_ = c.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second))
	f.mu.Lock()
	f.sockets[c] = &m
	f.mu.Unlock()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(5 * time.Second):
				_ = c.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second))
			}
		}
	}()
	for {
		var a struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if err := c.ReadJSON(&a); err != nil {
			break
		}
		f.mu.Lock()
		f.acks[a.EnvelopeID]++
		f.answers[a.EnvelopeID] = a.Payload
		if ch := f.waiting[a.EnvelopeID]; ch != nil {
			close(ch)
			delete(f.waiting, a.EnvelopeID)
		} else if f.acks[a.EnvelopeID] == 1 {
			f.t.Errorf("acknowledged %q, which nobody sent", a.EnvelopeID)
		}
		f.mu.Unlock()
	}
	f.mu.Lock()
	delete(f.sockets, c)
	f.mu.Unlock()
}

// Refresh asks the clients to connect anew, as Slack does every few hours.
func (f *Slack) Refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, m := range f.sockets {
		m.Lock()
		_ = c.WriteJSON(map[string]any{"type": "disconnect", "reason": "refresh_requested"})
		m.Unlock()
		delete(f.sockets, c)
	}
}

func randomHex() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// Heal takes back every fault that Fail asked for.
func (f *Slack) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.faults)
}

// Member puts the bot into a channel, or takes it out.
func (f *Slack) Member(channel string, in bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.channels[channel].Members["U0BOT"] = in
}

// Leave takes a person out of a channel.
func (f *Slack) Leave(user, channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[channel]
	delete(c.Members, SlackUser(user))
	if c.Absent == nil {
		c.Absent = map[string]bool{}
	}
	c.Absent[SlackUser(user)] = true
}
