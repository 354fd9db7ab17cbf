package discord

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds forms: a verb's fields, asked for when a command came
// without what it needs, or when a button says so. A form must be the first
// response to an interaction, so nothing was recorded before it.

// mostFields is how many a form has, maxTitle how long its title and labels are.
const (
	mostFields = 5
	maxTitle   = 45
)

// cardForms are the buttons of an incident's card.
func cardForms(id string, open bool) []form {
	if !open {
		return nil
	}
	return []form{{Label: "Post an update", Verb: "incident status", Incident: id}, {Label: "Add a note", Verb: "incident note", Incident: id}, {Label: "Close it", Verb: "incident close", Incident: id}}
}

// formOf is a verb's form with what is known of it already; again is the key
// of what was typed in it, or "".
func (d *Discord) formOf(ctx context.Context, l leaf, values map[string]string, again string, by commands.Person) (map[string]any, bool) {
	incident := values["incident"]
	var ask []commands.Param
	for _, want := range []bool{true, false} { // what is needed comes first
		for _, p := range l.params {
			if p.Required == want && p.Kind != commands.ParamSwitch && (p.Name != "incident" || incident == "") && len(ask) < mostFields {
				ask = append(ask, p)
			}
		}
	}
	// An incident is asked for only when nothing else would be.
	if len(ask) > 1 {
		ask = slices.DeleteFunc(ask, func(p commands.Param) bool { return p.Name == "incident" })
	}
	id := formID(l.verb.Name, incident, again)
	if len(ask) == 0 || !fits(id) {
		return nil, false
	}
	var rows []discordgo.MessageComponent
	for _, p := range ask {
		in := discordgo.TextInput{CustomID: p.Name, Label: clip(label(p), maxTitle), Style: discordgo.TextInputShort, Placeholder: clip(placeholder(p), 100), Required: p.Required, MaxLength: 200, Value: clip(values[p.Name], 200)}
		if p.Kind == commands.ParamText && !p.Flag {
			in.Style, in.MaxLength, in.Value = discordgo.TextInputParagraph, maxTyped, clip(values[p.Name], maxTyped)
		}
		if in.Value == "" && p.Kind == commands.ParamRenewal {
			in.Value = d.onlyOne(ctx, "/"+l.verb.Name+" ", by)
		}
		rows = append(rows, discordgo.ActionsRow{Components: []discordgo.MessageComponent{in}})
	}
	title := l.verb.Name
	if incident != "" {
		title += " " + incident
	}
	return map[string]any{"custom_id": id, "title": clip(strings.ToUpper(title[:1])+title[1:], maxTitle), "components": rows}, true
}

// label is a field's name for people: "Title", "Why (anyway)".
func label(p commands.Param) string {
	s := strings.ToUpper(p.Name[:1]) + p.Name[1:]
	if !p.Required {
		s += " (may stay empty)"
	}
	return s
}

func placeholder(p commands.Param) string {
	if len(p.Choices) > 0 && len(p.Choices) <= 12 {
		return strings.Join(p.Choices, ", ")
	}
	return p.Summary
}

// onlyOne is the one completion of a line for a person, "" when there are
// several, or they may not look.
func (d *Discord) onlyOne(ctx context.Context, line string, by commands.Person) string {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if all := d.o.Rooms.Complete(ctx, line, "main", by.ID); len(all) == 1 {
		return strings.TrimPrefix(all[0], line)
	}
	return ""
}

// filled is the line that a filled form says. Words of choices may be typed in
// any case.
func (d *Discord) filled(i interaction) (line string, l leaf, ok bool) {
	verb, incident, _, ok := readForm(i.Data.CustomID)
	if !ok {
		return "", l, false
	}
	if l, ok = d.cmds.leaves[d.cmds.paths[verb]]; !ok {
		return "", l, false
	}
	values := map[string]string{}
	fields(i.Data.Components, values, 0)
	if incident != "" {
		values["incident"] = incident
	}
	for _, p := range l.params {
		if v := strings.TrimSpace(bot.Clean(values[p.Name])); len(p.Choices) > 0 {
			for _, c := range p.Choices {
				if strings.EqualFold(c, v) {
					v = c
				}
			}
			values[p.Name] = v
		}
	}
	return commands.Compose(verb, l.params, values), l, true
}
