package renewtest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/db"
)

// Request is one request that the CA answered.
type Request struct {
	At      time.Time
	Method  string
	Path    string
	Status  int
	Problem string   // type of the problem document, "" when there was none
	Order   string   // URL of the order that a newOrder request made
	Names   []string // identifiers of a newOrder request, sorted
}

// requestLog records requests and lets a test meddle with them.
type requestLog struct {
	mu    sync.Mutex
	all   []Request
	fault func(w http.ResponseWriter, r *http.Request) bool

	store *db.MemoryStore

	// authz is held for writing while Pebble answers about an authorization
	// and for reading while it answers about anything else. Pebble v2.10.1
	// locks an authorization and then its store there, and elsewhere (new
	// order, order, orders list) the store and then authorizations: under load
	// they wait for each other for ever.
	authz sync.RWMutex
}

func (l *requestLog) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/authZ/") {
		l.authz.Lock()
		defer l.authz.Unlock()
	} else {
		l.authz.RLock()
		defer l.authz.RUnlock()
	}
	if r.URL.Path == "/order-plz" {
		l.afterReplaced(r)
	}
	h.ServeHTTP(w, r)
}

// afterReplaced comes after the last writer of the replaced order: Pebble
// writes that it is replaced with a lock, and reads it without.
func (l *requestLog) afterReplaced(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, serial, _ := strings.Cut(orderPayload(body).Replaces, ".")
	b, _ := base64.RawURLEncoding.DecodeString(serial)
	o, err := l.store.GetOrderByIssuedSerial(hex.EncodeToString(bytes.TrimLeft(b, "\x00")))
	if err != nil {
		return
	}
	o.RLock()
	defer o.RUnlock()
}

// SetFault has f look at every request first; when it returns true it has
// answered and Pebble is not asked. nil takes it away. f may also set a header
// (for example Date, for a skewed clock) and return false.
func (c *CA) SetFault(f func(w http.ResponseWriter, r *http.Request) bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.fault = f
}

// Requests returns everything that was asked so far, in order of the answers.
func (c *CA) Requests() []Request {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return slices.Clone(c.log.all)
}

// NewOrders returns the newOrder requests that made an order, in order. With
// names, those for exactly this set of identifiers.
func (c *CA) NewOrders(names ...string) []Request {
	slices.Sort(names)
	var out []Request
	for _, r := range c.Requests() {
		if r.Order != "" && (len(names) == 0 || slices.Equal(names, r.Names)) {
			out = append(out, r)
		}
	}
	return out
}

// Orders returns how many orders were made, by identifier set: the names
// sorted and joined with commas.
func (c *CA) Orders() map[string]int {
	n := map[string]int{}
	for _, r := range c.NewOrders() {
		n[strings.Join(r.Names, ",")]++
	}
	return n
}

func (l *requestLog) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		l.mu.Lock()
		fault := l.fault
		l.mu.Unlock()
		path := r.URL.Path
		if fault == nil || !fault(rec, r) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			l.serve(h, rec, r)
		}
		q := Request{At: time.Now(), Method: r.Method, Path: path, Status: rec.status}
		if rec.status >= 400 {
			var p struct{ Type string }
			_ = json.Unmarshal(rec.body.Bytes(), &p)
			q.Problem = p.Type
		}
		if path == "/order-plz" {
			q.Names = orderPayload(body).names()
			if rec.status == http.StatusCreated {
				q.Order = rec.Header().Get("Location")
			}
		}
		l.mu.Lock()
		l.all = append(l.all, q)
		l.mu.Unlock()
	})
}

// newOrder is what a newOrder request asks for.
type newOrder struct {
	Identifiers []struct{ Value string }
	Replaces    string
}

// names returns the identifiers sorted.
func (o newOrder) names() []string {
	var names []string
	for _, id := range o.Identifiers {
		names = append(names, id.Value)
	}
	slices.Sort(names)
	return names
}

// orderPayload reads a signed newOrder request; what is malformed is empty.
func orderPayload(body []byte) (o newOrder) {
	var jws struct{ Payload string }
	if json.Unmarshal(body, &jws) == nil {
		if payload, err := base64.RawURLEncoding.DecodeString(jws.Payload); err == nil {
			_ = json.Unmarshal(payload, &o)
		}
	}
	return o
}

// recorder keeps the status and the body of an error.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status >= 400 && r.body.Len() < 64<<10 {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}
