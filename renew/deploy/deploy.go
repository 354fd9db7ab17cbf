// Package deploy puts certificates into directories of this machine and runs
// the commands that make services read them. It implements renew.Deployer.
//
// Two layouts are known, flat (flat.go) and certbot's (certbot.go). Both write
// a complete version first and then make it current in one step of the file
// system, so that a reader, a kill or a full disk finds the old pair or the
// new one and never a mixture. Hooks are in run.go, their output in output.go.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// Options are what a Deployer is made of. The zero value works.
type Options struct {
	Now func() time.Time // for durations in the log; default time.Now
	Log *slog.Logger     // default: nothing is logged
}

// Deployer implements renew.Deployer. It may be used by many goroutines;
// what concerns one directory is done one after the other, also between
// processes (flock on the directory).
type Deployer struct {
	now func() time.Time
	log *slog.Logger
}

var _ renew.Deployer = (*Deployer)(nil)

// New makes a Deployer.
func New(o Options) *Deployer {
	d := &Deployer{now: o.Now, log: o.Log}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d
}

// layout is one arrangement of versions in a directory, opened and locked.
type layout interface {
	// tidy takes away what a killed process left half done.
	tidy() error
	// current reads what a service would read now, through all links.
	current() (files, error)
	// kept lists the complete versions, newest first.
	kept() ([]version, error)
	// keep writes f as a new version, on stable storage but not current.
	keep(f files) (version, error)
	// adopt makes v, which has the content that is in place, the current
	// version of our own arrangement without a change that a reader can see.
	adopt(v version) error
	// settled reports that v is current and the arrangement is complete.
	settled(v version) bool
	// flip makes v current in one step.
	flip(v version) error
	// prune takes old versions away, where the layout is ours to prune.
	prune() error
	close()
}

// version is a complete set of files kept in a directory.
type version struct {
	name  string // of the version: a directory name (flat) or the number (certbot)
	seq   int    // higher is newer
	files files
}

// Held reads what is in place. A file that is not a certificate counts as
// nothing there, so that a renewal can mend it.
func (d *Deployer) Held(ctx context.Context, cert string, t renew.Target) (renew.Held, error) {
	l, err := d.open(ctx, cert, t)
	if err != nil {
		return renew.Held{}, err
	}
	defer l.close()
	cur, err := l.current()
	if err != nil {
		return renew.Held{}, on(t, "read", err)
	}
	kept, err := l.kept()
	if err != nil {
		return renew.Held{}, on(t, "read the kept versions", err)
	}
	h := renew.Held{KeyFits: cur.fits()}
	if leaf, ok := cur.leaf(); ok {
		h.Leaf = renew.LeafOf(leaf)
	}
	seen := map[string]bool{}
	add := func(f files) {
		if leaf, ok := f.leaf(); ok && f.fits() {
			if sum := fingerprint(leaf); !seen[sum] {
				seen[sum] = true
				h.Versions = append(h.Versions, sum)
			}
		}
	}
	if _, ok := find(kept, cur.completed()); !ok {
		add(cur)
	}
	for _, v := range kept {
		add(v.files)
	}
	return h, nil
}

// Place makes the material the current version and keeps what was there.
func (d *Deployer) Place(ctx context.Context, t renew.Target, m renew.Material) error {
	want, err := fromMaterial(m)
	if err != nil {
		return on(t, "deploy", err)
	}
	l, err := d.open(ctx, m.Name, t)
	if err != nil {
		return err
	}
	defer l.close()
	if err := install(l, want); err != nil {
		return on(t, "deploy", err)
	}
	d.log.Info("certificate placed", "certificate", m.Name, "host", t.Name, "sha256", m.SHA256)
	return nil
}

func install(l layout, want files) error {
	if err := l.tidy(); err != nil {
		return err
	}
	kept, err := save(l)
	if err != nil {
		return err
	}
	v, ok := find(kept, want)
	if !ok {
		if v, err = l.keep(want); err != nil {
			return err
		}
	}
	if err := turn(l, v); err != nil {
		return err
	}
	return l.prune()
}

