package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// maxComplete is how many completions are offered.
const maxComplete = 12

// Complete returns completions of a line being typed, best first: verbs, then
// certificates, incidents, renewals and people. Each is the whole line, ready
// to stand in its place.
func (d *Desk) Complete(ctx context.Context, line, room string) []string {
	if len(line) > maxLine {
		return nil
	}
	line = strings.TrimLeft(plain(line), " ")
	slash := strings.HasPrefix(line, "/") || line == ""
	words := strings.Fields(strings.TrimPrefix(line, "/"))
	typed := "" // the word being typed
	if len(words) > 0 && !strings.HasSuffix(line, " ") {
		typed, words = words[len(words)-1], words[:len(words)-1]
	}
	head := strings.TrimSuffix(line, typed)
	if line == "" || line == "/" {
		head = "/"
	}
	var out []string
	add := func(candidates ...string) {
		for _, c := range candidates {
			l := head + c
			if len(c) > len(typed) && strings.EqualFold(c[:len(typed)], typed) && !slices.Contains(out, l) && len(out) < maxComplete {
				out = append(out, l)
			}
		}
	}
	if len(words) == 0 {
		add("certcheck", "renew", "incident", "help")
		if !slash && typed == "" {
			return nil
		}
		return out
	}
	group := groups[strings.ToLower(words[0])]
	if group == "" {
		return nil
	}
	if group == "help" {
		add("certcheck", "renew", "incident")
		if len(words) == 2 {
			add(subs(groups[strings.ToLower(words[1])])...)
		}
		return out
	}
	d.completeVerb(ctx, group, words, typed, room, add)
	return out
}

// completeVerb offers what may follow in a line of one group.
func (d *Desk) completeVerb(ctx context.Context, group string, words []string, typed, room string, add func(...string)) {
	v := lookup(group)
	rest := words[1:]
	if len(rest) > 0 {
		if o := lookup(group + " " + strings.ToLower(rest[0])); o != nil {
			v, rest = o, rest[1:]
		}
	}
	if v.Name == group && len(rest) == 0 {
		add(subs(group)...)
	}
	if strings.HasPrefix(typed, "-") {
		for _, f := range v.shown() {
			if !slices.Contains(words, "--"+f.Name) {
				add("--" + f.Name)
			}
		}
		return
	}
	last := ""
	if len(rest) > 0 {
		last = rest[len(rest)-1]
	}
	if name, ok := strings.CutPrefix(last, "--"); ok {
		if f, known := v.flag(name); known && f.Value != "" {
			if v.Name == "incident update" && d.completeUpdate(name, add) {
				return
			}
			d.completeValue(name, add)
			return
		}
	}
	d.completeArgs(ctx, v, rest, room, add)
	if typed == "" {
		for _, f := range v.shown() {
			if !slices.Contains(words, "--"+f.Name) {
				add("--" + f.Name)
			}
		}
	}
}

// completeValue offers values of a flag.
func (d *Desk) completeValue(flag string, add func(...string)) {
	switch flag {
	case "cert":
		add(d.certificateNames()...)
	case "template":
		add(d.o.Templates.Names()...)
	case "challenge":
		add(renew.HTTP01, renew.DNS01)
	case "key":
		add("keep")
	case "starttls":
		var all []string
		for p := range ports {
			all = append(all, p)
		}
		slices.Sort(all)
		add(all...)
	}
}

// completeArgs offers arguments of a verb.
func (d *Desk) completeArgs(ctx context.Context, v *verb, rest []string, room string, add func(...string)) {
	group, sub, _ := strings.Cut(v.Name, " ")
	switch {
	case v.Name == "certcheck" || v.Name == "renew" || group == "certcheck":
		if len(rest) == 0 {
			add(d.certificateNames()...)
			for _, c := range d.o.Renewer.Inventory().Certificates {
				add(c.Domains...)
			}
		}
		return
	case group == "renew":
		if len(rest) == 0 {
			add(d.renewalIDs(ctx, sub)...)
		}
		return
	}
	named := len(rest) > 0 && isIncident(rest[0])
	if named {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		switch sub {
		case "status":
			add(d.o.Statuses.Words()...)
		case "sev":
			add("1", "2", "3", "4")
		case "lead", "invite":
			if sub == "lead" {
				add("me")
			}
			for _, t := range d.o.Teams {
				add(t.People...)
			}
		case "declare":
			add("sev1", "sev2", "sev3", "sev4")
		case "list":
			add("open", "all", "search")
		case "postmortem":
			add("md", "html", "json", "png", "set", "finish", "review", "share", "publish")
		case "update":
			add("approve", "deny", "retry", "list")
		case "temp":
			add("add", "undo", "list")
		case "task":
			add("add", "done", "export", "list")
		case "role":
			add(incident.Roles...)
		case "handoff":
			add("me")
			for _, t := range d.o.Teams {
				add(t.People...)
			}
		case "snooze", "quiet":
			add(incident.WaitCommander, incident.WaitUpdate, incident.WaitClose, incident.WaitDraft)
		case "export":
			add("json", "csv", "zip")
		}
		if !named && sub != "declare" && sub != "list" {
			add(d.incidentIDs(ctx, room)...)
		}
	}
}

// renewalIDs are the renewals that a verb can be said of, newest first.
func (d *Desk) renewalIDs(ctx context.Context, sub string) []string {
	all, err := d.o.Renewer.Renewals(ctx, "", 20)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range all {
		switch {
		case (sub == "approve" || sub == "deny") && r.State != renew.Waiting,
			sub == "stop" && r.State != renew.Running,
			sub == "resume" && r.State != renew.Stopped:
			continue
		}
		out = append(out, r.ID)
	}
	return out
}

// incidentIDs are the open incidents, the room's first.
func (d *Desk) incidentIDs(ctx context.Context, room string) []string {
	all, err := d.o.Book.List(ctx, incident.Filter{Open: true, Limit: 20})
	if err != nil {
		return nil
	}
	var out []string
	if isIncident(room) {
		out = append(out, strings.ToUpper(room))
	}
	for _, i := range all {
		if !i.Private && !slices.Contains(out, i.ID) {
			out = append(out, i.ID)
		}
	}
	return out
}
