package commands

import (
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// This file has verbs and their parameters say the statuses by the names that
// people here gave them. Whoever types a status's own word is understood too.

// called is a verb as people here read it: of /incident status its statuses.
func (v Verb) called(names incident.Names) Verb {
	if v.Name != "incident status" {
		return v
	}
	var own, here []string
	for _, s := range incident.Named {
		own, here = append(own, string(s)), append(here, names.Of(s))
	}
	v.Args = strings.Replace(v.Args, strings.Join(own, "|"), strings.Join(here, "|"), 1)
	v.Example = strings.Replace(v.Example, "status "+string(incident.Identified), "status "+names.Of(incident.Identified), 1)
	return v
}

// ParamsCalled is ParamsOf with the names of statuses as the choices.
func ParamsCalled(names incident.Names) func(verb string) []Param {
	return func(verb string) []Param {
		ps := ParamsOf(verb)
		for n, p := range ps {
			if verb != "incident status" || p.Name != "status" {
				continue
			}
			ps[n].Choices = slices.Clone(p.Choices)
			for k, word := range p.Choices {
				ps[n].Choices[k] = names.Of(incident.Status(word))
			}
		}
		return ps
	}
}
