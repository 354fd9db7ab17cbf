package commands

import (
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/renew"
)

// This file holds what each verb takes, field by field: the one place that
// platforms with forms and typed options read. Flags come from the table of
// verbs; only the words before them are written here.

// ParamsOf returns what a verb takes, in the order of its line: words first,
// then flags. It is nil for a verb without any, and for no verb. A verb that
// has words and no entry here takes them as one text, so that it can be said
// everywhere.
func ParamsOf(verb string) []Param {
	v := lookup(verb)
	if v == nil {
		return nil
	}
	ps := slices.Clone(paramWords()[verb])
	if ps == nil && v.Args != "" {
		ps = []Param{{Name: "words", Kind: ParamText, Summary: "what would be typed after the verb"}}
	}
	for _, f := range v.shown() {
		ps = append(ps, flagParam(f))
	}
	return ps
}

// flagParam is a flag as a Param.
func flagParam(f Flag) Param {
	p := Param{Name: f.Name, Kind: ParamWord, Summary: f.Summary, Flag: true}
	switch {
	case f.Value == "":
		p.Kind = ParamSwitch
	case f.Value == "text":
		p.Kind = ParamText
	case f.Value == "time":
		p.Kind = ParamTime
	case f.Name == "cert":
		p.Kind = ParamCertificate
	case f.Name == "challenge":
		p.Kind, p.Choices = ParamChoice, []string{renew.HTTP01, renew.DNS01}
	case f.Name == "template":
		p.Kind = ParamTemplate
	case f.Name == "by":
		p.Kind, p.Choices = ParamChoice, NumberWays
	case f.Name == "key":
		p.Kind, p.Choices = ParamChoice, []string{"keep"}
	}
	return p
}

