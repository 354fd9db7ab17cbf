package bottest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// This file holds the fake Discord's gateway: hello, identify, ready,
// heartbeats, events in sequence, resume and replay. What goes wrong with it
// is in discord_gateway_faults.go.

// Operations of the gateway, and intents.
const (
	opDispatch, opHeartbeat, opIdentify, opResume, opReconnect, opInvalid, opHello, opAck = 0, 1, 2, 6, 7, 9, 10, 11

	intentGuilds, intentMembers, intentPresences, intentMessages, intentReactions, intentDMs, intentContent = 1 << 0, 1 << 1, 1 << 8, 1 << 9, 1 << 10, 1 << 12, 1 << 15

	intentPrivileged = intentMembers | intentPresences | intentContent
	intentKnown      = 1<<22 | 1<<21 | 1<<20 | 1<<17 - 1 | 1<<24 | 1<<25
)

// discordGate is the gateway's state; Discord.mu guards it.
type discordGate struct {
	sessions   map[string]*discordSession
	conns      map[*discordConn]bool
	script     []string // what the next connections do
	privileged int      // privileged intents that the portal allows
	refuse     int      // resumes to refuse
	identifies int
	identified time.Time
	resumes    int
	beats      int
	opened     int
}

func (g *discordGate) begin() {
	g.sessions, g.conns = map[string]*discordSession{}, map[*discordConn]bool{}
}

type discordSession struct {
	id      string
	seq     int64
	buffer  []discordFrame // every event, for replay
	intents int
	conn    *discordConn // nil: nobody is connected
}

type discordFrame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  *int64          `json:"s"`
	Name *string         `json:"t"`
}

// discordConn is one connection. out is what is to be written, in order.
type discordConn struct {
	ws      *websocket.Conn
	fault   string // how it was told to behave
	session *discordSession
	sent    []time.Time // frames of the last minute, from the client
	beat    time.Time
	every   time.Duration // between heartbeats
	zombie  bool          // says nothing any more
	noAcks  bool          // leaves heartbeats without an answer

	mu       sync.Mutex
	out      []discordFrame
	compress bool // the client takes zlib
	wake     chan struct{}
	gone     chan struct{}
	once     sync.Once
}

// discordStarts is how many sessions may be begun in a day.
const discordStarts = 1000

func (f *Discord) getGateway(*discordAsked) (any, *discordError) {
	return map[string]any{"url": f.GatewayURL()}, nil
}

func (f *Discord) getGatewayBot(*discordAsked) (any, *discordError) {
	return map[string]any{"url": f.GatewayURL(), "shards": 1, "session_start_limit": map[string]any{"total": discordStarts, "remaining": max(0, discordStarts-f.gate.identifies), "reset_after": f.Day.Milliseconds(), "max_concurrency": 1}}, nil
}

// socket is one connection to the gateway.
func (f *Discord) socket(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault, down := "", f.down || f.ended
	if len(f.gate.script) > 0 && !down {
		fault, f.gate.script = f.gate.script[0], f.gate.script[1:]
	}
	f.gate.opened++
	f.mu.Unlock()
	if down || fault == "refuse" {
		http.Error(w, "<html>no healthy upstream</html>", http.StatusServiceUnavailable)
		return
	}
	if v := r.URL.Query().Get("v"); v != "9" && v != "10" {
		f.broke("the gateway is asked for version %q", v)
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &discordConn{ws: ws, fault: fault, wake: make(chan struct{}, 1), gone: make(chan struct{}), beat: time.Now()}
	f.mu.Lock()
	if f.ended || f.down {
		f.mu.Unlock()
		ws.Close()
		return
	}
	f.work.Add(1)
	f.gate.conns[c] = true
	c.every = f.Heartbeat // a test may set another for later connections
	f.mu.Unlock()
	defer f.work.Done()
	var writer sync.WaitGroup
	writer.Add(1)
	go func() { defer writer.Done(); c.write() }()
	watch := f.watch(c)
	f.listen(c)
	c.end()
	watch()
	writer.Wait()
}

// listen reads a connection to its end.
func (f *Discord) listen(c *discordConn) {
	if f.greet(c) {
		for {
			_, b, err := c.ws.ReadMessage()
			if err != nil {
				// A client that closes with 1000 or 1001 ends its session.
				f.leave(c, websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway))
				return
			}
			if code, why := f.hear(c, b); code != 0 {
				c.closeWith(code, why)
				break
			}
		}
	}
	f.leave(c, false)
}

func (f *Discord) leave(c *discordConn, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.gate.conns, c)
	if s := c.session; s != nil && s.conn == c {
		s.conn = nil
		if over {
			delete(f.gate.sessions, s.id)
		}
	}
}

