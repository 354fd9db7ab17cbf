package bottest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// This file holds the rules for requests to Discord that its schemas cannot
// say: sums, uniqueness, order, and certmedic's own rule that every message
// says whom it may mention.

// discordRules checks a request.
func discordRules(c *discordAsked) error {
	switch c.Op {
	case "create_message", "update_message", "execute_webhook", "update_original_webhook_message", "update_webhook_message":
		return messageRules(c.Body, len(c.Files))
	case "create_interaction_response":
		data, _ := c.Body["data"].(map[string]any)
		switch n, _ := c.Body["type"].(float64); int(n) {
		case sayMessage, sayUpdate:
			return messageRules(data, len(c.Files))
		case sayModal:
			return modalRules(data)
		case sayChoices:
			list, _ := data["choices"].([]any)
			if len(list) == 0 || len(list) > 25 {
				return fmt.Errorf("%d choices: 1 to 25", len(list))
			}
		}
	case "bulk_set_application_commands", "bulk_set_guild_application_commands":
		return commandsRules(c.List)
	case "create_guild_channel", "update_channel":
		if topic, _ := c.Body["topic"].(string); len([]rune(topic)) > 1024 {
			return fmt.Errorf("a topic of %d characters: 1024 are the most", len([]rune(topic)))
		}
	case "create_thread":
		if c.Body["type"] == nil {
			return errors.New("a thread without a type: it would be private")
		}
	}
	return nil
}

func messageRules(m map[string]any, files int) error {
	content, _ := m["content"].(string)
	if n := len([]rune(content)); n > 2000 {
		return fmt.Errorf("content of %d characters: 2000 are the most", n)
	}
	embeds, _ := m["embeds"].([]any)
	sum := 0
	for _, e := range embeds {
		e, _ := e.(map[string]any)
		n, err := embedRules(e)
		if err != nil {
			return err
		}
		sum += n
	}
	if sum > 6000 {
		return fmt.Errorf("embeds of %d characters: 6000 are the most in one message", sum)
	}
	if files > 10 {
		return fmt.Errorf("%d files", files)
	}
	if err := componentRules(m); err != nil {
		return err
	}
	if nonce, ok := m["nonce"].(string); ok && len(nonce) > 25 {
		return fmt.Errorf("a nonce of %d characters: 25 are the most", len(nonce))
	}
	if m["content"] == nil && m["embeds"] == nil && m["components"] == nil && files == 0 {
		return nil // flags alone
	}
	return mentionRules(m)
}

// mentionRules: allowed_mentions stands on every message, names whom, and
// never everyone.
func mentionRules(m map[string]any) error {
	allowed, ok := m["allowed_mentions"].(map[string]any)
	if !ok {
		return errors.New("no allowed_mentions: the message could notify anybody")
	}
	parse, ok := allowed["parse"].([]any)
	if !ok {
		return errors.New("allowed_mentions without parse: write [] for nobody")
	}
	for _, p := range parse {
		list, _ := allowed[fmt.Sprint(p)].([]any)
		if p == "everyone" {
			return errors.New("allowed_mentions lets everyone be notified")
		}
		if len(list) > 0 {
			return fmt.Errorf("allowed_mentions parses %s and lists them: one of both", p)
		}
	}
	return nil
}

// embedRules counts an embed's text. Whitespace around it is trimmed, and a
// field must have both parts.
func embedRules(e map[string]any) (int, error) {
	n := 0
	count := func(v any, k string) string {
		o, _ := v.(map[string]any)
		s, _ := o[k].(string)
		s = strings.TrimSpace(s)
		n += len([]rune(s))
		return s
	}
	count(e, "title")
	count(e, "description")
	for at, part := range map[string]struct {
		key string
		max int
	}{"footer": {"text", 2048}, "author": {"name", 256}} {
		if s := count(e[at], part.key); len([]rune(s)) > part.max {
			return 0, fmt.Errorf("an embed's %s of %d characters: %d are the most", at, len([]rune(s)), part.max)
		}
	}
	fields, _ := e["fields"].([]any)
	for _, x := range fields {
		if count(x, "name") == "" || count(x, "value") == "" {
			return 0, errors.New("an embed's field without a name or a value")
		}
	}
	return n, nil
}

