package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// In this file: opening and closing. Transactions are in tx.go, the group
// commit in commit.go, the check before a file is opened in check.go.

const (
	defaultTimeout = time.Second
	// growStep is the number of bytes by which a full file grows.
	growStep = 1 << 20
)

// The three buckets of the file. The layout is SchemaVersion 1: "certmedic"
// holds the mark (key "schema", the version in decimal), "data" the records,
// "locks" the named locks. Any change to it that an older program would read
// wrongly raises SchemaVersion.
var (
	bucketMark  = []byte("certmedic")
	bucketData  = []byte("data")
	bucketLocks = []byte("locks")
	keySchema   = []byte("schema")
)

// Bolt is a Store in one bbolt file.
type Bolt struct {
	db     *bolt.DB
	path   string
	now    func() time.Time
	holder Holder
	oldest uint64 // locks with a token up to this one are an earlier process's

	queue    queue
	watchers watchers

	holderMu sync.Mutex
	close    sync.Once
	closeErr error
}

// Open opens the record at path, or makes a new one (mode 0600). See
// InUseError, ErrNotOurs, ErrNewer and ErrDamaged for what it refuses; a
// refused file is left as it was, byte for byte.
func Open(ctx context.Context, path string, o Options) (*Bolt, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Program == "" {
		o.Program = filepath.Base(os.Args[0])
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := place(path)
	if err != nil {
		return nil, err
	}
	db, err := openFile(ctx, path, o.Timeout)
	if err != nil {
		return nil, err
	}
	b := &Bolt{db: db, path: path, now: o.Now}
	b.holder = Holder{Program: o.Program, PID: os.Getpid(), Since: o.Now().UTC()}
	b.queue.init()
	b.watchers.init()
	// The note to others and the purge are courtesies: a full disk must not
	// keep anybody from opening the record to read it.
	if err := writeHolder(path, b.holder); err != nil {
		_ = os.Remove(holderPath(path)) // better no word than a dead process's
	}
	if err := b.purgeLocks(); err != nil && !errors.Is(err, ErrFull) {
		_ = os.Remove(holderPath(path))
		_ = db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	go b.commitLoop()
	return b, nil
}

// place resolves path, and makes a new record there when there is no file.
func place(path string) (string, error) {
	if path == "" {
		return "", errors.New("no file named for the record; set data: in the configuration")
	}
	real, err := filepath.EvalSymlinks(path)
	switch {
	case err == nil:
		return real, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("open %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the directory of %s does not exist; make it first: mkdir -p %s", path, dir)
	}
	switch fi, err := os.Lstat(path); {
	case err != nil: // not there, as was found
	case fi.Mode()&fs.ModeSymlink == 0:
		return path, nil // somebody has just made it
	default:
		return "", fmt.Errorf("%s is a symbolic link to a file that does not exist; remove the link or mend it", path)
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make %s: %w", path, asFull(err))
	}
	return path, nil
}

// openFile looks at the file without opening it to write, then locks it,
// checks all of it, and hands it to bbolt.
func openFile(ctx context.Context, path string, timeout time.Duration) (*bolt.DB, error) {
	if err := glance(path); err != nil {
		return nil, err
	}
	opened := func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
		if err != nil {
			return nil, err
		}
		if err := lockAndCheck(ctx, f, timeout); err != nil {
			_ = f.Close()
			return nil, err
		}
		return f, nil
	}
	o := &bolt.Options{
		Timeout:      timeout,
		FreelistType: bolt.FreelistMapType,
		OpenFile:     opened,
		// A map that is large enough is never made anew, so a slow reader (a
		// backup) holds up no writer. It is address space, not memory.
		InitialMmapSize: mapSize(),
	}
	db, err := bolt.Open(path, 0o600, o)
	if errors.Is(err, errBusy) || errors.Is(err, berrors.ErrTimeout) {
		return nil, &InUseError{Path: path, Holder: readHolder(path)}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, asFull(err))
	}
	db.AllocSize = growStep
	return db, nil
}

func lockAndCheck(ctx context.Context, f *os.File, timeout time.Duration) error {
	if err := lockFile(ctx, f, timeout); err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return check(f, st.Size())
}

func mapSize() int {
	if strconv.IntSize == 32 {
		return 64 << 20
	}
	return 1 << 30
}

// SetAddress tells others who find the file in use where its holder can be reached.
func (b *Bolt) SetAddress(address string) error {
	b.holderMu.Lock()
	defer b.holderMu.Unlock()
	if b.queue.isClosed() {
		return ErrClosed
	}
	h := b.holder
	h.Address = address
	if err := writeHolder(b.path, h); err != nil {
		return fmt.Errorf("write %s: %w", holderPath(b.path), asFull(err))
	}
	b.holder = h
	return nil
}

// Path returns the file's path, symbolic links resolved.
func (b *Bolt) Path() string { return b.path }

// Close waits for running transactions, ends the watches and closes the file.
// It must not be called inside a transaction. A second Close returns what the
// first returned.
func (b *Bolt) Close() error {
	b.close.Do(func() {
		b.queue.shut()
		<-b.queue.ended
		b.watchers.shut()
		b.holderMu.Lock()
		_ = os.Remove(holderPath(b.path)) // while the file is still ours
		b.holderMu.Unlock()
		if err := b.db.Close(); err != nil {
			b.closeErr = fmt.Errorf("close %s: %w", b.path, err)
		}
	})
	return b.closeErr
}

// View runs fn in a read transaction: a consistent snapshot. fn must not call
// Update.
func (b *Bolt) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.queue.isClosed() {
		return ErrClosed
	}
	err := b.db.View(func(t *bolt.Tx) error {
		r := &readTx{b: t.Bucket(bucketData)}
		defer func() { r.b = nil }()
		return fn(r)
	})
	return asClosed(err)
}

// asClosed names bbolt's word for a closed file as ours.
func asClosed(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
