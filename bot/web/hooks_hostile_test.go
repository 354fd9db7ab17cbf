package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHookStrangersHoldNothingUp: strangers who open requests and never finish
// them keep no alert of who is known from being taken.
func TestHookStrangersHoldNothingUp(t *testing.T) {
	t.Parallel()
	take := &taker{}
	s := httptest.NewServer(newHooks(take))
	t.Cleanup(s.Close)
	for _, source := range []string{PagerDuty, Generic} {
		for n := range 40 {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			head := "X-Nothing: 1"
			if n%2 == 0 { // one that cannot be told from a good one yet
				head = fmt.Sprintf("X-PagerDuty-Signature: v1=00\r\n%s: %d\r\n%s: v1=00", timestampHeader, hookNow.Unix(), signatureHeader)
			}
			fmt.Fprintf(c, "POST /hooks/%s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 1000\r\n\r\n", source, head)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), hookWithin/2) // before they are cut off
	defer cancel()
	good := func(source string, body []byte) {
		r := hookRequest(source, body)
		out, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+r.URL.Path, strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		out.Header = r.Header
		resp, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			return
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d %s", source, resp.StatusCode, b)
		}
	}
	for range 3 {
		good(Alertmanager, fixture(t, "alertmanager_firing.json"))
		good(Generic, fixture(t, "generic_one.json"))
	}
}

// TestHookTimeOfAnotherAge: times at the ends of what a number can hold are not fresh.
func TestHookTimeOfAnotherAge(t *testing.T) {
	t.Parallel()
	for stamp, want := range map[string]bool{"": false, "x": false, "-9223372036854775808": false, "9223372036854775807": false, "1e9": false,
		fmt.Sprint(hookNow.Unix()): true, fmt.Sprint(hookNow.Add(-freshFor).Unix()): true, fmt.Sprint(hookNow.Add(freshFor + time.Second).Unix()): false} {
		if fresh(stamp, hookNow) != want {
			t.Errorf("%q: fresh is %v", stamp, !want)
		}
	}
}

// TestHookRefusalsFillNoLog: what strangers send is counted in the log, not
// written there a line each.
func TestHookRefusalsFillNoLog(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	now := hookNow
	h := NewHooks(HookOptions{Take: &taker{}, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Hooks: map[string]Hook{Alertmanager: {Secrets: []string{amToken}}}})
	for n := range 501 {
		if n == 500 {
			now = now.Add(time.Minute)
		}
		if w := serve(h, httptest.NewRequest(http.MethodPost, "/hooks/alertmanager", strings.NewReader("{}"))); w.Code != http.StatusUnauthorized {
			t.Fatal(w.Code)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "refused=500") {
		t.Errorf("%d lines: %.500s", n, log.String())
	}
}