// componentRules: custom ids are unique in a message, a button has an id or a
// URL, and the old rows are five at most.
func componentRules(m map[string]any) error {
	list := objects(m["components"])
	flags, _ := m["flags"].(float64)
	if int(flags)&fV2 != 0 {
		if s, _ := m["content"].(string); s != "" || len(objects(m["embeds"])) > 0 {
			return errors.New("content or embeds beside components of version 2")
		}
	} else if len(list) > 5 {
		return fmt.Errorf("%d rows of components: 5 are the most", len(list))
	}
	ids, total := map[string]bool{}, 0
	var fail error
	walkComponents(list, func(c map[string]any) {
		total++
		kind, _ := c["type"].(float64)
		if int(flags)&fV2 == 0 && kind >= 9 {
			fail = fmt.Errorf("a component of type %v without the flag for version 2", kind)
		}
		if id, ok := c["custom_id"].(string); ok {
			if ids[id] {
				fail = fmt.Errorf("the custom id %q stands twice", id)
			}
			if n := len([]rune(id)); n < 1 || n > 100 {
				fail = fmt.Errorf("a custom id of %d characters: 1 to 100", n)
			}
			ids[id] = true
		}
		switch kind {
		case 1:
			rows := objects(c["components"])
			for _, in := range rows {
				if k, _ := in["type"].(float64); k != 2 && len(rows) > 1 {
					fail = errors.New("a select beside something else in its row")
				}
			}
		case 2:
			link, label := c["url"] != nil && c["url"] != "", c["label"]
			if link != (c["style"] == float64(5)) || link == (c["custom_id"] != nil && c["custom_id"] != "") {
				fail = fmt.Errorf("the button %v needs a custom id, or a URL and style 5", label)
			}
			if (label == nil || label == "") && c["emoji"] == nil {
				fail = errors.New("a button without a label")
			}
		case 3:
			values := map[any]bool{}
			for _, o := range objects(c["options"]) {
				if values[o["value"]] {
					fail = fmt.Errorf("a select has the value %q twice", o["value"])
				}
				values[o["value"]] = true
			}
		}
	})
	if total > 40 {
		return fmt.Errorf("%d components: 40 are the most", total)
	}
	return fail
}

func objects(v any) []map[string]any {
	var all []map[string]any
	list, _ := v.([]any)
	for _, e := range list {
		if e, ok := e.(map[string]any); ok {
			all = append(all, e)
		}
	}
	return all
}

func modalRules(m map[string]any) error {
	rows := objects(m["components"])
	if len(rows) < 1 || len(rows) > 5 {
		return fmt.Errorf("a modal of %d components: 1 to 5", len(rows))
	}
	ids := map[string]bool{}
	var fail error
	walkComponents(rows, func(c map[string]any) {
		id, ok := c["custom_id"].(string)
		if ok && ids[id] {
			fail = fmt.Errorf("the custom id %q stands twice", id)
		}
		ids[id] = true
		if v, _ := c["value"].(string); c["type"] == float64(4) {
			if lim, ok := c["max_length"].(float64); ok && len([]rune(v)) > int(lim) {
				fail = fmt.Errorf("%s is filled with more than it takes", id)
			}
		}
	})
	return fail
}

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// commandsRules checks a scope's commands.
func commandsRules(list []any) error {
	seen, chat, menu := map[string]bool{}, 0, map[float64]int{}
	for _, c := range objects(list) {
		kind, ok := c["type"].(float64)
		if !ok {
			kind = 1
		}
		name, _ := c["name"].(string)
		key := fmt.Sprint(kind, " ", name)
		if seen[key] {
			return fmt.Errorf("the command %s stands twice", name)
		}
		seen[key] = true
		desc, _ := c["description"].(string)
		switch {
		case kind == 1 && desc == "":
			return fmt.Errorf("/%s has no description", name)
		case kind != 1 && (desc != "" || len(objects(c["options"])) > 0):
			return fmt.Errorf("%s is no slash command: it takes no description and no options", name)
		}
		if kind == 1 {
			chat++
			if err := nameRules(name); err != nil {
				return err
			}
		} else {
			menu[kind]++
		}
		if n := commandSize(c); n > 8000 {
			return fmt.Errorf("/%s has %d characters: 8000 are the most", name, n)
		}
		if err := optionRules("/"+name, c, 0); err != nil {
			return err
		}
	}
	if chat > 100 || menu[2] > 15 || menu[3] > 15 {
		return fmt.Errorf("%d slash commands, %d for people, %d for messages: 100, 15 and 15 are the most", chat, menu[2], menu[3])
	}
	return nil
}

