package bottest

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestDiscordGateway: hello, ready, heartbeats, events by intents, sequence.
func TestDiscordGateway(t *testing.T) {
	st := registered(t)
	l, ready := st.enter(intentGuilds | intentReactions)
	if ready.get("session_id") == "" || ready.get("user", "username") != "certmedic" || !strings.HasPrefix(ready.get("resume_gateway_url").(string), "ws://127.0.0.1:") {
		t.Errorf("ready %s", ready.Data)
	}
	l.send(opHeartbeat, 2)
	l.want(opAck, "")
	id := st.Speak("ana", DiscordMain, "not for it") // the intent is missing
	st.React("ana", DiscordMain, id, "📌")
	p := l.want(opDispatch, "MESSAGE_REACTION_ADD")
	if p.Seq != 3 || p.get("emoji", "name") != "📌" || p.get("message_id") != id || p.get("user_id") != DiscordUser("ana") {
		t.Errorf("%+v %s", p, p.Data)
	}
	m, _ := st.enter(intentGuilds | intentMessages)
	st.Mention("ana", DiscordMain, "help")
	p = m.want(opDispatch, "MESSAGE_CREATE")
	if !strings.HasSuffix(p.get("content").(string), "> help") || p.get("mentions").([]any)[0].(object)["id"] != DiscordApp || p.get("guild_id") != DiscordGuild {
		t.Errorf("%s", p.Data)
	}
	st.Speak("ana", DiscordMain, "chatter")
	if p = m.want(opDispatch, "MESSAGE_CREATE"); p.get("content") != "" {
		t.Errorf("without the intent it reads %s", p.Data)
	}
	st.good("POST", "/channels/"+DiscordMain+"/threads", object{"name": "t", "type": 11})
	m.want(opDispatch, "THREAD_CREATE")
	l.want(opDispatch, "THREAD_CREATE")
	// What the bot cannot see is not told.
	st.Permit(DiscordMain, DiscordApp, 0, permView)
	l.want(opDispatch, "CHANNEL_UPDATE")
	m.want(opDispatch, "CHANNEL_UPDATE")
	st.Speak("ana", DiscordMain, "hidden")
	st.Line("ana", DiscordMain, "/echo x")
	m.want(opDispatch, "INTERACTION_CREATE")
	if g := st.Gateway(); g.Identifies != 2 || g.Ready != 2 || g.Beats != 1 || g.Connected != 2 {
		t.Errorf("%+v", g)
	}
}

// TestDiscordResume: what was missed comes again, in order; a session that is
// over is refused.
func TestDiscordResume(t *testing.T) {
	st := registered(t)
	l, ready := st.enter(intentGuilds)
	session := ready.get("session_id")
	st.Drop()
	l.cut()
	ask := st.Line("ana", DiscordMain, "/echo while away")
	l = st.dial()
	l.want(opHello, "")
	l.send(opResume, object{"token": DiscordToken, "session_id": session, "seq": 2})
	p := l.want(opDispatch, "INTERACTION_CREATE")
	if p.Seq != 3 || p.get("token") != ask.Token {
		t.Errorf("%+v", p)
	}
	l.want(opDispatch, "RESUMED")
	st.good("POST", ask.path(), object{"type": 5})
	// A new connection takes the session over from the old one.
	n := st.dial()
	n.want(opHello, "")
	n.send(opResume, object{"token": DiscordToken, "session_id": session, "seq": 4})
	n.want(opDispatch, "RESUMED")
	l.cut()
	n.send(opIdentify, identity(1))
	n.closed(4005)
	resume := func(session any, seq int) *link {
		l := st.dial()
		l.want(opHello, "")
		l.send(opResume, object{"token": DiscordToken, "session_id": session, "seq": seq})
		return l
	}
	resume(session, 99).closed(4007)
	st.RefuseResume(1)
	if p := resume(session, 5).want(opInvalid, ""); string(p.Data) != "false" {
		t.Errorf("%s", p.Data)
	}
	resume(session, 5).want(opDispatch, "RESUMED")
	st.Expire()
	l = resume(session, 5)
	l.want(opInvalid, "")
	l.send(opIdentify, identity(1)) // on the same connection
	l.want(opDispatch, "READY")
	// Who says goodbye with 1000 has no session any more.
	l, ready = st.enter(intentGuilds)
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	l.closed(1000)
	st.wait(Wait, func() bool { return st.gate.sessions[ready.get("session_id").(string)] == nil })
	resume(ready.get("session_id"), 2).want(opInvalid, "")
	// Who leaves with another code has.
	l, ready = st.enter(intentGuilds)
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4900, ""), time.Now().Add(time.Second))
	l.closed(4900)
	resume(ready.get("session_id"), 2).want(opDispatch, "RESUMED")
}

