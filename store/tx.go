package store

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// In this file: the transactions that callers see. Scans are in scan.go.

// errTxOver is returned by the methods of a transaction after its function
// has returned.
var errTxOver = errors.New("transaction used after its function returned")

// readTx is the Tx of a View.
type readTx struct {
	b *bolt.Bucket // nil after the View
}

func (r *readTx) Get(key string) ([]byte, error) {
	if r.b == nil {
		return nil, errTxOver
	}
	return clone(r.b.Get([]byte(key))), nil
}

func (r *readTx) Put(string, []byte) error { return ErrReadOnly }
func (r *readTx) Delete(string) error      { return ErrReadOnly }

func (r *readTx) Scan(g Range, fn func(string, []byte) error) error {
	if r.b == nil {
		return errTxOver
	}
	return scan(g, &cursor{c: r.b.Cursor()}, nil, fn)
}

// writeTx is the Tx of an Update. Its writes stay in memory until its
// function has returned nil; only then do they reach the shared bbolt
// transaction. So a function that fails leaves nothing behind.
type writeTx struct {
	data  overlay
	locks overlay
	over  bool
	err   error // the first refusal: it fails the Update even if fn overlooks it
}

func (w *writeTx) Get(key string) ([]byte, error) {
	if w.over {
		return nil, errTxOver
	}
	return w.data.get(key), nil
}

func (w *writeTx) Put(key string, value []byte) error {
	switch {
	case w.over:
		return errTxOver
	case key == "":
		return w.refuse(errors.New("put: empty key"))
	case len(key) > bolt.MaxKeySize:
		return w.refuse(fmt.Errorf("put: key of %d bytes, at most %d are allowed", len(key), bolt.MaxKeySize))
	case len(value) > bolt.MaxValueSize:
		return w.refuse(fmt.Errorf("put %q: value of %d bytes, at most %d are allowed", key, len(value), bolt.MaxValueSize))
	}
	return w.write(key, append([]byte{}, value...))
}

func (w *writeTx) Delete(key string) error {
	if w.over {
		return errTxOver
	}
	return w.write(key, nil)
}

func (w *writeTx) write(key string, value []byte) error {
	if !w.data.has(key) && len(w.data.order) == MaxKeys {
		return w.refuse(fmt.Errorf("%w: more than %d", ErrTooManyKeys, MaxKeys))
	}
	w.data.set(key, value)
	return nil
}

func (w *writeTx) refuse(err error) error {
	if w.err == nil {
		w.err = err
	}
	return err
}

func (w *writeTx) Scan(g Range, fn func(string, []byte) error) error {
	if w.over {
		return errTxOver
	}
	return scan(g, &cursor{c: w.data.b.Cursor()}, w.data.writes, fn)
}

// apply puts the writes into the bbolt transaction and returns those that
// watchers are told of.
func (w *writeTx) apply() ([]Change, error) {
	changes, err := w.data.apply()
	if err != nil {
		return nil, err
	}
	_, err = w.locks.apply()
	return changes, err
}

func (w *writeTx) dirty() bool { return len(w.data.order)+len(w.locks.order) > 0 }

// overlay is one bucket with writes laid over it.
type overlay struct {
	b      *bolt.Bucket
	writes map[string][]byte // nil: deleted
	order  []string          // keys as first written
}

func (o *overlay) has(key string) bool {
	_, ok := o.writes[key]
	return ok
}

// get returns a copy of the value, or nil.
func (o *overlay) get(key string) []byte {
	if v, ok := o.writes[key]; ok {
		return clone(v)
	}
	return clone(o.b.Get([]byte(key)))
}

// set keeps value, which the caller must not change.
func (o *overlay) set(key string, value []byte) {
	if o.writes == nil {
		o.writes = map[string][]byte{}
	}
	if !o.has(key) {
		o.order = append(o.order, key)
	}
	o.writes[key] = value
}

// apply writes to the bucket. Deleting what is not there is no change.
func (o *overlay) apply() ([]Change, error) {
	changes := make([]Change, 0, len(o.order))
	for _, key := range o.order {
		k, v := []byte(key), o.writes[key]
		if v == nil {
			if o.b.Get(k) == nil {
				continue
			}
			if err := o.b.Delete(k); err != nil {
				return nil, fmt.Errorf("delete %q: %w", key, err)
			}
		} else if err := o.b.Put(k, v); err != nil {
			return nil, fmt.Errorf("put %q: %w", key, err)
		}
		changes = append(changes, Change{Key: key, Value: v})
	}
	return changes, nil
}

// clone copies b; nil stays nil and empty stays empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
