package slack

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// The tokens go to the API's own address alone: a redirect is not followed.
func TestTokensFollowNoRedirect(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { asked.Add(1) }))
	defer other.Close()
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, code)
		}))
		s, err := New(Options{BotToken: "xoxb-1", AppToken: "xapp-1", Mode: Socket, Channel: "C0000001", APIURL: api.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.api.AuthTestContext(t.Context()); err == nil {
			t.Errorf("%d: it was taken", code)
		}
		if _, _, err := s.api.StartSocketModeContext(t.Context()); err == nil {
			t.Errorf("%d: the socket was opened", code)
		}
		if fs := Check(t.Context(), s.o); len(fs) != 1 || fs[0].Good {
			t.Errorf("%d: check says %+v", code, fs)
		}
		api.Close()
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("another host was asked %d times", n)
	}
}
