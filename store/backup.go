package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a consistent copy to w while the store is in use, and returns
// the bytes written. The copy opens as a store. It ends early when ctx does.
func (b *Bolt) Backup(ctx context.Context, w io.Writer) (int64, error) {
	if b.queue.isClosed() {
		return 0, ErrClosed
	}
	var n int64
	err := b.db.View(func(tx *bolt.Tx) error {
		var err error
		n, err = tx.WriteTo(writeFunc(func(b []byte) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			return w.Write(b)
		}))
		return err
	})
	if cerr := ctx.Err(); err != nil && cerr != nil {
		return n, cerr // bbolt drops the chain of some errors
	}
	if err != nil {
		return n, fmt.Errorf("backup: %w", asFull(asClosed(err)))
	}
	return n, nil
}

// writeFunc makes a function a writer.
type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(b []byte) (int, error) { return f(b) }

// BackupFile writes a consistent copy to the file path (mode 0600) and
// returns its size in bytes. The file appears whole, checked and durable, or
// not at all; an earlier file of that name is replaced then, but never the
// store's own.
func (b *Bolt) BackupFile(ctx context.Context, path string) (int64, error) {
	if path == "" {
		return 0, errors.New("backup: no file named; name one, for example certmedic-backup.db")
	}
	if err := b.mayReplace(path); err != nil {
		return 0, err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".part-*") // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("backup to %s: its directory does not exist; make it first: mkdir -p %s", path, dir)
	}
	if err != nil {
		return 0, fmt.Errorf("backup to %s: %w", path, asFull(err))
	}
	n, err := b.backupTo(ctx, f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return 0, fmt.Errorf("backup to %s: %w", path, err)
	}
	if err := syncDir(dir); err != nil {
		return 0, fmt.Errorf("backup to %s: %w", path, err)
	}
	return n, nil
}

// backupTo fills f, makes it durable, and reads it back.
func (b *Bolt) backupTo(ctx context.Context, f *os.File) (int64, error) {
	n, err := b.Backup(ctx, f)
	if err != nil {
		return n, err
	}
	if err := f.Sync(); err != nil {
		return n, asFull(err)
	}
	return n, check(f, n)
}

// mayReplace refuses the store's own files, and what is no file, as a target.
func (b *Bolt) mayReplace(path string) error {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	if !there.Mode().IsRegular() {
		return fmt.Errorf("backup to %s: it is not a file; name a file", path)
	}
	for _, own := range []string{b.path, holderPath(b.path)} {
		if st, err := os.Stat(own); err == nil && os.SameFile(st, there) {
			return fmt.Errorf("backup to %s: that is the record in use; name another file", path)
		}
	}
	return nil
}
