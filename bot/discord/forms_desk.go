package discord

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds forms that the desk knows: with what the record says filled
// in, checked before anything is recorded, and standing for several lines.

// formTime is how long the desk has for a form or its check: Discord waits 3 s
// for the first response.
const formTime = 1500 * time.Millisecond

// Components of a form (docs: components/reference): a label around a field.
const (
	selectComponent, textComponent, labelComponent = 3, 4, 18
	shortText, longText                            = 1, 2
)

// deskForm is the form that a line wants, or that a verb without its words is
// asked for with, with what was typed in it already and its key ("": nothing).
// false: there is none.
func (d *Discord) deskForm(ctx context.Context, ask commands.FormAsk, typed map[string]string, again string) (map[string]any, bool) {
	if d.o.Forms == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	f, err := d.o.Forms.Form(ctx, ask)
	if err != nil || len(f.Fields) == 0 {
		return nil, false
	}
	fields := f.Fields
	for len(fields) > mostFields { // the last that is not needed goes
		i := len(fields) - 1
		for i > 0 && fields[i].Required {
			i--
		}
		fields = slices.Delete(slices.Clone(fields), i, i+1)
	}
	var rows []any
	for _, field := range fields {
		if v, ok := typed[field.Name]; ok {
			field.Value = v
		}
		if c := fieldComponent(field); c != nil {
			row := map[string]any{"type": labelComponent, "label": clip(or(field.Label, label(field.Param)), maxTitle), "component": c}
			if s := strings.TrimSpace(field.Summary); s != "" {
				row["description"] = clip(s, 100)
			}
			rows = append(rows, row)
		}
	}
	id := formID(ask.Verb, ask.Subject, again)
	if len(rows) == 0 || !fits(id) {
		return nil, false
	}
	return map[string]any{"custom_id": id, "title": clip(or(f.Title, ask.Verb), maxTitle), "components": rows}, true
}

// fieldComponent is a field: a menu where there is a choice, else a text.
func fieldComponent(f commands.FormField) map[string]any {
	if len(f.Options) == 0 {
		c := map[string]any{"type": textComponent, "custom_id": f.Name, "style": shortText, "required": f.Required, "max_length": maxTyped}
		if f.Long {
			c["style"] = longText
		}
		if f.Max > 0 && f.Max < maxTyped {
			c["max_length"] = f.Max
		}
		if v := clip(f.Value, c["max_length"].(int)); v != "" {
			c["value"] = v
		}
		return c
	}
	chosen := strings.Split(f.Value, ",")
	var options []any
	for _, o := range f.Options {
		if len(options) == maxMenu {
			break
		}
		if o.Value == "" || len([]rune(o.Value)) > 100 {
			continue
		}
		one := map[string]any{"label": clip(or(bot.Clean(o.Label), o.Value), 100), "value": o.Value}
		if o.Note != "" {
			one["description"] = clip(bot.Clean(o.Note), 100)
		}
		if slices.Contains(chosen, o.Value) {
			one["default"] = true
		}
		options = append(options, one)
	}
	if len(options) == 0 {
		return nil
	}
	c := map[string]any{"type": selectComponent, "custom_id": f.Name, "options": options, "required": f.Required, "min_values": 0, "max_values": 1}
	if f.Required {
		c["min_values"] = 1
	}
	if f.Kind == commands.ParamSeveral {
		c["max_values"] = len(options)
	}
	return c
}

// askOf is what a form is asked with.
func (d *Discord) askOf(i interaction, verb, subject string, by commands.Person) commands.FormAsk {
	return commands.FormAsk{Verb: verb, Subject: subject, Room: d.room(i.Channel), By: by, At: d.o.Now()}
}

// wants is the form for a command: the desk's, when the line would be refused
// without what only a person can say, or lacks a field that the verb needs;
// else one of the verb's fields.
func (d *Discord) wants(ctx context.Context, i interaction, s said, by commands.Person) (map[string]any, bool) {
	missing := len(commands.Missing(s.leaf.params, s.values)) > 0
	if d.o.Forms != nil {
		ctx, cancel := context.WithTimeout(ctx, formTime)
		defer cancel()
		if ask, ok := d.o.Forms.FormFor(ctx, s.line(), d.room(i.Channel), by); ok {
			if f, ok := d.deskForm(ctx, ask, nil, ""); ok {
				return f, true
			}
		}
		if missing {
			ask := d.askOf(i, s.leaf.verb.Name, or(s.values["incident"], s.values["renewal"]), by)
			if ask.Subject == "" && s.leaf.verb.Name == "renew approve" {
				ask.Subject = d.onlyOne(ctx, "/renew approve ", by)
			}
			ask.Given = s.values
			if ask.Subject != "" || s.leaf.verb.Name != "renew approve" {
				if f, ok := d.deskForm(ctx, ask, nil, ""); ok {
					return f, true
				}
			}
		}
	}
	if !missing {
		return nil, false
	}
	return d.formOf(ctx, s.leaf, s.values, "", by)
}

// filledLines are the lines that a filled form stands for. refused: what is
// wrong with it; nothing is recorded then.
func (d *Discord) filledLines(ctx context.Context, i interaction, by commands.Person) (lines []string, refused *commands.Reply) {
	verb, subject, _, ok := readForm(i.Data.CustomID)
	if !ok {
		r := unknownForm()
		return nil, &r
	}
	ask := d.askOf(i, verb, subject, by)
	if d.o.Forms != nil {
		ctx, cancel := context.WithTimeout(ctx, formTime)
		defer cancel()
		if f, err := d.o.Forms.Form(ctx, ask); err == nil {
			values := map[string]string{}
			fields(i.Data.Components, values, 0)
			lines, wrong, err := d.o.Forms.FormLines(ctx, ask, values)
			if err == nil && len(wrong) == 0 && len(lines) > 0 {
				return lines, nil
			}
			r := wrongForm(f, wrong, err)
			return nil, &r
		}
	}
	line, _, ok := d.filled(i)
	if !ok {
		r := unknownForm()
		return nil, &r
	}
	return []string{line}, nil
}

// wrongForm says what is wrong with a filled form, field by field in its order.
func wrongForm(f commands.Form, wrong map[string]string, err error) commands.Reply {
	var p commands.Problem
	if errors.As(err, &p) {
		return commands.Reply{State: commands.StateInfo, Headline: p.Message, Problem: p}
	}
	text := "The form is not right yet, so nothing was done."
	r := commands.Reply{State: commands.StateInfo, Headline: text, Problem: commands.Problem{Code: "bad_form", Message: text, Hint: "Open it anew, or type it: /help " + f.Verb}}
	for _, field := range f.Fields {
		if w := wrong[field.Name]; w != "" {
			r.Facts = append(r.Facts, commands.Fact{Name: or(field.Label, label(field.Param)), Value: w})
			delete(wrong, field.Name)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(wrong)) {
		r.Facts = append(r.Facts, commands.Fact{Name: n, Value: wrong[n]})
	}
	return r
}
