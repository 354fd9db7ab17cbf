package bottest

import (
	"fmt"
	"strings"
)

// This file holds what the fake Discord's people do with what is there: menus
// on messages, buttons, selects, modals, reactions, and words. What they type
// is in discord_people.go.

// MessageCommand uses a command of the menu on a message. The bot may read
// that message, whatever its intents.
func (f *Discord) MessageCommand(person, channel, message, name string) *DiscordAsk {
	f.mu.Lock()
	a := f.newAsk(person, channel, askCommand)
	cmd := f.command(name, 3)
	var m *DiscordMessage
	if ch := f.channels[channel]; ch != nil {
		m = ch.visible(message)
	}
	var data map[string]any
	switch {
	case a.Refused != "":
	case cmd == nil:
		a.Refused = "no command " + name + " is registered for messages"
	case m == nil:
		a.Refused = "there is no such message"
	default:
		a.Refused = f.forbidden(cmd, a)
		data = map[string]any{"id": cmd["id"], "name": name, "type": 3, "guild_id": DiscordGuild, "target_id": m.ID,
			"resolved": map[string]any{"messages": map[string]any{m.ID: f.messageAs(m, true)}}}
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

// Click presses the newest button with a label that a person sees in a
// channel; nil: there is none that can be pressed.
func (f *Discord) Click(person, channel, label string) *DiscordAsk {
	m, b := f.Button(person, channel, label)
	if b == nil {
		return nil
	}
	return f.Press(person, channel, m.ID, fmt.Sprint(b["custom_id"]), nil)
}

// Button is the newest button with a label that a person sees and can press,
// and its message; nil: none.
func (f *Discord) Button(person, channel, label string) (DiscordMessage, map[string]any) {
	return f.component(person, channel, func(c map[string]any) bool {
		return c["type"] == float64(2) && c["label"] == label && c["disabled"] != true && c["url"] == nil
	})
}

// Select chooses values in the newest select whose custom id begins with a
// prefix; nil: there is none.
func (f *Discord) Select(person, channel, prefix string, values ...string) *DiscordAsk {
	m, s := f.component(person, channel, func(c map[string]any) bool {
		kind, _ := c["type"].(float64)
		id, _ := c["custom_id"].(string)
		return kind >= 3 && kind <= 8 && kind != 4 && c["disabled"] != true && strings.HasPrefix(id, prefix)
	})
	if s == nil {
		return nil
	}
	return f.Press(person, channel, m.ID, fmt.Sprint(s["custom_id"]), values)
}

func (f *Discord) component(person, channel string, is func(map[string]any) bool) (DiscordMessage, map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[channel]
	if ch == nil || !f.reads(DiscordUser(person), ch) {
		return DiscordMessage{}, nil
	}
	for i := len(ch.Messages) - 1; i >= 0; i-- {
		m := ch.Messages[i]
		if m.For != "" && m.For != DiscordUser(person) {
			continue
		}
		var found map[string]any
		walkComponents(m.Components, func(c map[string]any) {
			if found == nil && is(c) {
				found = c
			}
		})
		if found != nil {
			return m.copy(), found
		}
	}
	return DiscordMessage{}, nil
}

// walkComponents visits components and what is in them.
func walkComponents(list []map[string]any, visit func(map[string]any)) {
	for _, c := range list {
		visit(c)
		for _, k := range []string{"components", "component", "accessory"} {
			switch v := c[k].(type) {
			case []any:
				var in []map[string]any
				for _, e := range v {
					if e, ok := e.(map[string]any); ok {
						in = append(in, e)
					}
				}
				walkComponents(in, visit)
			case map[string]any:
				walkComponents([]map[string]any{v}, visit)
			}
		}
	}
}

// Press delivers a press of a component by its custom id, whether or not the
// message still has it: a client may be behind.
func (f *Discord) Press(person, channel, message, customID string, values []string) *DiscordAsk {
	f.mu.Lock()
	a := f.newAsk(person, channel, askComponent)
	var data map[string]any
	if a.Refused == "" {
		if a.source = f.channels[channel].find(message); a.source == nil {
			a.Refused = "there is no such message"
		}
		kind := 2
		if a.source != nil {
			walkComponents(a.source.Components, func(c map[string]any) {
				if k, ok := c["type"].(float64); ok && c["custom_id"] == customID {
					kind = int(k)
				}
			})
		}
		data = map[string]any{"custom_id": customID, "component_type": kind}
		if values != nil {
			data["values"], data["component_type"] = values, max(kind, 3)
		}
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

// Submit fills the modal that an interaction was answered with, and sends it.
// Fields are named by custom id, by the end of it, or by label.
func (f *Discord) Submit(person string, shown *DiscordAsk, fields map[string]string) *DiscordAsk {
	modal := shown.Modal()
	f.mu.Lock()
	a := f.newAsk(person, shown.Channel, askModal)
	a.source, a.from = shown.source, shown
	var data map[string]any
	if modal == nil {
		a.Refused = "no modal was shown"
	} else if a.Refused == "" {
		var rows []any
		if rows, a.Refused = fillModal(modal, fields); a.Refused == "" {
			data = map[string]any{"custom_id": modal["custom_id"], "components": rows}
		}
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

// fillModal fills a modal's inputs: in rows, or each under its label.
func fillModal(modal map[string]any, fields map[string]string) ([]any, string) {
	used, refused := map[string]bool{}, ""
	value := func(in map[string]any, label any) string {
		id, v := fmt.Sprint(in["custom_id"]), fmt.Sprint(in["value"])
		if in["value"] == nil {
			v = ""
			options, _ := in["options"].([]any)
			for _, o := range options { // what is chosen already
				if o, ok := o.(map[string]any); ok && o["default"] == true {
					v = strings.TrimPrefix(v+","+fmt.Sprint(o["value"]), ",")
				}
			}
		}
		for k, given := range fields {
			if k == id || strings.HasSuffix(id, ":"+k) || k == in["label"] || k == label {
				v, used[k] = given, true
			}
		}
		if lim, ok := in["max_length"].(float64); ok && len([]rune(v)) > int(lim) {
			refused = fmt.Sprintf("%s is longer than %d", id, int(lim))
		}
		if v == "" && in["required"] != false {
			refused = id + " is required"
		}
		return v
	}
	var rows []any
	list, _ := modal["components"].([]any)
	for _, r := range list {
		r, _ := r.(map[string]any)
		if in, ok := r["component"].(map[string]any); ok { // a label around one component
			one := map[string]any{"type": in["type"], "custom_id": in["custom_id"], "id": 2}
			if v := value(in, r["label"]); in["type"] == float64(4) {
				one["value"] = v
			} else if one["values"] = []string{}; v != "" {
				one["values"] = strings.Split(v, ",")
			}
			rows = append(rows, map[string]any{"type": 18, "id": 1, "component": one})
			continue
		}
		var ins []any
		inputs, _ := r["components"].([]any)
		for _, in := range inputs {
			in, _ := in.(map[string]any)
			ins = append(ins, map[string]any{"type": 4, "custom_id": in["custom_id"], "value": value(in, nil)})
		}
		if len(ins) > 0 {
			rows = append(rows, map[string]any{"type": 1, "components": ins})
		}
	}
	for k := range fields {
		if !used[k] && refused == "" {
			refused = "the modal has no field " + k
		}
	}
	return rows, refused
}

// Speak says something in a channel; the message's id. The bot is told, with
// the words only when the intent or a mention lets it read them.
func (f *Discord) Speak(person, channel, text string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.channels[channel]
	if ch == nil {
		f.breach("%s speaks in %q, which is no channel", person, channel)
		return ""
	}
	m := &DiscordMessage{ID: f.id(), Channel: channel, Author: DiscordUser(person), Content: text, At: f.now(), Told: strings.Contains(text, "<@"+DiscordApp+">") || ch.Type == discordDM,
		Allowed: map[string]any{"parse": []any{"users", "roles"}}}
	f.put(ch, m)
	return m.ID
}

// Mention says something to the bot.
func (f *Discord) Mention(person, channel, text string) string {
	return f.Speak(person, channel, "<@"+DiscordApp+"> "+text)
}

// React puts a person's reaction on a message; Unreact takes it back.
func (f *Discord) React(person, channel, message, emoji string) {
	f.reacts(person, channel, message, emoji, true)
}

// Unreact takes a reaction back.
func (f *Discord) Unreact(person, channel, message, emoji string) {
	f.reacts(person, channel, message, emoji, false)
}

func (f *Discord) reacts(person, channel, message, emoji string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ch := f.channels[channel]; ch != nil {
		if m := ch.visible(message); m != nil {
			f.react(m, DiscordUser(person), emoji, on)
		}
	}
}
