package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
)

// configFlag adds -c to a command.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "certmedic.yaml", "the configuration `file`")
}

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "watch the estate and open the rooms",
		Long: `serve watches the estate, answers in the browser and runs renewals until it is
stopped (SIGTERM or Ctrl-C). A renewal that is running then reaches a safe point
and goes on at the next start; serve says which.`,
		Args: cobra.NoArgs,
	}
	file := configFlag(c)
	withConsole := c.Flags().Bool("console", false, "open the room in this terminal too")
	verbose := c.Flags().BoolP("verbose", "v", false, "log more")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		token, err := webToken()
		if err != nil {
			return err
		}
		beThrifty()
		o := programOptions{Name: "certmedic serve", Log: newLog(c.ErrOrStderr(), *verbose), Listen: true, Watch: true, Token: token}
		if *withConsole {
			o.Console = &console.Options{By: terminalPerson("console"), In: c.InOrStdin(), Out: c.OutOrStdout(), History: historyFile(cfg.Data)}
		}
		return serve(c.Context(), cfg, o, c.OutOrStdout())
	}
	return c
}

// serve runs the program until ctx ends.
func serve(ctx context.Context, cfg config, o programOptions, out io.Writer) error {
	p, err := open(ctx, cfg, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "certmedic %s: %s, room at %s\n", versionText(), count(len(cfg.Inventory.Certificates), "certificate"), p.Address())
	stopped, err := p.Run(ctx)
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	sayStopped(out, stopped)
	return err
}

// sayStopped tells what goes on later.
func sayStopped(out io.Writer, stopped []string) {
	if len(stopped) == 0 {
		fmt.Fprintln(out, "certmedic: stopped; no renewal was running")
		return
	}
	fmt.Fprintf(out, "certmedic: stopped at a safe point; %s will go on at the next start\n", strings.Join(stopped, ", "))
}

// webToken reads the token of the pages from the environment.
func webToken() (string, error) {
	if file := os.Getenv("CERTMEDIC_TOKEN_FILE"); file != "" {
		b, err := readSmall(file)
		if err != nil {
			return "", fmt.Errorf("read CERTMEDIC_TOKEN_FILE: %w", err)
		}
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("CERTMEDIC_TOKEN_FILE: %s is empty; write a token into it: openssl rand -hex 16", file)
		}
		return token, nil
	}
	return os.Getenv("CERTMEDIC_TOKEN"), nil
}

// terminalPerson is who sits at this terminal.
func terminalPerson(platform string) commands.Person {
	name := "operator"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = filepath.Base(u.Username)
	}
	return commands.Person{ID: platform + ":" + name, Name: name, Platform: platform, Zone: localZone()}
}

// localZone is this machine's zone by its IANA name, or "".
func localZone() string {
	if z := time.Local.String(); z != "Local" {
		return z
	}
	link, err := os.Readlink("/etc/localtime")
	if _, name, ok := strings.Cut(link, "zoneinfo/"); ok && err == nil {
		if _, err := time.LoadLocation(name); err == nil {
			return name
		}
	}
	return ""
}

// historyFile keeps the console's lines beside the record.
func historyFile(data string) string { return data + ".history" }