// TestDiscordIdentify: what identify is refused for.
func TestDiscordIdentify(t *testing.T) {
	st := discord(t)
	for _, c := range []struct {
		body object
		code int
	}{
		{object{"token": "wrong", "intents": 1, "properties": object{"os": "x"}}, 4004},
		{object{"token": DiscordToken, "intents": -1, "properties": object{"os": "x"}}, 4013},
		{object{"token": DiscordToken, "intents": 1 << 30, "properties": object{"os": "x"}}, 4013},
		{object{"token": DiscordToken, "properties": object{"os": "x"}}, 4013},
		{identity(intentGuilds | intentContent), 4014},
	} {
		l := st.dial()
		l.want(opHello, "")
		l.send(opIdentify, c.body)
		l.closed(c.code)
	}
	st.Privileged(intentContent)
	l, _ := st.enter(intentGuilds | intentContent | intentMessages)
	st.Speak("ana", DiscordMain, "chatter")
	if p := l.want(opDispatch, "MESSAGE_CREATE"); p.get("content") != "chatter" {
		t.Errorf("with the intent it reads %s", p.Data)
	}
	// Compressed, as discordgo asks for: big frames are binary.
	l = st.dial()
	l.want(opHello, "")
	in := identity(intentGuilds)
	in["compress"] = true
	l.send(opIdentify, in)
	l.want(opDispatch, "READY")
	kind, b, err := l.ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		t.Fatalf("frame of kind %d: %v", kind, err)
	}
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var p packet
	if err := json.NewDecoder(z).Decode(&p); err != nil || p.Name != "GUILD_CREATE" {
		t.Errorf("%+v %v", p, err)
	}
	l = st.dial()
	l.want(opHello, "")
	l.send(3, object{}) // before it identified
	l.closed(4003)
	l = st.dial()
	l.want(opHello, "")
	l.send(77, nil)
	l.closed(4001)
	st.broken("no operation 77")
	l = st.dial()
	l.want(opHello, "")
	if err := l.ws.WriteMessage(websocket.TextMessage, []byte("{")); err != nil {
		t.Fatal(err)
	}
	l.closed(4002)
	st.broken("not JSON")
	l = st.dial()
	l.want(opHello, "")
	l.send(opHeartbeat, strings.Repeat("x", 5000))
	l.closed(4002)
	st.broken("4096")
	l, _ = st.enter(1)
	st.Revoke(true)
	l.closed(4004)
	l = st.dial()
	l.want(opHello, "")
	l.send(opIdentify, identity(1))
	l.closed(4004)
}

// TestDiscordIdentifyPace: who identifies again too soon gets op 9.
func TestDiscordIdentifyPace(t *testing.T) {
	st := discord(t)
	st.Identify = time.Hour
	st.enter(1)
	l := st.dial()
	l.want(opHello, "")
	l.send(opIdentify, identity(1))
	if p := l.want(opInvalid, ""); string(p.Data) != "false" {
		t.Errorf("%s", p.Data)
	}
	if g := st.Gateway(); g.Identifies != 2 || g.Ready != 1 {
		t.Errorf("%+v", g)
	}
}

// TestDiscordFlood: more than 120 frames in a minute end the connection.
func TestDiscordFlood(t *testing.T) {
	st := discord(t)
	l, _ := st.enter(0)
	for range 121 {
		if l.ws.WriteJSON(object{"op": opHeartbeat, "d": 1}) != nil {
			break
		}
	}
	l.closed(4008)
	st.broken("120 frames")
}

