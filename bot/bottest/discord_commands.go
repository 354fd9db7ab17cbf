package bottest

import (
	"slices"
)

// This file holds the fake Discord's registry of application commands. The
// rules for definitions are in discord_rules.go.

func (f *Discord) listCommands(c *discordAsked) (any, *discordError) {
	return append([]map[string]any{}, f.commands[c.Vars["guild_id"]]...), nil
}

// setCommands replaces a scope's commands; a command of the same name and type
// keeps its id.
func (f *Discord) setCommands(c *discordAsked) (any, *discordError) {
	guild := c.Vars["guild_id"]
	all := []map[string]any{}
	for _, one := range c.List {
		one, ok := one.(map[string]any)
		if !ok {
			return nil, formError("commands", "BASE_TYPE_BAD", "not an object")
		}
		made := map[string]any{"type": float64(1), "description": "", "application_id": DiscordApp, "default_member_permissions": nil, "version": f.id()}
		for k, v := range one {
			if v != nil {
				made[k] = withoutNulls(v)
			}
		}
		made["id"] = f.id()
		if guild != "" {
			made["guild_id"] = guild
		}
		if i := slices.IndexFunc(f.commands[guild], func(o map[string]any) bool { return o["name"] == made["name"] && o["type"] == made["type"] }); i >= 0 {
			made["id"] = f.commands[guild][i]["id"]
		}
		all = append(all, made)
	}
	f.commands[guild] = all
	return all, nil
}

// withoutNulls leaves out what is null, all the way down.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e != nil {
				out[k] = withoutNulls(e)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, withoutNulls(e))
		}
		return out
	}
	return v
}

// Commands are the commands of a guild ("": the global ones).
func (f *Discord) Commands(guild string) []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commands[guild])
}

// command finds a command as a person's client does: the guild's first.
func (f *Discord) command(name string, kind float64) map[string]any {
	for _, scope := range []string{DiscordGuild, ""} {
		for _, c := range f.commands[scope] {
			if c["name"] == name && c["type"] == kind {
				return c
			}
		}
	}
	return nil
}

func optionsOf(v map[string]any) []map[string]any {
	var all []map[string]any
	list, _ := v["options"].([]any)
	for _, o := range list {
		if o, ok := o.(map[string]any); ok {
			all = append(all, o)
		}
	}
	return all
}
