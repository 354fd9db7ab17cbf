//go:build !linux

package console

import (
	"context"
	"io"
	"os"
)

// interruptible finds no way: poll does not know terminals everywhere.
func interruptible(context.Context, *os.File) (io.Reader, func(), bool) { return nil, nil, false }
