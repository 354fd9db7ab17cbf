//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe that nobody writes to is an empty file.
func TestConfigPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("SKIPPED: no pipe can be made here, so a configuration that is one was not tried:", err)
	}
	if _, err := loadConfig(pipe); err == nil || !strings.Contains(err.Error(), "the file is empty") {
		t.Errorf("a pipe that nobody writes to: %v", err)
	}
}
