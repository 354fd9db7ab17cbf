package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/commands"
)

// slackCommand sets Slack up: the manifest to paste, and whether all is well.
func slackCommand() *cobra.Command {
	c := &cobra.Command{Use: "slack", Short: "set up Slack: the app's manifest, and a check of it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(slackManifestCommand(), slackCheckCommand())
	return c
}

func slackManifestCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "manifest", Short: "print the app's manifest", Args: cobra.NoArgs,
		Long: `manifest prints what api.slack.com/apps takes under "Create New App", "From a
manifest": the commands from the table of verbs, and the least scopes.`,
	}
	asJSON := c.Flags().Bool("json", false, "print JSON instead of YAML")
	url := c.Flags().String("url", "", "the public https `address` of certmedic, for mode http (default: Socket Mode)")
	without := c.Flags().StringSlice("without", nil, "features to leave out, with their scopes: "+slack.Timeline+" (reactions, pins and edits of messages followed), "+slack.HomeTab+" (App Home)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, w := range *without {
			if w != slack.Timeline && w != slack.HomeTab {
				return usageError{fmt.Errorf("--without %s: there are %s and %s", w, slack.Timeline, slack.HomeTab)}
			}
		}
		m := slack.NewManifest(*url, *without...)
		var b []byte
		var err error
		if *asJSON {
			b, err = json.MarshalIndent(m, "", "  ")
			b = append(b, '\n')
		} else {
			b, err = yaml.Marshal(m)
		}
		if err != nil {
			return fmt.Errorf("write the manifest: %w", err)
		}
		_, err = c.OutOrStdout().Write(b)
		return err
	}
	return c
}

func slackCheckCommand() *cobra.Command {
	return chatCheckCommand("ask Slack whether tokens, scopes, socket and channel are right",
		`check asks Slack whether the tokens work, which scopes they have, whether Socket
Mode opens and whether the bot is in its channel. It changes nothing. Each line
is good or says what to do; the exit is 0 only when all are good.`,
		func(ctx context.Context, cfg config) ([]bot.Finding, error) {
			if cfg.Slack.Mode == "" {
				return nil, fmt.Errorf("%s has no chat.slack: add `chat: {slack: {channel: C0123456789}}`", cfg.File)
			}
			o, err := slackOptions(cfg.Slack)
			if err != nil {
				return nil, err
			}
			o.TeamGroups = slackGroups(cfg.Teams)
			for _, t := range cfg.Teams {
				o.Teams = append(o.Teams, t.Name)
			}
			return slack.Check(ctx, o), nil
		})
}

// slackGroups finds the user groups of a team of the configuration.
func slackGroups(teams []commands.Team) func(team string) []string {
	return func(team string) (all []string) {
		for _, t := range teams {
			if !strings.EqualFold(t.Name, team) {
				continue
			}
			for _, g := range t.Groups {
				if name, ok := strings.CutPrefix(g, "slack:"); ok {
					all = append(all, name)
				}
			}
		}
		return all
	}
}
