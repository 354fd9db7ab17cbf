package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The flat layout:
//
//	path/fullchain.pem            -> .certmedic/current/fullchain.pem (and the other three)
//	path/.certmedic/current       -> 4f0c...-000007
//	path/.certmedic/previous      -> 91ab...-000006
//	path/.certmedic/4f0c...-000007/{cert,chain,fullchain,privkey}.pem
//
// A version's directory is written under a tmp- name and renamed, so that one
// with a proper name is complete. Making a version current is one rename of
// the link current. Its name is the first 16 hexadecimal digits of the leaf's
// SHA-256 and a number that counts up.
//
// A program that opens the two files one after the other can still meet a
// flip between its two opens; no layout of two files can prevent that. It is
// why the config test and the reload run after Place and not beside it.

const (
	home     = ".certmedic"
	tmpMark  = "tmp-"
	keepLast = 5 // versions
)

type flat struct{ tree }

func (l *flat) tidy() error {
	es, err := l.entries(home)
	if err != nil {
		return err
	}
	for _, e := range es {
		if strings.HasPrefix(e.Name(), tmpMark) {
			if err := l.root.RemoveAll(path.Join(home, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *flat) current() (files, error) { return l.readAll(l.dir) }

// kept reads the versions; those with the highest number first.
func (l *flat) kept() ([]version, error) {
	out, err := l.listed()
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		out[i].files = files{}
		for _, k := range kinds {
			b, err := l.read(path.Join(home, v.name, k+".pem"))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[i].files[k] = b
		}
	}
	return out, nil
}

// listed names the versions without reading them, in the order of kept.
func (l *flat) listed() ([]version, error) {
	es, err := l.entries(home)
	if err != nil {
		return nil, err
	}
	var out []version
	for _, e := range es {
		if seq, ok := sequence(e.Name()); ok && e.IsDir() {
			out = append(out, version{name: e.Name(), seq: seq})
		}
	}
	slices.SortFunc(out, func(a, b version) int { return cmp.Compare(b.seq, a.seq) })
	return out, nil
}

// sequence returns the number of a version's name.
func sequence(name string) (int, bool) {
	sum, num, ok := strings.Cut(name, "-")
	if !ok || len(sum) != 16 {
		return 0, false
	}
	n, err := strconv.Atoi(num)
	return n, err == nil && n > 0
}

func (l *flat) keep(f files) (version, error) {
	mode, err := l.house()
	if err != nil {
		return version{}, err
	}
	kept, err := l.listed()
	if err != nil {
		return version{}, err
	}
	v := version{seq: 1, files: f}
	if len(kept) > 0 {
		v.seq = kept[0].seq + 1
	}
	sum := strings.Repeat("0", 16) // what was there is no certificate
	if leaf, ok := f.leaf(); ok {
		sum = fingerprint(leaf)[:16]
	}
	v.name = fmt.Sprintf("%s-%06d", sum, v.seq)
	tmp := path.Join(home, tmpMark+v.name)
	if err := l.fill(tmp, f, mode); err != nil {
		_ = l.root.RemoveAll(tmp) // half written; the write's error is the one to tell
		return version{}, err
	}
	if err := l.root.Rename(tmp, path.Join(home, v.name)); err != nil {
		_ = l.root.RemoveAll(tmp)
		return version{}, err
	}
	return v, l.sync(home)
}

// house makes the directory of the versions and returns its mode: 0700, or
// 0711 when files are adopted that others may read, who must be able to reach
// them in their new place.
func (l *flat) house() (fs.FileMode, error) {
	err := l.root.Mkdir(home, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, err
	}
	fi, err := l.root.Stat(home)
	if err != nil {
		return 0, err
	}
	mode := fi.Mode().Perm()
	for _, k := range kinds {
		if !l.ours(k) && foreign(filepath.Join(l.dir, k+".pem")) {
			mode = 0o711
		}
	}
	if mode == fi.Mode().Perm() {
		return mode, nil
	}
	return mode, l.root.Chmod(home, mode)
}

func (l *flat) fill(dir string, f files, mode fs.FileMode) error {
	if err := l.root.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := l.writeAll(f, l.owners(), func(kind string) string { return path.Join(dir, kind+".pem") }); err != nil {
		return err
	}
	if err := l.root.Chmod(dir, mode); err != nil {
		return err
	}
	return l.sync(dir)
}

// adopt points current at the version with the content that is in place, and
// then replaces each plain file with a link to the same content.
func (l *flat) adopt(v version) error {
	if l.owned(false) {
		return nil
	}
	if err := l.point(v); err != nil {
		return err
	}
	return l.names(false)
}

// point makes current a link to v, remembering what it was.
func (l *flat) point(v version) error {
	cur := path.Join(home, "current")
	old, err := l.root.Readlink(cur)
	if err == nil && old == v.name {
		return nil
	}
	if err == nil {
		if err := l.link(old, path.Join(home, "previous"), path.Join(home, tmpMark+"previous")); err != nil {
			return err
		}
	}
	if err := l.link(v.name, cur, path.Join(home, tmpMark+"current")); err != nil {
		return err
	}
	return l.sync(home)
}

// names makes the names in the directory links through current: all of them,
// or those that exist.
func (l *flat) names(all bool) error {
	for _, k := range kinds {
		if l.ours(k) {
			continue
		}
		if _, err := l.root.Lstat(k + ".pem"); !all && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := l.link(through(k), k+".pem", path.Join(home, tmpMark+k)); err != nil {
			return err
		}
	}
	return l.sync(".")
}

func through(kind string) string { return path.Join(home, "current", kind+".pem") }

// ours reports that the kind's name is our link.
func (l *flat) ours(kind string) bool {
	to, err := l.root.Readlink(kind + ".pem")
	return err == nil && filepath.ToSlash(to) == through(kind)
}

// owned reports that the names are our links: all of them, or those that exist.
func (l *flat) owned(all bool) bool {
	for _, k := range kinds {
		if l.ours(k) {
			continue
		}
		if _, err := l.root.Lstat(k + ".pem"); all || !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

func (l *flat) settled(v version) bool {
	to, err := l.root.Readlink(path.Join(home, "current"))
	return err == nil && to == v.name && l.owned(true)
}

func (l *flat) flip(v version) error {
	if err := l.point(v); err != nil {
		return err
	}
	return l.names(true)
}

// prune keeps the newest versions, the current and the previous one.
func (l *flat) prune() error {
	kept, err := l.listed()
	if err != nil {
		return err
	}
	stay := map[string]bool{}
	for _, n := range []string{"current", "previous"} {
		if to, err := l.root.Readlink(path.Join(home, n)); err == nil {
			stay[to] = true
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for i, v := range kept {
		if i < keepLast || stay[v.name] {
			continue
		}
		// Renamed first: a version with a proper name is always complete.
		tmp := path.Join(home, tmpMark+v.name)
		if err := l.root.Rename(path.Join(home, v.name), tmp); err != nil {
			return err
		}
		if err := l.root.RemoveAll(tmp); err != nil {
			return err
		}
	}
	return nil
}
