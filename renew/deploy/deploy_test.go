package deploy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// TestMain lets the test binary be the process that is killed, or a hook.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if run, ok := children[os.Args[1]]; ok {
			run(os.Args[2:])
			return
		}
	}
	os.Exit(m.Run())
}

// children are what the test binary does instead of testing.
var children = map[string]func(args []string){
	"child-place": childPlace,
	"child-full":  childFull,
}

// mint makes a leaf for name with an intermediate above it.
func mint(t testing.TB, name string, from, until time.Time) renew.Material {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "deploy test CA"},
		NotBefore: from.Add(-time.Hour), NotAfter: until.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	c, err := x509.ParseCertificate(der)
	must(err)
	return renew.Material{
		Name: "media",
		Chain: append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})...),
		Key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		SHA256: fingerprint(c),
	}
}

func good(t testing.TB) renew.Material {
	now := time.Now()
	return mint(t, "media.example.com", now.Add(-time.Hour), now.Add(time.Hour))
}

func target(dir, layout string) renew.Target {
	return renew.Target{Name: "cdn-1", Directory: renew.Directory{Path: dir, Layout: layout}}
}

// where is the directory in which a service finds the files of media.
func where(dir, layout string) string { return filesOf("media", target(dir, layout)) }

func newDeployer(testing.TB) *Deployer { return New(Options{}) }

func place(t testing.TB, d *Deployer, tg renew.Target, m renew.Material) {
	t.Helper()
	if err := d.Place(context.Background(), tg, m); err != nil {
		t.Fatal(err)
	}
}

func held(t testing.TB, d *Deployer, tg renew.Target) renew.Held {
	t.Helper()
	h, err := d.Held(context.Background(), "media", tg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// inPlace loads the pairs that a service may load and wants both to be m's.
func inPlace(t testing.TB, dir string, m renew.Material) {
	t.Helper()
	for _, kind := range []string{kindFull, kindCert} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, kind+".pem"), filepath.Join(dir, "privkey.pem"))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got := fingerprint(pair.Leaf); got != m.SHA256 {
			t.Fatalf("%s is %.16s, want %.16s", kind, got, m.SHA256)
		}
	}
	chain, err := os.ReadFile(filepath.Join(dir, "chain.pem"))
	if err != nil || !bytes.HasSuffix(m.Chain, chain) || len(chain) == 0 {
		t.Fatalf("chain.pem is not the intermediates of the chain: %v\n%s", err, chain)
	}
}

// sound wants no temporary file anywhere below dir.
func sound(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && (strings.HasPrefix(e.Name(), tmpMark) || strings.HasPrefix(e.Name(), ".certmedic-")) {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func layouts(t *testing.T, f func(t *testing.T, layout string)) {
	for _, layout := range []string{renew.Flat, renew.Certbot} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			f(t, layout)
		})
	}
}

func TestPlaceHeldRestore(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg := target(dir, layout)
		if h := held(t, d, tg); h.Leaf.SHA256 != "" || h.KeyFits || len(h.Versions) != 0 {
			t.Fatalf("an empty directory holds %+v", h)
		}
		a, b := good(t), good(t)
		place(t, d, tg, a)
		inPlace(t, where(dir, layout), a)
		place(t, d, tg, b)
		place(t, d, tg, b) // twice is once
		inPlace(t, where(dir, layout), b)
		h := held(t, d, tg)
		if h.Leaf.SHA256 != b.SHA256 || !h.KeyFits || !slices.Equal(h.Versions, []string{b.SHA256, a.SHA256}) {
			t.Fatalf("held %+v, want %.16s and before it %.16s", h, b.SHA256, a.SHA256)
		}
		if h.Leaf.Subject != "CN=media.example.com" || !slices.Equal(h.Leaf.SANs, []string{"media.example.com"}) || !h.Leaf.NotAfter.After(time.Now()) {
			t.Errorf("leaf is described as %+v", h.Leaf)
		}
		if err := d.Restore(t.Context(), "media", tg, strings.ToUpper(a.SHA256)); err != nil {
			t.Fatal(err)
		}
		inPlace(t, where(dir, layout), a)
		if h := held(t, d, tg); !slices.Equal(h.Versions, []string{b.SHA256, a.SHA256}) {
			t.Errorf("after the restore %v can be restored", h.Versions)
		}
		err := d.Restore(t.Context(), "media", tg, strings.Repeat("0", 64))
		if err == nil || !strings.Contains(err.Error(), "no version 0000000000000000") {
			t.Errorf("an unknown version: %v", err)
		}
		inPlace(t, where(dir, layout), a)
		sound(t, dir)
	})
}

