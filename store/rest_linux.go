package store

import (
	"context"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// Rest lets go of the record's pages in this process's memory, which reading
// brought there. They stay in the system's file cache, and come back from there
// when they are needed. It is for a program that has come to rest.
func (b *Bolt) Rest(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.db.View(func(tx *bolt.Tx) error { // while one reads, the mapping stays where it is
		// The mapping is shared and never written, so nothing is lost with it.
		_, _, no := syscall.Syscall(syscall.SYS_MADVISE, b.db.Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
		if no != 0 {
			return no
		}
		return nil
	})
	return asClosed(err)
}
