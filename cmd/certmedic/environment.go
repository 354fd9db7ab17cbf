package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// secretNames are the environment variables that certmedic reads secrets from,
// each by itself or by NAME_FILE. Those of CERTMEDIC_... stand nowhere: they
// are certmedic's by their name. What is not in this list is not read, so that
// what is read is never handed to a program that certmedic starts.
var secretNames = []string{
	"SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET",
	"DISCORD_BOT_TOKEN", "DISCORD_TOKEN", "DISCORD_PUBLIC_KEY",
	"ALERTMANAGER_TOKEN", "PAGERDUTY_SECRET", "HOOK_SECRET",
	"SMTP_PASSWORD", "WEBHOOK_SECRET", "STATUSPAGE_TOKEN",
	"GITHUB_TOKEN", "JIRA_USER", "JIRA_TOKEN",
}

// environment reads a secret from NAME or from the file that NAME_FILE names.
func environment(name string) (string, error) {
	if !slices.Contains(secretNames, name) {
		return "", fmt.Errorf("%s is not one of the variables that certmedic reads", name)
	}
	if file := os.Getenv(name + "_FILE"); file != "" {
		b, err := readSmall(file)
		if err != nil {
			return "", fmt.Errorf("read %s_FILE: %w", name, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	return strings.TrimSpace(os.Getenv(name)), nil
}

// ownVariables are the environment variables that a program which certmedic
// starts is not given: those of secretNames, and those that the configuration
// names by {env: NAME}.
func (c config) ownVariables() []string {
	all := slices.Clone(c.SecretVariables)
	for _, name := range secretNames {
		all = append(all, name, name+"_FILE")
	}
	return all
}
