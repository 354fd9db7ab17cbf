//go:build unix

package store

import (
	"io"
	"os"
	"syscall"
)

// mapped maps a file to be read; nil when r is none, or it cannot be.
func mapped(r io.ReaderAt, size int64) (mem []byte, unmap func()) {
	f, ok := r.(*os.File)
	if !ok || size <= 0 || int64(int(size)) != size {
		return nil, func() {}
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, func() {}
	}
	return mem, func() { _ = syscall.Munmap(mem) }
}
