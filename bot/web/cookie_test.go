package web

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A browser that came by TLS, to us or to a proxy in front, sends its cookies by
// TLS alone.
func TestCookieSecure(t *testing.T) {
	t.Parallel()
	s := &Site{}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   bool
	}{
		"plain":          {func(*http.Request) {}, false},
		"tls":            {func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, true},
		"proxy":          {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, true},
		"proxies":        {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "HTTPS, http") }, true},
		"proxy, plain":   {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }, false},
		"proxy, by 7239": {func(r *http.Request) { r.Header.Set("Forwarded", `for=127.0.0.1;proto=https;host=x`) }, true},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://certmedic.example/login", nil)
		r.TLS = nil
		c.change(r)
		if k := s.cookie(r, "x", "y", 0); k.Secure != c.want || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" {
			t.Errorf("%s: %+v", name, k)
		}
	}
}
