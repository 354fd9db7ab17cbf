package store

import "context"

// Bolt is a Store in one bbolt file.
type Bolt struct{ Store }

// Open opens the record at path, or makes a new one (mode 0600). See
// InUseError, ErrNotOurs and ErrNewer for what it refuses.
func Open(ctx context.Context, path string, o Options) (*Bolt, error) { panic("unwritten") }

// SetAddress tells others who find the file in use where its holder can be reached.
func (b *Bolt) SetAddress(address string) error { panic("unwritten") }
