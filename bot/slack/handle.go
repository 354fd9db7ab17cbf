package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what a delivery does: a command is said in its room, a
// button pressed, a mention answered with the help.

// action is what we read of a block_actions payload.
type action struct {
	Type string `json:"type"`
	User struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		ChannelID   string `json:"channel_id"`
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	View struct {
		ID   string `json:"id"`
		Type string `json:"type"` // "home", "modal"; "": it was pressed in a message
	} `json:"view"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
	Actions     []struct {
		ActionID string      `json:"action_id"`
		BlockID  string      `json:"block_id"`
		Value    string      `json:"value"`
		Selected optionValue `json:"selected_option"`
	} `json:"actions"`
}

// channel is where it was pressed; "" in a view.
func (a action) channel() string { return or(a.Channel.ID, a.Container.ChannelID) }

// event is what we read of an event_callback.
type event struct {
	Event struct {
		Type     string `json:"type"`
		User     string `json:"user"`
		BotID    string `json:"bot_id"`
		Channel  string `json:"channel"`
		ThreadTS string `json:"thread_ts"`
	} `json:"event"`
}

// pressed is a button's value: which button of which message it is.
type pressed struct {
	Room    string `json:"r"`
	Message string `json:"m"`
	Button  int    `json:"b"`
	Label   string `json:"l,omitempty"`
}

// asker is who waits for an answer, and where.
type asker struct {
	url, channel, user, thread string
	view                       string // that the answer is shown in
	at                         time.Time
}

// command says a slash command in its room.
func (s *Slack) command(ctx context.Context, e envelope, c slack.SlashCommand) error {
	to := asker{url: c.ResponseURL, channel: c.ChannelID, user: c.UserID, at: e.At}
	by, no, err := s.who(ctx, c.UserID, c.UserName)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	text := strings.TrimSpace(c.Command + " " + s.undo(ctx, c.Text))
	if strings.TrimSpace(c.Text) == "help" {
		text = "/help " + strings.TrimPrefix(c.Command, "/")
	}
	return s.request(ctx, to, commands.Request{ID: "slack/" + e.ID, Text: text, By: by, Room: s.room(c.ChannelID), At: e.At})
}

// mentioned answers a mention of the bot with the help.
func (s *Slack) mentioned(ctx context.Context, e envelope, v event) error {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if v.Event.User == "" || v.Event.User == self || v.Event.BotID != "" {
		return nil
	}
	by, no, err := s.who(ctx, v.Event.User, v.Event.User)
	if err != nil {
		return err
	}
	to := asker{channel: v.Event.Channel, user: v.Event.User, thread: v.Event.ThreadTS, at: e.At}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	return s.request(ctx, to, commands.Request{ID: "slack/" + e.ID, Text: "/help", By: by, Room: s.room(v.Event.Channel), At: e.At})
}

// request has a line answered, and tells the asker what the channel does not.
func (s *Slack) request(ctx context.Context, to asker, q commands.Request) error {
	_, err := s.answer(ctx, to, q)
	return err
}

// answer is request that returns the reply.
func (s *Slack) answer(ctx context.Context, to asker, q commands.Request) (commands.Reply, error) {
	answered := make(chan commands.Reply, 1)
	go func() { answered <- s.o.Rooms.Say(ctx, q) }()
	reply, err := s.await(ctx, to, answered)
	if err != nil {
		return reply, err
	}
	if s.shown(ctx, q.Room, reply) && s.room(to.channel) == q.Room && s.known(to.channel) && !s.isBlocked(to.channel) {
		return reply, nil // its channel says it
	}
	y := s.private(ctx, q.Room, q.By.ID, q.ID, reply)
	y.Share = y.ID != "" && to.view == "" && sharable(to, q, reply)
	return reply, s.whisper(ctx, to, y, false)
}

// working is said once when an answer takes long. It stays where it stands: what
// one person alone sees cannot be taken away again.
const working = "Working on it. The answer comes below."

// await waits for an answer, saying that it works on it when that takes long.
func (s *Slack) await(ctx context.Context, to asker, answered <-chan commands.Reply) (reply commands.Reply, err error) {
	slow := time.NewTimer(s.o.Answer)
	defer slow.Stop()
	select {
	case reply = <-answered:
	case <-slow.C:
		if to.url != "" {
			if err := s.whisper(ctx, to, say{Reply: commands.Reply{State: commands.StateRunning, Headline: working}}, false); err != nil {
				s.o.Log.Warn("slack: say that it is worked on", "error", words(err))
			}
		}
		reply = <-answered
	}
	if ctx.Err() != nil {
		return reply, ctx.Err()
	}
	if c := reply.Problem.Code; c == "stopping" {
		return reply, bot.ErrStopping
	}
	return reply, nil
}

// interact does what was pressed or submitted.
func (s *Slack) interact(ctx context.Context, e envelope) error {
	var kind struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(e.Payload, &kind)
	switch kind.Type {
	case "block_actions":
		var a action
		if json.Unmarshal(e.Payload, &a) != nil || len(a.Actions) == 0 {
			return nil
		}
		switch {
		case a.Actions[0].ActionID == besideAction:
			return s.unopened(ctx, e, a)
		case a.Actions[0].ActionID == shareAction:
			return s.share(ctx, e, a)
		case a.Actions[0].ActionID == pickAction:
			return s.picked(ctx, e, a)
		case a.View.Type == "home":
			return s.homePress(ctx, e, a)
		default:
			return s.press(ctx, e, a)
		}
	case "view_submission":
		var sub submission
		if json.Unmarshal(e.Payload, &sub) == nil {
			return s.submitted(ctx, e, sub)
		}
	case "message_action":
		var a shortcut
		if json.Unmarshal(e.Payload, &a) == nil {
			return s.added(ctx, e, a)
		}
	}
	return nil
}

// press presses a button of a room's message.
func (s *Slack) press(ctx context.Context, e envelope, a action) error {
	if len(a.Actions) == 0 || !strings.HasPrefix(a.Actions[0].ActionID, "press") {
		return nil // a link
	}
	var p pressed
	if err := json.Unmarshal([]byte(a.Actions[0].Value), &p); err != nil {
		return nil // not one of ours
	}
	to := asker{url: a.ResponseURL, channel: a.channel(), user: a.User.ID, at: e.At, view: or(e.View, a.View.ID)}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	answered := make(chan commands.Reply, 1)
	go func() {
		answered <- s.o.Rooms.PressOnce(ctx, "slack-"+e.ID, p.Room, p.Message, p.Button, p.Label, by)
	}()
	reply, err := s.await(ctx, to, answered)
	if err != nil {
		return err
	}
	if a.Container.IsEphemeral {
		if m, ok := s.message(ctx, p.Room, by.ID, func(m bot.Message) bool { return m.ID == p.Message }); ok {
			if err := s.whisper(ctx, to, s.saying(m), true); err != nil {
				return err
			}
		}
	}
	if to.view == "" && s.shown(ctx, p.Room, reply) && s.known(to.channel) {
		return nil // its channel says it
	}
	return s.whisper(ctx, to, s.private(ctx, p.Room, by.ID, strings.Join([]string{"press", p.Room, p.Message, "slack-" + e.ID}, "/"), reply), false)
}

// private is a reply that one person alone is to see, with the buttons of its
// message in the room.
func (s *Slack) private(ctx context.Context, room, person, request string, reply commands.Reply) say {
	m, ok := s.message(ctx, room, person, func(m bot.Message) bool {
		return m.Request == request && m.By.Platform == bot.Bot.Platform
	})
	if !ok {
		reply.Buttons = nil
		return say{Reply: reply}
	}
	m.Reply = reply
	return s.saying(m)
}

// message returns the newest message that fits, of those a person sees.
func (s *Slack) message(ctx context.Context, room, person string, fits func(bot.Message) bool) (bot.Message, bool) {
	ms, err := s.o.Rooms.Messages(ctx, room, person, 0)
	if err != nil {
		s.o.Log.Error("slack: read a room", "room", room, "error", err)
	}
	for i := len(ms) - 1; i >= 0; i-- {
		if fits(ms[i]) {
			return ms[i], true
		}
	}
	return bot.Message{}, false
}

// shown reports whether a reply is said in its room's channel.
func (s *Slack) shown(ctx context.Context, room string, reply commands.Reply) bool {
	return reply.Public && reply.Problem.IsZero() && !s.channels.Hides(ctx, room, reply)
}

// known person, for an hour.
type known struct {
	by    commands.Person
	guest bool
	at    time.Time
}

// who asks Slack who a user is. no, when not nil, is the polite refusal for
// guests and people of other workspaces. The name is the user's handle, since
// anybody may choose a display name.
func (s *Slack) who(ctx context.Context, id, handle string) (by commands.Person, no *commands.Reply, err error) {
	s.mu.Lock()
	k, ok := s.people[id]
	s.mu.Unlock()
	if !ok || s.o.Now().Sub(k.at) > time.Hour {
		u, err := s.api.GetUserInfoContext(ctx, id)
		switch {
		case err == nil:
			k = known{by: commands.Person{ID: "slack:" + id, Name: bot.Clean(u.Name), Platform: "slack", Zone: u.TZ}, at: s.o.Now(),
				guest: s.outsider(u)}
		case slackError(err) == "missing_scope":
			s.once("the scope users:read is missing: names are those that Slack sends along, and guests are not told from members")
			k = known{by: commands.Person{ID: "slack:" + id, Name: or(bot.Clean(handle), k.by.Name), Platform: "slack"}, at: s.o.Now()}
		case slackError(err) == "user_not_found" || slackError(err) == "user_not_visible":
			k = known{guest: true, at: s.o.Now()}
		default:
			return by, nil, fmt.Errorf("ask Slack who %s is: %w", id, err)
		}
		if k.by.Name == "" {
			k.by.Name = id
		}
		s.mu.Lock()
		if len(s.people) > 10_000 {
			clear(s.people)
		}
		s.people[id] = k
		s.mu.Unlock()
	}
	if k.guest {
		return by, &commands.Reply{State: commands.StateInfo, Headline: "certmedic works for members of this workspace only.",
			Body: "Ask one of them to say it for you.", Problem: commands.Problem{Code: "guest", Message: "certmedic works for members of this workspace only.", Hint: "Ask one of them to say it for you."}}, nil
	}
	return k.by, nil, nil
}

var (
	userTag    = regexp.MustCompile(`<@([UW][A-Z0-9]+)(?:\|([^<>|]*))?>`)
	channelTag = regexp.MustCompile(`<#([A-Z0-9]+)(?:\|([^<>|]*))?>`)
	specialTag = regexp.MustCompile(`<!([a-z]+)(?:\^([A-Za-z0-9]+))?[^<>|]*(?:\|([^<>]*))?>`)
	linkTag    = regexp.MustCompile(`<((?:https?://|mailto:)[^<>|\s]+)(?:\|([^<>|]*))?>`)
	entities   = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")
)

