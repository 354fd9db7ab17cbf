package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// starter is the commented file that init writes. Everything that must be
// changed is an example name, so that nothing is asked of a real CA by mistake.
//
//go:embed starter.yaml
var starter []byte

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "write a commented configuration to start from",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file := "certmedic.yaml"
			if len(args) == 1 {
				file = args[0]
			}
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already and stays as it is: name another file, as in `certmedic init other.yaml`", file)
			}
			if err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			_, err = f.Write(starter)
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(file)) // it was made here, and is not whole
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is written. Put your names into it, then: certmedic config check -c %s\n", file, file)
			return err
		},
	}
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "look at the configuration", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	check := &cobra.Command{
		Use: "check", Short: "read the configuration and say everything that is wrong with it", Args: cobra.NoArgs,
	}
	file := configFlag(check)
	asJSON := check.Flags().Bool("json", false, "print the problems as JSON; a good file has none")
	check.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*file)
		var bad *configError
		errors.As(err, &bad)
		if *asJSON {
			said := configError{File: *file, Problems: []configProblem{}}
			switch {
			case bad != nil:
				said = *bad
			case err == nil:
				said.File = cfg.File
			default:
				said.Problems = append(said.Problems, configProblem{Message: err.Error()})
			}
			if wrote := json.NewEncoder(c.OutOrStdout()).Encode(said); wrote != nil || bad == nil && err != nil {
				return errors.Join(err, wrote)
			}
			if len(said.Problems) > 0 {
				return &exitError{code: exitFailed}
			}
			return nil
		}
		if bad != nil {
			fmt.Fprintln(c.OutOrStdout(), bad.Error())
			return &exitError{code: exitFailed, text: fmt.Sprintf("%s in %s", count(len(bad.Problems), "problem"), *file)}
		}
		if err != nil {
			return err
		}
		hosts := 0
		for _, x := range cfg.Inventory.Certificates {
			hosts += len(x.Hosts())
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s is good: %s, %s, %s, %s\n", *file,
			count(len(cfg.Inventory.Certificates), "certificate"), count(hosts, "host"), count(len(cfg.Inventory.Issuers), "issuer"), count(len(cfg.Teams), "team"))
		return err
	}
	c.AddCommand(check)
	return c
}

// count says a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
