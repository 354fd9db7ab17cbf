package discord

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// The token goes to the API's own address alone: a redirect is not followed.
func TestTokenFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(`{}`))
	}))
	defer other.Close()
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, code)
		}))
		a := newAPI(s.URL, "token-of-the-test", 10*time.Second, time.Now)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			var out map[string]any
			if err := a.call(t.Context(), method, "channels/1100000000000000003/messages", nil, &out); err == nil {
				t.Errorf("%d %s: it was taken", code, method)
			}
		}
		s.Close()
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
}
