package bottest

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// This file holds how events reach the fake Discord's sessions: which ones
// want them, the sequence, and the writing on a connection.

func (c *discordConn) send(op int, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = []byte("null")
	}
	c.put(discordFrame{Op: op, Data: raw})
}

func (c *discordConn) put(fr discordFrame) {
	c.mu.Lock()
	c.out = append(c.out, fr)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the connection is gone.
func (c *discordConn) write() {
	for {
		c.mu.Lock()
		list, zipped := c.out, c.compress
		c.out = nil
		c.mu.Unlock()
		for _, fr := range list {
			if c.writeOne(fr, zipped) != nil {
				c.end()
				return
			}
		}
		select {
		case <-c.wake:
		case <-c.gone:
			return
		}
	}
}

func (c *discordConn) writeOne(fr discordFrame, zipped bool) error {
	b, err := json.Marshal(fr)
	if err != nil {
		return err
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if zipped && len(b) > 1024 { // payload compression: big ones are zlib in a binary frame
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		return c.ws.WriteMessage(websocket.BinaryMessage, z.Bytes())
	}
	return c.ws.WriteMessage(websocket.TextMessage, b)
}

// end cuts a connection without a close frame.
func (c *discordConn) end() {
	c.once.Do(func() { close(c.gone); c.ws.Close() })
}

// closeWith closes a connection with a code.
func (c *discordConn) closeWith(code int, why string) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
	c.end()
}

// dispatch sends an event to every session whose intents have it, connected or
// not: who resumes is told. channel "" is an interaction, for everybody.
func (f *Discord) dispatch(event, channel string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		f.breach("event %s is not JSON: %v", event, err)
		return
	}
	if ch := f.channels[channel]; ch != nil && ch.Type != discordDM && !strings.HasPrefix(event, "CHANNEL_") && !strings.HasPrefix(event, "THREAD_") && f.permissions(DiscordApp, ch)&permView == 0 {
		return
	}
	for _, s := range f.gate.sessions {
		if f.wants(s, event, channel) {
			f.give(s, event, raw)
		}
	}
}

func (f *Discord) wants(s *discordSession, event, channel string) bool {
	need := intentGuilds
	dm := f.channels[channel] != nil && f.channels[channel].Type == discordDM
	switch {
	case event == "INTERACTION_CREATE":
		return true
	case strings.HasPrefix(event, "MESSAGE_REACTION_"):
		need = intentReactions
	case strings.HasPrefix(event, "MESSAGE_") && dm:
		need = intentDMs
	case strings.HasPrefix(event, "MESSAGE_"):
		need = intentMessages
	}
	return s.intents&need != 0
}

// give puts an event into a session, and on its connection.
func (f *Discord) give(s *discordSession, event string, raw json.RawMessage) {
	s.seq++
	seq := s.seq
	fr := discordFrame{Op: opDispatch, Data: raw, Seq: &seq, Name: &event}
	s.buffer = append(s.buffer, fr)
	if s.conn != nil && !s.conn.zombie {
		s.conn.put(fr)
	}
}

func (f *Discord) dispatchMessage(event string, m *DiscordMessage) {
	for _, s := range f.gate.sessions {
		if f.wants(s, event, m.Channel) {
			j := f.messageAs(m, m.Author == DiscordApp || m.Told || s.intents&intentContent != 0)
			if ch := f.channels[m.Channel]; ch == nil || ch.Type == discordDM {
				// no guild
			} else if f.permissions(DiscordApp, ch)&permView == 0 {
				continue
			} else {
				j["guild_id"] = DiscordGuild
				if f.users[m.Author] != nil {
					member := f.memberJSON(m.Author, nil)
					delete(member, "user")
					j["member"] = member
				}
			}
			if raw, err := json.Marshal(j); err == nil {
				f.give(s, event, raw)
			}
		}
	}
}
