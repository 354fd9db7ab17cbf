package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
)

// This file holds the gateway's conversation (docs: events/gateway): connect,
// hello, identify or resume, heartbeats that must be answered, and again. What
// an event means is in events.go.

// Operations of the gateway.
const (
	opDispatch, opHeartbeat, opIdentify, opResume = 0, 1, 2, 6
	opReconnect, opInvalid, opHello, opAck        = 7, 9, 10, 11
)

// closeKeep is the code that we close with: the session can be resumed, which
// 1000 and 1001 would end.
const closeKeep = 4000

// maxPacket is the longest packet that is read, in bytes.
const maxPacket = 16 << 20

// packet is one message of the gateway.
type packet struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s,omitempty"`
	Type string          `json:"t,omitempty"`
}

// gatewaySession is what a resume needs.
type gatewaySession struct {
	id, url string
	seq     int64
	bare    bool // without the privileged intent: Discord has refused it

	token string    // that the connection was begun with
	begun time.Time // when a session was last begun
}

func (g *gatewaySession) forget() { g.id, g.url, g.seq = "", "", 0 }

// listen holds a connection until ctx ends.
func (d *Discord) listen(ctx context.Context) error {
	var g gatewaySession
	for n := 0; ctx.Err() == nil; n++ {
		held, err := d.hold(ctx, &g)
		if ctx.Err() != nil {
			return nil
		}
		if held {
			n = 0
		}
		if err == nil { // Discord asked for another connection: at once, the first time
			if n == 0 {
				continue
			}
			err = errors.New("Discord closed the connection")
		}
		d.stand("failing", err)
		if !d.pause(ctx, n, err) {
			return nil
		}
	}
	return nil
}

// dial opens a connection: to the session's own address, or to the one that
// Discord gives for a new one.
func (d *Discord) dial(ctx context.Context, g *gatewaySession) (*websocket.Conn, error) {
	begin, stop := context.WithTimeout(ctx, d.o.Connect)
	defer stop()
	at := g.url
	if g.id == "" || at == "" {
		var answer struct {
			URL   string     `json:"url"`
			Limit startLimit `json:"session_start_limit"`
		}
		if err := d.api.call(begin, http.MethodGet, "gateway/bot", nil, &answer); err != nil {
			return nil, err
		}
		if at = answer.URL; g.id == "" {
			if err := answer.Limit.spare(d.o.Now().Sub(g.begun)); err != nil {
				return nil, err
			}
		}
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "wss" && u.Scheme != "ws" {
		g.forget()
		return nil, errors.New("the gateway has no address")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawQuery = "v=10&encoding=json"
	c, resp, err := (&websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: d.o.Connect}).DialContext(begin, u.String(), http.Header{"User-Agent": {userAgent}})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		g.url = "" // the next try asks for the address; the session stays
		return nil, fmt.Errorf("connect to the gateway: %w", err)
	}
	return c, nil
}

// hold runs one connection until it ends. held says that it was ready. A nil
// error: Discord asked for another connection. It is long because each kind of
// packet is a case of one loop, which shares what the connection is at.
func (d *Discord) hold(ctx context.Context, g *gatewaySession) (held bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c, err := d.dial(ctx, g)
	if err != nil {
		return false, err
	}
	w := &wire{c: c}
	var parts sync.WaitGroup
	defer func() {
		cancel(nil) // or the next heartbeat would be waited for
		w.close()
		parts.Wait()
	}()
	defer context.AfterFunc(ctx, w.close)()
	// Hello and ready have to come in time, whatever else is said meanwhile.
	watch := time.AfterFunc(d.o.Connect, func() { cancel(errors.New("the gateway does not say that it is ready")) })
	defer watch.Stop()
	c.SetReadLimit(maxPacket)
	for {
		_, raw, err := c.ReadMessage()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
				return held, cause
			}
			return held, d.ended(g, err)
		}
		var p packet
		if json.Unmarshal(raw, &p) != nil {
			continue
		}
		switch p.Op {
		case opHello:
			var hello struct {
				Interval int64 `json:"heartbeat_interval"`
			}
			if json.Unmarshal(p.Data, &hello) != nil || hello.Interval <= 0 || w.beating {
				return held, errors.New("the gateway's hello cannot be read")
			}
			every := min(time.Duration(hello.Interval)*time.Millisecond, d.o.Beat)
			w.beating = true
			parts.Go(func() { w.beat(ctx, every, min(d.o.Ack, every), cancel) })
			if err := d.introduce(w, g); err != nil {
				return held, err
			}
		case opHeartbeat:
			_ = w.heartbeat()
		case opAck:
			w.acked()
			d.mu.Lock()
			d.beat = d.o.Now().UTC()
			d.mu.Unlock()
		case opReconnect:
			return held, nil
		case opInvalid:
			resumable := false
			_ = json.Unmarshal(p.Data, &resumable)
			if !resumable {
				g.forget()
			}
			// Discord asks to wait one to five seconds.
			t := time.NewTimer(d.o.Retry + time.Duration(rand.Int64N(int64(2*d.o.Retry)+1)))
			defer t.Stop()
			select {
			case <-t.C:
				return held, nil
			case <-ctx.Done():
				return held, context.Cause(ctx)
			}
		case opDispatch:
			g.seq = max(g.seq, p.Seq)
			w.seen(g.seq)
			if p.Type == "READY" || p.Type == "RESUMED" {
				watch.Stop()
				held = true
				d.stand("connected", nil)
			}
			d.event(g, p)
		}
	}
}