func TestModes(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg := target(dir, layout)
		place(t, d, tg, good(t))
		place(t, d, tg, good(t))
		mode := func(p string) fs.FileMode {
			fi, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			return fi.Mode().Perm()
		}
		if m := mode(filepath.Join(where(dir, layout), "privkey.pem")); m != 0o600 {
			t.Errorf("a new key has mode %o", m)
		}
		if layout == renew.Flat {
			vs, err := os.ReadDir(filepath.Join(dir, home))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range vs {
				if p := filepath.Join(dir, home, e.Name()); e.IsDir() && mode(p) != 0o700 {
					t.Errorf("%s has mode %o", p, mode(p))
				}
			}
			if m := mode(filepath.Join(dir, home)); m != 0o700 {
				t.Errorf("%s has mode %o", home, m)
			}
		}
		// What is there says who may read: a group may read this key.
		if err := os.Chmod(filepath.Join(where(dir, layout), "privkey.pem"), 0o640); err != nil {
			t.Fatal(err)
		}
		place(t, d, tg, good(t))
		if m := mode(filepath.Join(where(dir, layout), "privkey.pem")); m != 0o640 {
			t.Errorf("the key has mode %o, it had 640", m)
		}
	})
}

func TestOwnerIsKept(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can give files to somebody else")
	}
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		files := where(dir, layout)
		if err := os.MkdirAll(files, 0o755); err != nil {
			t.Fatal(err)
		}
		a := good(t)
		write(t, filepath.Join(files, "fullchain.pem"), a.Chain, 0o644)
		write(t, filepath.Join(files, "privkey.pem"), a.Key, 0o600)
		if err := os.Chown(filepath.Join(files, "privkey.pem"), 1234, 2345); err != nil {
			t.Fatal(err)
		}
		place(t, d, target(dir, layout), good(t))
		fi, err := os.Stat(filepath.Join(files, "privkey.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if uid, gid := belongs(fi); uid != 1234 || gid != 2345 || fi.Mode().Perm() != 0o600 {
			t.Errorf("the key belongs to %d:%d with mode %o", uid, gid, fi.Mode().Perm())
		}
		if layout == renew.Flat { // its owner must be able to get there
			if fi, err := os.Stat(filepath.Join(dir, home)); err != nil || fi.Mode().Perm() != 0o711 {
				t.Errorf("%s: %v %v", home, fi.Mode(), err)
			}
		}
	})
}

func write(t testing.TB, name string, b []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, b, mode); err != nil {
		t.Fatal(err)
	}
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg, files := target(dir, layout), where(dir, layout)
		if err := os.MkdirAll(files, 0o755); err != nil {
			t.Fatal(err)
		}
		a := good(t)
		write(t, filepath.Join(files, "fullchain.pem"), a.Chain, 0o644)
		write(t, filepath.Join(files, "privkey.pem"), a.Key, 0o600)
		write(t, filepath.Join(files, "README"), []byte("by hand\n"), 0o644)
		if h := held(t, d, tg); h.Leaf.SHA256 != a.SHA256 || !h.KeyFits || !slices.Equal(h.Versions, []string{a.SHA256}) {
			t.Fatalf("plain files are held as %+v", h)
		}
		b := good(t)
		place(t, d, tg, b)
		inPlace(t, files, b)
		if err := d.Restore(t.Context(), "media", tg, a.SHA256); err != nil {
			t.Fatal(err)
		}
		inPlace(t, files, a) // with the cert.pem and chain.pem it never had

		// Somebody copies another pair over it by hand: it is kept as well.
		c := good(t)
		for name, b := range map[string][]byte{"fullchain.pem": c.Chain, "privkey.pem": c.Key} {
			if err := os.Remove(filepath.Join(files, name)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(files, name), b, 0o600)
		}
		if err := os.Remove(filepath.Join(files, "cert.pem")); err != nil {
			t.Fatal(err)
		}
		place(t, d, tg, b)
		inPlace(t, files, b)
		if h := held(t, d, tg); !slices.Contains(h.Versions, c.SHA256) || !slices.Contains(h.Versions, a.SHA256) {
			t.Errorf("kept %v, want also %.16s and %.16s", h.Versions, c.SHA256, a.SHA256)
		}
		if got, err := os.ReadFile(filepath.Join(files, "README")); err != nil || string(got) != "by hand\n" {
			t.Errorf("README is %q: %v", got, err)
		}
		sound(t, dir)
	})
}

