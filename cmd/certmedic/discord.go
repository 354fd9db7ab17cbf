package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/discord"
)

// discordCommand sets Discord up: the link that invites the bot, and whether
// all is well.
func discordCommand() *cobra.Command {
	c := &cobra.Command{Use: "discord", Short: "set up Discord: the link that invites the bot, and a check of it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(discordInviteCommand(), discordCheckCommand())
	return c
}

func discordInviteCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "invite", Short: "print the link that adds the bot to a server", Args: cobra.NoArgs,
		Long: `invite prints the link that adds the bot to a server, with the least scopes and
permissions. It asks Discord which application DISCORD_BOT_TOKEN is of; with
--app nothing is asked.`,
	}
	file := configFlag(c)
	app := c.Flags().String("app", "", "the application's `id`, instead of asking Discord")
	place := c.Flags().String("place", "", "channel or thread: where incidents stand (default: as configured, else channel)")
	why := c.Flags().Bool("why", false, "say what each permission is for")
	c.RunE = func(c *cobra.Command, _ []string) error {
		d := discordConfig{Place: discord.Channel}
		if cfg, err := loadConfig(*file); err == nil && cfg.Discord.Mode != "" {
			d = cfg.Discord
		} else if err != nil && c.Flags().Changed("config") {
			return err
		}
		if *place != "" {
			d.Place = *place
		}
		if d.Place != discord.Channel && d.Place != discord.Thread {
			return usageError{fmt.Errorf("--place %q is none: it is channel or thread", d.Place)}
		}
		id := *app
		if id == "" {
			o, err := discordOptions(d)
			if err != nil {
				return err
			}
			if id, err = discord.Application(c.Context(), o); err != nil {
				return err
			}
		}
		if !discordID.MatchString(id) {
			return usageError{fmt.Errorf("%q is no application's id: copy it from General Information in the developer portal", id)}
		}
		fmt.Fprintln(c.OutOrStdout(), discord.Invite(id, d.Place, d.Guild))
		if *why {
			for _, p := range discord.Permissions() {
				if p.Also == "" || p.Also == d.Place {
					fmt.Fprintf(c.OutOrStdout(), "%-24s %s\n", p.Name, p.For)
				}
			}
		}
		return nil
	}
	return c
}

func discordCheckCommand() *cobra.Command {
	return chatCheckCommand("ask Discord whether token, gateway, channel and permissions are right",
		`check asks Discord whether the token works, whether the gateway answers (or the
public key is the application's), whether the channel and the category can be
seen, and which permissions are missing. It changes nothing. Each line is good
or says what to do; the exit is 0 only when all are good.`,
		func(ctx context.Context, cfg config) ([]bot.Finding, error) {
			if cfg.Discord.Mode == "" {
				return nil, fmt.Errorf("%s has no chat.discord: add `chat: {discord: {channel: \"1100000000000000003\"}}`", cfg.File)
			}
			o, err := discordOptions(cfg.Discord)
			if err != nil {
				return nil, err
			}
			return discord.Check(ctx, o), nil
		})
}
