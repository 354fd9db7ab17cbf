package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot/web"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// This file reads hooks: of the configuration, the alerts that other systems
// post, and joins them to the program. Their secrets stand in the environment.

// hooksConfig is hooks: of the configuration.
type hooksConfig struct {
	Policy     map[string]string // by source: what is switched on, and its policy
	Severities map[string]incident.Severity
}

// hookSecrets are where the secret of each source stands.
var hookSecrets = map[string]string{web.Alertmanager: "ALERTMANAGER_TOKEN", web.PagerDuty: "PAGERDUTY_SECRET", web.Generic: "HOOK_SECRET"}

// shortestHookSecret is the least length of a secret of ours; PagerDuty makes
// its own.
const shortestHookSecret = 16

// hooks reads hooks:.
func (r *yamlReader) hooks(n node) hooksConfig {
	c := hooksConfig{Policy: map[string]string{}, Severities: map[string]incident.Severity{}}
	general := commands.AlertSuggest
	policy := func(to *string, what string) func(node) {
		return func(n node) {
			switch s := r.text(n, what); s {
			case commands.AlertEntry, commands.AlertSuggest, commands.AlertDeclare:
				*to = s
			default:
				r.add(n, "%s: %q is none", "entry (kept for the timeline), suggest (told in main, with a button) or declare (an incident is opened)", what, s)
			}
		}
	}
	source := func(name string) func(node) {
		return func(n node) {
			own := ""
			never := func(n node) {
				r.add(n, "hooks.%s: a secret does not stand in this file", "set "+hookSecrets[name]+" (or "+hookSecrets[name]+"_FILE) in the environment", name)
			}
			r.mapping(n, "hooks."+name, fields{"policy": policy(&own, "hooks."+name+".policy"), "secret": never, "token": never, "password": never})
			c.Policy[name] = own
		}
	}
	r.mapping(n, "hooks", fields{
		"policy":         policy(&general, "hooks.policy"),
		web.Alertmanager: source(web.Alertmanager), web.PagerDuty: source(web.PagerDuty), web.Generic: source(web.Generic),
		"severities": func(n node) {
			for _, p := range r.pairs(n, "hooks.severities") {
				c.Severities[strings.ToLower(r.scalar(p.Key))] = incident.Severity(r.integer(p.Value, "hooks.severities."+r.scalar(p.Key), 1, 4))
			}
		},
	})
	for name, own := range c.Policy {
		if own == "" {
			c.Policy[name] = general
		}
	}
	return c
}

// openHooks makes what takes alerts; a source that is switched on needs its
// secret.
func (p *program) openHooks() error {
	o := web.HookOptions{Take: p.desk, Hooks: map[string]web.Hook{}, Now: time.Now, Log: p.o.Log}
	for source, policy := range p.cfg.Hooks.Policy {
		name := hookSecrets[source]
		text, err := environment(name)
		if err != nil {
			return fmt.Errorf("hooks.%s: %w", source, err)
		}
		secrets := strings.Fields(text)
		if len(secrets) == 0 {
			return fmt.Errorf("hooks.%s is switched on without a secret: set %s or %s_FILE in the environment%s", source, name, name, map[bool]string{true: ", to the one that PagerDuty shows when the webhook is made", false: " (openssl rand -hex 32 makes one)"}[source == web.PagerDuty])
		}
		for _, s := range secrets {
			if len(s) < shortestHookSecret && source != web.PagerDuty {
				return fmt.Errorf("%s is too short: at least %d characters are needed (openssl rand -hex 32 makes one)", name, shortestHookSecret)
			}
		}
		o.Hooks[source] = web.Hook{Secrets: secrets, Policy: policy}
	}
	p.hooks = web.NewHooks(o)
	return nil
}
