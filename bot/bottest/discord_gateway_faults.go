package bottest

import (
	"strconv"
	"time"
)

// This file holds what goes wrong with the fake Discord's gateway on demand.

// Next says how the next connections behave, one each; "" is a good one:
//
//	"refuse"       503 instead of a websocket
//	"mute"         no hello, nothing
//	"silent"       hello, and then nothing: no ready, no acks
//	"drop"         hello, and cut
//	"reconnect"    op 7 as the second packet, to identify or resume
//	"ack"          op 11 as the second packet, then as usual
//	"ack silent"   op 11 as the second packet, then nothing
//	"invalid"      op 9 false as the second packet
//	"resumable"    op 9 true as the second packet
//	"4000" ...     closed with that code when it identifies or resumes
func (f *Discord) Next(how ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate.script = append(f.gate.script, how...)
}

// greet says hello; false: the connection ends here.
func (f *Discord) greet(c *discordConn) bool {
	switch c.fault {
	case "mute":
		return true
	case "drop":
		c.sendHello(c.every)
		time.Sleep(5 * time.Millisecond) // so that it is written
		return false
	}
	c.sendHello(c.every)
	return true
}

func (c *discordConn) sendHello(every time.Duration) {
	c.send(opHello, map[string]any{"heartbeat_interval": every.Milliseconds(), "_trace": []any{}})
}

// second behaves as Next said when a client identifies or resumes. all: that
// is all it gets; a code: the connection is closed with it.
func (f *Discord) second(c *discordConn) (all bool, code int) {
	how := c.fault
	switch how {
	case "":
		return false, 0
	case "mute", "silent":
		return true, 0
	case "reconnect":
		c.send(opReconnect, nil)
	case "ack":
		c.fault = ""
		c.send(opAck, nil)
		return false, 0
	case "ack silent":
		c.fault = "silent"
		c.send(opAck, nil)
	case "invalid", "resumable":
		c.send(opInvalid, how == "resumable")
	default:
		code, err := strconv.Atoi(how)
		if err != nil || code < 4000 || code > 4999 {
			f.breach("no gateway fault %q", how)
			return false, 0
		}
		return true, code
	}
	if how != "ack silent" {
		c.fault = "" // it may identify again on this connection
	}
	return true, 0
}

// watch closes a connection whose client does not beat; it returns how to end
// watching.
func (f *Discord) watch(c *discordConn) func() {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-c.gone:
				return
			case <-time.After(c.every + 10*time.Second):
			}
			f.mu.Lock()
			late := time.Since(c.beat) > c.every+10*time.Second && !c.zombie
			f.mu.Unlock()
			if late {
				c.closeWith(4000, "no heartbeat")
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}

func (g *discordGate) heal() {
	g.script, g.refuse = nil, 0
	for c := range g.conns {
		c.zombie, c.noAcks = false, false
	}
}

func (f *Discord) conns() []*discordConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*discordConn
	for c := range f.gate.conns {
		all = append(all, c)
	}
	return all
}

// Reconnect asks every client to connect anew (op 7).
func (f *Discord) Reconnect() {
	for _, c := range f.conns() {
		c.send(opReconnect, nil)
	}
}

// Invalidate ends every session (op 9); resumable ones can be resumed.
func (f *Discord) Invalidate(resumable bool) {
	if !resumable {
		f.Expire()
	}
	for _, c := range f.conns() {
		c.send(opInvalid, resumable)
	}
}

// Expire forgets every session: what is resumed is refused.
func (f *Discord) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, s := range f.gate.sessions {
		if s.conn != nil {
			s.conn.session = nil
		}
		delete(f.gate.sessions, id)
	}
}

// RefuseResume refuses the next n resumes.
func (f *Discord) RefuseResume(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate.refuse = n
}

// Zombie keeps the connections that are open so, and says nothing on them any
// more: no acks, no events, no close. New connections are good ones.
func (f *Discord) Zombie(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.gate.conns {
		c.zombie = on
	}
}

// NoAcks leaves heartbeats on the connections that are open without an answer;
// events go on. New connections are good ones.
func (f *Discord) NoAcks(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.gate.conns {
		c.noAcks = on
	}
}

// Drop cuts every connection, without a close frame; sessions can be resumed.
func (f *Discord) Drop() {
	for _, c := range f.conns() {
		c.end()
	}
}

// CloseSockets closes every connection with a code.
func (f *Discord) CloseSockets(code int) {
	for _, c := range f.conns() {
		c.closeWith(code, "as asked")
	}
}

// Privileged sets the privileged intents that the portal allows the bot.
func (f *Discord) Privileged(intents int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate.privileged = intents
}

// DiscordGateway counts what clients did at the gateway.
type DiscordGateway struct {
	Opened, Identifies, Resumes, Beats int
	Connected                          int // connections that are open
	Ready                              int // sessions with a connection
}

// Gateway counts what clients did at the gateway.
func (f *Discord) Gateway() DiscordGateway {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := DiscordGateway{f.gate.opened, f.gate.identifies, f.gate.resumes, f.gate.beats, len(f.gate.conns), 0}
	for _, s := range f.gate.sessions {
		if s.conn != nil {
			g.Ready++
		}
	}
	return g
}

// Connected waits until a client has a session.
func (f *Discord) Connected() bool {
	return f.wait(Wait, func() bool {
		for _, s := range f.gate.sessions {
			if s.conn != nil {
				return true
			}
		}
		return false
	})
}
