package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// This file has the own listener for HTTP-01 (RFC 8555 section 8.3). A port
// belongs to the process, so listeners are shared by all clients in it.

const challengePath = "/.well-known/acme-challenge/"

// listening is the solver with an own listener, which is there only while a
// token is.
type listening struct{ addr string }

func (l *listening) pause() time.Duration { return 0 }

func (l *listening) present(_ context.Context, _, token, keyAuth string) (string, error) {
	if err := listeners.add(l.addr, token, keyAuth); err != nil {
		return "", err
	}
	return "token served on " + l.addr, nil
}

func (l *listening) remove(ctx context.Context, _, token, _ string) (string, error) {
	return "", listeners.remove(ctx, l.addr, token)
}

// listeners are the process's listeners by address.
var listeners = &tokens{by: map[string]*listener{}}

type tokens struct {
	mu sync.Mutex
	by map[string]*listener
}

// listener serves the tokens of one address.
type listener struct {
	tcp    net.Listener
	server *http.Server
	done   chan struct{}
	mu     sync.RWMutex
	tokens map[string]string // token to key authorization
}

// add serves a token, listening first when nobody does.
func (t *tokens) add(addr, token, keyAuth string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.by[addr]
	if l == nil {
		var err error
		if l, err = listen(addr); err != nil {
			return err
		}
		t.by[addr] = l
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[token] = keyAuth
	return nil
}

// remove serves the token no more, and stops listening after the last one.
func (t *tokens) remove(ctx context.Context, addr, token string) error {
	l := t.last(addr, token)
	if l == nil {
		return nil
	}
	return l.close(ctx)
}

// last forgets the token and returns the listener when it was the last one,
// with the port already free for others.
func (t *tokens) last(addr, token string) *listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.by[addr]
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if delete(l.tokens, token); len(l.tokens) > 0 {
		return nil
	}
	delete(t.by, addr)
	_ = l.tcp.Close()
	return l
}

// open returns the addresses that are listened on.
func (t *tokens) open() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for addr := range t.by {
		out = append(out, addr)
	}
	return out
}

func listen(addr string) (*listener, error) {
	tcp, err := net.Listen("tcp", addr)
	// A program that is being started holds our own former listener open until
	// its exec, for milliseconds.
	for end := time.Now().Add(500 * time.Millisecond); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		tcp, err = net.Listen("tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("http-01 cannot listen on %s: %w%s", addr, err, listenHint(err))
	}
	l := &listener{tcp: tcp, tokens: map[string]string{}, done: make(chan struct{})}
	l.server = &http.Server{
		Handler:           http.HandlerFunc(l.serve),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() { // ends with close
		defer close(l.done)
		_ = l.server.Serve(tcp)
	}()
	return l, nil
}

func listenHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ". Another program has the port: have it forward " + challengePath + " to a free one named under listen:, or use webroot: with its directory, or dns-01"
	case errors.Is(err, os.ErrPermission):
		return ". Ports below 1024 need root or CAP_NET_BIND_SERVICE: name a higher one under listen: and forward " + challengePath + " to it, or use webroot: or dns-01"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ". The address is not one of this machine's"
	}
	return ""
}

// serve answers for the tokens and for nothing else. Which host is asked for
// does not matter: the answer is bound to the account, not to the name.
func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, challengePath)
	l.mu.RLock()
	keyAuth, known := l.tokens[token]
	l.mu.RUnlock()
	if !ok || !known {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, keyAuth)
}

// close gives the answers under way a moment, then ends them.
func (l *listener) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		_ = l.server.Close()
	}
	<-l.done
	return nil
}
