package main

// This file reads tasks: of the configuration: where action items are kept too.

import (
	"net/url"
	"regexp"
	"slices"

	"github.com/certmedic/certmedic/commands"
)

// tasksConfig is tasks: of the configuration.
type tasksConfig struct {
	GitHubRepo, GitHubAPI          string
	JiraURL, JiraProject, JiraType string
	AtClose                        string // "github", "jira" or "": nothing
}

var (
	repoName   = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$`)
	projectKey = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,30}$`)
)

// tasks reads tasks:.
func (r *yamlReader) tasks(n node) tasksConfig {
	t := tasksConfig{}
	said := ""
	r.mapping(n, "tasks", fields{
		"github": func(n node) {
			r.mapping(n, "tasks.github", fields{
				"repo": func(n node) {
					if t.GitHubRepo = r.text(n, "tasks.github.repo"); !repoName.MatchString(t.GitHubRepo) {
						r.add(n, "tasks.github.repo: %q is no repository", "write it as owner/name", t.GitHubRepo)
					}
				},
				"api_url": func(n node) { t.GitHubAPI = r.serviceURL(n, "tasks.github.api_url") },
				"token":   r.never("tasks.github.token", "GITHUB_TOKEN"),
			})
			if t.GitHubRepo == "" && !r.has(n, "repo") {
				r.add(n, "tasks.github has no repo", "name it: `repo: example/certs`")
			}
		},
		"jira": func(n node) {
			r.mapping(n, "tasks.jira", fields{
				"url": func(n node) { t.JiraURL = r.serviceURL(n, "tasks.jira.url") },
				"project": func(n node) {
					if t.JiraProject = r.text(n, "tasks.jira.project"); !projectKey.MatchString(t.JiraProject) {
						r.add(n, "tasks.jira.project: %q is no project's key", "write it like TLS, as before the number of an issue", t.JiraProject)
					}
				},
				"type":  func(n node) { t.JiraType = r.text(n, "tasks.jira.type") },
				"token": r.never("tasks.jira.token", "JIRA_TOKEN"), "user": r.never("tasks.jira.user", "JIRA_USER"),
			})
			for _, key := range []string{"url", "project"} {
				if !r.has(n, key) {
					r.add(n, "tasks.jira has no %s", "for example: `jira: {url: https://example.atlassian.net, project: TLS}`", key)
				}
			}
		},
		"at_close": func(n node) {
			if said = r.text(n, "tasks.at_close"); !slices.Contains([]string{"github", "jira", "never"}, said) {
				r.add(n, "tasks.at_close: %q is none", "github, jira or never: where open action items go when their incident is closed", said)
				said = "never"
			}
		},
	})
	has := map[string]bool{"github": t.GitHubRepo != "", "jira": t.JiraURL != ""}
	switch {
	case said == "never":
	case said != "" && !has[said]:
		r.add(n, "tasks.at_close: there is no tasks.%s", "add it, or say never", said)
	case said != "":
		t.AtClose = said
	case has["github"] && has["jira"]:
		r.add(n, "tasks has two trackers", "say where open action items go at close: `at_close: github`, jira or never")
	case has["github"]:
		t.AtClose = "github"
	case has["jira"]:
		t.AtClose = "jira"
	}
	return t
}

// desk is the configuration in the words of commands.
func (t tasksConfig) desk() (all []commands.Tracker) {
	if t.GitHubRepo != "" {
		all = append(all, commands.Tracker{Name: "github", Where: t.GitHubRepo, AtClose: t.AtClose == "github"})
	}
	if t.JiraURL != "" {
		u, _ := url.Parse(t.JiraURL) // it was checked
		all = append(all, commands.Tracker{Name: "jira", Where: t.JiraProject + " at " + u.Host, AtClose: t.AtClose == "jira"})
	}
	return all
}
