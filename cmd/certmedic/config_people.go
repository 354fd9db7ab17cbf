package main

// This file reads who is who and who may do what: people:, policy:, and the
// groups of chat platforms that belong to a team.

import (
	"regexp"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// identities are the platforms that a person is linked on, and what an id of
// each looks like. The ids of web, console and cli are the names given there.
var identities = []struct {
	platform string
	form     *regexp.Regexp // nil: a name
	hint     string
}{
	{"slack", regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`), "it is no handle: in Slack open the profile, then More, Copy member ID: U0123ABCD"},
	{"discord", regexp.MustCompile(`^[0-9]{3,20}$`), `with Discord's developer mode on, right-click the person, Copy User ID: "80351110224678912"`},
	{"web", nil, "the name that they give in the browser: ana"},
	{"console", nil, "their login name: ana"},
	{"cli", nil, "their login name, or what they give with --as: ana"},
}

// people reads people: one person, several identities.
func (r *yamlReader) people(n node) []commands.Linked {
	var all []commands.Linked
	owner := map[string]string{}
	r.each(n, "people", func(name string, key, n node) {
		if slices.ContainsFunc(all, func(l commands.Linked) bool { return strings.EqualFold(l.Name, name) }) {
			r.add(key, "people has %q twice, upper and lower case aside", "give each their own name", name)
			return
		}
		l := commands.Linked{Name: name}
		f := fields{}
		for _, i := range identities {
			f[i.platform] = func(n node) {
				for _, item := range r.list(n, "people."+name+"."+i.platform) {
					id := r.text(item, "people."+name+"."+i.platform)
					if id == "" {
						continue
					}
					if i.form != nil && !i.form.MatchString(id) || i.form == nil && !bot.ValidName(id) {
						r.add(item, "people.%s.%s: %q is no id", i.hint, name, i.platform, id)
						continue
					}
					id = i.platform + ":" + id
					if other := owner[strings.ToLower(id)]; other != "" {
						r.add(item, "people: %s is %s and %s", "one identity belongs to one person", id, other, name)
						continue
					}
					owner[strings.ToLower(id)] = name
					l.IDs = append(l.IDs, id)
				}
			}
		}
		r.mapping(n, "people."+name, f)
		if len(l.IDs) == 0 {
			r.add(key, "people.%s has no identity", "name who they are: `ana: {slack: U0123ABCD, web: ana}`", name)
			return
		}
		slices.SortStableFunc(l.IDs, func(a, b string) int { return rankOf(a) - rankOf(b) })
		all = append(all, l)
	})
	return all
}

func rankOf(id string) int {
	platform, _, _ := strings.Cut(id, ":")
	for n, i := range identities {
		if i.platform == platform {
			return n
		}
	}
	return len(identities)
}

var groupForm = regexp.MustCompile(`^@?[\p{L}\p{N}][\p{L}\p{N} ._-]*$`)

// groups reads a team's groups of one platform: ids or names.
func (r *yamlReader) groups(n node, team, platform string) []string {
	var all []string
	for _, item := range r.list(n, "team "+team+", "+platform) {
		g := r.text(item, "team "+team+", "+platform)
		if g != "" && !fits(groupForm, 81, g) {
			r.add(item, "team %s, %s: %q is no group", "name a user group of Slack by its id or handle (S0123ABCD), a role of Discord by its id or name", team, platform, g)
			continue
		}
		if g != "" {
			all = append(all, platform+":"+strings.TrimPrefix(g, "@"))
		}
	}
	return all
}

// policy reads policy: who may look, declare, renew and close.
func (r *yamlReader) policy(n node) commands.Policy {
	var p commands.Policy
	right := func(name string, to *[]string) func(node) {
		return func(n node) {
			for _, item := range r.list(n, "policy."+name) {
				who := r.text(item, "policy."+name)
				switch who {
				case "":
				case commands.Members, commands.Owner:
					*to = append(*to, who)
				default:
					r.refs = append(r.refs, reference{item, "team", who, "policy." + name})
					*to = append(*to, who)
				}
			}
			if len(*to) == 0 {
				r.add(n, "policy.%s names nobody", "members, owner, or names of teams: `renew: [owner, sre]`", name)
			}
		}
	}
	r.mapping(n, "policy", fields{
		"look": right("look", &p.Look), "declare": right("declare", &p.Declare), "renew": right("renew", &p.Renew), "close": right("close", &p.Close),
	})
	return p
}
