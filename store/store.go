// Package store keeps certmedic's records: flat ordered keys with bytes as
// values, in one bbolt file. It knows bytes only; the packages above own their
// key layout and encoding.
//
// The contract (Store) is one that etcd can keep too. An Update touches at most
// MaxKeys keys and its function may be run again, so it must have no side
// effect outside the transaction.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxKeys is the number of keys that one Update may put or delete (etcd's
// limit for one transaction is 128 operations).
const MaxKeys = 100

// SchemaVersion is the version of the file's layout written by this program. A
// file with a higher one is refused untouched.
const SchemaVersion = 1

var (
	// ErrFull is returned (wrapped) when the disk or quota has no room left.
	// Nothing written before is lost.
	ErrFull = errors.New("no room left for the record")
	// ErrTooManyKeys is returned when an Update touches more than MaxKeys keys.
	ErrTooManyKeys = errors.New("transaction touches too many keys")
	// ErrReadOnly is returned by Put and Delete inside a View.
	ErrReadOnly = errors.New("read-only transaction")
	// ErrNotOurs is returned by Open for a file that certmedic did not write.
	ErrNotOurs = errors.New("not a certmedic record")
	// ErrNewer is returned by Open for a file with a newer SchemaVersion.
	ErrNewer = errors.New("record written by a newer certmedic")
	// ErrDamaged is returned by Open for a record of ours that cannot be read
	// in full, for example one that was cut short.
	ErrDamaged = errors.New("record is damaged")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("record is closed")
	// ErrStop, returned by the function given to Scan, ends the scan; Scan
	// then returns nil.
	ErrStop = errors.New("stop the scan")
	// ErrLeaseLost is returned by Lease.Renew and Lease.Release when the lock
	// has expired and somebody else may hold it.
	ErrLeaseLost = errors.New("lock lease lost")
)

// InUseError is returned by Open when another process has the file open.
type InUseError struct {
	Path   string
	Holder Holder // zero when the holder left no word of itself
}

func (e *InUseError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s is in use by another process; stop that one, or name another file", e.Path)
	}
	return fmt.Sprintf("%s is in use by %s, process %d, since %s; stop that one, or name another file", e.Path, e.Holder.Program, e.Holder.PID, e.Holder.Since.UTC().Format("2006-01-02 15:04:05Z"))
}

// LockedError is returned by Lock when somebody else holds the name.
type LockedError struct {
	Name  string
	Owner string
	Until time.Time
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by %s until %s", e.Name, e.Owner, e.Until.UTC().Format("2006-01-02 15:04:05Z"))
}

// Holder says who has the file open.
type Holder struct {
	Program string    `json:"program"`           // for example "certmedic serve"
	PID     int       `json:"pid"`               // process id
	Address string    `json:"address,omitempty"` // where it can be reached, for example "http://127.0.0.1:8080"
	Since   time.Time `json:"since"`
}

// Tx is a transaction. It is valid only inside the function that it was given to.
type Tx interface {
	// Get returns a copy of the value at key, or nil when there is none.
	Get(key string) ([]byte, error)
	// Put sets the value at key.
	Put(key string, value []byte) error
	// Delete removes key; removing what is not there is no error.
	Delete(key string) error
	// Scan calls fn for the keys of r, in order. fn may keep value, unless r
	// says Lend. An error of fn ends the scan and is returned, except ErrStop.
	Scan(r Range, fn func(key string, value []byte) error) error
}

// Range selects keys for a scan.
type Range struct {
	Prefix  string // only keys that start so
	From    string // start at this key (inclusive); empty: at the prefix's first, or last when Reverse
	Reverse bool   // from high to low
	Limit   int    // at most so many; 0: all
	Lend    bool   // fn reads value and neither keeps nor changes it, so that it need not be copied
}

// Change is one key written by a committed Update. Value is nil for a deletion.
type Change struct {
	Key   string
	Value []byte
}

// Lease is a held lock.
type Lease interface {
	// Renew pushes the expiry to now plus the lease's ttl.
	Renew(ctx context.Context) error
	// Release gives the lock up.
	Release(ctx context.Context) error
}

// Store is the contract. storetest.Run checks an implementation of it.
type Store interface {
	// View runs fn in a read transaction: a consistent snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and commits what it wrote, durably, before it returns
	// nil. On an error nothing is written. fn may be run again.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch sends every later change under prefix, in commit order, until ctx
	// ends; then the channel is closed. A watcher that falls far behind has
	// its channel closed early and must look again for itself.
	Watch(ctx context.Context, prefix string) (<-chan Change, error)
	// Lock takes the named lock for ttl, or returns a *LockedError.
	Lock(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error)
	// Backup writes a consistent copy to w while the store is in use, and
	// returns the bytes written.
	Backup(ctx context.Context, w io.Writer) (int64, error)
	// Close waits for running transactions and closes.
	Close() error
}

// Options are settings for Open. The zero value works.
type Options struct {
	Timeout time.Duration    // how long to wait for the file; default 1 s
	Program string           // named to others who find the file in use
	Now     func() time.Time // default time.Now
}