func nameRules(name string) error {
	if !commandName.MatchString(name) || strings.ContainsFunc(name, unicode.IsUpper) {
		return fmt.Errorf("%q cannot be a name: small letters, digits, - and _, 32 at most", name)
	}
	return nil
}

// commandSize is a command's characters: names, descriptions and values.
func commandSize(c map[string]any) int {
	n := 0
	for _, k := range []string{"name", "description", "value"} {
		if s, ok := c[k].(string); ok {
			n += len([]rune(s))
		}
	}
	for _, k := range []string{"options", "choices"} {
		for _, o := range objects(c[k]) {
			n += commandSize(o)
		}
	}
	return n
}

// optionRules: command, group, subcommand, options; required ones first; no
// choices where it completes; names once.
func optionRules(where string, c map[string]any, depth int) error {
	names, optional, subs := map[string]bool{}, false, 0
	options := objects(c["options"])
	if len(options) > 25 {
		return fmt.Errorf("%s has %d options: 25 are the most", where, len(options))
	}
	for _, o := range options {
		kind, _ := o["type"].(float64)
		name, _ := o["name"].(string)
		if err := nameRules(name); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		at := where + " " + name
		if names[name] {
			return fmt.Errorf("%s stands twice", at)
		}
		names[name] = true
		if s, _ := o["description"].(string); s == "" || len([]rune(s)) > 100 {
			return fmt.Errorf("%s: a description of %d characters: 1 to 100", at, len([]rune(s)))
		}
		switch {
		case kind == 2 && depth > 0, kind == 1 && depth > 1:
			return fmt.Errorf("%s is nested too deep", at)
		case kind == 1:
			subs++
			if err := optionRules(at, o, 2); err != nil {
				return err
			}
			continue
		case kind == 2:
			subs++
			if len(objects(o["options"])) == 0 {
				return fmt.Errorf("%s is a group of nothing", at)
			}
			if err := optionRules(at, o, 1); err != nil {
				return err
			}
			continue
		case depth == 1:
			return fmt.Errorf("%s is not a subcommand, but in a group", at)
		}
		if o["required"] == true && optional {
			return fmt.Errorf("%s is required, but comes after one that is not", at)
		}
		optional = optional || o["required"] != true
		choices := objects(o["choices"])
		if o["autocomplete"] == true && len(choices) > 0 {
			return fmt.Errorf("%s completes, and has choices", at)
		}
		if o["autocomplete"] == true && kind != 3 && kind != 4 && kind != 10 {
			return fmt.Errorf("%s cannot complete", at)
		}
		seen := map[string]bool{}
		for _, ch := range choices {
			if n := fmt.Sprint(ch["name"]); seen[n] {
				return fmt.Errorf("%s has the choice %s twice", at, n)
			} else {
				seen[n] = true
			}
		}
	}
	if subs > 0 && subs < len(options) {
		return fmt.Errorf("%s has subcommands and options side by side", where)
	}
	return nil
}
