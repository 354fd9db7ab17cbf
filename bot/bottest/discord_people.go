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
			f.resolve(data, given)
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
			f.resolve(data, given)
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

// resolve adds the people, roles and channels that options name.
func (f *Discord) resolve(data map[string]any, given []any) {
	users, members, roles, channels := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for _, o := range given {
		o, _ := o.(map[string]any)
		id, _ := o["value"].(string)
		kind, _ := o["type"].(int)
		if kind == 6 || kind == 9 && f.users[id] != nil {
			users[id], members[id] = f.userJSON(id), f.memberJSON(id, nil)
		}
		if c := f.channels[id]; c != nil && kind == 7 {
			channels[id] = f.channelJSON(c)
		}
		for _, r := range f.roles {
			if r.ID == id && (kind == 8 || kind == 9) {
				roles[id] = f.roleJSON(r)
			}
		}
	}
	out := map[string]any{}
	for k, v := range map[string]map[string]any{"users": users, "members": members, "roles": roles, "channels": channels} {
		if len(v) > 0 {
			out[k] = v
		}
	}
	if len(out) > 0 {
		data["resolved"] = out
	}
}
