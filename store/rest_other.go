//go:build !linux

package store

import "context"

// Rest does nothing here: this system lets go of file pages by itself.
func (b *Bolt) Rest(context.Context) error { return nil }
