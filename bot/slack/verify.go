package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// window is how far a request's time may be from ours.
const window = 5 * time.Minute

var (
	errUnsigned = errors.New("the request is not signed")
	errStale    = errors.New("the request's time is more than 5 minutes from ours: look at this machine's clock")
	errForged   = errors.New("the signature does not fit: look at the signing secret")
	errReplayed = errors.New("the request was received before")
)

// verify checks Slack's signature (v0) over the raw body: HMAC-SHA256 of
// "v0:time:body". It returns the signature's bytes.
func verify(secret string, h http.Header, body []byte, now time.Time) ([]byte, error) {
	stamp, sig := h.Get("X-Slack-Request-Timestamp"), h.Get("X-Slack-Signature")
	given, version := strings.CutPrefix(sig, "v0=")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if !version || err != nil || secret == "" {
		return nil, errUnsigned
	}
	if away := now.Unix() - at; away > int64(window/time.Second) || away < -int64(window/time.Second) {
		return nil, errStale
	}
	mac, err := hex.DecodeString(given)
	if err != nil {
		return nil, errForged
	}
	if !hmac.Equal(mac, sign(secret, stamp, body)) {
		return nil, errForged
	}
	return mac, nil
}

func sign(secret, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("v0:" + stamp + ":"))
	m.Write(body)
	return m.Sum(nil)
}

// replays remembers the signatures of the window. The same signature is the
// same request: its time is part of it.
type replays struct {
	mu    sync.Mutex
	seen  map[[16]byte]int64
	order [][16]byte
}

// add reports whether the signature is new.
func (r *replays) add(mac []byte, now time.Time) bool {
	k := [16]byte(mac)
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && now.Unix()-r.seen[r.order[0]] > 2*int64(window/time.Second) {
		delete(r.seen, r.order[0])
		r.order = r.order[1:]
	}
	if _, ok := r.seen[k]; ok {
		return false
	}
	r.seen[k] = now.Unix()
	r.order = append(r.order, k)
	return true
}

// forget lets a request that was not recorded come again.
func (r *replays) forget(mac []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := [16]byte(mac)
	delete(r.seen, k)
	for i := len(r.order) - 1; i >= 0; i-- {
		if r.order[i] == k {
			r.order = append(r.order[:i], r.order[i+1:]...)
			return
		}
	}
}