// hear answers one frame of the client; a code: the connection is closed.
func (f *Discord) hear(c *discordConn, b []byte) (int, string) {
	if len(b) > 4096 {
		f.broke("a frame of %d bytes: 4096 are the most", len(b))
		return 4002, "Decode error."
	}
	var fr struct {
		Op   *int            `json:"op"`
		Data json.RawMessage `json:"d"`
	}
	if json.Unmarshal(b, &fr) != nil || fr.Op == nil {
		f.broke("a frame that is not JSON: %s", clip(string(b), 200))
		return 4002, "Decode error."
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for len(c.sent) > 0 && now.Sub(c.sent[0]) > time.Minute {
		c.sent = c.sent[1:]
	}
	if c.sent = append(c.sent, now); len(c.sent) > 120 && c.every >= time.Second {
		f.breach("more than 120 frames in a minute")
		return 4008, "You are being rate limited."
	}
	switch *fr.Op {
	case opHeartbeat:
		f.gate.beats++
		c.beat = now
		if !c.noAcks && !c.zombie && c.fault != "silent" {
			c.send(opAck, nil)
		}
	case opIdentify:
		return f.identify(c, fr.Data)
	case opResume:
		return f.resume(c, fr.Data)
	case 3, 4, 8: // presence, voice, members: nothing comes of them here
		if c.session == nil {
			return 4003, "Not authenticated."
		}
	default:
		f.breach("the gateway has no operation %d", *fr.Op)
		return 4001, "Unknown opcode."
	}
	return 0, ""
}

func (f *Discord) identify(c *discordConn, data json.RawMessage) (int, string) {
	var in struct {
		Token      string
		Intents    *int
		Properties map[string]any
		Compress   bool
		Shard      []int
	}
	if err := json.Unmarshal(data, &in); err != nil {
		f.breach("identify: %v", err)
		return 4002, "Decode error."
	}
	if f.gate.identifies++; f.gate.identifies > discordStarts {
		f.token = "reset-" + randomHex() // as Discord does
		return 4004, "Authentication failed."
	}
	switch {
	case c.session != nil:
		return 4005, "Already authenticated."
	case f.revoked || strings.TrimPrefix(in.Token, "Bot ") != f.token:
		return 4004, "Authentication failed."
	case in.Intents == nil || *in.Intents < 0 || *in.Intents&^intentKnown != 0:
		return 4013, "Invalid intent(s)."
	case *in.Intents&intentPrivileged&^f.gate.privileged != 0:
		return 4014, "Disallowed intent(s)."
	case in.Properties["os"] == nil:
		f.breach("identify without properties")
	}
	now := time.Now()
	if now.Sub(f.gate.identified) < f.Identify {
		c.send(opInvalid, false)
		return 0, ""
	}
	f.gate.identified = now
	if all, code := f.second(c); all {
		return code, "as asked"
	}
	c.mu.Lock()
	c.compress = in.Compress
	c.mu.Unlock()
	s := &discordSession{id: "sess-" + randomHex(), intents: *in.Intents, conn: c}
	f.gate.sessions[s.id], c.session = s, s
	ready := map[string]any{"v": 10, "user": f.userJSON(DiscordApp), "guilds": []any{map[string]any{"id": DiscordGuild, "unavailable": true}}, "session_id": s.id, "resume_gateway_url": f.GatewayURL() + "/resume",
		"session_type": "normal", "private_channels": []any{}, "application": map[string]any{"id": DiscordApp, "flags": 0}, "shard": []int{0, 1}}
	f.event(s, "READY", ready)
	if s.intents&intentGuilds != 0 {
		f.event(s, "GUILD_CREATE", f.guildCreate())
	}
	return 0, ""
}

func (f *Discord) event(s *discordSession, name string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		f.breach("event %s is not JSON: %v", name, err)
		return
	}
	f.give(s, name, raw)
}

func (f *Discord) guildCreate() map[string]any {
	g := f.guildJSON()
	channels, threads := []any{}, []any{}
	for _, id := range f.order {
		switch c := f.channels[id]; {
		case c.Type == discordDM:
		case c.thread() && !c.Archived && f.permissions(DiscordApp, c)&permView != 0:
			threads = append(threads, f.channelJSON(c))
		case !c.thread():
			channels = append(channels, f.channelJSON(c))
		}
	}
	g["channels"], g["threads"], g["members"], g["member_count"] = channels, threads, []any{f.memberJSON(DiscordApp, nil)}, len(f.users)
	g["joined_at"], g["large"], g["unavailable"], g["voice_states"], g["presences"], g["stage_instances"], g["guild_scheduled_events"] = "2024-01-01T00:00:00.000000+00:00", false, false, []any{}, []any{}, []any{}, []any{}
	return g
}

// resume goes on with a session, and replays what was missed.
func (f *Discord) resume(c *discordConn, data json.RawMessage) (int, string) {
	var in struct {
		Token   string
		Session string `json:"session_id"`
		Seq     *int64
	}
	if err := json.Unmarshal(data, &in); err != nil {
		f.breach("resume: %v", err)
		return 4002, "Decode error."
	}
	f.gate.resumes++
	if f.revoked || strings.TrimPrefix(in.Token, "Bot ") != f.token {
		return 4004, "Authentication failed."
	}
	if all, code := f.second(c); all {
		return code, "as asked"
	}
	s := f.gate.sessions[in.Session]
	if s == nil || f.gate.refuse > 0 {
		f.gate.refuse = max(0, f.gate.refuse-1)
		c.send(opInvalid, false)
		return 0, ""
	}
	if in.Seq == nil || *in.Seq > s.seq {
		return 4007, "Invalid seq."
	}
	if old := s.conn; old != nil {
		old.end() // the older connection of the session
	}
	s.conn, c.session = c, s
	for _, fr := range s.buffer {
		if *fr.Seq > *in.Seq && !c.zombie {
			c.put(fr)
		}
	}
	f.event(s, "RESUMED", map[string]any{"_trace": []any{"fake-" + strconv.FormatInt(s.seq, 10)}})
	return 0, ""
}
