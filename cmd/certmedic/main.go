// Command certmedic handles TLS certificate outages from chat: it checks,
// renews, verifies, keeps the timeline and drafts the postmortem.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/commands"
)

// Exit codes of every command.
const (
	exitDone    = 0
	exitFailed  = 1 // refused, failed, or findings
	exitMisused = 2 // wrong use
)

func main() {
	// A file that may not grow must be an error, not the end of the process.
	signal.Ignore(syscall.SIGXFSZ)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command line as a function, for main and for tests.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var e *exitError
	if errors.As(err, &e) {
		if e.text != "" {
			fmt.Fprintln(errOut, "certmedic: "+e.text)
		}
		return e.code
	}
	fmt.Fprintf(errOut, "certmedic: %v\n", err)
	if misused(err) {
		fmt.Fprintln(errOut, "certmedic: `certmedic help` lists the commands, `certmedic COMMAND --help` their flags")
		return exitMisused
	}
	return exitFailed
}

// exitError ends the program with a code; text may be empty when everything
// has been said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// usageError marks wrong use of a flag or argument.
type usageError struct{ error }

// misused reports an error of the command line itself.
func misused(err error) bool {
	var u usageError
	return errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command")
}

func rootCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "certmedic",
		Short: "handles TLS certificate outages: check, renew, verify, timeline, postmortem",
		Long: `certmedic handles TLS certificate outages. People type /certcheck, /renew and
/incident in Slack, Discord, a browser or a terminal; it says what is wrong and
proves it, renews through ACME, rolls out host by host, verifies every endpoint,
writes the timeline down as it happens and drafts the postmortem.

Start with: certmedic demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.AddCommand(serveCommand(), demoCommand(), drillCommand(), initCommand(), configCommand(),
		checkCommand(), runCommand(), backupCommand(), verifyCommand(), forgetCommand(), versionCommand(), slackCommand(), discordCommand(), estateCommand())
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
	return c
}

// knownCommand refuses what is no command, with what was most likely meant.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	said := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	verb := strings.ToLower(strings.TrimPrefix(args[0], "/"))
	if strings.HasPrefix(args[0], "/") || slices.ContainsFunc(commands.Verbs(), func(v commands.Verb) bool { return v.Name == verb }) {
		return usageError{fmt.Errorf("%s: it is a line for a room; say it with `certmedic run \"/%s\"`", said, strings.Join(append([]string{strings.TrimPrefix(args[0], "/")}, args[1:]...), " "))}
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usageError{fmt.Errorf("%s: did you mean `%s %s`?", said, c.CommandPath(), near[0])}
	}
	return errors.New(said)
}

// markUsage makes errors of a command's arguments count as wrong use.
func markUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w: it is used as `%s`", err, c.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
}
