package bottest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// This file holds the fake Discord's people: they type commands, press
// buttons, fill modals, react and speak, as far as their client lets them. How
// that is delivered is in discord_deliver.go.

// Slash types a slash command: its name with group and subcommand ("incident
// open"), and options by name. Only what is registered can be typed, with its
// required options, by who may use it; else Refused says why.
func (f *Discord) Slash(person, channel, name string, options map[string]any) *DiscordAsk {
	f.mu.Lock()
	a, data := f.typed(person, channel, name)
	if a.Refused == "" {
		leaf, path := f.leaf(name)
		given, why := f.fillOptions(leaf, options, "")
		if a.Refused = why; why == "" {
			data["options"] = nest(path, given)
		}
	}
	if a.Refused == "" {
		f.echo(a, "/"+name, options)
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

// Line types a line: the command, then "option:value" pairs; text without them
// goes into the first option that is a string.
func (f *Discord) Line(person, channel, line string) *DiscordAsk {
	rest := strings.Fields(strings.TrimPrefix(line, "/"))
	f.mu.Lock()
	name, leaf := "", map[string]any(nil)
	for n := min(3, len(rest)); n > 0 && leaf == nil; n-- {
		if l, path := f.leaf(strings.Join(rest[:n], " ")); l != nil && len(path) == n {
			leaf, name = l, strings.Join(rest[:n], " ")
		}
	}
	f.mu.Unlock()
	if leaf == nil {
		return f.Slash(person, channel, strings.TrimPrefix(line, "/"), nil)
	}
	text := strings.TrimPrefix(line, "/")
	for range strings.Fields(name) {
		_, text, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
	}
	a := f.slashLine(person, channel, name, leaf, text, line)
	return a
}

func (f *Discord) slashLine(person, channel, name string, leaf map[string]any, text, line string) *DiscordAsk {
	options := splitOptions(leaf, text)
	f.mu.Lock()
	a, data := f.typed(person, channel, name)
	if a.Refused == "" {
		_, path := f.leaf(name)
		given, why := f.fillOptions(leaf, options, "")
		if a.Refused = why; why == "" {
			data["options"] = nest(path, given)
			f.echo(a, line, nil)
		}
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

// splitOptions reads "name:value name:value"; values go on to the next name.
func splitOptions(leaf map[string]any, text string) map[string]any {
	out := map[string]any{}
	names, first := []string{}, ""
	for _, o := range optionsOf(leaf) {
		n := fmt.Sprint(o["name"])
		names = append(names, n)
		if first == "" && o["type"] == float64(3) {
			first = n
		}
	}
	at, value := first, []string{}
	flush := func() {
		if v := strings.TrimSpace(strings.Join(value, " ")); v != "" && at != "" {
			out[at] = v
		}
		value = nil
	}
	for _, w := range strings.Split(text, " ") {
		if n, v, ok := strings.Cut(w, ":"); ok && slices.Contains(names, n) {
			flush()
			at, value = n, []string{v}
			continue
		}
		value = append(value, w)
	}
	flush()
	return out
}

// typed begins a slash command.
func (f *Discord) typed(person, channel, name string) (*DiscordAsk, map[string]any) {
	a := f.newAsk(person, channel, askCommand)
	first, _, _ := strings.Cut(name, " ")
	cmd := f.command(first, 1)
	if a.Refused != "" {
		return a, nil
	}
	if cmd == nil {
		a.Refused = "no command /" + first + " is registered"
		return a, nil
	}
	if leaf, _ := f.leaf(name); leaf == nil {
		a.Refused = "/" + name + " cannot be called"
		return a, nil
	}
	a.Refused = f.forbidden(cmd, a)
	return a, map[string]any{"id": cmd["id"], "name": first, "type": 1, "guild_id": DiscordGuild}
}

// forbidden is why somebody's client does not offer a command.
func (f *Discord) forbidden(cmd map[string]any, a *DiscordAsk) string {
	ch := f.channels[a.Channel]
	if ch.Type == discordDM {
		if list, ok := cmd["contexts"].([]any); ok && !slices.Contains(list, any(float64(1))) || cmd["dm_permission"] == false || cmd["guild_id"] != nil {
			return "the command is not for direct messages"
		}
		return ""
	}
	need, limited := int64(0), false
	switch v := cmd["default_member_permissions"].(type) {
	case string:
		need, limited = bits([]byte(v)), true
	case float64:
		need, limited = int64(v), true
	}
	have := f.permissions(a.User, ch)
	if limited && have != permAll && (need == 0 || have&need != need) {
		return "the command is not offered: permissions are missing"
	}
	if have&permUseCommands == 0 {
		return "commands may not be used here"
	}
	return ""
}

// leaf finds what can be called under "command [group] [subcommand]", and the
// names on the way; nil: there is no such, or it has subcommands itself.
func (f *Discord) leaf(name string) (map[string]any, []string) {
	path := strings.Fields(name)
	if len(path) == 0 {
		return nil, nil
	}
	at := f.command(path[0], 1)
	for _, n := range path[1:] {
		if at == nil {
			return nil, nil
		}
		i := slices.IndexFunc(optionsOf(at), func(o map[string]any) bool {
			return o["name"] == n && (o["type"] == float64(1) || o["type"] == float64(2))
		})
		if i < 0 {
			return nil, nil
		}
		at = optionsOf(at)[i]
	}
	if at != nil && slices.ContainsFunc(optionsOf(at), func(o map[string]any) bool { return o["type"] == float64(1) || o["type"] == float64(2) }) {
		return nil, nil
	}
	return at, path
}

// nest puts options under their subcommand and group.
func nest(path []string, given []any) []any {
	for i := len(path) - 1; i > 0; i-- {
		kind := 1
		if i == 1 && len(path) == 3 {
			kind = 2
		}
		given = []any{map[string]any{"name": path[i], "type": kind, "options": given}}
	}
	return given
}

// fillOptions makes the option list of an interaction, as a client checks it.
// focused is the option that is being completed; then none is required.
func (f *Discord) fillOptions(leaf, options map[string]any, focused string) ([]any, string) {
	out := []any{}
	left := map[string]bool{}
	for n := range options {
		left[n] = true
	}
	for _, def := range optionsOf(leaf) {
		name := fmt.Sprint(def["name"])
		v, ok := options[name]
		delete(left, name)
		if !ok {
			if def["required"] == true && focused == "" {
				return nil, "the option " + name + " is required"
			}
			continue
		}
		kind, _ := def["type"].(float64)
		value, why := f.optionValue(def, int(kind), v)
		if why != "" && name != focused {
			return nil, name + ": " + why
		}
		if name == focused {
			value = fmt.Sprint(v) // as typed, even if it is not a number yet
		}
		one := map[string]any{"name": name, "type": int(kind), "value": value}
		if name == focused {
			one["focused"] = true
		}
		out = append(out, one)
	}
	for n := range left {
		return nil, "there is no option " + n
	}
	return out, ""
}

// optionValue is a value as a client sends it, or why it does not.
func (f *Discord) optionValue(def map[string]any, kind int, v any) (any, string) {
	s := fmt.Sprint(v)
	switch kind {
	case 3:
		if lim, ok := def["max_length"].(float64); ok && len([]rune(s)) > int(lim) {
			return nil, fmt.Sprintf("longer than %d", int(lim))
		}
		if lim, ok := def["min_length"].(float64); ok && len([]rune(s)) < int(lim) {
			return nil, fmt.Sprintf("shorter than %d", int(lim))
		}
		if len([]rune(s)) > 6000 {
			return nil, "longer than 6000"
		}
	case 4, 10:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, "not a number"
		}
		v = n
	case 5:
		v = s == "true" || s == "True"
	case 6, 7, 8, 9:
		v = s
		if kind == 6 && strings.Trim(s, "0123456789") != "" {
			v = DiscordUser(s)
		}
	}
	if list, ok := def["choices"].([]any); ok && len(list) > 0 {
		for _, c := range list {
			if c, _ := c.(map[string]any); fmt.Sprint(c["value"]) == s || c["name"] == s {
				return c["value"], ""
			}
		}
		return nil, "not one of the choices"
	}
	if kind == 3 {
		v = s
	}
	return v, ""
}

// Complete types into an option that completes; others are filled already.
func (f *Discord) Complete(person, channel, name, option, text string, others map[string]any) *DiscordAsk {
	f.mu.Lock()
	a, data := f.typed(person, channel, name)
	a.Type = askComplete
	if a.Refused == "" {
		leaf, path := f.leaf(name)
		i := slices.IndexFunc(optionsOf(leaf), func(o map[string]any) bool { return o["name"] == option && o["autocomplete"] == true })
		if i < 0 {
			a.Refused = option + " does not complete"
		} else {
			all := map[string]any{option: text}
			for k, v := range others {
				all[k] = v
			}
			given, why := f.fillOptions(leaf, all, option)
			a.Refused, data["options"] = why, nest(path, given)
		}
	}
	f.mu.Unlock()
	return f.deliver(a, data)
}

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
	if ch == nil || f.permissions(DiscordUser(person), ch)&permView == 0 && ch.Type != discordDM {
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
			return *m, found
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
	a.source = shown.source
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
				one["values"] = []string{v}
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
