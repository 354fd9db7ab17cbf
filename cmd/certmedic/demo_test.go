package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/cmd/certmedic/drill"
)

// TestDemoToken: a demo that others can reach asks for the token, as serve does.
func TestDemoToken(t *testing.T) {
	dir := t.TempDir()
	f := estateFlags{dir: dir, lifetime: time.Minute, listen: "0.0.0.0:0"}
	if _, _, err := f.start(t.Context(), drill.Options{}, programOptions{Name: "test", Log: f.log(testLog{t}), Listen: true}); err == nil {
		t.Fatal("it can be reached without a token")
	}
	t.Setenv("CERTMEDIC_TOKEN", "a-long-token-of-the-test")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	e, p, err := f.start(t.Context(), drill.Options{}, programOptions{Name: "test", Log: f.log(testLog{t}), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = p.Run(t.Context()) }()
	if code, _ := get(t, p.Address()+"/metrics"); code != http.StatusUnauthorized {
		t.Errorf("metrics without the token: %d", code)
	}
	t.Cleanup(func() { // the test's context has ended
		<-ended
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestDemoLeavesNothing: a demo that cannot start takes its directory away
// again, and says what to do in its own words.
func TestDemoLeavesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	code, _, errOut := cli(t, "demo", "--listen", l.Addr().String())
	if code != exitFailed || !strings.Contains(errOut, "--listen") {
		t.Errorf("%d %s", code, errOut)
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	dir := filepath.Join(tmp, "mine") // a named one stays
	if code, _, _ := cli(t, "demo", "--listen", l.Addr().String(), "--dir", dir); code != exitFailed {
		t.Errorf("%d", code)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
