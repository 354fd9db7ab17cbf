package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file holds the proof that a request is Discord's: Ed25519 over the
// timestamp and the raw body (docs: interactions/overview, validating security
// request headers).

// window is how old, or how far ahead, a signed request may be.
const window = 5 * time.Minute

var (
	errUnsigned = errors.New("the signature headers are missing or no signature")
	errStale    = errors.New("the signature is older than five minutes")
	errForged   = errors.New("the signature is not Discord's")
	errReplayed = errors.New("the signed request was taken before")
)

// seen are the signatures that were taken, for as long as they are good. What
// fills it is signed by Discord.
type seen struct {
	mu       sync.Mutex
	since    time.Time // of now
	now, old map[string]bool
}

// first reports whether a signature was not taken before, and takes it. A PING
// has none of its own: two in a second may be the same.
func (s *seen) first(sig string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := at.Sub(s.since); d > 2*window || d < -window {
		s.old, s.now, s.since = s.now, map[string]bool{}, at
	}
	sig = strings.ToLower(sig)
	if s.now[sig] || s.old[sig] {
		return false
	}
	s.now[sig] = true
	return true
}

// readKey reads the application's public key.
func readKey(s string) (ed25519.PublicKey, error) {
	if s == "" {
		return nil, errors.New("the application's public key is missing: set DISCORD_PUBLIC_KEY or DISCORD_PUBLIC_KEY_FILE")
	}
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, errors.New("DISCORD_PUBLIC_KEY is no public key: copy the 64 hexadecimal digits from General Information")
	}
	return b, nil
}

// verify checks a request before anything of it is read.
func verify(key ed25519.PublicKey, h http.Header, body []byte, now time.Time) error {
	if len(key) != ed25519.PublicKeySize {
		return errors.New("no public key is set")
	}
	sig, err := hex.DecodeString(h.Get("X-Signature-Ed25519"))
	stamp := h.Get("X-Signature-Timestamp")
	if err != nil || len(sig) != ed25519.SignatureSize || stamp == "" || len(stamp) > 20 {
		return errUnsigned
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errUnsigned
	}
	if d := now.Sub(time.Unix(at, 0)); d > window || d < -window {
		return errStale
	}
	if !ed25519.Verify(key, append([]byte(stamp), body...), sig) {
		return errForged
	}
	return nil
}