// introduce resumes the session, or begins one.
func (d *Discord) introduce(w *wire, g *gatewaySession) error {
	g.token = d.api.current()
	if g.id != "" {
		w.seen(g.seq)
		return w.send(opResume, map[string]any{"token": g.token, "session_id": g.id, "seq": g.seq})
	}
	intents := discordgo.IntentsGuilds | discordgo.IntentsGuildMessageReactions | discordgo.IntentsGuildMessages // of the words only those that mention us
	if d.o.Content && !g.bare && d.o.Pins != nil {
		intents |= discordgo.IntentMessageContent
	}
	g.begun = d.o.Now()
	return w.send(opIdentify, map[string]any{"token": g.token, "intents": int(intents),
		"properties": map[string]string{"os": runtime.GOOS, "browser": "certmedic", "device": "certmedic"}})
}

// ended says what the end of a connection means, and forgets a session that
// cannot be resumed (docs: topics/opcodes-and-status-codes, close codes).
func (d *Discord) ended(g *gatewaySession, err error) error {
	var c *websocket.CloseError
	if !errors.As(err, &c) {
		return fmt.Errorf("the gateway's connection broke: %w", err)
	}
	switch c.Code {
	case 1000, 1001, 4003, 4007, 4009:
		g.forget()
	case 4004:
		g.forget()
		if d.api.renew(g.token) {
			return nil
		}
		return errors.New("the gateway refuses the bot's token: " + newToken)
	case 4014:
		g.forget()
		if !g.bare && d.o.Content {
			g.bare = true
			d.once("Discord refuses the privileged intent MESSAGE_CONTENT: switch it on in the developer portal, or set chat.discord.content: false; until then reactions put nothing on a timeline")
			return nil
		}
		return errors.New("the gateway refuses the intents")
	case 4010, 4011, 4012, 4013:
		g.forget()
	}
	return fmt.Errorf("the gateway closed the connection with %d %s", c.Code, strings.TrimSpace(clip(c.Text, 100)))
}

// wire is a connection's sending side.
type wire struct {
	c       *websocket.Conn
	beating bool // read by the reader alone

	mu   sync.Mutex
	seq  int64
	late *time.Timer // ends the connection when a heartbeat is not answered; nil: all are
	once sync.Once
}

func (w *wire) send(op int, data any) error {
	b, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return w.c.WriteMessage(websocket.TextMessage, b)
}

func (w *wire) seen(seq int64) {
	w.mu.Lock()
	w.seq = seq
	w.mu.Unlock()
}

func (w *wire) acked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late != nil {
		w.late.Stop()
		w.late = nil
	}
}

func (w *wire) heartbeat() error {
	w.mu.Lock()
	var seq any
	if w.seq > 0 {
		seq = w.seq
	}
	w.mu.Unlock()
	return w.send(opHeartbeat, seq)
}

// beat sends heartbeats; one that is not answered in time ends the connection.
func (w *wire) beat(ctx context.Context, every, within time.Duration, end context.CancelCauseFunc) {
	defer w.acked()
	t := time.NewTimer(time.Duration(rand.Float64() * float64(every)))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		w.mu.Lock()
		if w.late == nil {
			w.late = time.AfterFunc(within, func() { end(errors.New("the gateway does not answer heartbeats")) })
		}
		w.mu.Unlock()
		if err := w.heartbeat(); err != nil {
			end(fmt.Errorf("the gateway's connection broke: %w", err))
			return
		}
		t.Reset(every)
	}
}

// close ends the connection so that its session can be resumed.
func (w *wire) close() {
	w.once.Do(func() {
		_ = w.c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closeKeep, ""), time.Now().Add(time.Second))
		_ = w.c.Close()
	})
}
