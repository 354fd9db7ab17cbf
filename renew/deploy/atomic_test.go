package deploy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/certmedic/certmedic/renew"
)

// anchor identifies the one name whose change makes another version current:
// the link current, or the live directory. The change time tells a reused
// inode apart.
func anchor(dir, layout string) string {
	name := filepath.Join(dir, home, "current")
	if layout == renew.Certbot {
		name = filepath.Join(dir, "live", "media")
	}
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Ino, changed(&st))
}

// reader loads the pair until stop. A mismatch, or a file that is not there,
// is only good if the whole set changed between the opening of the two files.
func reader(t *testing.T, dir, layout string, stop *atomic.Bool, loads *atomic.Int64) {
	files := where(dir, layout)
	for !stop.Load() {
		for _, kind := range []string{kindFull, kindCert} {
			before := anchor(dir, layout)
			_, err := tls.LoadX509KeyPair(filepath.Join(files, kind+".pem"), filepath.Join(files, "privkey.pem"))
			after := anchor(dir, layout)
			loads.Add(1)
			if err != nil && before == after {
				t.Errorf("%s and key, read while nothing changed: %v", kind, err)
				return
			}
		}
		time.Sleep(100 * time.Microsecond) // leaves the machine to the writer
	}
}

func TestAReaderNeverSeesAMixture(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg, files := target(dir, layout), where(dir, layout)
		var ms []renew.Material
		for range 4 {
			ms = append(ms, good(t))
		}
		// It begins with plain files, so that adoption is read as well.
		if err := os.MkdirAll(files, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(files, "fullchain.pem"), ms[0].Chain, 0o644)
		write(t, filepath.Join(files, "cert.pem"), ms[0].Chain, 0o644)
		write(t, filepath.Join(files, "privkey.pem"), ms[0].Key, 0o600)
		var stop atomic.Bool
		var loads atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() { reader(t, dir, layout, &stop, &loads) })
		for i := range 200 {
			m := ms[rand.N(len(ms))]
			if i%3 == 2 {
				if vs := held(t, d, tg).Versions; len(vs) > 0 {
					if err := d.Restore(t.Context(), "media", tg, vs[rand.N(len(vs))]); err != nil {
						t.Error(err)
					}
				}
				continue
			}
			place(t, d, tg, m)
			inPlace(t, files, m)
		}
		stop.Store(true)
		wg.Wait()
		if loads.Load() < 200 {
			t.Errorf("only %d loads beside 200 changes", loads.Load())
		}
		sound(t, dir)
	})
}

// TestAnOpenDirectoryStaysWhole reads certbot's layout as a program does that
// opens live/media once and then the files in it: one pair, or files that are
// not there any more, never a mixture and with no allowance for changes.
func TestAnOpenDirectoryStaysWhole(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), newDeployer(t)
	tg := target(dir, renew.Certbot)
	a, b := good(t), good(t)
	place(t, d, tg, a)
	var stop atomic.Bool
	var whole atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			fd, err := unix.Open(where(dir, renew.Certbot), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err) // live/media itself is there at every moment
				return
			}
			chain, err1 := readAt(fd, "fullchain.pem")
			key, err2 := readAt(fd, "privkey.pem")
			_ = unix.Close(fd)
			if errors.Is(err1, fs.ErrNotExist) || errors.Is(err2, fs.ErrNotExist) {
				continue
			}
			if _, err := tls.X509KeyPair(chain, key); err != nil || err1 != nil || err2 != nil {
				t.Error(err, err1, err2)
				return
			}
			whole.Add(1)
		}
	})
	for i := range 100 {
		place(t, d, tg, []renew.Material{a, b}[i%2])
	}
	stop.Store(true)
	wg.Wait()
	if whole.Load() == 0 {
		t.Error("no pair was read")
	}
}

func readAt(dir int, name string) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	b := make([]byte, 64<<10)
	n, err := f.Read(b)
	return b[:n], err
}

// handOver writes materials for the child that is killed.
func handOver(t *testing.T, dir string, ms []renew.Material) {
	for i, m := range ms {
		write(t, filepath.Join(dir, strconv.Itoa(i)+".chain"), m.Chain, 0o600)
		write(t, filepath.Join(dir, strconv.Itoa(i)+".key"), m.Key, 0o600)
	}
}

