package bottest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// rest is what the fakes of REST services share: a server on loopback, answers
// that fail on cue, and a list of what the client does wrong.
type rest struct {
	URL string // the API's

	mu    sync.Mutex
	fails []string
	bad   []string
}

// start starts the server; what the client of the named service did wrong fails
// the test at its end.
func (f *rest) start(t testing.TB, service, path string, serve http.HandlerFunc) {
	t.Helper()
	s := httptest.NewServer(serve)
	f.URL = s.URL + path
	t.Cleanup(func() {
		s.Close()
		for _, b := range f.bad {
			t.Errorf("the client of %s: %s", service, b)
		}
	})
}

// Fail has the next requests answered so: "" (well), a status, "lost" (it is
// done, and the answer is lost), or a word of the fake's own.
func (f *rest) Fail(how ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = append(f.fails, how...)
}

// next is how the next request is answered. f.mu is held.
func (f *rest) next() (how string) {
	if len(f.fails) > 0 {
		how, f.fails = f.fails[0], f.fails[1:]
	}
	return how
}

// wrong notes what the client does wrong. f.mu is held.
func (f *rest) wrong(form string, args ...any) { f.bad = append(f.bad, fmt.Sprintf(form, args...)) }

// body reads a body that must have documented fields alone. f.mu is held.
func (f *rest) body(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err != nil {
		f.wrong("a body that is not documented: %v", err)
	}
	return err
}

// sayJSON writes an answer as JSON, unless it is to be lost.
func sayJSON(w http.ResponseWriter, how string, code int, v any) {
	if how == "lost" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// copies are copies of what a fake holds.
func copies[T any](all []*T) (out []T) {
	for _, one := range all {
		out = append(out, *one)
	}
	return out
}