// TestDiscordSecondPacket: op 7, 9 and 11 before ready, silence, a code.
func TestDiscordSecondPacket(t *testing.T) {
	st := discord(t)
	begin := func(how string) *link {
		t.Helper()
		st.Next(how)
		l := st.dial()
		l.want(opHello, "")
		l.send(opIdentify, identity(1))
		return l
	}
	begin("reconnect").want(opReconnect, "")
	l := begin("ack")
	l.want(opAck, "")
	l.want(opDispatch, "READY")
	l = begin("ack silent")
	l.want(opAck, "")
	l.quiet()
	if p := begin("resumable").want(opInvalid, ""); string(p.Data) != "true" {
		t.Errorf("%s", p.Data)
	}
	l = begin("invalid")
	if p := l.want(opInvalid, ""); string(p.Data) != "false" {
		t.Errorf("%s", p.Data)
	}
	l.send(opIdentify, identity(1))
	l.want(opDispatch, "READY")
	l = begin("silent")
	l.send(opHeartbeat, nil)
	l.quiet()
	begin("4008").closed(4008)
	st.Next("mute", "drop", "refuse", "")
	st.dial().quiet()
	l = st.dial()
	l.want(opHello, "")
	l.cut()
	if _, resp, err := websocket.DefaultDialer.Dial(st.GatewayURL()+"/?v=10", nil); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("refused with %v %v", resp, err)
	}
	st.enter(1)
	begin("silly")
	st.spy.wait()
	st.broken(`no gateway fault "silly"`)
}

// quiet is that nothing comes, and nothing ends.
func (l *link) quiet() {
	l.t.Helper()
	_ = l.ws.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var p packet
	err := l.ws.ReadJSON(&p)
	if e, ok := err.(interface{ Timeout() bool }); !ok || !e.Timeout() {
		l.t.Errorf("not quiet: %+v %v", p, err)
	}
}

// TestDiscordGatewayFaults: what goes wrong on a connection that was good.
func TestDiscordGatewayFaults(t *testing.T) {
	st := registered(t)
	l, ready := st.enter(1)
	st.Reconnect()
	l.want(opReconnect, "")
	st.Invalidate(true)
	if p := l.want(opInvalid, ""); string(p.Data) != "true" {
		t.Errorf("%s", p.Data)
	}
	st.NoAcks(true)
	l.send(opHeartbeat, nil)
	st.wait(Wait, func() bool { return st.gate.beats == 1 })
	st.Line("ana", DiscordMain, "/echo x") // events go on
	l.want(opDispatch, "INTERACTION_CREATE")
	st.NoAcks(false)
	l.send(opHeartbeat, nil)
	l.want(opAck, "")
	st.Zombie(true)
	l.send(opHeartbeat, nil)
	st.wait(Wait, func() bool { return st.gate.beats == 3 })
	missed := st.Line("ana", DiscordMain, "/echo missed")
	l.quiet()
	n := st.dial() // a new connection is a good one
	n.want(opHello, "")
	n.send(opResume, object{"token": DiscordToken, "session_id": ready.get("session_id"), "seq": 3})
	if p := n.want(opDispatch, "INTERACTION_CREATE"); p.get("token") != missed.Token {
		t.Errorf("%s", p.Data)
	}
	n.want(opDispatch, "RESUMED")
	st.Invalidate(false)
	if p := n.want(opInvalid, ""); string(p.Data) != "false" {
		t.Errorf("%s", p.Data)
	}
	st.CloseSockets(4000)
	n.closed(4000)
	l, _ = st.enter(1)
	st.Down(true)
	l.cut()
	if _, _, err := websocket.DefaultDialer.Dial(st.GatewayURL()+"/?v=10", nil); err == nil {
		t.Error("connected while Discord is down")
	}
	st.Down(false)
	st.enter(1)
	if !st.Connected() {
		t.Error("not connected")
	}
}
