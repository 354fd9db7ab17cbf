package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/store"
)

// The address of the running server stands in a file: whoever can write it must
// not be sent the token.
func TestTokenStaysOnThisMachine(t *testing.T) {
	t.Setenv("CERTMEDIC_TOKEN", "token-of-the-test")
	for address, ok := range map[string]bool{
		"http://127.0.0.1:8080":          true,
		"http://[::1]:8080":              true,
		"http://192.0.2.7:8080":          false,
		"http://evil.example:80":         false,
		"http://127.0.0.1.evil.test:80":  false,
		"http://127.0.0.1@192.0.2.7:80":  false,
		"http://localhost:8080":          false, // a name may lead elsewhere
		"https://127.0.0.1:8080":         false,
		"http://127.0.0.1:80/elsewhere?": false,
		"file:///etc/passwd":             false,
		"":                               false,
	} {
		if err := checkServer(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	own, _ := net.InterfaceAddrs()
	for _, a := range own {
		host, _, _ := strings.Cut(a.String(), "/")
		if err := checkServer("http://" + net.JoinHostPort(host, "8080")); err != nil {
			t.Errorf("our own address: %v", err)
		}
	}

	dir := t.TempDir()
	cfg := config{Data: filepath.Join(dir, "certmedic.db")}
	s, err := store.Open(context.Background(), cfg.Data, store.Options{Program: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetAddress("http://192.0.2.7:1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	q := commands.Request{Text: "/help", Room: "main", By: commands.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}}
	if _, err := sayOnce(ctx, cfg, q, newLog(io.Discard, false)); err == nil || !strings.Contains(err.Error(), "not of this machine") {
		t.Errorf("run: %v", err)
	}
	if _, err := backup(ctx, cfg, filepath.Join(dir, "copy")); err == nil || !strings.Contains(err.Error(), "not of this machine") {
		t.Errorf("backup: %v", err)
	}
}

// Neither a proxy nor a redirect sees the token.
func TestTokenIsNotPassedOn(t *testing.T) {
	t.Setenv("CERTMEDIC_TOKEN", "token-of-the-test")
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, err := sayToServer(context.Background(), server.URL, commands.Request{Text: "/help"})
	if err == nil || elsewhere.Load() != 0 {
		t.Errorf("err %v, %d requests elsewhere", err, elsewhere.Load())
	}
	if tr := toServer.Transport.(*http.Transport); tr.Proxy != nil {
		t.Error("a proxy is asked")
	}
}

// Off loopback the token is all that keeps strangers out.
func TestTokenIsOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CERTMEDIC_TOKEN_FILE", file)
	if token, err := webToken(); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %q %v", token, err)
	}
	cfg := config{Data: filepath.Join(t.TempDir(), "certmedic.db"), Listen: "0.0.0.0:0"}
	for _, token := range []string{"", "secret", "fifteen-letters"} {
		p, err := open(context.Background(), cfg, programOptions{Log: newLog(io.Discard, false), Listen: true, Token: token})
		if err == nil || !strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("token %q: %v", token, err)
		}
		if p != nil {
			_ = p.Close()
		}
	}
}

// What the configuration says is run: nobody else may write it.
func TestConfigurationOfEverybodyIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "certmedic.yaml")
	if err := os.WriteFile(file, []byte("data: x.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(file); err == nil || !strings.Contains(err.Error(), "chmod o-w") {
		t.Errorf("got %v", err)
	}
}
