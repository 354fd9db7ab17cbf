package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

func verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify [INC-n...]",
		Short: "check that no line of a timeline was changed afterwards",
		Long: `verify walks the chain of hashes through the timeline of every incident (or of
those named) and prints the first line of each that does not fit. It ends with
1 when there is one. While a server is running it checks a copy that the server
hands out.`,
		Args: cobra.ArbitraryArgs,
	}
	file := configFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		broken, err := verify(c.Context(), cfg, args, c.OutOrStdout())
		if err == nil && broken > 0 {
			return &exitError{code: exitFailed}
		}
		return err
	}
	return c
}

// verify checks the chain of each incident named, or of all, and writes a line
// for each that does not fit; broken is how many do not.
func verify(ctx context.Context, cfg config, ids []string, out io.Writer) (broken int, err error) {
	if _, err := os.Stat(cfg.Data); err != nil {
		return 0, fmt.Errorf("there is no record yet: %w", err)
	}
	s, done, err := openOrCopy(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	book := incident.NewBook(s, time.Now)
	if len(ids) == 0 {
		missing, gone, err := book.Missing(ctx)
		if err != nil {
			return 0, err
		}
		for _, id := range missing {
			broken++
			if _, err := fmt.Fprintf(out, "%s: it was taken away: there is no record of it, nor of a removal by rule\n", id); err != nil {
				return broken, err
			}
		}
		if gone > 0 {
			if _, err := fmt.Fprintf(out, "%d removed by rule (retain:)\n", gone); err != nil {
				return broken, err
			}
		}
		all, err := book.List(ctx, incident.Filter{})
		if err != nil {
			return 0, err
		}
		for n := len(all) - 1; n >= 0; n-- {
			ids = append(ids, all[n].ID)
		}
	}
	total := len(ids) + broken
	for _, id := range ids {
		if g, found, err := book.Gone(ctx, id); err != nil {
			return broken, err
		} else if found {
			if _, err := fmt.Fprintf(out, "%s: removed by rule at %s; it had %d lines, the last hash %s\n", g.ID, incident.When(g.Removed), g.Lines, g.Head); err != nil {
				return broken, err
			}
			total--
			continue
		}
		line, err := book.Verify(ctx, id)
		if errors.Is(err, incident.ErrNotFound) {
			return broken, fmt.Errorf("there is no incident %s: `certmedic run \"/incident list all\"` lists them", id)
		}
		if err != nil {
			return broken, fmt.Errorf("verify %s: %w", id, err)
		}
		if line != "" {
			broken++
			if _, err := fmt.Fprintf(out, "%s: %s does not fit: it, or what stood before it, was changed after it was written\n", id, line); err != nil {
				return broken, err
			}
		}
	}
	_, err = fmt.Fprintf(out, "%d of %d timelines fit\n", total-broken, total)
	return broken, err
}

// openOrCopy opens the record, or, while a server has it open, a copy from it
// that is thrown away afterwards.
func openOrCopy(ctx context.Context, cfg config) (s *store.Bolt, done func() error, err error) {
	s, err = store.Open(ctx, cfg.Data, store.Options{Program: "certmedic verify"})
	if err == nil {
		return s, s.Close, nil
	}
	var used *store.InUseError
	if !errors.As(err, &used) || used.Holder.Address == "" {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "certmedic-verify-")
	if err != nil {
		return nil, nil, err
	}
	copied := filepath.Join(dir, "copy.db")
	_, err = writeAtomically(copied, func(w io.Writer) (int64, error) { return fetchBackup(ctx, used.Holder.Address, w) })
	if err == nil {
		s, err = store.Open(ctx, copied, store.Options{Program: "certmedic verify"})
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, func() error { return errors.Join(s.Close(), os.RemoveAll(dir)) }, nil
}