// childPlace places one material after the other until it is killed. args:
// target path, layout, directory of the materials, how many there are.
func childPlace(args []string) {
	n, err := strconv.Atoi(args[3])
	if err != nil {
		panic(err)
	}
	d := New(Options{})
	fmt.Println("ready")
	for i := rand.N(n); ; i = (i + 1) % n {
		chain, err1 := os.ReadFile(filepath.Join(args[2], strconv.Itoa(i)+".chain"))
		key, err2 := os.ReadFile(filepath.Join(args[2], strconv.Itoa(i)+".key"))
		if err := errors.Join(err1, err2); err != nil {
			panic(err)
		}
		err := d.Place(context.Background(), target(args[0], args[1]), renew.Material{Name: "media", Chain: chain, Key: key})
		if err != nil {
			fmt.Println("place:", err)
			os.Exit(1)
		}
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		var ms []renew.Material
		for range 3 {
			ms = append(ms, good(t))
		}
		store := t.TempDir()
		handOver(t, store, ms)
		d := newDeployer(t)
		var dir string
		var empty bool // nothing was ever placed to the end
		for i := range 60 {
			if i%6 == 0 {
				dir, empty = t.TempDir(), i%12 == 0
			}
			if i%6 == 0 && !empty { // plain files, so that adoption is killed too
				files := where(dir, layout)
				if err := os.MkdirAll(files, 0o755); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(files, "fullchain.pem"), ms[0].Chain, 0o644)
				write(t, filepath.Join(files, "privkey.pem"), ms[0].Key, 0o600)
			}
			killOne(t, dir, layout, store, len(ms))
			files := where(dir, layout)
			_, err := tls.LoadX509KeyPair(filepath.Join(files, "fullchain.pem"), filepath.Join(files, "privkey.pem"))
			if err != nil && !(empty && errors.Is(err, fs.ErrNotExist)) {
				t.Fatalf("after kill %d: %v", i+1, err)
			}
			if i%2 == 0 {
				continue // the next child finds what this one left
			}
			m := ms[rand.N(len(ms))]
			place(t, d, target(dir, layout), m)
			inPlace(t, files, m)
			empty = false
			if h := held(t, d, target(dir, layout)); !h.KeyFits || h.Leaf.SHA256 != m.SHA256 {
				t.Fatalf("after kill %d: held %+v", i+1, h)
			}
			sound(t, dir)
		}
	})
}

func killOne(t *testing.T, dir, layout, store string, n int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "child-place", dir, layout, store, strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("child says %q: %v", line, err)
	}
	time.Sleep(rand.N(12 * time.Millisecond)) // the random moment
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, _ := lines.ReadString(0)
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v %s", err, rest)
	}
}

