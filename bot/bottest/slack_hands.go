package bottest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// This file is what people do in the fake Slack (type, mention, press) and how
// it is delivered: by Socket Mode, or by signed HTTP.

// Command types a slash command. It returns the delivery's envelope id, and
// whether it was acknowledged, in Patience.
func (f *Slack) Command(user, channel, line string) (string, bool) {
	verb, text, _ := strings.Cut(line, " ")
	f.mu.Lock()
	c := f.channels[channel]
	c.Messages = append(c.Messages, &SlackMessage{TS: f.ts(), User: SlackUser(user), Text: line, For: SlackUser(user), Typed: true})
	p := map[string]any{"command": verb, "text": slackEscape(text), "user_id": SlackUser(user), "user_name": user, "channel_id": channel, "channel_name": c.Name,
		"team_id": "T0TEAM", "api_app_id": "A0APP", "trigger_id": f.trigger(SlackUser(user)), "response_url": f.hook(channel, SlackUser(user), "")}
	f.mu.Unlock()
	return f.Deliver("slash_commands", p)
}

func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Mention says something to the bot in a channel.
func (f *Slack) Mention(user, channel string) (string, bool) {
	f.mu.Lock()
	id := f.id("Ev")
	f.mu.Unlock()
	return f.Deliver("events_api", map[string]any{"type": "event_callback", "event_id": id, "team_id": "T0TEAM", "api_app_id": "A0APP", "event_time": time.Now().Unix(),
		"event": map[string]any{"type": "app_mention", "user": SlackUser(user), "text": "<@U0BOT> hello", "channel": channel, "ts": f.stamp(), "event_ts": f.stamp()}})
}

func (f *Slack) stamp() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ts()
}

// Click presses the newest button with a label that a user sees in a channel;
// false: there is none.
func (f *Slack) Click(user, channel, label string) bool {
	p := f.Button(user, channel, label)
	if p == nil {
		return false
	}
	f.Deliver("interactive", p)
	return true
}

// Button is the payload of a press, or nil.
func (f *Slack) Button(user, channel, label string) map[string]any {
	return f.pressed(user, channel, func(b, e map[string]any) map[string]any {
		text, _ := e["text"].(map[string]any)
		if b["type"] != "actions" || text["text"] != label {
			return nil
		}
		return map[string]any{"type": "button", "action_id": e["action_id"], "block_id": "b", "value": e["value"]}
	})
}

// Menu chooses the newest entry with a label, of a menu in a message that a
// user sees in a channel; false: there is none, or it was not acknowledged.
func (f *Slack) Menu(user, channel, label string) bool {
	p := f.pressed(user, channel, func(b, e map[string]any) map[string]any {
		options, _ := e["options"].([]any)
		for _, o := range options {
			o, _ := o.(map[string]any)
			if t, _ := o["text"].(map[string]any); t["text"] == label {
				return map[string]any{"type": e["type"], "action_id": e["action_id"], "block_id": b["block_id"], "selected_option": o}
			}
		}
		return nil
	})
	if p == nil {
		return false
	}
	_, ok := f.Deliver("interactive", p)
	return ok
}

// pressed is the payload of a press in the newest message of which action makes
// an action of an element of a block, or nil.
func (f *Slack) pressed(user, channel string, action func(block, element map[string]any) map[string]any) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[channel]
	for i := len(c.Messages) - 1; i >= 0; i-- {
		m := c.Messages[i]
		if m.For != "" && m.For != SlackUser(user) {
			continue
		}
		for _, b := range m.Blocks {
			es, _ := b["elements"].([]any)
			if a := b["accessory"]; a != nil {
				es = append(es, a)
			}
			for _, e := range es {
				e, _ := e.(map[string]any)
				a := action(b, e)
				if a == nil {
					continue
				}
				a["action_ts"] = f.ts()
				return map[string]any{"type": "block_actions", "user": map[string]any{"id": SlackUser(user), "username": user}, "channel": map[string]any{"id": channel, "name": c.Name},
					"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": channel, "is_ephemeral": m.For != ""}, "trigger_id": f.trigger(SlackUser(user)),
					"response_url": f.hook(channel, SlackUser(user), m.TS), "team": map[string]any{"id": "T0TEAM"}, "api_app_id": "A0APP",
					"actions": []any{a}}
			}
		}
	}
	return nil
}

// Deliver sends a payload by socket or HTTP, until it is acknowledged.
func (f *Slack) Deliver(kind string, payload map[string]any) (string, bool) {
	f.mu.Lock()
	id := f.id("env-")
	f.mu.Unlock()
	return id, f.DeliverAs(id, kind, payload)
}

// DeliverAs is Deliver under a given envelope id: the same one is a repetition.
func (f *Slack) DeliverAs(id, kind string, payload map[string]any) bool {
	if f.Events != "" {
		return f.post(id, kind, payload)
	}
	f.mu.Lock()
	acked := make(chan struct{})
	f.waiting[id] = acked
	f.mu.Unlock()
	end := time.Now().Add(Patience)
	for {
		f.mu.Lock()
		for c, m := range f.sockets {
			m.Lock()
			_ = c.WriteJSON(map[string]any{"type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": kind != "events_api"})
			m.Unlock()
			break
		}
		n := len(f.sockets)
		f.mu.Unlock()
		wait := 10 * time.Millisecond
		if n > 0 {
			wait = 300 * time.Millisecond // then once more: the socket may have gone
		}
		select {
		case <-acked:
			return true
		case <-time.After(wait):
			if time.Now().After(end) {
				return false
			}
		}
	}
}

// SlackBody is a delivery as HTTP carries it.
func SlackBody(kind string, payload map[string]any) (contentType, body string) {
	switch kind {
	case "events_api":
		b, _ := json.Marshal(payload)
		return "application/json", string(b)
	case "interactive":
		b, _ := json.Marshal(payload)
		return "application/x-www-form-urlencoded", url.Values{"payload": {string(b)}}.Encode()
	}
	v := url.Values{}
	for k, x := range payload {
		v.Set(k, fmt.Sprint(x))
	}
	return "application/x-www-form-urlencoded", v.Encode()
}

// SignSlack signs a request's body as Slack does.
func SignSlack(r *http.Request, body string, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, []byte(SlackSecret))
	io.WriteString(m, "v0:"+stamp+":"+body)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(m.Sum(nil)))
}

func (f *Slack) post(id, kind string, payload map[string]any) bool {
	ct, body := SlackBody(kind, payload)
	r, _ := http.NewRequest("POST", f.Events, strings.NewReader(body))
	r.Header.Set("Content-Type", ct)
	SignSlack(r, body, time.Now())
	c := http.Client{Timeout: Patience}
	resp, err := c.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[id] = b
	return resp.StatusCode == 200 && (len(b) == 0 || payload["type"] == "view_submission")
}
