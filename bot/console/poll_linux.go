package console

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// polled reads a file that can be waited for, and stops waiting when ctx ends.
type polled struct {
	f    *os.File
	fd   int32
	wake *os.File // readable once ctx has ended
}

// interruptible returns a reader of f that ends when ctx does. stop frees what
// it holds, after the last Read.
func interruptible(ctx context.Context, f *os.File) (r io.Reader, stop func(), ok bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, nil, false
	}
	p := &polled{f: f}
	if err := raw.Control(func(fd uintptr) { p.fd = int32(fd) }); err != nil {
		return nil, nil, false
	}
	wake, bell, err := os.Pipe()
	if err != nil {
		return nil, nil, false
	}
	p.wake = wake
	unhook := context.AfterFunc(ctx, func() { _ = bell.Close() })
	return p, func() {
		if unhook() {
			_ = bell.Close()
		}
		_ = wake.Close()
	}, true
}

func (p *polled) Read(b []byte) (int, error) {
	raw, err := p.wake.SyscallConn()
	if err != nil {
		return 0, err
	}
	var wake int32
	if err := raw.Control(func(fd uintptr) { wake = int32(fd) }); err != nil {
		return 0, err
	}
	for {
		fds := []unix.PollFd{{Fd: p.fd, Events: unix.POLLIN}, {Fd: wake, Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case fds[1].Revents != 0:
			return 0, context.Canceled
		case fds[0].Revents != 0:
			return p.f.Read(b)
		}
	}
}
