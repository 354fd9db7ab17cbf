package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/bot"
)

// chatCheckCommand asks a chat platform whether all is set up; check does it.
func chatCheckCommand(short, long string, check func(ctx context.Context, cfg config) ([]bot.Finding, error)) *cobra.Command {
	c := &cobra.Command{Use: "check", Short: short, Args: cobra.NoArgs, Long: long}
	file := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		found, err := check(c.Context(), cfg)
		if err != nil {
			return err
		}
		bad := 0
		for _, f := range found {
			if f.Good {
				fmt.Fprintf(c.OutOrStdout(), "good  %s\n", f.Text)
				continue
			}
			bad++
			fmt.Fprintf(c.OutOrStdout(), "BAD   %s\n      %s\n", f.Text, f.Next)
		}
		if bad > 0 {
			return &exitError{code: exitFailed, text: fmt.Sprintf("%d things are to be done", bad)}
		}
		return nil
	}
	return c
}
