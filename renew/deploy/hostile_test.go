package deploy

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// Whoever owns the target directory may plant what he likes in it. These tests
// plant it.

// A pipe would hold the reader, and with it the directory's lock, for ever; a
// huge file would take all memory.
func TestPlantedFilesAreRefusedAtOnce(t *testing.T) {
	for name, plant := range map[string]func(file string) error{
		"pipe": func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"huge": func(file string) error {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(file, 1<<40)
		},
		"directory": func(file string) error { return os.Mkdir(file, 0o700) },
	} {
		for _, where := range []struct{ layout, file string }{
			{renew.Flat, "cert.pem"},
			{renew.Flat, ".certmedic/0123456789abcdef-000001/cert.pem"},
			{renew.Certbot, "live/media/cert.pem"},
			{renew.Certbot, "archive/media/cert1.pem"},
		} {
			t.Run(name+"/"+where.layout+"/"+where.file, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				file := filepath.Join(dir, where.file)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := plant(file); err != nil {
					t.Skipf("SKIPPED: this file system cannot hold a %s: %v", name, err)
				}
				done := make(chan error, 1)
				go func() { done <- New(Options{}).Place(context.Background(), target(dir, where.layout), good(t)) }()
				select {
				case err := <-done:
					if err == nil || !strings.Contains(err.Error(), "not a certificate file") {
						t.Errorf("got %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Error("it hangs")
				}
			})
		}
	}
}

// Content and owner come from one look at one file: with two, a link that is
// turned in between would copy a file of root's with the rights of another.
func TestOwnerBelongsToTheContent(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	secret, open := filepath.Join(elsewhere, "secret"), filepath.Join(elsewhere, "open")
	for file, mode := range map[string]os.FileMode{secret: 0o600, open: 0o644} {
		if err := os.WriteFile(file, []byte(filepath.Base(file)), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, "privkey.pem")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			tmp := filepath.Join(dir, "turn")
			if os.Symlink([]string{secret, open}[i%2], tmp) == nil {
				_ = os.Rename(tmp, key)
			}
		}
	}()
	found := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && found < 200; found++ {
		l, err := New(Options{}).open(context.Background(), "media", target(dir, renew.Flat))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := save(l); err != nil && !strings.Contains(err.Error(), "no such file") && !strings.Contains(err.Error(), "exist") {
			t.Logf("save: %v", err)
		}
		l.close()
		kept, _ := filepath.Glob(filepath.Join(dir, ".certmedic", "*", "privkey.pem"))
		for _, file := range kept {
			fi, err := os.Lstat(file)
			if err != nil || !fi.Mode().IsRegular() {
				continue
			}
			b, err := os.ReadFile(file)
			if err == nil && bytes.Equal(b, []byte("secret")) && fi.Mode().Perm() != 0o600 {
				t.Fatalf("%s holds the secret with mode %v", file, fi.Mode().Perm())
			}
		}
		_ = os.RemoveAll(filepath.Join(dir, ".certmedic"))
	}
	close(stop)
	<-stopped
	t.Logf("%d rounds", found)
}

// A directory that everybody may write to holds no key.
func TestDirectoryOfEverybodyIsRefused(t *testing.T) {
	for _, layout := range []string{renew.Flat, renew.Certbot} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o1777); err != nil {
			t.Fatal(err)
		}
		err := New(Options{}).Place(context.Background(), target(dir, layout), good(t))
		if err == nil || !strings.Contains(err.Error(), "chmod o-w "+dir) {
			t.Errorf("%s: %v", layout, err)
		}
		if es, _ := os.ReadDir(dir); len(es) > 0 {
			t.Errorf("%s: it wrote %v", layout, es)
		}
	}
}