func TestWithoutExchange(t *testing.T) {
	t.Parallel()
	dir, a, b := t.TempDir(), good(t), good(t)
	d := newDeployer(t)
	place(t, d, target(dir, renew.Certbot), a)
	write(t, filepath.Join(where(dir, renew.Certbot), "README"), []byte("kept"), 0o644)
	l, err := d.open(t.Context(), "media", target(dir, renew.Certbot))
	if err != nil {
		t.Fatal(err)
	}
	c := l.(*certbot)
	f, err := fromMaterial(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.keep(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.build(v); err != nil {
		t.Fatal(err)
	}
	if err := c.relink(); err != nil {
		t.Fatal(err)
	}
	if err := c.retire(); err != nil {
		t.Fatal(err)
	}
	if !c.settled(v) {
		t.Error("not settled")
	}
	c.close()
	inPlace(t, where(dir, renew.Certbot), b)
	if got, err := os.ReadFile(filepath.Join(where(dir, renew.Certbot), "README")); err != nil || string(got) != "kept" {
		t.Errorf("README: %q %v", got, err)
	}
	sound(t, dir)
}

func TestCertbotArchive(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), newDeployer(t)
	tg, files := target(dir, renew.Certbot), where(dir, renew.Certbot)
	// As certbot left it: number 9 is current, links are absolute as by hand.
	a, archive := good(t), filepath.Join(dir, "archive", "media")
	for _, p := range []string{files, archive} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fromMaterial(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		write(t, filepath.Join(archive, k+"9.pem"), f[k], 0o600)
		if err := os.Symlink(filepath.Join(archive, k+"9.pem"), filepath.Join(files, k+".pem")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(files, "README"), []byte("certbot's"), 0o644)
	if err := os.Mkdir(filepath.Join(files, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(files, 0o750); err != nil {
		t.Fatal(err)
	}
	b := good(t)
	place(t, d, tg, b)
	inPlace(t, files, b)
	for _, k := range kinds {
		if to, err := os.Readlink(filepath.Join(files, k+".pem")); err != nil || to != "../../archive/media/"+k+"10.pem" {
			t.Errorf("%s.pem leads to %q: %v", k, to, err)
		}
		if _, err := os.Stat(filepath.Join(archive, k+"9.pem")); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{"README", "sub"} {
		if _, err := os.Stat(filepath.Join(files, p)); err != nil {
			t.Error(err)
		}
	}
	if fi, err := os.Stat(files); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("live/media: %v %v", fi.Mode(), err)
	}
	if err := d.Restore(t.Context(), "media", tg, a.SHA256); err != nil {
		t.Fatal(err)
	}
	inPlace(t, files, a)
	if es, err := os.ReadDir(archive); err != nil || len(es) != 8 {
		t.Errorf("the archive holds %v: %v", es, err)
	}
	if es, err := os.ReadDir(filepath.Join(dir, "live")); err != nil || len(es) != 1 {
		t.Errorf("live holds %v: %v", es, err)
	}
}

// childFull places into args[0], which is on a full file system, and prints
// the error.
func childFull(args []string) {
	if err := mountSmall(args[0]); err != nil {
		fmt.Println("cannot mount:", err)
		return
	}
	layout := args[1]
	d, tg := New(Options{}), target(args[0], layout)
	a, b := good(exampleTB{}), good(exampleTB{})
	if err := d.Place(context.Background(), tg, a); err != nil {
		fmt.Println("first:", err)
		return
	}
	fill(filepath.Join(args[0], "ballast"))
	err := d.Place(context.Background(), tg, b)
	h, herr := d.Held(context.Background(), "media", tg)
	fmt.Printf("place: %v\nold in place: %v %v\n", err, h.Leaf.SHA256 == a.SHA256 && h.KeyFits, herr)
	_ = filepath.WalkDir(args[0], func(p string, e fs.DirEntry, _ error) error {
		if strings.Contains(p, tmpMark) || strings.HasPrefix(e.Name(), ".certmedic-") {
			fmt.Println("left:", p)
		}
		return nil
	})
	if err := os.Remove(filepath.Join(args[0], "ballast")); err != nil {
		fmt.Println(err)
	}
	fmt.Println("then:", d.Place(context.Background(), tg, b))
}

// fill writes a file until nothing more goes in.
func fill(name string) {
	f, err := os.Create(name)
	if err != nil {
		return
	}
	defer f.Close()
	for size := 4096; size > 0; size /= 2 {
		for {
			if n, err := f.Write(make([]byte, size)); err != nil || n < size {
				break
			}
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		cmd := exec.Command(os.Args[0], "child-full", t.TempDir(), layout)
		cmd.SysProcAttr = ownMounts()
		out, err := cmd.CombinedOutput()
		var errno syscall.Errno
		if errors.As(err, &errno) || strings.Contains(string(out), "cannot mount") {
			t.Skipf("skipped: no small file system can be mounted here: %v %s", err, out)
		}
		want := []string{"place: deploy on cdn-1: the disk is full, the old certificate stays in place; free some space", "old in place: true <nil>", "then: <nil>"}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("want %q in\n%s", w, out)
			}
		}
		if strings.Contains(string(out), "left:") {
			t.Errorf("temporary files:\n%s", out)
		}
	})
}

func TestAFirstPlaceCutShortLeavesNoVersionOfItsOwn(t *testing.T) {
	t.Parallel()
	dir, d, m := t.TempDir(), newDeployer(t), good(t)
	place(t, d, target(dir, renew.Flat), m)
	if err := os.Remove(filepath.Join(dir, "privkey.pem")); err != nil { // as if killed before the last link
		t.Fatal(err)
	}
	place(t, d, target(dir, renew.Flat), m)
	inPlace(t, dir, m)
	es, err := os.ReadDir(filepath.Join(dir, home))
	if err != nil || len(es) != 2 { // the version and the link current
		t.Errorf("%v: %v", es, err)
	}
}
