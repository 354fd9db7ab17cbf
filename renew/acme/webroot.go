package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// webroot is the solver that writes tokens as files under a web server's root.
type webroot struct{ dir string }

func (w *webroot) pause() time.Duration { return 0 }

func (w *webroot) folder() string {
	return filepath.Join(w.dir, filepath.FromSlash(strings.Trim(challengePath, "/")))
}

// present writes the file whole or not at all: a web server must not serve
// half of it.
func (w *webroot) present(_ context.Context, _, token, keyAuth string) (string, error) {
	if st, err := os.Stat(w.dir); err != nil {
		return "", fmt.Errorf("webroot: %w", err)
	} else if !st.IsDir() {
		return "", fmt.Errorf("webroot %s is not a directory", w.dir)
	}
	var err error
	for range 5 { // another renewal's remove may take the empty folder away in between
		if err = w.write(token, keyAuth); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("webroot: %w", err)
	}
	return "token written under " + w.dir, nil
}

func (w *webroot) write(token, keyAuth string) error {
	folder := w.folder()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(folder, ".certmedic-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(keyAuth)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(folder, token))
}

// remove deletes the token's file and, when they are empty then, the folders
// of the path; the web root itself stays.
func (w *webroot) remove(_ context.Context, _, token, _ string) (string, error) {
	folder := w.folder()
	err := os.Remove(filepath.Join(folder, token))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("webroot: %w", err)
	}
	if os.Remove(folder) == nil { // fails unless empty
		_ = os.Remove(filepath.Dir(folder))
	}
	return "", nil
}
