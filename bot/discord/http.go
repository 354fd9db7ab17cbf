package discord

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// This file holds the way in by HTTP: POST /discord/interactions, signed by
// Discord. What is answered at once answers the POST; what is worked on is
// answered 202 once it is on the record, and deferred by the callback URL.

// maxBody is the longest request taken, in bytes.
const maxBody = 1 << 20

// bodyTime is how long a request's body may take to come.
const bodyTime = 3 * time.Second

// ServeHTTP takes an interaction. Whatever is not signed by Discord, or not
// lately, or was taken already, is answered 401.
func (d *Discord) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter can
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too long or was cut", http.StatusUnauthorized)
		return
	}
	if err := verify(d.key, r.Header, body, d.o.Now()); err != nil {
		d.o.Log.Warn("discord: a request is refused", "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	i, err := readInteraction(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if i.Type != askPing && !d.seen.first(r.Header.Get("X-Signature-Ed25519"), d.o.Now()) {
		d.o.Log.Warn("discord: a request is refused", "error", errReplayed)
		http.Error(w, errReplayed.Error(), http.StatusUnauthorized)
		return
	}
	ended := make(chan bool, 1)
	out := &answer{w: w}
	d.receive(context.WithoutCancel(r.Context()), i, body, out.respond, func(answered bool) { ended <- answered })
	select {
	case answered := <-ended:
		if !answered {
			out.close(http.StatusAccepted) // it is on the record
		}
	case <-r.Context().Done():
		out.close(0)
	case <-time.After(10 * time.Second):
		out.close(http.StatusServiceUnavailable)
	}
}

// answer is the answer to one POST, written once.
type answer struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	over bool
}

// respond implements responder.
func (a *answer) respond(_ context.Context, kind int, data any) bool {
	body := map[string]any{"type": kind}
	if data != nil {
		body["data"] = data
	}
	b, err := json.Marshal(body)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || a.over {
		return false
	}
	a.over = true
	a.w.Header().Set("Content-Type", "application/json")
	_, err = a.w.Write(b)
	return err == nil
}

// close answers without a body, when nothing was answered; 0 answers nothing.
func (a *answer) close(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && status != 0 {
		a.w.WriteHeader(status)
	}
	a.over = true
}