// undo takes back what Slack made of a typed text.
func (s *Slack) undo(ctx context.Context, text string) string {
	return undo(text, func(id string) string {
		if by, no, err := s.who(ctx, id, ""); err == nil && no == nil && by.Name != id {
			return by.Name
		}
		return ""
	})
}

// undo is Slack's markup taken back; handle returns a user's, or "".
func undo(text string, handle func(id string) string) string {
	text = bot.Clean(text) // first: nothing is to become a tag by losing a character
	text = userTag.ReplaceAllStringFunc(text, func(m string) string {
		p := userTag.FindStringSubmatch(m)
		if h := handle(p[1]); h != "" {
			return "@" + h
		}
		return "@" + or(strings.TrimPrefix(p[2], "@"), p[1])
	})
	text = channelTag.ReplaceAllStringFunc(text, func(m string) string {
		p := channelTag.FindStringSubmatch(m)
		return "#" + or(p[2], p[1])
	})
	text = specialTag.ReplaceAllStringFunc(text, func(m string) string {
		p := specialTag.FindStringSubmatch(m)
		return or(p[3], "@"+p[1])
	})
	text = linkTag.ReplaceAllStringFunc(text, func(m string) string {
		p := linkTag.FindStringSubmatch(m)
		bare := p[1]
		for _, scheme := range []string{"http://", "https://", "mailto:"} {
			bare = strings.TrimPrefix(bare, scheme)
		}
		if p[2] != "" && strings.TrimSuffix(bare, "/") == strings.TrimSuffix(p[2], "/") {
			return p[2] // linked by Slack, not by the person
		}
		return p[1]
	})
	return entities.Replace(text)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
