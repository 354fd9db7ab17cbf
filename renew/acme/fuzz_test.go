package acme

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/renew"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 7 ": 7 * time.Second, "-3": 0, "soon": 0, "1e3": 0,
		"99999999999999999999": 365 * 24 * time.Hour, "9223372036854775807": 365 * 24 * time.Hour, "-99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "3", "-1", "Fri, 02 Jan 2026 03:05:05 GMT", "9223372036854775807"} {
		f.Add(s)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, now); d < 0 || d > 365*24*time.Hour {
			t.Errorf("%q: %s", s, d)
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add([]byte(`{"suggestedWindow":{"start":"2026-01-02T03:04:05Z","end":"2026-01-03T03:04:05Z"},"explanationURL":"https://x/"}`))
	f.Add([]byte(`{"suggestedWindow":{"start":1}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := parseWindow(b)
		if err == nil && (!w.End.After(w.Start) || w.Start.IsZero() || len(w.Explanation) > 600) {
			t.Errorf("%q: %+v", b, w)
		}
	})
}

// canned answers every request with one body.
type canned struct {
	status int
	body   []byte
	header http.Header
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: c.header.Clone(), Body: io.NopCloser(bytes.NewReader(c.body)), Request: r}, nil
}

// FuzzProblem has a server answer every signed request with any error.
func FuzzProblem(f *testing.F) {
	f.Add(400, []byte(`{"type":"urn:ietf:params:acme:error:badNonce","detail":"x"}`))
	f.Add(429, []byte(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"x","subproblems":[{}]}`))
	f.Add(500, []byte("\x00<html>"))
	f.Add(409, []byte(`{"type":7}`))
	f.Add(404, []byte(`null`))
	f.Add(400, []byte(`{"TYPE":"urn:ietf:params:acme:error:badNonce","status":400}`))
	key := newKey(f)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 400 || status > 599 || len(body) > 1<<12 {
			return
		}
		o := Options{Timeout: time.Second, Now: time.Now}
		s := &server{o: o, directory: "https://ca.test/dir", nonceAt: "https://ca.test/nonce", dirAt: time.Now(),
			dir:  []byte(`{"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/a","newOrder":"https://ca.test/o"}`),
			http: canned{status, body, http.Header{"Replay-Nonce": {"n"}, "Retry-After": {"9"}}}}
		s.push("n", false)
		c := &client{o: o, issuer: renew.Issuer{Directory: s.directory}, key: key, srv: s, kid: "https://ca.test/a/1"}
		start := time.Now()
		_, err := c.getAccount(t.Context(), c.kid)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d %q: %s", status, body, took)
		}
		var ca *renew.CAError
		if !errors.As(err, &ca) || ca.Type == "" && len(ca.Detail) == 0 && !strings.HasPrefix(string(bytes.TrimSpace(body)), "{") || len(ca.Detail) > 2100 || !utf8.ValidString(ca.Detail) {
			t.Errorf("%d %q: %v %+v", status, body, err, ca)
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	f.Add("key \"medic\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0\";\n};\n")
	f.Add("key {")
	f.Fuzz(func(t *testing.T, s string) {
		key, secret, algo, err := parseKeyFile(s)
		if err == nil && (key == "" || secret == "" || algo == "") {
			t.Errorf("%q: %q %q %q", s, key, secret, algo)
		}
	})
}