// Restore makes the kept version with this fingerprint current again.
func (d *Deployer) Restore(ctx context.Context, cert string, t renew.Target, sha256 string) error {
	l, err := d.open(ctx, cert, t)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.tidy(); err != nil {
		return on(t, "restore", err)
	}
	kept, err := save(l)
	if err != nil {
		return on(t, "restore", err)
	}
	for _, v := range kept {
		leaf, ok := v.files.leaf()
		if !ok || fingerprint(leaf) != strings.ToLower(sha256) || !v.files.fits() {
			continue
		}
		if err := turn(l, v); err != nil {
			return on(t, "restore", err)
		}
		d.log.Info("certificate restored", "certificate", cert, "host", t.Name, "sha256", sha256)
		return nil
	}
	return on(t, "restore", fmt.Errorf("no version %.16s with a key that fits is kept in %s; renew the certificate instead", sha256, t.Directory.Path))
}

// save makes sure that what is in place is a kept version, and returns all.
func save(l layout) ([]version, error) {
	cur, err := l.current()
	if err != nil {
		return nil, err
	}
	kept, err := l.kept()
	if err != nil || len(cur) == 0 {
		return kept, err
	}
	cur = cur.completed()
	v, ok := cover(kept, cur)
	if !ok {
		if v, err = l.keep(cur); err != nil {
			return nil, err
		}
		kept = append([]version{v}, kept...)
	}
	return kept, l.adopt(v)
}

// turn makes v current unless it is.
func turn(l layout, v version) error {
	if l.settled(v) {
		return nil
	}
	return l.flip(v)
}

// find returns the newest version with exactly these files.
func find(kept []version, f files) (version, bool) {
	for _, v := range kept {
		if v.files.equal(f) {
			return v, true
		}
	}
	return version{}, false
}

// cover returns the newest version that holds all of f, which may be less than
// a version: a name was taken away, or a kill came between the first links.
func cover(kept []version, f files) (version, bool) {
	for _, v := range kept {
		if v.files.within(f) {
			return v, true
		}
	}
	return version{}, false
}

// open checks the names, opens the directory and locks it.
func (d *Deployer) open(ctx context.Context, cert string, t renew.Target) (layout, error) {
	if err := checkName(cert); err != nil {
		return nil, on(t, "deploy", err)
	}
	dir := t.Directory.Path
	if dir == "" || strings.ContainsRune(dir, 0) {
		return nil, on(t, "deploy", fmt.Errorf("directory path %q is not usable; set directory.path of this target", dir))
	}
	root, err := os.OpenRoot(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, on(t, "deploy", fmt.Errorf("directory %s does not exist; make it (mkdir -p %s) or correct directory.path of this target: %w", dir, dir, fs.ErrNotExist))
	case err != nil:
		return nil, on(t, "deploy", fmt.Errorf("directory %s cannot be opened: %w", dir, err))
	}
	if fi, err := root.Stat("."); err == nil && fi.Mode()&0o002 != 0 {
		_ = root.Close() // only read so far
		return nil, on(t, "deploy", fmt.Errorf("everybody on this machine may write to %s, so no key is put there; run: chmod o-w %s", dir, dir))
	}
	lock, err := flock(ctx, root)
	if err != nil {
		_ = root.Close() // only read so far
		return nil, on(t, "deploy", fmt.Errorf("lock %s: %w", dir, err))
	}
	tr := tree{root: root, dir: dir, lock: lock, log: d.log.With("certificate", cert, "host", t.Name)}
	switch t.Directory.Layout {
	case renew.Flat, "":
		return &flat{tree: tr}, nil
	case renew.Certbot:
		return &certbot{tree: tr, name: cert}, nil
	}
	tr.close()
	return nil, on(t, "deploy", fmt.Errorf("layout %q is unknown; use %s or %s", t.Directory.Layout, renew.Flat, renew.Certbot))
}

// checkName refuses certificate names that are not one plain path element.
func checkName(name string) error {
	bad := name == "" || len(name) > 200 || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`)
	for _, r := range name {
		bad = bad || r < 0x20 || r == 0x7f
	}
	if bad {
		return fmt.Errorf("certificate name %q cannot be a file name; use letters, digits, dots and dashes", name)
	}
	return nil
}

// on says where something failed, and what to do about a full disk.
func on(t renew.Target, what string, err error) error {
	if full(err) {
		return fmt.Errorf("%s on %s: the disk is full, the old certificate stays in place; free some space and try again: %w", what, t.Name, err)
	}
	return fmt.Errorf("%s on %s: %w", what, t.Name, err)
}
