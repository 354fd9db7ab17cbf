package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// create makes a new, empty record at path. The file appears there whole or
// not at all, so that a process killed here leaves nothing that cannot be
// opened. It returns fs.ErrExist when somebody else was faster.
func create(path string) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	name := tmp.Name()
	defer func() { _ = os.Remove(name) }()
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := fill(name); err != nil {
		return err
	}
	err = os.Link(name, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = copyNew(name, path) // a file system without hard links
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// fill makes the buckets and the mark in an empty file.
func fill(name string) error {
	db, err := bolt.Open(name, 0o600, &bolt.Options{Timeout: defaultTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, n := range [][]byte{bucketData, bucketLocks} {
			if _, err := tx.CreateBucket(n); err != nil {
				return err
			}
		}
		m, err := tx.CreateBucket(bucketMark)
		if err != nil {
			return err
		}
		return m.Put(keySchema, []byte(strconv.Itoa(SchemaVersion)))
	})
	return errors.Join(err, db.Close())
}

// copyNew copies the file from to a file that must not exist yet.
func copyNew(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(to)
	}
	return err
}

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
