package web

// This file takes alerts that other systems post: POST /hooks/alertmanager,
// /hooks/pagerduty and /hooks/generic. A request is verified on its raw bytes
// before anything of it is parsed, and answered with 2xx only once its alerts
// are on the record. What each sender sends is in hooks_alertmanager.go,
// hooks_pagerduty.go and hooks_generic.go; what is done about it, commands
// decides.

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Sources of alerts, as they stand in the path.
const (
	Alertmanager = "alertmanager"
	PagerDuty    = "pagerduty"
	Generic      = "generic"
)

// Hook is one source.
type Hook struct {
	Secrets []string // any of them is good, so that one can be changed without a gap
	Policy  string   // commands.AlertEntry, AlertSuggest or AlertDeclare
}

// AlertTaker puts alerts on the record; commands.Desk implements it.
type AlertTaker interface {
	TakeAlerts(ctx context.Context, alerts []commands.Alert) error
}

// HookOptions are what Hooks are made of.
type HookOptions struct {
	Take  AlertTaker
	Hooks map[string]Hook // by source; what is not in it answers 404
	Now   func() time.Time
	Log   *slog.Logger
}

// Hooks is an http.Handler for everything below /hooks/.
type Hooks struct {
	o     HookOptions
	busy  chan struct{}            // verified bodies being parsed and recorded
	reads map[string]chan struct{} // by source: bodies being read, of whoever
	taken map[string]*atomic.Int64

	mu      sync.Mutex
	quiet   time.Time // until then refusals are counted, not logged: strangers do not fill the disk
	refused int
}

// Bounds. Alertmanager sends a whole group in one request, so its body may be
// long; it comes from who knows the token.
const (
	maxAlertBody  = 8 << 20
	maxSignedBody = 1 << 20
	maxAlerts     = 20_000 // of one request
	hookWithin    = 15 * time.Second
	hooksAtOnce   = 4
	// readsAtOnce are the bodies of one source that are read at a time. Where a
	// signature is in the body's reach alone, strangers have a say in them: they
	// hold up no other source, and a sender who is told 503 comes again.
	readsAtOnce = 32
)

// NewHooks makes Hooks.
func NewHooks(o HookOptions) *Hooks {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hooks{o: o, busy: make(chan struct{}, hooksAtOnce), reads: map[string]chan struct{}{}, taken: map[string]*atomic.Int64{}}
	for source := range o.Hooks {
		h.taken[source], h.reads[source] = &atomic.Int64{}, make(chan struct{}, readsAtOnce)
	}
	return h
}

// Taken is how many alerts each source has had put on the record since the
// program was started.
func (h *Hooks) Taken() map[string]int64 {
	all := map[string]int64{}
	for source, n := range h.taken {
		all[source] = n.Load()
	}
	return all
}

