package bottest

import (
	"fmt"
	"slices"
	"time"
)

// This file holds the bot's side of interactions: the first response with its
// 3 seconds, follow-ups and edits with their 15 minutes. Who starts an
// interaction is in discord_people.go.

// Kinds of interactions and of responses.
const (
	askCommand, askComponent, askComplete, askModal = 2, 3, 4, 5

	sayPong, sayMessage, sayDefer, sayDeferUpdate, sayUpdate, sayChoices, sayModal = 1, 4, 5, 6, 7, 8, 9
)

// discordFirst and discordToken are how long a first response and a token last.
const (
	discordFirst = 3 * time.Second
	discordLast  = 15 * time.Minute
)

// Patience is how long the fakes wait, in the machine's own time, where the
// service gives 3 seconds: a machine with too much to do is no late bot. What
// a test moves their clocks on by counts in full.
const Patience = 30 * time.Second

// late reports whether a first response comes too late. The fake is locked.
func (a *DiscordAsk) late() bool {
	took := time.Since(a.born)
	return took > Patience || a.f.now().Sub(a.at)-took > discordFirst
}

// DiscordAsk is an interaction: what a person asked, and what was answered.
type DiscordAsk struct {
	ID, Token, User, Channel string
	Type                     int
	Payload                  map[string]any // as it was delivered
	Refused                  string         // why the person's client did not let them; "" otherwise

	f         *Discord
	at        time.Time
	born      time.Time       // as at, by the machine's clock
	source    *DiscordMessage // the message that a component stands on
	from      *DiscordAsk     // the interaction that showed the modal
	kind      int             // of the first response; 0: none yet
	data      map[string]any
	original  string   // the message that @original is
	followups []string // messages after it
	fromDefer bool     // the first follow-up is still to become the answer
	ephemeral bool
	status    int // what the endpoint answered to the POST
	done      chan struct{}
}

// ask finds a request's interaction by its token, while the token lasts.
func (f *Discord) ask(c *discordAsked) (*DiscordAsk, *discordError) {
	a := f.asks[c.Vars["webhook_token"]]
	switch {
	case c.Vars["webhook_id"] != DiscordApp || a == nil:
		return nil, codeError(10015)
	case f.now().Sub(a.at) > discordLast:
		return nil, codeError(50027)
	case a.kind == 0:
		return nil, codeError(10015) // there is no webhook before the first response
	}
	return a, nil
}

// callback is the first response.
func (f *Discord) callback(c *discordAsked) (any, *discordError) {
	a := f.asks[c.Vars["interaction_token"]]
	switch {
	case a == nil || a.ID != c.Vars["interaction_id"]:
		return nil, codeError(10062)
	case a.kind != 0:
		f.breach("interaction %s (%s) is answered a second time", a.ID, a.what())
		return nil, codeError(40060)
	case a.late():
		return nil, codeError(10062)
	}
	kind, ok := c.Body["type"].(float64)
	if !ok {
		return nil, formError("type", "BASE_TYPE_REQUIRED", "This field is required")
	}
	data, _ := c.Body["data"].(map[string]any)
	if fail := f.first(a, c, int(kind), data); fail != nil {
		return nil, fail
	}
	if c.query.Get("with_response") == "true" {
		r := map[string]any{"interaction": map[string]any{"id": a.ID, "type": a.Type}}
		if m := f.of(a, a.original); m != nil {
			r["resource"] = map[string]any{"type": a.kind, "message": f.messageJSON(m)}
		}
		return r, nil
	}
	return nil, nil
}

