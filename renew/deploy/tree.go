package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file holds what both layouts do to the file system: a locked root that
// cannot be left through links, files and directories on stable storage, and
// owner and mode taken over from what was there.

// What is read, in bytes: whoever owns the directory may have put it there.
const (
	maxFile = 1 << 20  // of one certificate file
	maxRead = 64 << 20 // of all of them, kept versions too
)

// tree is an opened and locked directory. All writing goes through root,
// which refuses links that lead out of it (dir itself may be a link).
type tree struct {
	root *os.Root
	dir  string
	lock *os.File
	log  *slog.Logger

	place map[string]owner // whom the files in place belong to, as readAll saw them
	spent int64            // bytes read
}

func (t *tree) close() {
	// Closing gives the lock up; nothing was written through either handle.
	_ = t.lock.Close()
	_ = t.root.Close()
}

// flock locks the directory itself, so that no lock file is left in it. The
// kernel gives the lock up when the process ends, however it ends.
func flock(ctx context.Context, root *os.Root) (*os.File, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another deployment to it is running: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// owner is whom a file belongs to and who may read it.
type owner struct {
	mode     fs.FileMode
	uid, gid int
}

// owners says whom new files belong to: the same people as those in place,
// which were read before. Kinds that are not there follow a certificate file
// that is; a new key is 0600.
func (t *tree) owners() map[string]owner {
	found := t.place
	out := map[string]owner{}
	for _, k := range kinds {
		o, ok := found[k]
		for _, other := range []string{kindFull, kindCert, kindChain} {
			if !ok && k != kindKey {
				o, ok = found[other]
			}
		}
		if !ok {
			o = owner{mode: 0o644, uid: os.Geteuid(), gid: os.Getegid()}
			if k == kindKey {
				o.mode = 0o600
			}
		}
		out[k] = o
	}
	return out
}

// foreign reports that somebody else than this process may read the file.
func foreign(file string) bool {
	fi, err := os.Stat(file)
	if err != nil {
		return false
	}
	uid, _ := belongs(fi)
	return fi.Mode().Perm()&0o077 != 0 || uid != os.Geteuid()
}

// belongs returns the owner of a file, ourselves where that cannot be told.
func belongs(fi fs.FileInfo) (uid, gid int) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return os.Geteuid(), os.Getegid()
}

// write makes a new file with this content on stable storage.
func (t *tree) write(name string, data []byte, o owner) (err error) {
	f, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = t.root.Remove(name) // half written; the write's error is the one to tell
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if o.uid != os.Geteuid() || o.gid != os.Getegid() {
		if err := f.Chown(o.uid, o.gid); err != nil {
			if o.mode&0o004 == 0 {
				o.mode &= 0o700 // the group's right to read would go to ours
			}
			t.log.Warn("cannot keep the owner of a certificate file", "file", filepath.Join(t.dir, name), "err", err)
		}
	}
	if err := f.Chmod(o.mode); err != nil {
		return err
	}
	return f.Sync()
}

// writeAll writes the files of f under the names that name gives them. They are
// synced side by side: the file system then commits once for all of them
// instead of once for each.
func (t *tree) writeAll(f files, own map[string]owner, name func(kind string) string) error {
	errs := make([]error, len(kinds))
	var writing sync.WaitGroup
	for i, k := range kinds {
		if b, ok := f[k]; ok {
			writing.Go(func() { errs[i] = t.write(name(k), b, own[k]) })
		}
	}
	writing.Wait()
	return errors.Join(errs...)
}

// sync puts a directory's entries on stable storage.
func (t *tree) sync(name string) error {
	f, err := t.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	// Some file systems cannot sync a directory; there is nothing more to do then.
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// link makes name a symbolic link to target in one step, by way of tmp.
func (t *tree) link(target, name, tmp string) error {
	if err := t.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.root.Symlink(target, tmp); err != nil {
		return err
	}
	if err := t.root.Rename(tmp, name); err != nil {
		_ = t.root.Remove(tmp) // the rename's error is the one to tell
		return err
	}
	return nil
}

// entries lists a directory's names, none when it does not exist.
func (t *tree) entries(name string) ([]fs.DirEntry, error) {
	f, err := t.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return f.ReadDir(-1)
}

// readAll reads the four files of a directory as a service would, through
// links wherever they lead. A kind that is not there is left out. Content and
// owner are of one opened file: were it opened twice, a link turned in between
// would give one file's content to the other's owner.
func (t *tree) readAll(dir string) (files, error) {
	out := files{}
	t.place = map[string]owner{}
	for _, k := range kinds {
		p := filepath.Join(dir, k+".pem")
		f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, fi, err := t.content(f, p)
		if err != nil {
			return nil, err
		}
		o := owner{mode: fi.Mode().Perm()}
		o.uid, o.gid = belongs(fi)
		out[k], t.place[k] = b, o
	}
	return out, nil
}

// read reads a kept file, whose name does not lead out of the directory.
func (t *tree) read(name string) ([]byte, error) {
	// Without O_NONBLOCK a planted pipe would hold us, and the lock, for ever.
	f, err := t.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	b, _, err := t.content(f, filepath.Join(t.dir, name))
	return b, err
}

// content reads an opened certificate file and closes it.
func (t *tree) content(f *os.File, shown string) ([]byte, fs.FileInfo, error) {
	defer f.Close() //nolint:errcheck // only read
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s is not a certificate file (%s, %d bytes); move it away", shown, fi.Mode().Type(), fi.Size())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, nil, err
	}
	if t.spent += int64(len(b)); t.spent > maxRead {
		return nil, nil, fmt.Errorf("%s holds more than %d MiB of certificate files; move old ones away", t.dir, maxRead>>20)
	}
	return b, fi, nil
}

// full reports that an error means a full disk or quota.
func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
