package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

func helpVerb() *verb {
	return &verb{Verb: Verb{Name: "help", Args: "[verb]", Summary: "every verb, or one explained", Example: "/help incident note"}, max: 2, run: help}
}

func help(_ context.Context, c *call) (Reply, error) {
	name := strings.ToLower(strings.TrimPrefix(strings.Join(strings.Fields(c.args.rest()), " "), "/"))
	if name == "" {
		return helpAll(c.d.o.Statuses), nil
	}
	group, rest, two := strings.Cut(name, " ")
	if g := groups[group]; g != "" {
		name = g
		if two {
			name += " " + rest
		}
	}
	if v := lookup(ownAlias[name]); v != nil {
		return helpOne(v, c.d.o.Statuses), nil
	}
	if v := lookup(name); v != nil {
		if len(subs(v.Name)) > 0 {
			return helpGroup(v, c.d.o.Statuses), nil
		}
		return helpOne(v, c.d.o.Statuses), nil
	}
	if two && groups[group] != "" {
		return Reply{}, unknownSub(groups[group], rest)
	}
	for _, g := range []string{"incident", "renew", "certcheck"} {
		if v := lookup(g + " " + name); v != nil {
			return helpOne(v, c.d.o.Statuses), nil
		}
	}
	return Reply{}, unknownVerb(name)
}

// helpAll lists the groups with what a person needs first.
func helpAll(names incident.Names) Reply {
	r := Reply{State: StateInfo, Headline: "Three things can be said: /certcheck, /renew and /incident.",
		Table:   Table{Columns: []string{"say", "get"}},
		Body:    "Words may stand in any case, the slash may be left out. An incident is named by its id right after the verb (INC-7), a certificate by its name or a domain, a renewal by R-12. /help incident has more verbs.",
		Buttons: []Button{{Label: "Check all", Command: "/certcheck", Style: "primary"}, {Label: "Help on incidents", Command: "/help incident"}, {Label: "Help on renewals", Command: "/help renew"}}}
	for _, v := range Verbs() {
		if v.Rare {
			continue
		}
		v = v.called(names)
		r.Table.Rows = append(r.Table.Rows, Row{Cells: []string{strings.TrimSpace("/" + v.Name + " " + v.Args), v.Summary}})
	}
	return r
}

// helpGroup explains a first word and lists its verbs.
func helpGroup(v *verb, names incident.Names) Reply {
	r := helpOne(v, names)
	r.Table = Table{Columns: []string{"say", "get"}}
	for _, s := range subs(v.Name) {
		o := lookup(v.Name + " " + s).called(names)
		r.Table.Rows = append(r.Table.Rows, Row{Cells: []string{strings.TrimSpace("/" + o.Name + " " + o.Args), o.Summary}})
	}
	return r
}

// helpOne explains one verb.
func helpOne(of *verb, names incident.Names) Reply {
	v := of.called(names)
	r := Reply{State: StateInfo, Headline: fmt.Sprintf("/%s: %s.", v.Name, v.Summary)}
	lines := []string{"Say: " + v.Usage(), "For example: " + v.Example}
	if s := v.Short(); s != "" {
		lines = append(lines, "Short: /"+s)
	}
	for _, f := range v.shown() {
		lines = append(lines, strings.TrimSpace("--"+f.Name+" "+f.Value)+": "+f.Summary)
	}
	r.Body = strings.Join(lines, "\n")
	return r
}
