package main

// This file joins what leaves the rooms to the program: status updates
// (bot/notify) and action items (bot/tracker), with their secrets out of the
// environment.

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/bot/tracker"
)

// pauses of what is done outside: before something is tried again, between two
// looks at the record, until a tracker's list has what was made, and between two
// requests with one token of the status page. Tests are in more of a hurry.
var pauses = struct{ retry, every, settle, pace time.Duration }{5 * time.Second, 15 * time.Second, time.Minute, time.Second}

// outside is one part that does what the record says is to be done outside.
type outside struct {
	name   string
	run    func(ctx context.Context, changed <-chan struct{})
	key    string // in /healthz
	status func() bot.Waiting
}

// openOutside makes the parts that the configuration asks for. They run in
// serve alone: what is said elsewhere is delivered by it.
func (p *program) openOutside(roots *x509.CertPool) error {
	if !p.o.Watch {
		return nil
	}
	site := ""
	if len(p.cfg.Hosts) > 0 {
		site = "https://" + p.cfg.Hosts[0]
	} else if p.o.Listen && !loopback(p.cfg.Listen) {
		site = p.Address()
	}
	if len(p.cfg.Updates.Targets) > 0 {
		targets, err := p.updateTargets(roots, site)
		if err != nil {
			return fmt.Errorf("updates: %w", err)
		}
		o := notify.New(notify.Options{Desk: p.desk, Targets: targets, Post: p.post, Now: time.Now, Log: p.o.Log, Retry: pauses.retry, Every: pauses.every})
		p.outside = append(p.outside, outside{"updates", o.Run, "updates", o.Status})
	}
	if len(p.cfg.Tasks.desk()) > 0 {
		trackers, err := p.trackers()
		if err != nil {
			return fmt.Errorf("tasks: %w", err)
		}
		c := tracker.New(tracker.Options{Desk: p.desk, Trackers: trackers, Notes: storeNotes{p.store, "chat/tasks/"}, Post: p.post, Now: time.Now, Log: p.o.Log,
			Retry: pauses.retry, Every: pauses.every, Settle: pauses.settle})
		p.outside = append(p.outside, outside{"action items", c.Run, "tasks", c.Status})
	}
	return nil
}

// needed reads a secret that must be there.
func needed(name, what string) (string, error) {
	s, err := environment(name)
	if err == nil && s == "" {
		err = fmt.Errorf("%s needs %s: set it, or %s_FILE to the path of a file with it, before certmedic starts", what, name, name)
	}
	return s, err
}

// updateTargets are the targets of the configuration with their secrets.
func (p *program) updateTargets(roots *x509.CertPool, site string) (map[string]notify.Target, error) {
	all := map[string]notify.Target{}
	pace := &notify.Pace{Every: pauses.pace}
	for _, t := range p.cfg.Updates.Targets {
		switch {
		case len(t.To) > 0:
			m := &notify.Mail{SMTP: p.cfg.Updates.SMTP, To: t.To, Audience: t.Audience, Site: site, Notes: storeNotes{p.store, "chat/updates/"}, Now: time.Now}
			m.SMTP.Roots = roots
			if m.SMTP.User != "" {
				var err error
				if m.SMTP.Password, err = needed("SMTP_PASSWORD", "updates.smtp.user"); err != nil {
					return nil, err
				}
			}
			all[t.Name] = m
		case t.URL != "":
			secret, err := needed("WEBHOOK_SECRET", "the webhook "+t.Name)
			if err != nil {
				return nil, err
			}
			all[t.Name] = &notify.Webhook{URL: t.URL, Secret: secret, Now: time.Now, Site: site}
		default:
			token, err := needed("STATUSPAGE_TOKEN", "the status page "+t.Name)
			if err != nil {
				return nil, err
			}
			all[t.Name] = &notify.Statuspage{API: t.API, Page: t.Page, Token: token, Notify: !t.Quiet, Pace: pace}
		}
	}
	return all, nil
}

// trackers are the trackers of the configuration with their secrets.
func (p *program) trackers() (map[string]tracker.Tracker, error) {
	all, t := map[string]tracker.Tracker{}, p.cfg.Tasks
	if t.GitHubRepo != "" {
		token, err := needed("GITHUB_TOKEN", "tasks.github")
		if err != nil {
			return nil, err
		}
		if all["github"], err = tracker.NewGitHub(tracker.GitHubOptions{Repo: t.GitHubRepo, Token: token, API: t.GitHubAPI}); err != nil {
			return nil, err
		}
	}
	if t.JiraURL != "" {
		user, err := needed("JIRA_USER", "tasks.jira")
		if err != nil {
			return nil, err
		}
		token, err := needed("JIRA_TOKEN", "tasks.jira")
		if err != nil {
			return nil, err
		}
		all["jira"] = &tracker.Jira{URL: t.JiraURL, Project: t.JiraProject, Type: t.JiraType, User: user, Token: token}
	}
	return all, nil
}
