package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/store"
)

func backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "write a consistent copy of the record",
		Long: `backup writes a consistent copy of the record to FILE, also while the server is
running. Private keys in it are sealed; the master key is not in it: keep a copy
of that one apart.`,
		Args: cobra.ExactArgs(1),
	}
	file := configFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		n, err := backup(c.Context(), cfg, args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d bytes, keys sealed; the master key stands in %s, keep a copy of it elsewhere\n", args[0], n, masterKeyPath(cfg.Data))
		return err
	}
	return c
}

// backup copies the record: by itself, or from the server that has it open.
func backup(ctx context.Context, cfg config, to string) (int64, error) {
	if _, err := os.Stat(to); err == nil {
		return 0, fmt.Errorf("%s is there already: choose another name, or move it away", to)
	}
	if _, err := os.Stat(cfg.Data); err != nil {
		return 0, fmt.Errorf("there is no record yet: %w", err)
	}
	s, err := store.Open(ctx, cfg.Data, store.Options{Program: "certmedic backup"})
	var used *store.InUseError
	if errors.As(err, &used) && used.Holder.Address != "" {
		return writeAtomically(to, func(w io.Writer) (int64, error) { return fetchBackup(ctx, used.Holder.Address, w) })
	}
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return writeAtomically(to, func(w io.Writer) (int64, error) { return s.Backup(ctx, w) })
}

// fetchBackup reads the copy from the running server.
func fetchBackup(ctx context.Context, address string, w io.Writer) (int64, error) {
	if err := checkServer(address); err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/backup", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Certmedic", "1")
	token, err := webToken()
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := toServer.Do(r)
	if err != nil {
		return 0, fmt.Errorf("reach the running server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the server at %s answers %s", address, resp.Status)
	}
	n, err := io.Copy(w, resp.Body)
	if err == nil && resp.Trailer.Get("X-Backup-Complete") != "true" {
		err = errors.New("the server ended before the copy was whole")
	}
	return n, err
}

// writeAtomically fills a file that is there whole or not at all.
func writeAtomically(to string, fill func(io.Writer) (int64, error)) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(to), ".certmedic-*") // mode 0600
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", to, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if n, err = fill(f); err != nil {
		return n, fmt.Errorf("write %s: %w", to, err)
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return n, fmt.Errorf("write %s: %w", to, err)
	}
	return n, os.Rename(f.Name(), to)
}

// serveBackup sends a consistent copy; the trailer says that it is whole.
func (p *program) serveBackup(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Certmedic") == "" {
		http.Error(w, "the header X-Certmedic is missing", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", "X-Backup-Complete")
	if _, err := p.store.Backup(r.Context(), w); err != nil {
		p.o.Log.Error("backup", "err", err)
		return
	}
	w.Header().Set("X-Backup-Complete", "true")
}