// first takes a first response, by callback or as the endpoint's answer.
func (f *Discord) first(a *DiscordAsk, c *discordAsked, kind int, data map[string]any) *discordError {
	raw, in, err := part(data)
	if err != nil {
		return formError("data", "BASE_TYPE_BAD", err.Error())
	}
	bad := func(why string) *discordError {
		f.breach("interaction %s (%s): %s", a.ID, a.what(), why)
		return formError("type", "INTERACTION_APPLICATION_COMMAND_CALLBACK_TYPE", why)
	}
	component := a.Type == askComponent || a.Type == askModal && a.source != nil
	switch {
	case a.Type == askComplete && kind != sayChoices:
		return bad(fmt.Sprintf("autocomplete is answered with type %d", kind))
	case kind == sayChoices && a.Type != askComplete:
		return bad("choices, although nobody is completing")
	case kind == sayModal && a.Type == askModal:
		return bad("a modal after a modal")
	case (kind == sayDeferUpdate || kind == sayUpdate) && !component:
		return bad("an update, but there is no message under it")
	case kind < sayPong || kind > sayModal || kind == 2 || kind == 3:
		return bad(fmt.Sprintf("there is no response type %d", kind))
	case kind == sayPong:
		return bad("a pong to no ping")
	}
	flags := 0
	if in.Flags != nil {
		flags = *in.Flags
	}
	a.ephemeral = flags&flagEphemeral != 0
	switch kind {
	case sayMessage, sayDefer:
		m := f.answerMessage(a, flags&flagEphemeral != 0)
		if kind == sayDefer {
			if flags&^flagEphemeral != 0 {
				return bad(fmt.Sprintf("deferred with flags %d: only 64 is allowed", flags))
			}
			m.Thinking, a.fromDefer = true, true
			m.Flags |= flagLoading
		} else if err := f.apply(c, raw, in, m); err != nil {
			return err
		}
		a.original = m.ID
		f.put(f.channels[a.Channel], m)
	case sayDeferUpdate:
		a.original = a.source.ID
	case sayUpdate:
		a.original = a.source.ID
		if f.of(a, a.original) == nil {
			return codeError(10008)
		}
		if _, err := f.edit(c, raw, in, a.source); err != nil {
			return err
		}
	}
	a.kind, a.data = kind, data
	close(a.done)
	return nil
}

func (a *DiscordAsk) what() string {
	data, _ := a.Payload["data"].(map[string]any)
	if n, ok := data["name"]; ok {
		return fmt.Sprint(n)
	}
	return fmt.Sprint(data["custom_id"])
}

// answerMessage makes a message that answers an interaction.
func (f *Discord) answerMessage(a *DiscordAsk, ephemeral bool) *DiscordMessage {
	m := &DiscordMessage{ID: f.id(), Channel: a.Channel, Author: DiscordApp, At: f.now(), Ask: a.Token}
	if ephemeral {
		m.For, m.Flags = a.User, flagEphemeral
	}
	return m
}

// of finds a message of an interaction, while its channel is there.
func (f *Discord) of(a *DiscordAsk, id string) *DiscordMessage {
	ch := f.channels[a.Channel]
	if ch == nil || id == "" {
		return nil
	}
	return ch.find(id)
}

// answered finds the message that a request speaks of.
func (f *Discord) answered(c *discordAsked) (*DiscordAsk, *DiscordMessage, *discordError) {
	a, err := f.ask(c)
	if err != nil {
		return nil, nil, err
	}
	id := c.Vars["message_id"]
	if id == "" || id == "@original" {
		id = a.original
	} else if id != a.original && !slices.Contains(a.followups, id) {
		return nil, nil, codeError(10008)
	}
	m := f.of(a, id)
	if m == nil {
		return nil, nil, codeError(10008)
	}
	return a, m, nil
}

func (f *Discord) getAnswer(c *discordAsked) (any, *discordError) {
	_, m, err := f.answered(c)
	if err != nil {
		return nil, err
	}
	return f.messageJSON(m), nil
}

func (f *Discord) editAnswer(c *discordAsked) (any, *discordError) {
	a, m, err := f.answered(c)
	if err != nil {
		return nil, err
	}
	var in messageIn
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if in.Flags != nil && *in.Flags&flagEphemeral != m.Flags&flagEphemeral {
		f.breach("an edit of an answer cannot change who sees it")
	}
	return f.fill(a, c, in, m)
}

