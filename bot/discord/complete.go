package discord

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what is offered while an option is typed. It is answered
// from memory and the record alone, in time, and never with an empty list,
// which the client would show as a failure.

// completeTime is how long the desk has for its completions.
const completeTime = 80 * time.Millisecond

// titled is what completion shows of an incident.
type titled struct {
	id, text string
	find     string // text in lower case
}

// known are the incidents that completion offers: open ones, then those that
// ended, newest first. It is not changed once it is made.
type known struct {
	all  []titled
	text map[string]string // by id
}

// choice is one offer.
type choice struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// know keeps the incidents that completion offers; private ones it does not.
func (d *Discord) know(is []bot.Incident) {
	is = slices.DeleteFunc(slices.Clone(is), func(i bot.Incident) bool { return i.Private })
	slices.SortStableFunc(is, func(a, b bot.Incident) int {
		switch {
		case a.Open && !b.Open:
			return -1
		case b.Open && !a.Open:
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.ID), len(a.ID)), strings.Compare(b.ID, a.ID))
	})
	k := &known{text: map[string]string{}}
	for _, i := range is {
		text := i.ID + " " + oneLine(bot.Clean(or(i.Title, i.Topic)))
		k.all, k.text[i.ID] = append(k.all, titled{i.ID, text, strings.ToLower(text)}), text
	}
	d.mu.Lock()
	d.titles = k
	d.mu.Unlock()
}

func (d *Discord) titled() *known {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.titles
}

// complete offers values of the option being typed.
func (d *Discord) complete(ctx context.Context, i interaction, by commands.Person, allowed bool) []choice {
	s := d.cmds.read(i)
	typed := clip(oneLine(bot.Clean(s.values[s.focus])), 100)
	n := slices.IndexFunc(s.leaf.params, func(p commands.Param) bool { return p.Name == s.focus })
	var values []string
	if n >= 0 && allowed && d.o.Rooms.MayLook(ctx, by.ID) {
		values = d.offers(ctx, s.leaf.verb.Name, s.leaf.params[n], typed, d.room(i.Channel))
	}
	titles := d.titled().text
	var out []choice
	for _, v := range values {
		if len(out) < maxChoices && v != "" && len([]rune(v)) <= 100 {
			out = append(out, choice{clip(or(titles[v], v), 100), v})
		}
	}
	switch {
	case len(out) > 0:
	case typed != "":
		out = []choice{{clip("as typed: "+typed, 100), typed}}
	default:
		out = []choice{{"nothing to offer: type it", "?"}}
	}
	return out
}

// offers are values of a parameter that begin as typed.
func (d *Discord) offers(ctx context.Context, verb string, p commands.Param, typed, room string) []string {
	begins := func(all []string) (out []string) {
		for _, v := range all {
			if len(v) >= len(typed) && strings.EqualFold(v[:len(typed)], typed) {
				out = append(out, v)
			}
		}
		return out
	}
	switch {
	case len(p.Choices) > 0:
		return begins(p.Choices)
	case p.Kind == commands.ParamTime:
		return begins([]string{"-5m", "-15m", "-30m", "-1h", "today 00:00", "yesterday 12:00", d.o.Now().UTC().Format("15:04Z"), d.o.Now().UTC().Format("2006-01-02 15:04Z")})
	case p.Kind == commands.ParamCertificate:
		return d.ask(ctx, "/certcheck ", typed, room, nil)
	case p.Kind == commands.ParamRenewal:
		return d.ask(ctx, "/"+verb+" ", typed, room, nil)
	case p.Kind == commands.ParamTemplate:
		return d.ask(ctx, "/"+verb+" --"+p.Name+" ", typed, room, nil)
	case p.Kind == commands.ParamPerson:
		return d.ask(ctx, "/incident lead ", typed, room, isNoIncident)
	case p.Kind == commands.ParamIncident:
		all := d.ask(ctx, "/incident show ", typed, room, nil)
		typed = strings.ToLower(typed)
		for _, t := range d.titled().all { // ended ones, and those whose title has the words
			if len(all) >= maxChoices {
				break
			}
			if strings.Contains(t.find, typed) && !slices.Contains(all, t.id) {
				all = append(all, t.id)
			}
		}
		return all
	}
	return nil
}

func isNoIncident(s string) bool { return !strings.HasPrefix(strings.ToUpper(s), "INC-") }

// ask has the desk complete a line, and gives it up when that takes too long.
func (d *Discord) ask(ctx context.Context, line, typed, room string, fits func(string) bool) []string {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	got := make(chan []string, 1)
	if !d.link.Begin() {
		return nil
	}
	go func() {
		defer d.link.End()
		got <- d.o.Rooms.Complete(ctx, line+typed, room, "")
	}()
	var all []string
	select {
	case all = <-got:
	case <-ctx.Done():
		return nil
	}
	var out []string
	for _, l := range all {
		if v := strings.TrimPrefix(l, line); v != l && !strings.HasPrefix(v, "--") && (fits == nil || fits(v)) {
			out = append(out, v)
		}
	}
	if len(all) == 0 && typed != "" && slices.Contains(d.o.Rooms.Complete(ctx, line+typed[:len(typed)-1], room, ""), line+typed) {
		out = []string{typed} // it is typed out already
	}
	return out
}
