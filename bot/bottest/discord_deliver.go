package bottest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file holds how an interaction reaches the bot: its payload, by the
// gateway or by signed HTTP, and the endpoint's answer.

// newAsk begins an interaction of a person in a channel.
func (f *Discord) newAsk(person, channel string, kind int) *DiscordAsk {
	a := &DiscordAsk{f: f, Type: kind, User: f.who(person), Channel: channel, done: make(chan struct{})}
	ch := f.channels[channel]
	switch {
	case f.users[a.User] == nil:
		a.Refused = "there is nobody called " + person
	case ch == nil:
		a.Refused = "there is no such channel"
	case ch.Type != discordDM && f.permissions(a.User, ch)&permView == 0 || ch.Type == discordDM && !ch.Members[a.User]:
		a.Refused = person + " does not see the channel"
	}
	return a
}

// echo is the command as its typist remembers it.
func (f *Discord) echo(a *DiscordAsk, line string, options map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(options)) {
		line += fmt.Sprintf(" %s:%v", k, options[k])
	}
	ch := f.channels[a.Channel]
	ch.Messages = append(ch.Messages, &DiscordMessage{ID: f.id(), Channel: a.Channel, Author: a.User, Content: line, At: f.now(), For: a.User, Typed: true})
}

// payload is an interaction as the bot gets it.
func (f *Discord) payload(a *DiscordAsk, data map[string]any) map[string]any {
	ch := f.channels[a.Channel]
	p := map[string]any{"id": a.ID, "application_id": DiscordApp, "type": a.Type, "data": data, "channel_id": a.Channel, "token": a.Token, "version": 1, "locale": "en-GB", "entitlements": []any{}, "attachment_size_limit": 10 << 20,
		"authorizing_integration_owners": map[string]any{"0": DiscordGuild}, "app_permissions": strconv.FormatInt(f.permissions(DiscordApp, ch), 10), "context": 0}
	if ch.Type == discordDM {
		p["user"], p["context"], p["channel"] = f.userJSON(a.User), 1, f.dmJSON(ch)
		p["authorizing_integration_owners"] = map[string]any{"0": "0"}
	} else {
		p["member"], p["guild_id"], p["guild_locale"], p["channel"] = f.memberJSON(a.User, ch), DiscordGuild, "en-GB", f.channelJSON(ch)
		p["guild"] = map[string]any{"id": DiscordGuild, "locale": "en-GB", "features": []any{}}
	}
	if a.source != nil {
		p["message"] = f.messageAs(a.source, true)
	}
	return p
}

// deliver sends an interaction, unless its person's client refused it.
func (f *Discord) deliver(a *DiscordAsk, data map[string]any) *DiscordAsk {
	if a.Refused != "" {
		return a
	}
	f.mu.Lock()
	if f.channels[a.Channel] == nil {
		a.Refused = "there is no such channel"
		f.mu.Unlock()
		return a
	}
	a.ID, a.Token, a.at, a.born = f.id(), "tok-"+randomHex()+randomHex(), f.now(), time.Now()
	a.Payload = f.payload(a, data)
	f.asks[a.Token] = a
	f.mu.Unlock()
	f.Redeliver(a)
	return a
}

// Redeliver sends an interaction, again if it was sent: the gateway may give
// the same one twice after a resume.
func (f *Discord) Redeliver(a *DiscordAsk) {
	body, err := json.Marshal(a.Payload)
	if err != nil {
		f.broke("the payload is not JSON: %v", err)
		return
	}
	f.DeliverRaw(a, body)
}

// DeliverRaw sends any bytes as an interaction; a may be nil. By the gateway
// they must be JSON.
func (f *Discord) DeliverRaw(a *DiscordAsk, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	if f.Endpoint == "" {
		f.dispatch("INTERACTION_CREATE", "", json.RawMessage(body))
		return
	}
	f.work.Add(1)
	go func(to string) {
		defer f.work.Done()
		f.post(to, a, body)
	}(f.Endpoint)
}

// SignDiscord signs a body as Discord does: the timestamp, then the raw body.
func (f *Discord) SignDiscord(r *http.Request, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature-Timestamp", stamp)
	r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(f.key, append([]byte(stamp), body...))))
}

// Ping sends the PING of the portal to the endpoint, and returns the answer.
func (f *Discord) Ping() (status int, answer string, err error) {
	body := []byte(`{"id":"1","application_id":"` + DiscordApp + `","type":1,"token":"t","version":1}`)
	r, err := http.NewRequest("POST", f.Endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	f.SignDiscord(r, body, f.Now())
	resp, err := (&http.Client{Timeout: Patience}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// post delivers by HTTP: 202 says that the callback URL is used, 200 carries
// the first response itself.
func (f *Discord) post(to string, a *DiscordAsk, body []byte) {
	r, err := http.NewRequest("POST", to, bytes.NewReader(body))
	if err != nil {
		f.broke("the endpoint %q: %v", to, err)
		return
	}
	f.SignDiscord(r, body, f.Now())
	r.Header.Set("User-Agent", "Discord-Interactions/1.0 (+https://discord.com)")
	client := http.Client{Timeout: Patience}
	resp, err := client.Do(r)
	if err != nil {
		return // nobody is there: the person sees that the application does not answer
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if a == nil {
		return
	}
	f.mu.Lock()
	a.status = resp.StatusCode
	f.mu.Unlock()
	if resp.StatusCode != http.StatusOK || len(bytes.TrimSpace(got)) == 0 {
		return
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		f.broke("the endpoint answers with %q", resp.Header.Get("Content-Type"))
		return
	}
	c := &discordAsked{body: got}
	c.Method, c.Op, c.Vars = "POST", "create_interaction_response", map[string]string{"interaction_id": a.ID, "interaction_token": a.Token}
	if err := json.Unmarshal(got, &c.Body); err != nil {
		f.broke("the endpoint's answer is not JSON: %v", err)
		return
	}
	if err := f.contract.check(c, -1); err != nil {
		f.broke("the endpoint's answer: %v\n%s", err, got)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, fail := f.callback(c); fail != nil {
		f.breach("the endpoint's answer: %s (%d)", fail.Message, fail.Code)
	}
}

// part reads a message out of a response's data.
func part(data map[string]any) (map[string]json.RawMessage, messageIn, error) {
	var raw map[string]json.RawMessage
	var in messageIn
	b, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(b, &raw)
	}
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	return raw, in, err
}