// fill edits an answer; a deferred one is answered with it.
func (f *Discord) fill(a *DiscordAsk, c *discordAsked, in messageIn, m *DiscordMessage) (any, *discordError) {
	thinking := m.Thinking
	j, err := f.edit(c, c.raw, in, m)
	if err != nil {
		return nil, err
	}
	if thinking {
		m.Thinking, m.Edits, m.Edited = false, 0, time.Time{}
		m.Flags &^= flagLoading
		a.fromDefer = false
		if m.For == "" {
			f.ping(f.channels[m.Channel], m)
		}
		j = f.messageJSON(m)
	}
	return j, nil
}

func (f *Discord) deleteAnswer(c *discordAsked) (any, *discordError) {
	_, m, err := f.answered(c)
	if err != nil {
		return nil, err
	}
	f.dropMessage(f.channels[m.Channel], m.ID)
	return nil, nil
}

// followUp says something more; the first one after a deferral is the answer.
func (f *Discord) followUp(c *discordAsked) (any, *discordError) {
	a, err := f.ask(c)
	if err != nil {
		return nil, err
	}
	if f.channels[a.Channel] == nil {
		return nil, codeError(10003)
	}
	var in messageIn
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if m := f.of(a, a.original); a.fromDefer && m != nil && m.Thinking {
		return f.fill(a, c, in, m)
	}
	m := f.answerMessage(a, in.Flags != nil && *in.Flags&flagEphemeral != 0)
	if err := f.apply(c, c.raw, in, m); err != nil {
		return nil, err
	}
	if err := archived(f.channels[a.Channel]); err != nil && m.For == "" {
		return nil, err
	}
	a.followups = append(a.followups, m.ID)
	f.put(f.channels[a.Channel], m)
	return f.messageJSON(m), nil
}

// OK waits for the first response, and tells whether it came in time.
func (a *DiscordAsk) OK() bool {
	if a.Refused != "" {
		return false
	}
	select {
	case <-a.done:
		return true
	case <-time.After(Patience + 500*time.Millisecond):
	case <-a.f.quit:
	}
	return a.Kind() != 0
}

// Kind is the first response's type; 0: there was none.
func (a *DiscordAsk) Kind() int {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.kind
}

// Data is the first response's data.
func (a *DiscordAsk) Data() map[string]any {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.data
}

// Ephemeral is whether the first response was for its person alone.
func (a *DiscordAsk) Ephemeral() bool {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.ephemeral
}

// Status is what the endpoint answered to the POST; 0: none, or by the gateway.
func (a *DiscordAsk) Status() int {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.status
}

// Modal is the modal that was answered, or nil.
func (a *DiscordAsk) Modal() map[string]any {
	if a.Kind() != sayModal {
		return nil
	}
	return a.Data()
}

// Choices are what autocomplete was answered with: names, and values as text.
func (a *DiscordAsk) Choices() (names, values []string) {
	list, _ := a.Data()["choices"].([]any)
	for _, c := range list {
		c, _ := c.(map[string]any)
		names = append(names, fmt.Sprint(c["name"]))
		values = append(values, fmt.Sprint(c["value"]))
	}
	return names, values
}

// Message is the answer as it is now; false: there is none.
func (a *DiscordAsk) Message() (DiscordMessage, bool) {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	if m := a.f.of(a, a.original); m != nil {
		return m.copy(), true
	}
	return DiscordMessage{}, false
}

// Followups are what was said after the answer.
func (a *DiscordAsk) Followups() []DiscordMessage {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	var all []DiscordMessage
	for _, id := range a.followups {
		if m := a.f.of(a, id); m != nil {
			all = append(all, m.copy())
		}
	}
	return all
}

// Text is what its person sees of the answer and its follow-ups now.
func (a *DiscordAsk) Text() string {
	if a.Refused != "" {
		return a.Refused
	}
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	out := ""
	for _, id := range append([]string{a.original}, a.followups...) {
		if m := a.f.of(a, id); m != nil {
			out += a.f.draw(m, false)
		}
	}
	return out
}