func TestGarbageInPlaceIsReplaced(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg, files := target(dir, layout), where(dir, layout)
		if err := os.MkdirAll(files, 0o755); err != nil {
			t.Fatal(err)
		}
		a := good(t)
		write(t, filepath.Join(files, "fullchain.pem"), []byte("-----BEGIN CERTIFICATE-----\nnot one\n"), 0o644)
		write(t, filepath.Join(files, "privkey.pem"), a.Key, 0o600)
		if h := held(t, d, tg); h.Leaf.SHA256 != "" || h.KeyFits || len(h.Versions) != 0 {
			t.Fatalf("held %+v", h)
		}
		place(t, d, tg, a)
		inPlace(t, files, a)
		if h := held(t, d, tg); !slices.Equal(h.Versions, []string{a.SHA256}) {
			t.Errorf("garbage can be restored: %v", h.Versions)
		}
	})
}

func TestPruning(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg := target(dir, layout)
		var all []renew.Material
		for range 4 {
			all = append(all, good(t))
			place(t, d, tg, all[len(all)-1])
		}
		// The first is current again, and stays although four newer ones follow.
		if err := d.Restore(t.Context(), "media", tg, all[0].SHA256); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			all = append(all, good(t))
			place(t, d, tg, all[len(all)-1])
		}
		got := len(held(t, d, tg).Versions)
		if want := map[string]int{renew.Flat: keepLast, renew.Certbot: 8}[layout]; got != want {
			t.Errorf("%d versions are kept, want %d", got, want)
		}
		if layout == renew.Flat {
			if err := d.Restore(t.Context(), "media", tg, all[3].SHA256); err != nil {
				t.Fatal(err)
			}
			next := good(t)
			place(t, d, tg, next)
			for range 5 {
				if err := d.Restore(t.Context(), "media", tg, all[3].SHA256); err != nil {
					t.Fatalf("the previous version was pruned: %v", err)
				}
				place(t, d, tg, good(t))
			}
		}
		sound(t, dir)
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	layouts(t, func(t *testing.T, layout string) {
		dir, d := t.TempDir(), newDeployer(t)
		tg := target(dir, layout)
		a, b := good(t), good(t)
		place(t, d, tg, a)
		wrong := map[string]renew.Material{
			"belong together":          {Name: "media", Chain: a.Chain, Key: b.Key},
			"fingerprint is":           {Name: "media", Chain: b.Chain, Key: b.Key, SHA256: a.SHA256},
			"cannot be a file name":    {Name: "../media", Chain: b.Chain, Key: b.Key, SHA256: b.SHA256},
			"do not belong together: ": {Name: "media", Chain: []byte("x"), Key: b.Key},
		}
		for words, m := range wrong {
			if err := d.Place(t.Context(), tg, m); err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "cdn-1") {
				t.Errorf("%q: %v", words, err)
			}
		}
		for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00b", ".hidden", "a\nb", strings.Repeat("a", 300)} {
			m := b
			m.Name = name
			if err := d.Place(t.Context(), tg, m); err == nil {
				t.Errorf("the name %q was taken", name)
			}
			if _, err := d.Held(t.Context(), name, tg); err == nil {
				t.Errorf("the name %q was taken by Held", name)
			}
			if err := d.Restore(t.Context(), name, tg, a.SHA256); err == nil {
				t.Errorf("the name %q was taken by Restore", name)
			}
			if _, err := d.Run(t.Context(), name, tg, renew.Command{Argv: []string{"true"}}); err == nil {
				t.Errorf("the name %q was taken by Run", name)
			}
		}
		inPlace(t, where(dir, layout), a)
	})
	d, m := newDeployer(t), good(t)
	gone := filepath.Join(t.TempDir(), "gone")
	if err := d.Place(t.Context(), target(gone, renew.Flat), m); err == nil || !strings.Contains(err.Error(), "mkdir -p "+gone) {
		t.Errorf("a missing directory: %v", err)
	}
	if err := d.Place(t.Context(), target(t.TempDir(), "round"), m); err == nil || !strings.Contains(err.Error(), `layout "round"`) {
		t.Errorf("an unknown layout: %v", err)
	}
	if err := d.Place(t.Context(), target("", renew.Flat), m); err == nil {
		t.Error("an empty path was taken")
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	t.Parallel()
	outside, d, m := t.TempDir(), newDeployer(t), good(t)
	for _, c := range []struct{ layout, link string }{
		{renew.Flat, home}, {renew.Certbot, "live"}, {renew.Certbot, "archive"},
		{renew.Certbot, "live/media"}, {renew.Certbot, "archive/media"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, c.link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, c.link)); err != nil {
			t.Fatal(err)
		}
		if err := d.Place(t.Context(), target(dir, c.layout), m); err == nil {
			t.Errorf("%s: written through a link that leads out", c.link)
		}
	}
	if es, err := os.ReadDir(outside); err != nil || len(es) != 0 {
		t.Errorf("written outside: %v %v", es, err)
	}
	// A name that is a link out is replaced, not written through.
	dir, victim := t.TempDir(), filepath.Join(outside, "victim.pem")
	write(t, victim, m.Chain, 0o644)
	if err := os.Symlink(victim, filepath.Join(dir, "fullchain.pem")); err != nil {
		t.Fatal(err)
	}
	next := good(t)
	place(t, d, target(dir, renew.Flat), next)
	inPlace(t, dir, next)
	if b, err := os.ReadFile(victim); err != nil || !bytes.Equal(b, m.Chain) {
		t.Errorf("a file outside was changed: %v", err)
	}
	// The path itself may be a link.
	via := filepath.Join(outside, "via")
	if err := os.Symlink(dir, via); err != nil {
		t.Fatal(err)
	}
	place(t, d, target(via, renew.Flat), m)
	inPlace(t, dir, m)
}

func TestWaitingForTheLockEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	lock, err := flock(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := newDeployer(t).Place(ctx, target(dir, renew.Flat), good(t)); err == nil || !strings.Contains(err.Error(), "another deployment") {
		t.Errorf("beside another deployment: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	place(t, newDeployer(t), target(dir, renew.Flat), good(t))
}

func TestNoKeyInTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := New(Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	m, dir := good(t), t.TempDir()
	place(t, d, target(dir, renew.Flat), m)
	if _, err := d.Run(t.Context(), "media", target(dir, renew.Flat), renew.Command{Argv: []string{"cat", filepath.Join(dir, "privkey.pem")}}); err != nil {
		t.Fatal(err)
	}
	for _, line := range keyLines(filepath.Join(dir, "privkey.pem")) {
		if strings.Contains(log.String(), line) {
			t.Error("the log holds a line of the key")
		}
	}
	if !strings.Contains(log.String(), "certificate placed") {
		t.Errorf("log: %s", log.String())
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "deploy")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	d := New(Options{})
	cdn := renew.Target{Name: "cdn-1", Directory: renew.Directory{Path: dir, Layout: renew.Flat}}
	m := good(exampleTB{})
	ctx := context.Background()
	if err := d.Place(ctx, cdn, m); err != nil {
		panic(err)
	}
	h, err := d.Held(ctx, m.Name, cdn)
	fmt.Println(h.Leaf.SANs, h.KeyFits, len(h.Versions), err)
	out, err := d.Run(ctx, m.Name, cdn, renew.Command{Argv: []string{"sh", "-c", "echo reloaded $CERT_NAME on $NODE"}})
	fmt.Println(out, err)
	// Output:
	// [media.example.com] true 1 <nil>
	// reloaded media on cdn-1 <nil>
}

// exampleTB lets an example mint.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()           {}
func (exampleTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