// paramWords are the words of every verb that takes any.
func paramWords() map[string][]Param {
	var (
		which   = Param{Name: "incident", Kind: ParamIncident, Summary: "the incident; without it the room's, else the only open one"}
		cert    = Param{Name: "certificate", Kind: ParamCertificate, Summary: "the certificate"}
		renewal = Param{Name: "renewal", Kind: ParamRenewal, Summary: "the renewal, as R-12", Required: true}
		reason  = Param{Name: "reason", Kind: ParamText, Summary: "why, on the record"}
		entry   = Param{Name: "entry", Kind: ParamWord, Summary: "the line of the timeline, as E-5", Required: true}
		text    = Param{Name: "text", Kind: ParamText, Summary: "what there is to say"}
		when    = Param{Name: "time", Kind: ParamTime, Summary: "when: 14:05, -20m, yesterday 14:05, 2026-11-21 14:05Z", Required: true}
		why     = Param{Name: "why", Kind: ParamText, Summary: "how it is known"}
		person  = Param{Name: "person", Kind: ParamPerson, Summary: "who: me, or a name", Required: true}
		other   = Param{Name: "other", Kind: ParamIncident, Summary: "the incident that goes on", Required: true}
		remind  = Param{Name: "reminder", Kind: ParamWord, Summary: "commander, update, close, draft, an action item as T-3, an update as U-2, a renewal as R-3", Required: true}
	)
	with := func(p Param, change func(*Param)) Param { change(&p); return p }
	must := func(p Param) Param { p.Required = true; return p }
	choice := func(name, summary string, required bool, choices ...string) Param {
		return Param{Name: name, Kind: ParamChoice, Summary: summary, Required: required, Choices: choices}
	}
	verbs := with(text, func(p *Param) {
		p.Name, p.Summary = "verb", "the verb to explain"
		for _, v := range table() {
			p.Choices = append(p.Choices, v.Name)
		}
	})
	return map[string][]Param{
		"help":               {verbs},
		"certcheck":          {with(cert, func(p *Param) { p.Summary = "a certificate, or host:port; without it all of them" })},
		"certcheck rehearse": {must(cert)},
		"certcheck who":      {must(cert)},
		"renew":              {with(cert, func(p *Param) { p.Summary = "the certificate; without it what is due, running or waiting" })},
		"renew approve":      {renewal, reason},
		"renew deny":         {renewal, reason},
		"renew stop":         {renewal, reason},
		"renew resume":       {renewal},
		"renew rollback":     {renewal, reason},
		"renew status":       {renewal},
		"incident declare": {choice("severity", "1 is worst; without it by what the certificate says", false, "sev1", "sev2", "sev3", "sev4"),
			with(text, func(p *Param) { p.Name, p.Summary, p.Required = "title", "what people see, in a few words", true })},
		"incident status": {which, choice("status", "where it stands", true, "investigating", "identified", "monitoring", "resolved"),
			with(text, func(p *Param) { p.Summary = "what was found, what is done" })},
		"incident sev":    {which, choice("severity", "1 is worst; unsure means the worse one", true, "1", "2", "3", "4"), text},
		"incident lead":   {which, person},
		"incident impact": {which, with(text, func(p *Param) { p.Summary, p.Required = "what people felt", true })},
		"incident note": {which, with(text, func(p *Param) { p.Summary, p.Required = "the line for the timeline", true }),
			{Name: "at", Kind: ParamTime, Summary: "when it was, if not now: 14:05, -20m, yesterday 14:05", Lead: "@ "}},
		"incident update": {which, with(text, func(p *Param) {
			p.Summary = "where it stands, for those outside; or approve U-2, deny U-2, retry U-2, list"
		})},
		"incident edit": {which, entry, with(text, func(p *Param) { p.Summary, p.Required = "what it should read", true })},
		"incident drop": {which, entry, with(why, func(p *Param) { p.Summary = "why it goes" })},
		"incident move": {which, entry, when},
		"incident temp": {which, choice("do", "what to do", true, "add", "undo", "list"), {Name: "number", Kind: ParamWord, Summary: "of undo: which one, as 1"},
			with(text, func(p *Param) { p.Summary = "what was changed, or how it was undone" })},
		"incident task": {which, choice("do", "what to do", true, "add", "done", "export", "list"), {Name: "task", Kind: ParamWord, Summary: "of done and export: which one, as T-3"},
			with(text, func(p *Param) { p.Summary = "what is to be done, or how it was done" }),
			{Name: "owner", Kind: ParamPerson, Summary: "a person or a team", Lead: "@"}, {Name: "due", Kind: ParamWord, Summary: "the day: fri, 2026-12-01", Lead: "due "}},
		"incident role":       {which, choice("role", "the role", true, incident.Roles...), person},
		"incident invite":     {which, person},
		"incident handoff":    {which, person, with(text, func(p *Param) { p.Summary = "what the next commander should know" })},
		"incident rename":     {which, with(text, func(p *Param) { p.Name, p.Summary, p.Required = "title", "the new title", true })},
		"incident started":    {which, when, why},
		"incident detected":   {which, when, why},
		"incident reopen":     {which, must(reason)},
		"incident cancel":     {which, must(reason)},
		"incident duplicate":  {which, other, text},
		"incident merge":      {which, other, text},
		"incident snooze":     {which, remind, {Name: "for", Kind: ParamWord, Summary: "how long: 30m, 2h, 1d"}},
		"incident quiet":      {which, remind},
		"incident timeline":   {which},
		"incident show":       {which},
		"incident list":       {choice("which", "without it the open ones", false, "open", "all", "search"), {Name: "words", Kind: ParamText, Summary: "of search: the words"}},
		"incident resolve":    {which, with(text, func(p *Param) { p.Summary = "what ended it" })},
		"incident close":      {which, with(text, func(p *Param) { p.Summary = "a last word" })},
		"incident postmortem": {which, choice("do", "a form of the draft, how far it is, or set a section", false, "md", "html", "json", "png", "finish", "review", "share", "publish", "set"), choice("section", "of set: which section", false, postmortem.Settable()...), with(text, func(p *Param) { p.Summary = "of set: your words" })},
		"incident export":     {which, choice("form", "of the file", true, "json", "csv", "zip")},
	}
}

// Missing returns the required parameters that have no value.
func Missing(params []Param, values map[string]string) []Param {
	var none []Param
	for _, p := range params {
		if p.Required && strings.TrimSpace(values[p.Name]) == "" {
			none = append(none, p)
		}
	}
	return none
}
