package main

import (
	"net/http"
	"os"
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
