package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// In this file: named locks. They live in their own bucket, where no Scan or
// Watch sees them. A bbolt file has one process, so locks of an earlier
// process are void from the moment that the file is opened.

// lockRecord is a held lock on disk: JSON. Version is raised when an older
// program would misread it; a record that cannot be read counts as none.
type lockRecord struct {
	Version int       `json:"version"`
	Owner   string    `json:"owner"`
	Until   time.Time `json:"until"`
	Token   uint64    `json:"token"` // grows with every lock taken, in this file for ever
}

const lockVersion = 1

// BoltLease is a lock held in a Bolt.
type BoltLease struct {
	b     *Bolt
	name  string
	owner string
	ttl   time.Duration
	token uint64
}

// Lock takes the named lock for ttl, or returns a *LockedError. It is not
// re-entrant: the same owner is refused too while its lease runs.
func (b *Bolt) Lock(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error) {
	switch {
	case name == "" || owner == "":
		return nil, errors.New("lock: a name and an owner are needed")
	case len(name) > bolt.MaxKeySize:
		return nil, fmt.Errorf("lock: name of %d bytes, at most %d are allowed", len(name), bolt.MaxKeySize)
	case ttl <= 0:
		return nil, fmt.Errorf("lock %s: ttl %s is not positive", name, ttl)
	}
	l := &BoltLease{b: b, name: name, owner: owner, ttl: ttl}
	err := b.update(ctx, func(w *writeTx) error {
		now := b.now()
		if r, ok := b.held(w, name); ok && now.Before(r.Until) {
			return &LockedError{Name: name, Owner: r.Owner, Until: r.Until}
		}
		token, err := w.locks.b.NextSequence()
		if err != nil {
			return err
		}
		l.token = token
		return l.put(w, now)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Token returns the lease's fencing token: a later holder of any lock of this
// file has a greater one.
func (l *BoltLease) Token() uint64 { return l.token }

// Renew pushes the expiry to now plus the ttl. A lease that has expired is
// lost, whether or not somebody else has taken the lock since.
func (l *BoltLease) Renew(ctx context.Context) error {
	return l.b.update(ctx, func(w *writeTx) error {
		now := l.b.now()
		if r, ok := l.b.held(w, l.name); !ok || r.Token != l.token || !now.Before(r.Until) {
			return fmt.Errorf("renew %s: %w", l.name, ErrLeaseLost)
		}
		return l.put(w, now)
	})
}

// Release gives the lock up. It returns ErrLeaseLost when the lease had
// expired or was released before.
func (l *BoltLease) Release(ctx context.Context) error {
	lost := false
	err := l.b.update(ctx, func(w *writeTx) error {
		r, ok := l.b.held(w, l.name)
		lost = !ok || r.Token != l.token || !l.b.now().Before(r.Until)
		if ok && r.Token == l.token {
			w.locks.set(l.name, nil)
		}
		return nil
	})
	if err == nil && lost {
		err = fmt.Errorf("release %s: %w", l.name, ErrLeaseLost)
	}
	return err
}

func (l *BoltLease) put(w *writeTx, now time.Time) error {
	data, err := json.Marshal(lockRecord{
		Version: lockVersion, Owner: l.owner, Until: now.Add(l.ttl).UTC(), Token: l.token,
	})
	if err != nil {
		return err
	}
	w.locks.set(l.name, data)
	return nil
}

// held returns the lock of that name as this process wrote it, expired or not.
func (b *Bolt) held(w *writeTx, name string) (lockRecord, bool) {
	r, ok := parseLock(w.locks.get(name))
	return r, ok && r.Token > b.oldest
}

func parseLock(data []byte) (lockRecord, bool) {
	var r lockRecord
	if data == nil || json.Unmarshal(data, &r) != nil || r.Version != lockVersion {
		return lockRecord{}, false
	}
	return r, true
}

// purgeLocks voids the locks of earlier processes, and removes them where the
// disk has room for that.
func (b *Bolt) purgeLocks() error {
	n := 0
	err := b.db.View(func(tx *bolt.Tx) error {
		l := tx.Bucket(bucketLocks)
		b.oldest = l.Sequence()
		return l.ForEach(func([]byte, []byte) error { n++; return nil })
	})
	if err != nil || n == 0 {
		return err
	}
	return asFull(b.db.Update(func(tx *bolt.Tx) error {
		l := tx.Bucket(bucketLocks)
		var names [][]byte
		err := l.ForEach(func(k, _ []byte) error { names = append(names, clone(k)); return nil })
		for _, k := range names {
			err = errors.Join(err, l.Delete(k))
		}
		return err
	}))
}
