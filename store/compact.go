package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Compact rewrites the record at path without what was deleted or replaced
// since: bbolt leaves old bytes in pages that it will use again. The new file
// takes the old one's place in one step; a kill before leaves the old one. It
// needs room for a second copy, and that nobody has the record open.
func Compact(ctx context.Context, path string, o Options) (err error) {
	b, err := Open(ctx, path, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	fresh := b.path + ".compact"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) { // of a kill
		return fmt.Errorf("compact %s: %w", path, err)
	}
	info, err := os.Stat(b.path)
	if err != nil {
		return fmt.Errorf("compact %s: %w", path, err)
	}
	db, err := bolt.Open(fresh, info.Mode().Perm(), &bolt.Options{FreelistType: bolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("compact %s: %w", path, err)
	}
	err = bolt.Compact(db, b.db, 4<<20)
	if err == nil {
		err = db.Sync()
	}
	err = errors.Join(err, db.Close())
	if err == nil {
		err = sameOwner(fresh, info) // root may compact what the server must open
	}
	if err == nil {
		err = os.Rename(fresh, b.path)
	}
	if err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("compact %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(b.path)); err != nil { // else a power cut may bring the old one back
		return fmt.Errorf("compact %s: %w", path, err)
	}
	return nil
}