// ServeHTTP implements http.Handler. 204: on the record; 401: not verified;
// 400: verified and not understood; 503: not on the record, to be sent again.
func (h *Hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	source := strings.TrimPrefix(r.URL.Path, "/hooks/")
	hook, ok := h.o.Hooks[source]
	if !ok || len(hook.Secrets) == 0 {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST alone is taken here", http.StatusMethodNotAllowed)
		return
	}
	if source == Alertmanager && !bearer(hook.Secrets, r) || !promising(source, r.Header, h.o.Now()) { // before a long body is read
		h.refuse(w, source)
		return
	}
	if !h.enter(w, r, source, h.reads[source]) {
		return
	}
	body, status := h.body(w, r, source)
	<-h.reads[source]
	if status != 0 {
		http.Error(w, strings.ToLower(http.StatusText(status)), status)
		return
	}
	now := h.o.Now().UTC()
	if source == PagerDuty && !pagerDutySigned(hook.Secrets, r.Header, body) || source == Generic && !genericSigned(hook.Secrets, r.Header, body, now) {
		h.refuse(w, source)
		return
	}
	if !h.enter(w, r, source, h.busy) {
		return
	}
	defer func() { <-h.busy }()
	alerts, err := parseHook(source, body)
	if err != nil {
		h.o.Log.Warn("alerts cannot be understood", "source", source, "error", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for n := range alerts {
		alerts[n].At, alerts[n].Policy = now, hook.Policy
	}
	if err := h.o.Take.TakeAlerts(r.Context(), alerts); err != nil {
		h.later(w, source, err)
		return
	}
	h.taken[source].Add(int64(len(alerts)))
	w.WriteHeader(http.StatusNoContent)
}

// enter takes a place; false: there was none in time, and that is answered.
func (h *Hooks) enter(w http.ResponseWriter, r *http.Request, source string, place chan struct{}) bool {
	t := time.NewTimer(hookWithin)
	defer t.Stop()
	select {
	case place <- struct{}{}:
		return true
	case <-r.Context().Done(): // the sender has gone, or the program is stopping
		again(w)
	case <-t.C:
		h.later(w, source, errors.New("too many requests at once"))
	}
	return false
}

// promising reports whether a request has what a signed one must have: what has
// not is refused before its body is read.
func promising(source string, h http.Header, now time.Time) bool {
	switch source {
	case PagerDuty:
		return strings.Contains(strings.Join(h.Values("X-PagerDuty-Signature"), ","), "v1=")
	case Generic:
		return fresh(h.Get(timestampHeader), now) && strings.Contains(strings.Join(h.Values(signatureHeader), ","), "v1=")
	}
	return true
}

// body reads the raw body, capped and within a time.
func (h *Hooks) body(w http.ResponseWriter, r *http.Request, source string) ([]byte, int) {
	limit := int64(maxSignedBody)
	if source == Alertmanager {
		limit = maxAlertBody
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(hookWithin)) // not every connection has deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		h.o.Log.Warn("alerts are too long", "source", source, "limit", limit)
		return nil, http.StatusRequestEntityTooLarge
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, http.StatusRequestTimeout
	}
	_ = c.SetReadDeadline(time.Time{})
	return body, 0
}

// refuse answers what is not verified, the same whatever was wrong.
func (h *Hooks) refuse(w http.ResponseWriter, source string) {
	h.mu.Lock()
	h.refused++
	n, now := h.refused, h.o.Now()
	loud := !now.Before(h.quiet)
	if loud {
		h.refused, h.quiet = 0, now.Add(10*time.Second)
	}
	h.mu.Unlock()
	if loud {
		h.o.Log.Warn("a request with alerts is refused: its token or signature is missing or wrong", "source", source, "refused", n)
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="hooks"`) // RFC 9110 section 11.6.1 wants one
	http.Error(w, "unauthorized", http.StatusUnauthorized)
}

// later answers what could not be recorded: the sender sends it again.
func (h *Hooks) later(w http.ResponseWriter, source string, err error) {
	h.o.Log.Error("alerts cannot be recorded now; their sender is asked to send them again", "source", source, "error", err)
	again(w)
}

func again(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	http.Error(w, "not recorded; send it again", http.StatusServiceUnavailable)
}

// parseHook reads a verified body.
func parseHook(source string, body []byte) ([]commands.Alert, error) {
	switch source {
	case Alertmanager:
		return parseAlertmanager(body)
	case PagerDuty:
		return parsePagerDuty(body)
	}
	return parseGeneric(body)
}

// several decodes a JSON list one by one, at most maxAlerts of it, and returns
// how many it left out: a list of a million must not fill the memory.
func several[T any](list json.RawMessage, strict bool) (all []T, left int, err error) {
	if len(list) == 0 || string(list) == "null" {
		return nil, 0, nil
	}
	d := json.NewDecoder(bytes.NewReader(list))
	if strict {
		d.DisallowUnknownFields()
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, 0, errors.New("alerts is no list")
	}
	for d.More() {
		var one T
		if len(all) == maxAlerts {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return nil, 0, err
			}
			left++
			continue
		}
		if err := d.Decode(&one); err != nil {
			return nil, 0, err
		}
		all = append(all, one)
	}
	return all, left, nil
}

// leftOut is an alert about alerts that are not in a delivery.
func leftOut(source string, n int, key string) commands.Alert {
	return commands.Alert{Source: source, ID: "left out/" + key, State: commands.AlertFiring, Title: "Alerts that did not fit into one delivery",
		Text: fmt.Sprintf("%d more were left out: look there.", n)}
}

// bearer reports whether a request has one of the secrets as bearer token
// (RFC 6750 section 2.1) or as password of basic authentication (RFC 7617),
// the two ways of Alertmanager's http_config.
func bearer(secrets []string, r *http.Request) bool {
	given := ""
	if _, password, ok := r.BasicAuth(); ok {
		given = password
	} else if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(token)
	}
	good := false
	for _, s := range secrets { // all of them, so that the time does not tell which
		good = equal(given, s) && s != "" || good
	}
	return good
}

// pagerDutySigned checks X-PagerDuty-Signature: "v1=" and HMAC-SHA256 of the
// raw body in hexadecimal, perhaps several with commas between them
// (developer.pagerduty.com, "Verifying Signatures").
func pagerDutySigned(secrets []string, h http.Header, body []byte) bool {
	return signed(secrets, strings.Join(h.Values("X-PagerDuty-Signature"), ","), func(secret string) []byte {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(body)
		return m.Sum(nil)
	})
}

// Headers of POST /hooks/generic, and how far its time may be from ours.
const (
	timestampHeader = "X-Certmedic-Timestamp"
	signatureHeader = "X-Certmedic-Signature"
	freshFor        = 5 * time.Minute
)

// genericSigned checks the headers of POST /hooks/generic: a Unix time within
// five minutes of ours, and "v1=" with HMAC-SHA256 of "v1:time:body".
func genericSigned(secrets []string, h http.Header, body []byte, now time.Time) bool {
	stamp := h.Get(timestampHeader)
	good := signed(secrets, strings.Join(h.Values(signatureHeader), ","), func(secret string) []byte {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte("v1:" + stamp + ":"))
		m.Write(body)
		return m.Sum(nil)
	})
	return good && fresh(stamp, now)
}

// fresh reports whether a Unix time is near ours.
func fresh(stamp string, now time.Time) bool {
	at, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && at >= now.Add(-freshFor).Unix() && at <= now.Add(freshFor).Unix()
}

// signed reports whether one of the signatures in a header is right by one of
// the secrets.
func signed(secrets []string, header string, mac func(secret string) []byte) bool {
	given := strings.Split(header, ",")
	if len(given) > 10 {
		given = given[:10]
	}
	good := false
	for _, secret := range secrets {
		want := mac(secret)
		for _, g := range given {
			digits, ok := strings.CutPrefix(strings.TrimSpace(g), "v1=")
			sum, err := hex.DecodeString(digits)
			right := hmac.Equal(sum, want)
			good = ok && err == nil && right && secret != "" || good
		}
	}
	return good
}
