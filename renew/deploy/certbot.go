package deploy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Certbot's layout:
//
//	path/live/<name>/fullchain.pem -> ../../archive/<name>/fullchain7.pem (and the other three)
//	path/archive/<name>/{cert,chain,fullchain,privkey}7.pem
//
// A version is a number N. Its files are written into the archive under
// temporary names and renamed; it becomes current by building a second
// live/<name> beside the first and exchanging the two directories in one step.
// renewal/<name>.conf is certbot's own and stays untouched, and nothing is
// ever taken out of the archive. After a Restore certbot sees a newer version
// in the archive than the linked one; its next `certbot renew` links that.

type certbot struct {
	tree
	name string
}

var numbered = regexp.MustCompile(`^(cert|chain|fullchain|privkey)([1-9][0-9]{0,8})\.pem$`)

func (l *certbot) live() string    { return path.Join("live", l.name) }
func (l *certbot) archive() string { return path.Join("archive", l.name) }

// next is the second live directory: the coming one before the exchange, the
// one before afterwards. It lies beside the first, so that its links hold.
func (l *certbot) next() string { return path.Join("live", ".certmedic-"+l.name) }

func (l *certbot) tidy() error {
	if err := l.retire(); err != nil {
		return err
	}
	es, err := l.entries(l.archive())
	if err != nil {
		return err
	}
	for _, e := range es {
		if strings.HasPrefix(e.Name(), tmpName) {
			if err := l.root.Remove(path.Join(l.archive(), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

const tmpName = ".certmedic-tmp-"

func (l *certbot) current() (files, error) {
	fi, err := l.root.Lstat(l.live())
	if errors.Is(err, fs.ErrNotExist) {
		return files{}, nil
	}
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%s is not a directory; certbot's layout wants one, with links into archive/%s", filepath.Join(l.dir, l.live()), l.name)
	}
	return l.readAll(filepath.Join(l.dir, "live", l.name))
}

// sets reads the archive by number, also incomplete ones.
func (l *certbot) sets() (map[int]files, error) {
	es, err := l.entries(l.archive())
	if err != nil {
		return nil, err
	}
	out := map[int]files{}
	for _, e := range es {
		m := numbered.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		b, err := l.read(path.Join(l.archive(), e.Name()))
		if err != nil {
			return nil, err
		}
		n, _ := strconv.Atoi(m[2]) // nine digits at most, by the pattern
		if out[n] == nil {
			out[n] = files{}
		}
		out[n][m[1]] = b
	}
	return out, nil
}

func (l *certbot) kept() ([]version, error) {
	sets, err := l.sets()
	if err != nil {
		return nil, err
	}
	var out []version
	for n, f := range sets {
		if f.complete() {
			out = append(out, version{name: strconv.Itoa(n), seq: n, files: f})
		}
	}
	slices.SortFunc(out, func(a, b version) int { return cmp.Compare(b.seq, a.seq) })
	return out, nil
}

// keep writes f under the number one above any, or completes the highest
// number when a killed process began to write just this version there.
func (l *certbot) keep(f files) (version, error) {
	for _, dir := range []string{"live", "archive", l.archive()} {
		if err := l.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return version{}, err
		}
	}
	sets, err := l.sets()
	if err != nil {
		return version{}, err
	}
	top := 0
	for n := range sets {
		top = max(top, n)
	}
	have := sets[top]
	for k, b := range have {
		if want, ok := f[k]; !ok || !bytes.Equal(b, want) {
			have = nil
			break
		}
	}
	if have == nil {
		top++
	}
	missing := files{}
	for k, b := range f {
		if have[k] == nil {
			missing[k] = b
		}
	}
	file := func(kind string) string { return kind + strconv.Itoa(top) + ".pem" }
	tmp := func(kind string) string { return path.Join(l.archive(), tmpName+file(kind)) }
	if err := l.writeAll(missing, l.owners(), tmp); err != nil {
		for k := range missing {
			_ = l.root.Remove(tmp(k)) // the write's error is the one to tell
		}
		return version{}, err
	}
	for _, k := range kinds {
		if missing[k] == nil {
			continue
		}
		if err := l.root.Rename(tmp(k), path.Join(l.archive(), file(k))); err != nil {
			_ = l.root.Remove(tmp(k))
			return version{}, err
		}
	}
	for _, dir := range []string{l.archive(), "archive"} {
		if err := l.sync(dir); err != nil {
			return version{}, err
		}
	}
	return version{name: strconv.Itoa(top), seq: top, files: f}, nil
}

// adopt has nothing to do: what is in place is in the archive now, and the
// exchange replaces the directory whatever it holds.
func (l *certbot) adopt(version) error { return nil }

func (l *certbot) target(kind string, v version) string {
	return path.Join("..", "..", "archive", l.name, kind+v.name+".pem")
}

func (l *certbot) settled(v version) bool {
	for _, k := range kinds {
		to, err := l.root.Readlink(path.Join(l.live(), k+".pem"))
		if err != nil || filepath.ToSlash(to) != l.target(k, v) {
			return false
		}
	}
	return true
}

func (l *certbot) flip(v version) error {
	if err := l.build(v); err != nil {
		_ = l.root.RemoveAll(l.next()) // links only; the first error is the one to tell
		return err
	}
	_, err := l.root.Lstat(l.live())
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.root.Rename(l.next(), l.live()); err != nil {
			return err
		}
		return l.sync("live")
	}
	if err != nil {
		return err
	}
	err = l.swap()
	if errors.Is(err, errNoExchange) {
		l.log.Warn("this file system cannot exchange directories, links are replaced one by one", "path", l.dir)
		err = l.relink()
	}
	if err != nil {
		_ = l.root.RemoveAll(l.next())
		return err
	}
	if err := l.sync("live"); err != nil {
		return err
	}
	return l.retire()
}

// build makes the second live directory: four links, and everything else that
// stands in the first (README, files of other programs) as hard links.
func (l *certbot) build(v version) error {
	if err := l.root.Mkdir(l.next(), 0o700); err != nil {
		return err
	}
	for _, k := range kinds {
		if err := l.root.Symlink(l.target(k, v), path.Join(l.next(), k+".pem")); err != nil {
			return err
		}
	}
	es, err := l.entries(l.live())
	if err != nil {
		return err
	}
	for _, e := range es {
		if isKind(e.Name()) || e.IsDir() { // directories move after the exchange
			continue
		}
		if err := l.root.Link(path.Join(l.live(), e.Name()), path.Join(l.next(), e.Name())); err != nil {
			l.log.Debug("moved after the exchange instead", "file", e.Name(), "err", err)
		}
	}
	if err := l.like(); err != nil {
		return err
	}
	return l.sync(l.next())
}

// like gives the second live directory the mode and owner of the first.
func (l *certbot) like() error {
	fi, err := l.root.Stat(l.live())
	if errors.Is(err, fs.ErrNotExist) {
		return l.root.Chmod(l.next(), 0o755) // as certbot makes it
	}
	if err != nil {
		return err
	}
	if uid, gid := belongs(fi); uid != os.Geteuid() || gid != os.Getegid() {
		if err := l.root.Chown(l.next(), uid, gid); err != nil {
			l.log.Warn("cannot keep the owner of a directory", "path", l.live(), "err", err)
		}
	}
	return l.root.Chmod(l.next(), fi.Mode().Perm())
}

// swap exchanges the two live directories in one step.
func (l *certbot) swap() error {
	d, err := l.root.Open("live")
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	return exchange(int(d.Fd()), path.Base(l.next()), path.Base(l.live()))
}

// relink is for file systems without an exchange. The intermediates, which
// nobody pairs with the key, go first; then key, leaf and full chain follow
// each other directly, so that a wrong pair stands no longer than two renames
// take. A kill just there is mended by the next Place.
func (l *certbot) relink() error {
	for _, k := range []string{kindChain, kindKey, kindFull, kindCert} {
		from := path.Join(l.next(), k+".pem")
		if err := l.root.Rename(from, path.Join(l.live(), k+".pem")); err != nil {
			return fmt.Errorf("link %s: %w", k, err)
		}
	}
	return l.sync(l.live())
}

// retire takes the second live directory away, after moving to the first what
// only it holds and is not ours.
func (l *certbot) retire() error {
	es, err := l.entries(l.next())
	if err != nil {
		return err
	}
	for _, e := range es {
		if isKind(e.Name()) {
			continue
		}
		to := path.Join(l.live(), e.Name())
		if _, err := l.root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := l.root.Rename(path.Join(l.next(), e.Name()), to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.root.RemoveAll(l.next())
}

// prune does nothing: the archive is certbot's.
func (l *certbot) prune() error { return nil }

func isKind(name string) bool {
	for _, k := range kinds {
		if name == k+".pem" {
			return true
		}
	}
	return false
}
